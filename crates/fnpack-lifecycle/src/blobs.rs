//! New layers on their way to the registry: files of a scratch folder.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fnpack_core::digest::{Digest, Hashing};
use fnpack_core::image::{Blob, BlobSink, BlobSource, PendingBlob};

/// Blobs as files named by their digests.
#[derive(Debug, Clone)]
pub(crate) struct FileBlobs {
    folder: PathBuf,
    made: Arc<AtomicU64>,
}

struct FileBlob(PathBuf);

struct PendingFile {
    folder: PathBuf,
    path: PathBuf,
    file: Hashing<File>,
}

impl FileBlobs {
    /// In a folder of the caller's making and removing.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), made: Arc::default() }
    }
}

impl BlobSource for FileBlob {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(fs_err::File::open(&self.0)?))
    }

    fn location(&self) -> String {
        self.0.display().to_string()
    }
}

impl BlobSink for FileBlobs {
    fn create(&self) -> io::Result<Box<dyn PendingBlob>> {
        let path = self.folder.join(format!("new-{}", self.made.fetch_add(1, Ordering::Relaxed)));
        let file = Hashing::new(fs_err::File::create(&path)?.into_parts().0);
        Ok(Box::new(PendingFile { folder: self.folder.clone(), path, file }))
    }

    fn existing(&self, digest: &Digest) -> Option<Blob> {
        let path = self.folder.join(digest.hex());
        path.is_file().then(|| Blob::new(FileBlob(path)))
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl PendingBlob for PendingFile {
    fn commit(self: Box<Self>, expected: Option<&Digest>) -> io::Result<(Digest, u64, Blob)> {
        let Self { folder, path, file } = *self;
        let (_, hash, size) = file.finish();
        let digest = Digest::from_sha256(hash);
        if let Some(expected) = expected.filter(|expected| **expected != digest) {
            fs_err::remove_file(&path)?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("expected {expected}, received {digest}")));
        }
        let named = folder.join(digest.hex());
        fs_err::rename(path, &named)?;
        Ok((digest, size, Blob::new(FileBlob(named))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_is_kept_under_its_digest_alone() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FileBlobs::new(folder.path());
        let write = |expected: Option<&Digest>| {
            let mut pending = blobs.create().unwrap();
            pending.write_all(b"hello").unwrap();
            pending.commit(expected)
        };
        assert!(write(Some(&Digest::of("other"))).is_err());
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
        let (digest, size, blob) = write(None).unwrap();
        assert_eq!((digest, size), (Digest::of("hello"), 5));
        let mut bytes = Vec::new();
        blobs.existing(&digest).unwrap().open().unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"hello");
        assert_eq!(blob.location(), folder.path().join(digest.hex()).display().to_string());
        assert!(blobs.existing(&Digest::of("other")).is_none());
    }
}
