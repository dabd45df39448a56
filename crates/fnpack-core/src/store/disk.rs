//! Every change that the store makes to its folder, each with a point where tests can stop it.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err::File;
use rustix::fs::FlockOperation;

use super::{Result, StoreError};
use crate::root::Root;

/// Asked before each change of the disk. An error stops the operation there; a point that goes on to
/// answer with errors is a process that died there.
pub trait FaultPoint: Send + Sync {
    /// `step` is about to happen to `path`.
    fn before(&self, step: &'static str, path: &Path) -> io::Result<()>;
}

pub(super) struct Disk {
    pub(super) path: PathBuf,
    faults: Option<Arc<dyn FaultPoint>>,
}

/// A lock of the file system, released when dropped or when the process dies.
pub(super) struct Lock {
    _file: File,
}

impl Disk {
    pub(super) fn new(path: &Path, faults: Option<Arc<dyn FaultPoint>>) -> Self {
        Self { path: path.to_owned(), faults }
    }

    pub(super) fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    fn change<T>(&self, step: &'static str, path: &Path, change: impl FnOnce() -> io::Result<T>) -> Result<T> {
        let allowed = self.faults.as_ref().map_or(Ok(()), |faults| faults.before(step, path));
        allowed.and_then(|()| change()).map_err(|source| StoreError::io(step, path, source))
    }

    /// Makes a folder and those above it. Only the user of the store may enter: snapshots hold programs
    /// with set-user-ID bits, which other users of the machine must not reach.
    pub(super) fn create_folders(&self, path: &Path) -> Result<()> {
        // Two processes may make the same store: what is there already is what was wanted.
        self.change("create folder", path, || std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path))
    }

    pub(super) fn create_new(&self, path: &Path) -> Result<File> {
        self.change("create", path, || File::options().write(true).append(true).create_new(true).open(path))
    }

    pub(super) fn write_new(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let mut file = self.create_new(path)?;
        self.append(&mut file, bytes)
    }

    pub(super) fn append(&self, file: &mut File, bytes: &[u8]) -> Result<()> {
        let path = file.path().to_owned();
        self.change("write", &path, || file.write_all(bytes))
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.change("rename", from, || fs_err::rename(from, to))
    }

    pub(super) fn remove_file(&self, path: &Path) -> Result<()> {
        self.change("remove", path, || absent_is_fine(fs_err::remove_file(path)))
    }

    /// Removes what nobody will miss if it stays: scratch, which goes with its lease anyway.
    pub(super) fn discard_file(&self, path: &Path) {
        let _left_for_the_next_writer = self.remove_file(path);
    }

    /// Removes a tree of foreign origin: without rights for its owner, or with files of any owner.
    pub(super) fn remove_tree(&self, path: &Path) -> Result<()> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
        self.change("remove", path, || Ok(()))?;
        let root = match Root::open(parent) {
            Err(error) if error.is_not_found() => return Ok(()),
            result => result.map_err(|error| StoreError::io(error.action, parent, error.source))?,
        };
        root.remove_all(name).map_err(|error| StoreError::root(parent, error))
    }

    pub(super) fn touch(&self, path: &Path) -> Result<()> {
        self.change("set the times of", path, || File::open(path)?.file().set_modified(std::time::SystemTime::now()))
    }

    pub(super) fn sync_file(&self, path: &Path) -> Result<()> {
        self.change("sync", path, || File::open(path)?.sync_all())
    }

    /// Makes names in a folder last.
    pub(super) fn sync_folder(&self, path: &Path) -> Result<()> {
        self.sync_file(path)
    }

    /// Makes all last that was written to the store's file system so far.
    pub(super) fn sync_all(&self) -> Result<()> {
        self.change("sync the file system of", &self.path, || Ok(rustix::fs::syncfs(File::open(&self.path)?.file())?))
    }
}

pub(super) fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(|source| StoreError::reading("examine", path, source))
}

pub(super) fn open(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::reading("open", path, source)),
    }
}

/// The bytes of a small file, `None` where there is none; more than `limit` is an error.
pub(super) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let Some(file) = open(path)? else { return Ok(None) };
    let failed = |source| StoreError::reading("read", path, source);
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(failed(io::Error::other(format!("it is longer than {limit} bytes"))));
    }
    Ok(Some(bytes))
}

/// The names in a folder, sorted; none where there is no folder.
pub(super) fn list_if_there(path: &Path) -> Result<Vec<OsString>> {
    let failed = |source| StoreError::reading("list", path, source);
    let entries = match fs_err::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result.map_err(failed)?,
    };
    let mut names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>().map_err(failed)?;
    names.sort();
    Ok(names)
}

/// Waits for a lock on a file, which is made if it is missing. Taking a lock changes nothing that counts.
pub(super) fn lock(path: &Path, operation: FlockOperation) -> Result<Lock> {
    let failed = |source| StoreError::io("lock", path, source);
    let file = File::options().append(true).create(true).open(path).map_err(failed)?;
    flock(&file, operation).map_err(failed)?;
    Ok(Lock { _file: file })
}

/// A lock on a file that is there and free, or `None`.
pub(super) fn try_lock(path: &Path) -> Result<Option<Lock>> {
    let Some(file) = open(path)? else { return Ok(None) };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(source) => Err(StoreError::io("lock", path, source)),
    }
}

/// `flock(2)`: it belongs to the open file, so threads exclude each other as processes do.
pub(super) fn flock(file: &File, operation: FlockOperation) -> io::Result<()> {
    rustix::io::retry_on_intr(|| rustix::fs::flock(file.file(), operation)).map_err(io::Error::from)
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
