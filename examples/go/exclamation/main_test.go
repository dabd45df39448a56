package main

import (
	"context"
	"testing"
)

func TestExclaim(t *testing.T) {
	output, err := exclaim(context.Background(), []byte("hello"))
	if err != nil || string(output) != "hello!" {
		t.Fatalf("got %q, %v", output, err)
	}
}
