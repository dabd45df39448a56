//! Test environment of fnpack; never shipped.

pub mod buildpack;
pub mod certificates;
pub mod golang;
pub mod java;
pub mod registry;
pub mod runner;
