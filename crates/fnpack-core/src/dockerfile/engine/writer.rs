//! Writes into a workspace so that the same input gives the same layer.
//!
//! Every file gets the constant time. A folder that was there before keeps the time it had: a new
//! name in it is no reason for its time to be in the layer.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat, Timespec};

use crate::accounts::Owner;
use crate::digest::{Digest, Hashing};
use crate::dockerfile::host::{HostError, Workspace};
use crate::image::CONSTANT_TIME_SECONDS;
use crate::root::{Root, RootError};

const TIME: Timespec = Timespec { tv_sec: CONSTANT_TIME_SECONDS, tv_nsec: 0 };

/// Folders that are made on the way to something.
const FOLDER_MODE: u32 = 0o755;

/// Something cannot be written into the image.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system refuses.
    #[error(transparent)]
    Root(#[from] RootError),
    /// An owner cannot be set.
    #[error("cannot change the owner of `{}`", path.display())]
    Owner {
        /// The path in the image.
        path: PathBuf,
        /// The cause.
        #[source]
        source: HostError,
    },
    /// A folder stands where a file should go, or the other way round.
    #[error("`{}` is a {there} in the image and would be replaced by a {wanted}", path.display())]
    Kind {
        /// The path in the image.
        path: PathBuf,
        /// What is there.
        there: &'static str,
        /// What should be.
        wanted: &'static str,
    },
    /// Bytes cannot be moved.
    #[error("cannot copy into `{}`", path.display())]
    Bytes {
        /// The path in the image.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The source was different when its key was made.
    #[error("the source of `{}` was changed during the build", path.display())]
    Changed {
        /// The path in the image.
        path: PathBuf,
    },
}

type Result<T> = std::result::Result<T, WriteError>;

/// Writes for one step.
pub(super) struct Writer<'a> {
    workspace: &'a dyn Workspace,
    owner: Owner,
    /// The folders that got something, with the time to give them at the end.
    folders: BTreeMap<PathBuf, Timespec>,
}

impl<'a> Writer<'a> {
    /// All that is made belongs to `owner`.
    pub(super) fn new(workspace: &'a dyn Workspace, owner: Owner) -> Self {
        Self { workspace, owner, folders: BTreeMap::new() }
    }

    fn root(&self) -> &'a Root {
        self.workspace.root()
    }

    /// Makes a folder and the missing ones above it.
    pub(super) fn folders(&mut self, path: &Path) -> Result<()> {
        if self.folders.contains_key(path) || self.root().is_dir(path) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.folders(parent)?;
        }
        self.make_folder(path, FOLDER_MODE)
    }

    fn make_folder(&mut self, path: &Path, mode: u32) -> Result<()> {
        self.before(path)?;
        if self.root().try_symlink_metadata(path)?.is_some() {
            return Err(WriteError::Kind { path: path.to_owned(), there: "file", wanted: "folder" });
        }
        self.root().create_dir(path, mode)?;
        self.own(path)?;
        self.root().chmod(path, mode)?;
        self.folders.insert(path.to_owned(), TIME);
        Ok(())
    }

    /// Makes a folder of a copied tree. One that is there is kept; with `dress` it takes mode and
    /// owner of the copied one, unless it is a symlink to a folder elsewhere.
    pub(super) fn folder(&mut self, path: &Path, mode: u32, dress: bool) -> Result<()> {
        if !self.root().is_dir(path) {
            if let Some(parent) = path.parent() {
                self.folders(parent)?;
            }
            return self.make_folder(path, mode);
        }
        let is_itself = self.root().try_symlink_metadata(path)?.is_some_and(|stat| kind(&stat) == FileType::Directory);
        if dress && is_itself {
            self.own(path)?;
            self.root().chmod(path, mode)?;
            self.folders.insert(path.to_owned(), TIME);
        }
        Ok(())
    }

    /// Copies a file's bytes, which must have this digest.
    pub(super) fn file(&mut self, path: &Path, mode: u32, source: &mut File, expected: &Digest) -> Result<()> {
        self.make_way(path, "file")?;
        let bytes = |source| WriteError::Bytes { path: path.to_owned(), source };
        let mut file = Hashing::new(self.root().create_file(path, 0o600)?);
        pour(source, &mut file).map_err(bytes)?;
        let (_, hash, _) = file.finish();
        if Digest::from_sha256(hash) != *expected {
            return Err(WriteError::Changed { path: path.to_owned() });
        }
        self.own(path)?;
        // After the owner: a change of owner takes set-user-id bits away.
        self.root().chmod(path, mode)?;
        Ok(self.root().set_times(path, TIME)?)
    }

    /// Makes a symlink.
    pub(super) fn symlink(&mut self, path: &Path, target: &Path) -> Result<()> {
        self.make_way(path, "symlink")?;
        self.root().remove_all(path)?;
        self.root().symlink(target, path)?;
        self.own(path)?;
        Ok(self.root().set_times(path, TIME)?)
    }

    /// Gives the folders their times. Deepest first: each change is seen by the folder above.
    pub(super) fn finish(self) -> Result<()> {
        for (path, time) in self.folders.iter().rev() {
            self.root().sub(path)?.set_times("/", *time)?;
        }
        Ok(())
    }

    /// Makes the folder above a file, and makes sure that no folder has the file's name.
    fn make_way(&mut self, path: &Path, wanted: &'static str) -> Result<()> {
        if let Some(parent) = path.parent() {
            self.folders(parent)?;
        }
        self.before(path)?;
        let there = self.root().try_symlink_metadata(path)?;
        if there.is_some_and(|stat| kind(&stat) == FileType::Directory) {
            return Err(WriteError::Kind { path: path.to_owned(), there: "folder", wanted });
        }
        Ok(())
    }

    /// Notes the time of the folder above, before it gets a new name.
    fn before(&mut self, path: &Path) -> Result<()> {
        let Some(parent) = path.parent().filter(|parent| !self.folders.contains_key(*parent)) else { return Ok(()) };
        let time = modified(&self.root().metadata(parent)?);
        self.folders.insert(parent.to_owned(), time);
        Ok(())
    }

    fn own(&self, path: &Path) -> Result<()> {
        let Owner { uid, gid } = self.owner;
        self.workspace.set_owner(path, uid, gid).map_err(|source| WriteError::Owner { path: path.to_owned(), source })
    }
}

/// Reads to the end in large pieces.
pub(super) fn pour(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 128 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => to.write_all(buffer.get(..length).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// When a file was changed last.
pub(super) fn modified(stat: &Stat) -> Timespec {
    Timespec { tv_sec: stat.st_mtime, tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or(0) }
}

/// What a name is.
pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}
