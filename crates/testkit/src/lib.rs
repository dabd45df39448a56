//! Test environment of fnpack; never shipped.

pub mod golang;
pub mod java;
pub mod registry;
pub mod runner;
