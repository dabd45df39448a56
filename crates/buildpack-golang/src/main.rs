//! buildpack-golang.
fn main() {}
