//! Applies a layer's tar to a root file system (OCI image specification, `layer.md`, "Applying Changesets").
//!
//! The tar is foreign. Whatever names, links and sizes it holds, nothing outside the [`Root`] is
//! touched, memory stays bounded by the limits below, and what cannot be done ends in an error that
//! names the entry. The rules are those of containerd, so that the result is the same file system:
//!
//! - names are cleaned as text (`/`, `.`, `..`), then resolved inside the root, symlinked parents followed; the last
//!   component never is
//! - missing parents are made, 0755 and owned by root, also behind a dangling symlink
//! - an entry replaces what has its name, unless both are folders
//! - `.wh.name` removes `name` as it came from below, `.wh..wh..opq` all that came from below; neither
//!   touches what the same layer wrote. Over an overlay the kernel makes the marks for it
//! - owners, then modes, then extended attributes, then times; those of folders at the end
//! - device nodes that may not be made are left out and counted; 0:0 always, as overlayfs would read
//!   it as a deletion

pub(crate) mod archive;
mod pax;
mod place;

use std::io::{self, Read};
use std::path::PathBuf;

use archive::Archive;
use place::Placer;

use crate::root::Root;

/// How to apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplyOptions {
    /// There is one user id only: owners stay as they fall.
    pub single_id: bool,
    /// Headers read before a tar counts as an attack; the largest images known have half a million files.
    pub max_entries: u64,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self { single_id: false, max_entries: 10_000_000 }
    }
}

/// What was applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Files, folders, links and whiteouts.
    pub entries: u64,
    /// Bytes of file contents written.
    pub bytes: u64,
    /// Device nodes left out.
    pub skipped_devices: u64,
    /// Extended attributes that the file system or the caller's rights did not take.
    pub skipped_attributes: u64,
}

/// Why a tar could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The bytes could not be read or uncompressed.
    #[error("cannot read the layer")]
    Read {
        /// What the reader said.
        #[source]
        source: io::Error,
    },
    /// The bytes are not a tar.
    #[error("the layer is not a tar that can be applied: {reason} (at byte {offset})")]
    Malformed {
        /// Where in the uncompressed tar.
        offset: u64,
        /// What is wrong, one clause.
        reason: &'static str,
    },
    /// One entry cannot be placed as it stands.
    #[error("the layer's entry `{}` cannot be applied: {reason}", path.display())]
    Entry {
        /// The entry's name.
        path: PathBuf,
        /// What is wrong, one clause.
        reason: &'static str,
    },
    /// There are more entries than the limit.
    #[error("the layer has more than {limit} entries")]
    TooManyEntries {
        /// [`ApplyOptions::max_entries`].
        limit: u64,
    },
    /// The bytes are made to fill disks.
    #[error("the layer unpacks to more than {factor} times its size, and so does no honest one of this length")]
    GrowsTooMuch {
        /// Times its size.
        factor: u64,
    },
    /// A hard link to something that is not there or cannot be linked.
    #[error("cannot make the hard link `{}` to `{}`", path.display(), target.display())]
    HardLink {
        /// The entry's name.
        path: PathBuf,
        /// What it links to.
        target: PathBuf,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
    /// The owner has no place in the id mapping.
    #[error("the owner {uid}:{gid} of `{}` is not in the id mapping", path.display())]
    UnmappedOwner {
        /// The entry's name.
        path: PathBuf,
        /// User id in the tar.
        uid: u32,
        /// Group id in the tar.
        gid: u32,
    },
    /// The kernel refused something.
    #[error("cannot {action} `{}`", path.display())]
    Place {
        /// The call, as a verb phrase.
        action: &'static str,
        /// The path inside the root.
        path: PathBuf,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
}

impl ApplyError {
    /// Whether the fault is in the bytes: another copy of the layer might do.
    pub fn is_bad_data(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Malformed { .. })
    }
}

/// Whether a file system said that it has no room left, by its size or by a quota.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Applies an uncompressed tar to `root` and reads it to its very end, so that a reader that hashes has seen all of it.
pub fn apply(reader: impl Read, root: &Root, options: &ApplyOptions) -> Result<Applied, ApplyError> {
    let mut archive = Archive::new(reader, options.max_entries);
    let mut placer = Placer::new(root, options.single_id);
    while let Some(member) = archive.next_member()? {
        placer.place(&member, &mut archive)?;
    }
    archive.drain()?;
    placer.finish()
}

#[cfg(test)]
mod tests;
