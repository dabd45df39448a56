//! A folder below a [`Root`] as a layer in the form of the CNB lifecycle.
//!
//! Names are absolute and have no slash at their end; the folders above come first with their own
//! owners; sockets are left out, hard links become files of their own, devices are refused.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::{Attributes, Contents, Entry, EntryKind, LayerError, Owner, TarWriter, node};
use crate::root::Root;

/// A whole folder, each folder's names in the order of their bytes, a folder before what is in it.
#[derive(Debug)]
pub struct FolderLayer<'a> {
    /// Where the folder is.
    pub root: &'a Root,
    /// The folder below `root`.
    pub inside: PathBuf,
    /// Its absolute name in the layer.
    pub at: PathBuf,
    /// Entries for the folders above, highest first.
    pub parents: Vec<Entry>,
    /// What the entries get.
    pub attributes: Attributes,
    /// Paths below the folder that are left out with all that is in them.
    pub exclude: Vec<PathBuf>,
}

/// Some paths of a folder, in the order given. Without any, the layer is empty: not even parents.
#[derive(Debug)]
pub struct PathsLayer<'a> {
    /// Where the folder is.
    pub root: &'a Root,
    /// The folder below `root`.
    pub inside: PathBuf,
    /// Its absolute name in the layer.
    pub at: PathBuf,
    /// Entries for the folders above, highest first.
    pub parents: Vec<Entry>,
    /// What the entries get.
    pub attributes: Attributes,
    /// Paths below the folder; the empty path is the folder itself.
    pub paths: Vec<PathBuf>,
}

impl<'a> FolderLayer<'a> {
    /// The folder `inside` of `root` as `at`, with the attributes of its files and without parents.
    pub fn new(root: &'a Root, inside: impl Into<PathBuf>, at: impl Into<PathBuf>) -> Self {
        let (inside, at) = (inside.into(), at.into());
        Self { root, inside, at, parents: Vec::new(), attributes: Attributes::default(), exclude: Vec::new() }
    }

    fn walk(&self, tar: &mut TarWriter<&mut dyn Write>, relative: &Path) -> Result<(), LayerError> {
        if self.exclude.iter().any(|excluded| excluded == relative) {
            return Ok(());
        }
        node::append(tar, (self.root, &self.inside), relative, name(&self.at, relative), &self.attributes)?;
        let folder = self.inside.join(relative);
        if FileType::from_raw_mode(self.root.symlink_metadata(&folder)?.st_mode) != FileType::Directory {
            return Ok(());
        }
        for entry in self.root.read_dir(&folder)? {
            self.walk(tar, &relative.join(entry.name))?;
        }
        Ok(())
    }
}

impl Contents for FolderLayer<'_> {
    fn write_to(&self, tar: &mut TarWriter<&mut dyn Write>) -> Result<(), LayerError> {
        append_all(tar, &self.parents)?;
        self.walk(tar, Path::new(""))
    }
}

impl Contents for PathsLayer<'_> {
    fn write_to(&self, tar: &mut TarWriter<&mut dyn Write>) -> Result<(), LayerError> {
        if !self.paths.is_empty() {
            append_all(tar, &self.parents)?;
        }
        for path in &self.paths {
            node::append(tar, (self.root, &self.inside), path, name(&self.at, path), &self.attributes)?;
        }
        Ok(())
    }
}

impl Entry {
    /// Entries for the folders above an absolute path, highest first, the root folder not among them.
    pub fn parents_of(path: &Path, mode: u32, owner: Owner) -> Vec<Entry> {
        let mut folders: Vec<&Path> = path.ancestors().skip(1).filter(|folder| folder.file_name().is_some()).collect();
        folders.reverse();
        let entry = |folder: &&Path| Entry {
            uid: owner.uid,
            gid: owner.gid,
            ..Entry::new(folder.as_os_str().as_bytes(), EntryKind::Directory, mode)
        };
        folders.iter().map(entry).collect()
    }
}

fn append_all(tar: &mut TarWriter<&mut dyn Write>, entries: &[Entry]) -> Result<(), LayerError> {
    for entry in entries {
        tar.append_empty(entry)?;
    }
    Ok(())
}

/// The path itself for an empty `relative`: `join` would add a slash.
fn name(at: &Path, relative: &Path) -> Vec<u8> {
    let name = if relative.as_os_str().is_empty() { at.to_owned() } else { at.join(relative) };
    name.into_os_string().into_encoded_bytes()
}
