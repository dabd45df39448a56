//! Where an image is or shall be, in one form for every command and in the words of `skopeo`.

use std::fmt;
use std::str::FromStr;

use crate::archive;
use crate::reference::{Reference, ReferenceError};

/// A name, which is looked up in the store and then in its registry, or a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `name:tag@digest`: the store first, then the registry; written to, the store.
    Named(Reference),
    /// `docker://name`: the registry alone.
    Registry(Reference),
    /// `oci:FOLDER`, `oci-archive:FILE`, `docker-archive:FILE`, each with `:NAME` if it has several images.
    Archive(archive::Address),
}

/// Why a text is no address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Not a name either.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// `oci:` and its kin without a path.
    #[error(transparent)]
    Archive(#[from] archive::ArchiveError),
    /// Images inside of an engine.
    #[error(
        "`{text}` is an image inside of an engine, and fnpack opens no engine's socket: bring it by `docker save` and `docker-archive:FILE`"
    )]
    Engine {
        /// The text as given.
        text: String,
    },
}

const REGISTRY: &str = "docker://";
const ARCHIVES: [&str; 3] = ["oci:", "oci-archive:", "docker-archive:"];
const ENGINES: [&str; 2] = ["docker-daemon:", "containers-storage:"];

impl Address {
    /// The name, if it is one.
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Named(reference) | Self::Registry(reference) => Some(reference),
            Self::Archive(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(reference) => formatter.write_str(&reference.familiar()),
            Self::Registry(reference) => write!(formatter, "{REGISTRY}{}", reference.familiar()),
            Self::Archive(address) => address.fmt(formatter),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
        if begins(&ENGINES) {
            return Err(AddressError::Engine { text: text.to_owned() });
        }
        if begins(&ARCHIVES) {
            return Ok(Self::Archive(text.parse()?));
        }
        match text.strip_prefix(REGISTRY) {
            Some(name) => Ok(Self::Registry(name.parse()?)),
            None => Ok(Self::Named(text.parse()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_every_kind_is_parsed_and_shown_again() {
        for text in ["app:1", "docker://ghcr.io/a/b:1", "oci:folder", "oci:folder:label", "oci-archive:a.tar", "docker-archive:a.tar:app:1"]
        {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert!(matches!("oci".parse(), Ok(Address::Named(_))), "a name like a kind of place is a name");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, told) in [
            ("docker-daemon:app:1", "no engine's socket"),
            ("containers-storage:app", "no engine's socket"),
            ("oci:", "oci:FOLDER"),
            ("docker://", "empty"),
            ("App", "lower case"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
