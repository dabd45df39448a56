//! Blobs: hashed while written, hashed again while read.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use fs_err::File;

use super::staging::Stage;
use super::{Inner, Keep, Result, Store, StoreError};
use crate::digest::{Digest, Hashing};
use crate::image::{Blob, BlobSink, BlobSource, PendingBlob, Verified};

/// From this size on a blob whose digest was known beforehand is synced and named at once, so that an interrupted
/// pull goes on where it stopped. Others wait for the barrier, so that ten thousand configs are one sync.
const LARGE: u64 = 1024 * 1024;
/// A repository name has at most 255 characters.
const MAX_SOURCE: u64 = 1024;

/// Fetches blobs that are absent from the store.
pub trait BlobFetcher: Send + Sync {
    /// Opens a blob of a registry repository (`host/path`). The bytes are checked by the store.
    fn fetch(&self, repository: &str, digest: &Digest) -> io::Result<Box<dyn Read + Send>>;
}

/// A blob of the store, absent perhaps.
struct StoredBlob {
    store: Store,
    digest: Digest,
}

/// A blob being written, in scratch.
struct Scratch<F> {
    store: Store,
    path: PathBuf,
    /// `None` once it is committed.
    file: Option<F>,
}

/// A blob being written that is hashed here.
type PendingFile = Scratch<Hashing<File>>;

/// A blob being written that whoever writes it hashes: it gets its name for a [`Verified`].
pub struct IncomingBlob(Scratch<File>);

impl Store {
    /// A blob that is in the store.
    pub fn blob(&self, digest: &Digest) -> Option<Blob> {
        self.existing(digest)
    }

    /// Records that a registry repository (`host/path`) has a blob. It lasts from the next barrier on.
    pub fn record_blob_source(&self, digest: &Digest, repository: &str) -> Result<()> {
        if self.inner.blob_source(digest)?.as_deref() == Some(repository) {
            return Ok(());
        }
        self.inner.stage_bytes(Stage::Source(*digest), repository.as_bytes())
    }

    /// The blob by this name, whether it is here or not.
    pub(super) fn lazy_blob(&self, digest: &Digest) -> Blob {
        Blob::new(StoredBlob { store: self.clone(), digest: *digest })
    }

    /// Starts a blob that is checked on its way here.
    pub fn receive(&self) -> Result<IncomingBlob> {
        self.create_scratch(|file| file).map(IncomingBlob)
    }

    fn create_blob(&self) -> Result<PendingFile> {
        self.create_scratch(Hashing::new)
    }

    fn create_scratch<F>(&self, wrap: impl FnOnce(File) -> F) -> Result<Scratch<F>> {
        let path = self.inner.scratch_path()?;
        let file = wrap(self.inner.disk.create_new(&path)?);
        Ok(Scratch { store: self.clone(), path, file: Some(file) })
    }

    /// Opens a blob that is here; the reader ends in an error if the bytes are not those of the name.
    pub(super) fn open_blob(&self, digest: &Digest) -> Result<Option<Box<dyn Read + Send>>> {
        let Some(file) = self.inner.open_stage(&Stage::Blob(*digest))? else { return Ok(None) };
        let place = Place::File(file.path().to_owned());
        Ok(Some(Box::new(Verifying { reader: Some(Hashing::new(Box::new(file))), expected: *digest, place })))
    }

    /// A document that is a blob: whole, of bounded size, checked.
    pub(super) fn read_document(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        /// What registries accept as a manifest, and twice that; configs with long histories stay below.
        const LIMIT: u64 = 8 * 1024 * 1024;
        let stage = Stage::Blob(*digest);
        match self.inner.read_stage(&stage, LIMIT)? {
            Some(bytes) if Digest::of(&bytes) != *digest => {
                Err(StoreError::CorruptBlob { digest: *digest, path: self.inner.path_of(&stage) })
            }
            found => Ok(found),
        }
    }

    pub(super) fn stage_document(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        let stage = Stage::Blob(*digest);
        if self.inner.is_here(&stage)? { Ok(()) } else { self.inner.stage_bytes(stage, bytes) }
    }
}

impl Inner {
    pub(super) fn has_blob(&self, digest: &Digest) -> Result<bool> {
        self.is_here(&Stage::Blob(*digest))
    }

    /// The repository recorded to have a blob.
    pub(super) fn blob_source(&self, digest: &Digest) -> Result<Option<String>> {
        let bytes = self.read_stage(&Stage::Source(*digest), MAX_SOURCE)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).filter(|text| !text.is_empty()))
    }
}

impl BlobSource for StoredBlob {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        if let Some(reader) = self.store.open_blob(&self.digest)? {
            return Ok(reader);
        }
        let Some(repository) = self.store.inner.blob_source(&self.digest)? else {
            return Err(StoreError::BlobAbsent { digest: self.digest }.into());
        };
        let location = format!("{repository}@{}", self.digest);
        match &self.store.fetcher {
            Some(fetcher) => {
                let reader = fetcher.fetch(&repository, &self.digest)?;
                Ok(Box::new(Verifying { reader: Some(Hashing::new(reader)), expected: self.digest, place: Place::Elsewhere }))
            }
            None => Err(io::Error::new(io::ErrorKind::NotFound, format!("it is not in the store, only in {location}"))),
        }
    }

    fn open_unchecked(&self) -> io::Result<Box<dyn Read + Send>> {
        match self.store.inner.open_stage(&Stage::Blob(self.digest))? {
            Some(file) => Ok(Box::new(file)),
            None => self.open(),
        }
    }

    fn location(&self) -> String {
        let stage = Stage::Blob(self.digest);
        match self.repository() {
            Some(repository) if !self.store.inner.is_here(&stage).unwrap_or(false) => format!("{repository}@{}", self.digest),
            _ => self.store.inner.path_of(&stage).display().to_string(),
        }
    }

    fn repository(&self) -> Option<String> {
        self.store.inner.blob_source(&self.digest).ok().flatten()
    }
}

