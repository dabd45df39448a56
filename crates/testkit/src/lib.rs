//! Test environment of fnpack; never shipped.

pub mod java;
pub mod registry;
pub mod runner;
