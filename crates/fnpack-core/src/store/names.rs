//! What leases and records keep alive, and what those things are called.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{OverlayXattr, Result, StoreError};
use crate::digest::{ChainId, Digest};

/// A committed folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FolderId(String);

/// An unpacked layer: chain ID, id mapping, overlay attribute class.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotName(String);

/// Something kept alive by whoever names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Keep {
    /// One blob.
    Blob(Digest),
    /// A manifest or index, all that it names, and the snapshots of its layers.
    Image(Digest),
    /// One snapshot; those below it have to be named too.
    Snapshot(SnapshotName),
    /// A committed folder.
    Folder(FolderId),
}

impl FolderId {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// Its name as a file.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SnapshotName {
    pub(super) fn new(chain_id: &ChainId, mapping_key: &str, xattr: OverlayXattr) -> Self {
        let xattr = match xattr {
            OverlayXattr::Trusted => "trusted",
            OverlayXattr::User => "user",
        };
        Self(format!("{}-{mapping_key}-{xattr}", chain_id.hex()))
    }

    /// Its name as a file.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hexadecimal digits of the chain ID.
    pub(super) fn chain_hex(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }
}

macro_rules! file_name {
    ($name:ident, $what:literal) => {
        impl TryFrom<String> for $name {
            type Error = StoreError;

            fn try_from(text: String) -> Result<Self> {
                if is_file_name(&text) { Ok(Self(text)) } else { Err(StoreError::InvalidName { what: $what, text }) }
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

file_name!(FolderId, "folder id");
file_name!(SnapshotName, "snapshot name");

/// Lower-case letters, digits and dashes: never a path, never hidden.
pub(super) fn is_file_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

impl fmt::Display for Keep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blob(digest) => write!(formatter, "blob {digest}"),
            Self::Image(digest) => write!(formatter, "image {digest}"),
            Self::Snapshot(name) => write!(formatter, "snapshot {name}"),
            Self::Folder(id) => write!(formatter, "folder {id}"),
        }
    }
}

impl FromStr for Keep {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || StoreError::InvalidName { what: "name of a thing to keep", text: text.to_owned() };
        let (kind, name) = text.split_once(' ').ok_or_else(invalid)?;
        match kind {
            "blob" => name.parse().map(Self::Blob).map_err(|_| invalid()),
            "image" => name.parse().map(Self::Image).map_err(|_| invalid()),
            "snapshot" => name.to_owned().try_into().map(Self::Snapshot),
            "folder" => name.to_owned().try_into().map(Self::Folder),
            _ => Err(invalid()),
        }
    }
}

impl TryFrom<String> for Keep {
    type Error = StoreError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Keep> for String {
    fn from(keep: Keep) -> String {
        keep.to_string()
    }
}

/// A name that no other process and no other time has: the process id, for who looks at the folder, and
/// 64 bits that the standard library takes from the system's random source.
pub(super) fn unique() -> String {
    format!("{}-{:016x}", std::process::id(), RandomState::new().build_hasher().finish())
}
