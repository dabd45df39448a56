//! What readers of archives see of a folder or a tar: files by name.

use std::io::{self, Read};
use std::sync::Arc;

use super::ArchiveError;
use crate::digest::Digest;
use crate::image::{Blob, BlobSource};

/// Files by name, wherever they are. Names are relative, with `/` between their parts.
pub(super) trait Files: Send + Sync {
    /// For messages: the folder or file, in backticks.
    fn place(&self) -> String;

    /// The length of a file.
    fn length(&self, name: &str) -> Result<u64, ArchiveError>;

    /// A file from its start.
    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ArchiveError>;
}

/// Reads a whole file of at most `limit` bytes.
pub(super) fn read(files: &dyn Files, name: &str, limit: u64) -> Result<Vec<u8>, ArchiveError> {
    let length = files.length(name)?;
    if length > limit {
        return Err(ArchiveError::TooLong { name: name.to_owned(), place: files.place(), limit });
    }
    let mut bytes = Vec::new();
    let failed = |source| ArchiveError::File { action: "read", path: format!("{name} in {}", files.place()).into(), source };
    files.open(name)?.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Reads a document that a digest names.
pub(super) fn read_verified(files: &dyn Files, name: &str, digest: Digest, limit: u64) -> Result<Vec<u8>, ArchiveError> {
    let bytes = read(files, name, limit)?;
    let actual = Digest::of(&bytes);
    if actual == digest {
        return Ok(bytes);
    }
    Err(ArchiveError::DigestMismatch { name: name.to_owned(), place: files.place(), actual })
}

/// A file as a blob, looked up when it is opened.
pub(super) fn blob(files: &Arc<dyn Files>, name: &str) -> Blob {
    Blob::new(FileBlob { files: Arc::clone(files), name: name.to_owned() })
}

struct FileBlob {
    files: Arc<dyn Files>,
    name: String,
}

impl BlobSource for FileBlob {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        self.files.open(&self.name).map_err(io::Error::other)
    }

    fn location(&self) -> String {
        format!("`{}` in {}", self.name, self.files.place())
    }
}