impl BlobSink for Store {
    fn create(&self) -> io::Result<Box<dyn PendingBlob>> {
        Ok(Box::new(self.create_blob()?))
    }

    fn existing(&self, digest: &Digest) -> Option<Blob> {
        self.inner.protect_for_reading([Keep::Blob(*digest)]).ok()?;
        let here = self.inner.has_blob(digest).ok()?;
        here.then(|| self.lazy_blob(digest))
    }
}

impl<F: Write> Write for Scratch<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => Ok(file.write(bytes).map_err(|source| StoreError::io("write", &self.path, source))?),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl PendingBlob for PendingFile {
    fn commit(mut self: Box<Self>, expected: Option<&Digest>) -> io::Result<(Digest, u64, Blob)> {
        let (digest, size) = self.finish(expected)?;
        Ok((digest, size, self.store.lazy_blob(&digest)))
    }
}

impl Scratch<Hashing<File>> {
    /// Ends the blob, under the digest of what was written.
    fn finish(&mut self, expected: Option<&Digest>) -> Result<(Digest, u64)> {
        let Some(file) = self.file.take() else {
            return Err(StoreError::Io { action: "commit again", path: self.path.clone(), source: io::ErrorKind::BrokenPipe.into() });
        };
        let (_, hash, size) = file.finish();
        let actual = Digest::from_sha256(hash);
        if let Some(expected) = expected.filter(|expected| **expected != actual) {
            self.store.inner.disk.discard_file(&self.path);
            return Err(StoreError::WrongDigest { expected: *expected, actual });
        }
        self.keep(actual, expected.is_some() && size >= LARGE)?;
        Ok((actual, size))
    }
}

impl<F> Scratch<F> {
    /// The finished file is named at once, or staged.
    fn keep(&self, digest: Digest, at_once: bool) -> Result<()> {
        let inner = &self.store.inner;
        inner.protect([Keep::Blob(digest)])?;
        if inner.has_blob(&digest)? {
            inner.disk.discard_file(&self.path);
        } else if at_once {
            inner.disk.sync_file(&self.path)?;
            // That the name lasts is for the barrier to see to; should it be lost before, the blob is fetched again.
            inner.disk.rename(&self.path, &inner.path_of(&Stage::Blob(digest)))?;
        } else {
            inner.stage_file(Stage::Blob(digest), self.path.clone());
        }
        Ok(())
    }
}

impl Write for IncomingBlob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl IncomingBlob {
    /// Ends the blob, under the digest that its bytes were found to have.
    pub fn commit(mut self, verified: &Verified) -> Result<()> {
        self.0.file = None;
        self.0.keep(verified.digest(), verified.size() >= LARGE)
    }
}

impl<F> Drop for Scratch<F> {
    fn drop(&mut self) {
        if self.file.is_some() {
            self.store.inner.disk.discard_file(&self.path);
        }
    }
}

/// Compares the digest when the end is reached.
struct Verifying {
    /// `None` once the end was reached and all was well.
    reader: Option<Hashing<Box<dyn Read + Send>>>,
    expected: Digest,
    place: Place,
}

enum Place {
    File(PathBuf),
    Elsewhere,
}

impl Read for Verifying {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let Some(reader) = &mut self.reader else { return Ok(0) };
        let read = reader.read(bytes)?;
        if read > 0 || bytes.is_empty() {
            return Ok(read);
        }
        let actual = self.reader.take().map(|reader| Digest::from_sha256(reader.finish().1));
        match (actual, &self.place) {
            (Some(actual), Place::File(path)) if actual != self.expected => {
                Err(StoreError::CorruptBlob { digest: self.expected, path: path.clone() }.into())
            }
            (Some(actual), Place::Elsewhere) if actual != self.expected => {
                Err(StoreError::WrongDigest { expected: self.expected, actual }.into())
            }
            _ => Ok(0),
        }
    }
}

/// Copies a blob of any origin into the store: nothing beyond its announced size, nothing under another digest.
pub(super) fn copy_blob(store: &Store, blob: &Blob, digest: &Digest, size: u64) -> Result<()> {
    let failed = |source| StoreError::BlobRead { digest: *digest, location: blob.location(), source };
    let mut reader = blob.open_unchecked().map_err(failed)?.take(size.saturating_add(1));
    let mut pending = store.create_blob()?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(failed(source)),
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        let file = pending.file.as_mut();
        let written = file.map_or(Ok(()), |file| file.write_all(bytes));
        written.map_err(|source| StoreError::io("write", &pending.path, source))?;
    }
    pending.finish(Some(digest)).map(|_| ())
}

/// A shared fetcher is one too.
impl<T: BlobFetcher + ?Sized> BlobFetcher for Arc<T> {
    fn fetch(&self, repository: &str, digest: &Digest) -> io::Result<Box<dyn Read + Send>> {
        (**self).fetch(repository, digest)
    }
}
