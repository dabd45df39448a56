//! What a source says of its own build: `project.toml` (CNB project descriptor, schema 0.1 and 0.2), and the
//! names by which it and the command line ask for buildpacks.

mod choice;
mod descriptor;
mod selection;

pub(crate) use choice::module_id;
pub use choice::{BuildpackChoice, BuildpackPlace, BuildpackSource, InlineBuildpack, SourceNameError};
pub use descriptor::{FILE_NAME, ProjectToml, ProjectTomlError};
pub use selection::{PatternError, Patterns, Selection};
