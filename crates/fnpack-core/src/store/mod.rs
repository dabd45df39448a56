//! Images, unpacked layers and build caches on disk: an OCI image layout with fnpack's own folders beside it
//! (OCI image specification, `image-layout.md`). `docs/store.md` draws the folders and says what locks what
//! and what survives a crash.
//!
//! The rules that every function here keeps: nothing is written in place; what is named is on the disk
//! before what names it; who uses something names it in its lease first and looks afterwards.

mod blobs;
mod check;
mod disk;
mod error;
mod folders;
mod gc;
mod images;
mod lease;
mod names;
mod records;
mod references;
mod snapshots;
mod staging;
mod unpack;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use blobs::{BlobFetcher, IncomingBlob};
pub use check::{CheckOptions, Fault};
pub use disk::FaultPoint;
pub use error::StoreError;
pub use folders::Scratch;
pub use gc::{GcOptions, GcReport};
pub use images::PutOptions;
pub use names::{FolderId, Keep, SnapshotName};
pub use records::Record;
pub use references::StoredReference;
pub use snapshots::{Snapshot, Unpacking};

use disk::Disk;
use fnpack_sandbox::{IdMapping, OverlayXattr};
use lease::Lease;
use staging::Stage;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The format written here. It changes when an older fnpack would do harm.
const FORMAT: u32 = 1;

const BLOBS: &str = "blobs/sha256";
const REFERENCES: &str = "refs";
const SOURCES: &str = "sources";
const SNAPSHOTS: &str = "snapshots";
const FOLDERS: &str = "folders";
const RECORDS: &str = "records";
const LEASES: &str = "leases";
const SCRATCH: &str = "scratch";
const LOCKS: &str = "locks";
const ALL_FOLDERS: [&str; 9] = [BLOBS, REFERENCES, SOURCES, SNAPSHOTS, FOLDERS, RECORDS, LEASES, SCRATCH, LOCKS];

const VERSION: &str = "version";
const OCI_LAYOUT: &str = "oci-layout";
const INDEX: &str = "index.json";

/// How a store is used by this process.
#[derive(Clone)]
pub struct StoreOptions {
    /// Names the id mapping that snapshots are unpacked under, such as `root` or `range-1000-100000-65536`:
    /// lower-case letters, digits and dashes.
    pub mapping_key: String,
    /// Where overlayfs keeps its marks.
    pub xattr: OverlayXattr,
    /// There is one user id only: snapshots leave owners as they fall.
    pub single_id: bool,
    /// Asked before every change of the disk; tests stop the store here.
    pub faults: Option<Arc<dyn FaultPoint>>,
}

impl StoreOptions {
    /// Options of a process with this id mapping.
    pub fn new(mapping: &IdMapping, xattr: OverlayXattr) -> Self {
        let single_id = matches!(mapping, IdMapping::Single { .. });
        Self { mapping_key: mapping.key(), xattr, single_id, faults: None }
    }
}

/// Writing to the disk under way; dropped, it is waited for.
#[derive(Debug)]
pub struct SyncAhead(Option<std::thread::JoinHandle<()>>);

impl Drop for SyncAhead {
    fn drop(&mut self) {
        // The thread has nothing to tell.
        let _ = self.0.take().map(std::thread::JoinHandle::join);
    }
}

/// A store, open. Clones share the lease, which ends with the last of them and of the blobs, snapshots
/// and scratch folders that came from it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    fetcher: Option<Arc<dyn BlobFetcher>>,
}

struct Inner {
    disk: Disk,
    mapping_key: String,
    xattr: OverlayXattr,
    single_id: bool,
    lease: Mutex<Option<Lease>>,
    /// What is written and waits for the next barrier, with the file that has it now.
    staged: Mutex<BTreeMap<Stage, PathBuf>>,
    /// Held through a barrier, so that two threads do not rename the same file.
    publishing: Mutex<()>,
    next_name: AtomicU64,
    index_is_stale: AtomicBool,
}

