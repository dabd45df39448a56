//! Test environment of fnpack; never shipped.

pub mod needs;
pub mod registry;
