//go:build tools

// Package crane holds the version of crane that the tests build, with all its dependencies in go.sum.
package crane

import _ "github.com/google/go-containerregistry/cmd/crane"
