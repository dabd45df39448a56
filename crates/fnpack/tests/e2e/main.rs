//! End-to-end tests: the built command, as a user calls it.
fn main() {}
