//! fnpack.
fn main() {}
