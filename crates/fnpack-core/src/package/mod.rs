//! Function packages and ready artifacts: what users bring as a finished file, and what `fnpack package` makes.
//!
//! [`Artifact::read`] says what a file is and which function is in it, by its content and not by its name;
//! [`place()`] puts it into an application folder as Function Mesh runs it; [`take()`] goes the other way and makes a
//! package of a finished application folder. Nothing here knows images.
//!
//! Answers the formats of Apache Pulsar: jar and NAR, Python source, wheel and zip (`<base>/src`, `<base>/deps`), Go
//! binary.

mod artifact;
mod class_path;
mod fat_jar;
mod kind;
mod place;
mod take;
mod unzip;

#[cfg(test)]
mod tests;

pub use artifact::{Artifact, ArtifactError, ArtifactOptions};
pub use kind::{Kind, KindError};
pub use place::{PlaceError, Placed, place};
pub use take::{Format, Output, TakeError, Taken, Wanted, take};
pub use unzip::{Limits, UnzipError};
