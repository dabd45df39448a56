//! The name of an image inside of an engine, in the words of `skopeo`: what follows `docker-daemon:`.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::reference::{Reference, ReferenceError};

/// What an engine knows an image by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineImage {
    /// `name`, `name:tag`; to read, `name@digest` too.
    Named(Reference),
    /// `sha256:` and hexadecimal digits, the image's Id; to read only.
    Id(Digest),
}

/// Why a text is no image of an engine.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not the name or the Id of an image in an engine")]
pub struct EngineImageError {
    /// What followed `docker-daemon:`.
    pub text: String,
    /// What is wrong with the name.
    #[source]
    pub source: ReferenceError,
}

impl fmt::Display for EngineImage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(reference) => formatter.write_str(&reference.familiar()),
            Self::Id(id) => id.fmt(formatter),
        }
    }
}

impl FromStr for EngineImage {
    type Err = EngineImageError;

    fn from_str(text: &str) -> Result<Self, EngineImageError> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        text.parse().map(Self::Named).map_err(|source| EngineImageError { text: text.to_owned(), source })
    }
}
