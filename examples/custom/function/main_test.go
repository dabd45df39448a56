package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

func TestGreet(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "greeting.txt"), []byte("Good morning\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	greeting, err := readGreeting(folder)
	if err != nil {
		t.Fatal(err)
	}
	output, err := greet(greeting)(context.Background(), []byte("Pulsar"))
	if err != nil || string(output) != "Good morning, Pulsar" {
		t.Fatalf("got %q, %v", output, err)
	}
}
