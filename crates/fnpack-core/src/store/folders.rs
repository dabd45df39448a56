//! Scratch folders, and folders committed from them.

use std::path::{Component, Path, PathBuf};

use super::{FOLDERS, FolderId, Inner, Keep, Result, Store, StoreError, disk};
use crate::root::Root;

/// A folder of this process on the store's file system, removed when dropped, or by the next process if this one dies.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    store: Store,
}

impl Scratch {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder, not to be left by what is looked up in it.
    pub fn root(&self) -> Result<Root> {
        Root::open(&self.path).map_err(|error| StoreError::root(&self.path, error))
    }

    fn folder_in_it(&self, name: &Path) -> Result<PathBuf> {
        let path = self.path.join(name);
        let mut components = name.components();
        let directly = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
        let metadata = fs_err::symlink_metadata(&path).map_err(|source| StoreError::reading("examine", &path, source))?;
        if directly && metadata.is_dir() {
            return Ok(path);
        }
        Err(StoreError::Io { action: "commit", path, source: std::io::ErrorKind::NotADirectory.into() })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _left_for_the_next_writer = self.store.inner.disk.remove_tree(&self.path);
    }
}

impl Store {
    /// Makes a scratch folder.
    pub fn scratch(&self) -> Result<Scratch> {
        let path = self.inner.scratch_path()?;
        self.inner.disk.create_folders(&path)?;
        Ok(Scratch { path, store: self.clone() })
    }

    /// Moves a folder that lies directly in `scratch` to where it stays. It is kept by this process's lease, and later by
    /// the records that name it.
    pub fn commit_folder(&self, scratch: &Scratch, name: impl AsRef<Path>) -> Result<FolderId> {
        let id = FolderId::new(super::names::unique());
        self.commit(scratch, &[(name.as_ref(), &id)])?;
        Ok(id)
    }

    /// The same for several, with one wait for the disk.
    pub fn commit_folders(&self, scratch: &Scratch, names: &[impl AsRef<Path>]) -> Result<Vec<FolderId>> {
        let ids: Vec<FolderId> = names.iter().map(|_| FolderId::new(super::names::unique())).collect();
        let folders: Vec<(&Path, &FolderId)> = names.iter().map(AsRef::as_ref).zip(&ids).collect();
        if !folders.is_empty() {
            self.commit(scratch, &folders)?;
        }
        Ok(ids)
    }

    fn commit(&self, scratch: &Scratch, folders: &[(&Path, &FolderId)]) -> Result<()> {
        let from: Vec<PathBuf> = folders.iter().map(|(name, _)| scratch.folder_in_it(name)).collect::<Result<_>>()?;
        self.inner.protect(folders.iter().map(|(_, id)| Keep::Folder((*id).clone())))?;
        self.inner.disk.sync_all()?;
        for (from, (_, id)) in from.iter().zip(folders) {
            self.inner.disk.rename(from, &self.inner.folder_path(id))?;
        }
        self.inner.disk.sync_folder(&self.inner.disk.at(FOLDERS))
    }

    /// Where a committed folder is; `None` if it was collected. It stays while this process lives. Nobody may write to it.
    pub fn folder(&self, id: &FolderId) -> Result<Option<PathBuf>> {
        self.inner.protect_for_reading([Keep::Folder(id.clone())])?;
        let path = self.inner.folder_path(id);
        Ok(disk::exists(&path)?.then_some(path))
    }
}

impl Inner {
    fn folder_path(&self, id: &FolderId) -> PathBuf {
        self.disk.at(FOLDERS).join(id.as_str())
    }
}
