//! Test environment of fnpack; never shipped.

pub mod registry;
pub mod runner;
