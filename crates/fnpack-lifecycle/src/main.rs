//! fnpack-lifecycle.
fn main() {}
