//! A ready artifact: the function that a file holds.

use std::path::{Path, PathBuf};

use fnpack_artifact::golang::{self, GolangError};
use fnpack_artifact::{Facts, Language};

use super::{Kind, KindError};

/// A file with a function in it.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// The function; [`Facts::artifact`] is the file's own name until it has a place in an image.
    pub facts: Facts,
    /// What does not keep the function from running and should be known.
    pub notes: Vec<String>,
}

/// How an artifact is to be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ArtifactOptions<'a> {
    /// Which of several functions is meant.
    pub class_name: Option<&'a str>,
}

/// Why a file holds no function that could be run.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// It is no function package.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// A program that is no Go function.
    #[error("`{}` is no Go function", path.display())]
    Golang {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: GolangError,
    },
    /// A class is named where there are none.
    #[error("`{}` is a Go program, which has no classes to choose from by `{class_name}`", path.display())]
    ClassOfGo {
        /// The file.
        path: PathBuf,
        /// As asked for.
        class_name: String,
    },
}

impl Artifact {
    /// Looks into a file.
    pub fn read(path: &Path, options: ArtifactOptions<'_>) -> Result<Self, ArtifactError> {
        let kind = Kind::of(path)?;
        let (facts, notes) = match kind.language() {
            Language::Go => golang_facts(path, options)?,
            Language::Java | Language::Python => (Facts::new(kind.language(), String::new()), Vec::new()),
        };
        let artifact = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { path: path.to_owned(), kind, facts: Facts { artifact, ..facts }, notes })
    }
}

fn golang_facts(path: &Path, options: ArtifactOptions<'_>) -> Result<(Facts, Vec<String>), ArtifactError> {
    if let Some(class_name) = options.class_name {
        return Err(ArtifactError::ClassOfGo { path: path.to_owned(), class_name: class_name.to_owned() });
    }
    let facts = golang::facts(path, "").map_err(|source| ArtifactError::Golang { path: path.to_owned(), source })?;
    let mut notes = Vec::new();
    if facts.is_static == Some(false) {
        notes.push("the program needs a dynamic loader, so it runs only on runners with the C library it was linked for; build it with `CGO_ENABLED=0`".to_owned());
    }
    Ok((facts, notes))
}
