package main

import (
	"context"
	"testing"
)

func TestProcessAnswersWithAnExclamationMark(t *testing.T) {
	answer, err := process(context.Background(), []byte("hello"))
	if err != nil || string(answer) != "hello!" {
		t.Fatalf("answer %q, error %v", answer, err)
	}
}
