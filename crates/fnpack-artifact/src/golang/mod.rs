//! Go binaries.
