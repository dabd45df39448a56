//! fnpack-launcher.
fn main() {}
