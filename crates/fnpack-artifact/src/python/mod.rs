//! Python sources, zips and wheels.

mod source;
pub mod wheel;

pub use source::{Definition, Kind, Position, Refusal, SourceFile, Verdict};
