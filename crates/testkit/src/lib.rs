//! Test environment of fnpack; never shipped.

pub mod buildpack;
pub mod certificates;
pub mod docker_registry;
pub mod engine;
pub mod faulty_proxy;
pub mod golang;
mod http;
pub mod java;
pub mod registry;
pub mod runner;
mod server;
