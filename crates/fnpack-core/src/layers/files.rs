//! Layers of what is in memory, and layers put together of others.

use std::io::Write;
use std::path::Path;

use super::{Contents, Entry, EntryKind, LayerError, Owner, TarWriter};

/// Files, folders and symlinks in the order they were added, all of the constant time.
#[derive(Debug, Clone, Default)]
pub struct FilesLayer {
    entries: Vec<(Entry, Vec<u8>)>,
}

/// Several contents in one layer, one after the other.
pub struct Joined<'a>(pub Vec<&'a dyn Contents>);

impl FilesLayer {
    /// Without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a folder.
    #[must_use]
    pub fn directory(self, path: impl AsRef<Path>, mode: u32, owner: Owner) -> Self {
        self.entry(path.as_ref(), EntryKind::Directory, (mode, owner), Vec::new())
    }

    /// Adds a file.
    #[must_use]
    pub fn file(self, path: impl AsRef<Path>, mode: u32, owner: Owner, contents: impl Into<Vec<u8>>) -> Self {
        let contents = contents.into();
        self.entry(path.as_ref(), EntryKind::File { size: contents.len() as u64 }, (mode, owner), contents)
    }

    /// Adds a symlink.
    #[must_use]
    pub fn symlink(self, path: impl AsRef<Path>, target: impl AsRef<Path>, mode: u32, owner: Owner) -> Self {
        let target = target.as_ref().as_os_str().as_encoded_bytes().to_vec();
        self.entry(path.as_ref(), EntryKind::Symlink { target }, (mode, owner), Vec::new())
    }

    fn entry(mut self, path: &Path, kind: EntryKind, (mode, owner): (u32, Owner), contents: Vec<u8>) -> Self {
        let entry = Entry::new(path.as_os_str().as_encoded_bytes(), kind, mode);
        self.entries.push((Entry { uid: owner.uid, gid: owner.gid, ..entry }, contents));
        self
    }
}

impl Contents for FilesLayer {
    fn write_to(&self, tar: &mut TarWriter<&mut dyn Write>) -> Result<(), LayerError> {
        for (entry, contents) in &self.entries {
            tar.append(entry, &mut contents.as_slice())?;
        }
        Ok(())
    }
}

impl Contents for Joined<'_> {
    fn write_to(&self, tar: &mut TarWriter<&mut dyn Write>) -> Result<(), LayerError> {
        self.0.iter().try_for_each(|contents| contents.write_to(tar))
    }
}
