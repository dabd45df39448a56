//! Builders: an image with everything that a build needs, made from a `builder.toml`.
//!
//! Answers the CNB platform spec ("Builder", "Builder Metadata Label", "`buildpack.toml`") and the
//! `builder.toml` and labels of `pack`, so that builders go back and forth.

pub mod buildpack_toml;
mod document;
mod module;

pub use buildpack_toml::{BuildpackToml, BuildpackTomlError};
pub use document::{DocumentError, Fault};
pub use module::{Distro, ModuleId, ModuleTarget, Order, OrderEntry, OrderGroup, Stack};
