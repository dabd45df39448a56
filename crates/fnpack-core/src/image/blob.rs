//! Where the bytes of a layer come from and go to.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex};

use crate::digest::{Digest, Hashing};

/// A source of a blob's bytes, opened only when they are needed.
pub trait BlobSource: Send + Sync {
    /// Opens the bytes from their start. The reader is not trusted: who stores the bytes checks the digest.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;

    /// The same for a reader that computes the digest anyway: a source that does so too leaves it out.
    fn open_unchecked(&self) -> io::Result<Box<dyn Read + Send>> {
        self.open()
    }

    /// Where the bytes are, for messages: a path, a registry and repository.
    fn location(&self) -> String;

    /// The registry repository (`host/path`) that has the blob, if it is known to: a push to the same
    /// host mounts it from there instead of sending it.
    fn repository(&self) -> Option<String> {
        None
    }
}

/// A shared [`BlobSource`].
#[derive(Clone)]
pub struct Blob(Arc<dyn BlobSource>);

impl Blob {
    /// Shares a source.
    pub fn new(source: impl BlobSource + 'static) -> Self {
        Self(Arc::new(source))
    }
}

impl std::ops::Deref for Blob {
    type Target = dyn BlobSource;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Blob({})", self.0.location())
    }
}

/// Takes new blobs. The store is one; tests use [`MemoryBlobs`].
pub trait BlobSink: Sync {
    /// Starts a blob whose digest is not yet known.
    fn create(&self) -> io::Result<Box<dyn PendingBlob>>;

    /// The blob of this digest, if it is here already.
    fn existing(&self, digest: &Digest) -> Option<Blob>;
}

/// A blob being written. Dropped without [`PendingBlob::commit`], nothing of it stays.
pub trait PendingBlob: Write + Send {
    /// Ends the blob under the digest of its bytes, which the implementation computes itself or was
    /// told while writing. `expected` that differs is an [`io::ErrorKind::InvalidData`] error and nothing is kept.
    fn commit(self: Box<Self>, expected: Option<&Digest>) -> io::Result<(Digest, u64, Blob)>;
}

/// Blobs in memory, for tests and for small documents.
#[derive(Debug, Clone, Default)]
pub struct MemoryBlobs {
    blobs: Arc<Mutex<HashMap<Digest, Arc<[u8]>>>>,
}

struct MemoryBlob {
    digest: Digest,
    bytes: Arc<[u8]>,
}

struct PendingMemoryBlob {
    blobs: MemoryBlobs,
    bytes: Hashing<Vec<u8>>,
}

impl MemoryBlobs {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Arc<[u8]>>> {
        self.blobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl BlobSource for MemoryBlob {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(Arc::clone(&self.bytes))))
    }

    fn location(&self) -> String {
        format!("memory ({})", self.digest)
    }
}

impl BlobSink for MemoryBlobs {
    fn create(&self) -> io::Result<Box<dyn PendingBlob>> {
        Ok(Box::new(PendingMemoryBlob { blobs: self.clone(), bytes: Hashing::new(Vec::new()) }))
    }

    fn existing(&self, digest: &Digest) -> Option<Blob> {
        let bytes = Arc::clone(self.lock().get(digest)?);
        Some(Blob::new(MemoryBlob { digest: *digest, bytes }))
    }
}

impl Write for PendingMemoryBlob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl PendingBlob for PendingMemoryBlob {
    fn commit(self: Box<Self>, expected: Option<&Digest>) -> io::Result<(Digest, u64, Blob)> {
        let Self { blobs, bytes } = *self;
        let (bytes, hash, size) = bytes.finish();
        let digest = Digest::from_sha256(hash);
        if let Some(expected) = expected.filter(|expected| **expected != digest) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("expected {expected}, received {digest}")));
        }
        let bytes: Arc<[u8]> = bytes.into();
        blobs.lock().insert(digest, Arc::clone(&bytes));
        Ok((digest, size, Blob::new(MemoryBlob { digest, bytes })))
    }
}