impl Store {
    /// Opens the store at `path`, or makes one where nothing or an empty folder is.
    pub fn open(path: impl AsRef<Path>, options: StoreOptions) -> Result<Self> {
        let path = path.as_ref();
        let StoreOptions { mapping_key, xattr, single_id, faults } = options;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if mapping_key.is_empty() || mapping_key.len() > 100 || !mapping_key.bytes().all(plain) {
            return Err(StoreError::InvalidName { what: "id mapping key", text: mapping_key });
        }
        let inner = Inner {
            disk: Disk::new(path, faults),
            mapping_key,
            xattr,
            single_id,
            lease: Mutex::default(),
            staged: Mutex::default(),
            publishing: Mutex::default(),
            next_name: AtomicU64::default(),
            index_is_stale: AtomicBool::default(),
        };
        inner.open_or_make()?;
        Ok(Self { inner: Arc::new(inner), fetcher: None })
    }

    /// The same store, absent blobs fetched by `fetcher` when their bytes are needed.
    #[must_use]
    pub fn with_fetcher(&self, fetcher: Arc<dyn BlobFetcher>) -> Self {
        Self { inner: Arc::clone(&self.inner), fetcher: Some(fetcher) }
    }

    /// Where the store is.
    pub fn path(&self) -> &Path {
        &self.inner.disk.path
    }

    /// Names all that was written so far: the barrier. Putting images and remembering records have it inside.
    pub fn publish(&self) -> Result<()> {
        self.inner.publish()
    }

    /// Starts to write what is in memory to the disk, while the caller does something else: a barrier that
    /// comes later then finds little left to wait for. It promises nothing by itself.
    pub fn sync_ahead(&self) -> SyncAhead {
        let inner = Arc::clone(&self.inner);
        // A failure is met again by the barrier, which reports it.
        SyncAhead(Some(std::thread::spawn(move || drop(inner.disk.sync_all()))))
    }

    /// Writes `index.json` anew if references changed since. Dropping the last handle does it too, but cannot say that it failed.
    pub fn publish_index(&self) -> Result<()> {
        self.inner.publish_index()
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Store({})", self.path().display())
    }
}

impl Inner {
    fn open_or_make(&self) -> Result<()> {
        let path = self.disk.at(VERSION);
        match disk::read(&path, 64)? {
            Some(text) => self.check_version(&text)?,
            None => self.make_folders()?,
        }
        if disk::exists(&self.disk.at(OCI_LAYOUT))? {
            return Ok(());
        }
        // The last file of a new store; its absence says that the making was cut off.
        match self.publish_index().and_then(|()| self.write_top(OCI_LAYOUT, br#"{"imageLayoutVersion":"1.0.0"}"#)) {
            Err(StoreError::ReadOnly { .. }) => Ok(()),
            result => result,
        }
    }

    fn check_version(&self, text: &[u8]) -> Result<()> {
        let path = self.disk.path.clone();
        match String::from_utf8_lossy(text).trim().parse() {
            Ok(found) if found > FORMAT => Err(StoreError::NewerFormat { path, found, known: FORMAT }),
            Ok(_) => Ok(()),
            Err(_) => Err(StoreError::NotAStore { path }),
        }
    }

    fn make_folders(&self) -> Result<()> {
        let ours: Vec<&str> = ALL_FOLDERS.iter().filter_map(|name| name.split('/').next()).collect();
        let foreign = disk::list_if_there(&self.disk.path)?.into_iter().any(|name| !ours.iter().any(|ours| name == *ours));
        if foreign {
            // Another process may have made the store since we looked.
            return match disk::read(&self.disk.at(VERSION), 64)? {
                Some(text) => self.check_version(&text),
                None => Err(StoreError::NotAStore { path: self.disk.path.clone() }),
            };
        }
        self.disk.create_folders(&self.disk.path)?;
        for folder in ALL_FOLDERS {
            self.disk.create_folders(&self.disk.at(folder))?;
        }
        self.write_top(VERSION, format!("{FORMAT}\n").as_bytes())?;
        self.index_is_stale.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Writes one of the files at the top: aside and renamed. It is not synced, since all of them can be made again.
    fn write_top(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let aside = self.scratch_path()?;
        self.disk.write_new(&aside, bytes)?;
        self.disk.rename(&aside, &self.disk.at(name))
    }

    /// A name of its own in this process's scratch.
    fn scratch_path(&self) -> Result<PathBuf> {
        let number = self.next_name.fetch_add(1, Ordering::Relaxed);
        Ok(self.lease_scratch()?.join(number.to_string()))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Nobody is left to tell; the next writing command makes up for both.
        let _index = self.publish_index();
        let _scratch = self.end_lease();
    }
}

/// What a panicking thread left is whole: every change under these locks is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
