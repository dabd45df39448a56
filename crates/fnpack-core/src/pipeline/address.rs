//! Where an image is or shall be, in one form for every command and in the words of `skopeo`.

use std::fmt;
use std::str::FromStr;

use crate::archive;
use crate::engine::{EngineImage, EngineImageError};
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
    /// `docker-daemon:NAME`: the image in the engine of this machine, docker's or podman's.
    Engine(EngineImage),
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
    /// `docker-daemon:` without a name.
    #[error(transparent)]
    Engine(#[from] EngineImageError),
    /// Images in the folders of Podman and its kin, which only they may open.
    #[error(
        "`{text}` is an image in podman's own folders, which fnpack does not open: write `docker-daemon:NAME` and start podman's socket (`systemctl --user start podman.socket`)"
    )]
    ContainersStorage {
        /// The text as given.
        text: String,
    },
}

const REGISTRY: &str = "docker://";
const ARCHIVES: [&str; 3] = ["oci:", "oci-archive:", "docker-archive:"];
const ENGINE: &str = "docker-daemon:";
const CONTAINERS_STORAGE: &str = "containers-storage:";

impl Address {
    /// The name, if it is one.
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Named(reference) | Self::Registry(reference) | Self::Engine(EngineImage::Named(reference)) => Some(reference),
            Self::Archive(_) | Self::Engine(EngineImage::Id(_)) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(reference) => formatter.write_str(&reference.familiar()),
            Self::Registry(reference) => write!(formatter, "{REGISTRY}{}", reference.familiar()),
            Self::Archive(address) => address.fmt(formatter),
            Self::Engine(image) => write!(formatter, "{ENGINE}{image}"),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.starts_with(CONTAINERS_STORAGE) {
            return Err(AddressError::ContainersStorage { text: text.to_owned() });
        }
        if let Some(image) = text.strip_prefix(ENGINE) {
            return Ok(Self::Engine(image.parse()?));
        }
        if ARCHIVES.iter().any(|prefix| text.starts_with(prefix)) {
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
        let id = format!("docker-daemon:{}", crate::digest::Digest::of("config"));
        for text in [
            "app:1",
            "docker://ghcr.io/a/b:1",
            "oci:folder",
            "oci:folder:label",
            "oci-archive:a.tar",
            "docker-archive:a.tar:app:1",
            "docker-daemon:ghcr.io/a/b:1",
            &id,
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert!(matches!("oci".parse(), Ok(Address::Named(_))), "a name like a kind of place is a name");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, told) in [
            ("docker-daemon:", "Id of an image"),
            ("docker-daemon:App", "Id of an image"),
            ("containers-storage:app", "start podman's socket"),
            ("oci:", "oci:FOLDER"),
            ("docker://", "empty"),
            ("App", "lower case"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
