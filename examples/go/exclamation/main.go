// Exclamation is a Pulsar function that answers each message with an exclamation mark after it, or with what its
// configuration names as `mark`.
package main

import (
	"context"

	"github.com/apache/pulsar/pulsar-function-go/pf"
)

func exclaim(ctx context.Context, input []byte) ([]byte, error) {
	return append(input, mark(ctx)...), nil
}

func mark(ctx context.Context) string {
	if function, ok := pf.FromContext(ctx); ok {
		if mark, ok := function.GetUserConfValue("mark").(string); ok {
			return mark
		}
	}
	return "!"
}

func main() {
	pf.Start(exclaim)
}
