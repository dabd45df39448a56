//! Files of an archive in a folder. Symlinks in it lead nowhere else.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::ArchiveError;
use super::files::Files;
use crate::root::Root;

pub(super) struct FolderFiles {
    path: PathBuf,
    root: Root,
}

impl FolderFiles {
    pub(super) fn open(path: &Path) -> Result<Self, ArchiveError> {
        let root = Root::open(path).map_err(|source| ArchiveError::Folder { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), root })
    }

    fn file(&self, name: &str) -> Result<File, ArchiveError> {
        self.root.open_file(name).map_err(|source| {
            if source.is_not_found() {
                return ArchiveError::Missing { name: name.to_owned(), place: self.place() };
            }
            ArchiveError::Folder { path: self.path.clone(), source }
        })
    }
}

impl Files for FolderFiles {
    fn place(&self) -> String {
        format!("`{}`", self.path.display())
    }

    fn length(&self, name: &str) -> Result<u64, ArchiveError> {
        let metadata = self.file(name)?.metadata();
        metadata.map(|metadata| metadata.len()).map_err(|source| ArchiveError::File { action: "read", path: self.path.join(name), source })
    }

    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ArchiveError> {
        Ok(Box::new(self.file(name)?))
    }
}
