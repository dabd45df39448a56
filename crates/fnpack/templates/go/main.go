// {{title}} is a Pulsar function that answers each message with an exclamation mark after it.
package main

import (
	"context"

	"github.com/apache/pulsar/pulsar-function-go/pf"
)

func process(_ context.Context, input []byte) ([]byte, error) {
	return append(input, '!'), nil
}

func main() {
	pf.Start(process)
}
