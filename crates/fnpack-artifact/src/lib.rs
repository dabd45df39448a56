//! What Apache Pulsar runs: jars and NARs, Python sources, zips and wheels, Go binaries. Which function is in
//! them, what it needs of a runner, and how function packages are written.
//!
//! Buildpacks and fnpack read artifacts through this crate, so that both say the same of the same file. What is
//! known of a function is a [`Facts`] value; in images it stands in labels (`docs/labels.md`).
//!
//! Everything read here is foreign: sizes and counts are bounded, and no input makes it panic.

#![forbid(unsafe_code)]

mod facts;
pub mod golang;
pub mod java;
pub mod python;

pub use facts::{Facts, LABEL_PREFIX, Language, UnknownLanguage};
