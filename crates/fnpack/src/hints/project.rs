//! What users ask of a build: project.toml, buildpacks of their own.

use fnpack_core::builder::ModuleId;
use fnpack_core::pipeline::ChoiceError;
use fnpack_core::project::{PatternError, ProjectTomlError, SourceNameError};

use super::{Advice, Explain};
use crate::error::Class::Configuration;

/// The names that a builder offers instead.
fn has(builder: &str, present: &[ModuleId]) -> Vec<String> {
    if present.is_empty() {
        return vec![format!("`{builder}` has no buildpacks")];
    }
    present.iter().map(|module| format!("`{builder}` has {module}")).collect()
}

impl Explain for ChoiceError {
    fn advice(&self) -> Advice {
        let configuration = Advice::new(Configuration);
        match self {
            Self::Unknown { name, builder, present } => configuration
                .details(has(builder, present))
                .hint(format!("write `./{name}` for a folder, `docker://{name}` for an image of a registry, or one of these")),
            Self::NotInBuilder { builder, present, .. } => {
                configuration.details(has(builder, present)).hint("write one of these, or the path of the buildpack")
            }
            Self::Ambiguous { builder, present, .. } => configuration.details(has(builder, present)).hint("write the version behind a `@`"),
            Self::OrderTwice => configuration.hint("write `from=builder` once"),
            Self::GivenTwice { .. } => configuration.hint("remove one of them, or give it another version"),
            Self::Find(source) => source.advice(),
            Self::Load(source) => source.advice(),
            Self::Check(source) => source.advice(),
            Self::Contents(source) => source.advice(),
            Self::Folder(source) => source.advice(),
            Self::Store(source) => source.advice(),
        }
    }
}

impl Explain for ProjectTomlError {
    fn advice(&self) -> Advice {
        match self {
            Self::Read { .. } => Advice::new(Configuration).hint("name the project.toml with `--descriptor FILE`"),
            Self::Document(source) => source.advice(),
            Self::Uri { source, .. } => source.advice(),
            Self::Patterns { source, .. } => source.advice(),
        }
    }
}

impl Explain for SourceNameError {
    fn advice(&self) -> Advice {
        let configuration = Advice::new(Configuration);
        match self {
            Self::Empty => configuration.hint("write a folder, an archive, an id, an image or `from=builder`"),
            Self::Download { .. } => configuration.hint("download it, and give the file's path"),
            Self::Registry { .. } => configuration.hint("name its image with `docker://…`, or get its archive and give the path"),
            Self::Image { .. } => configuration.hint("write the image's name behind `docker://`"),
        }
    }
}

impl Explain for PatternError {
    fn advice(&self) -> Advice {
        Advice::new(Configuration).hint("patterns are those of .gitignore")
    }
}
