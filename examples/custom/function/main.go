// Greeting is a Pulsar function that puts a greeting before each message. The greeting lies in a file beside the
// program, where the build put it.
package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/pulsar/pulsar-function-go/pf"
)

func readGreeting(folder string) (string, error) {
	text, err := os.ReadFile(filepath.Join(folder, "greeting.txt"))
	return strings.TrimSpace(string(text)), err
}

func greet(greeting string) func(context.Context, []byte) ([]byte, error) {
	return func(_ context.Context, input []byte) ([]byte, error) {
		return []byte(greeting + ", " + string(input)), nil
	}
}

func main() {
	program, err := os.Executable()
	if err != nil {
		panic(err)
	}
	greeting, err := readGreeting(filepath.Dir(program))
	if err != nil {
		panic(err)
	}
	pf.Start(greet(greeting))
}
