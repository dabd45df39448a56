//! One name below a [`Root`] as an entry of an archive.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{FileType, Stat};

use super::{Entry, EntryKind, LayerError, TarWriter};
use crate::image::CONSTANT_TIME_SECONDS;
use crate::root::Root;

/// Who owns an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// What entries get that does not come from the file as it lies there.
#[derive(Debug, Clone, Copy)]
pub struct Attributes {
    /// Owner of every entry; each file's own where none is given.
    pub owner: Option<Owner>,
    /// Time of every entry.
    pub mtime: i64,
    /// The permission bits, from the path below the folder and the file's kind and bits.
    pub mode: fn(&Path, u32) -> u32,
}

impl Owner {
    /// The superuser.
    pub const ROOT: Self = Self { uid: 0, gid: 0 };
}

impl Default for Attributes {
    fn default() -> Self {
        Self { owner: None, mtime: CONSTANT_TIME_SECONDS, mode: |_, mode| mode & 0o7777 }
    }
}

impl Attributes {
    /// With this owner for every entry.
    pub fn owned_by(owner: Owner) -> Self {
        Self { owner: Some(owner), ..Self::default() }
    }

    fn entry(&self, name: Vec<u8>, kind: EntryKind, relative: &Path, stat: &Stat) -> Entry {
        let owner = self.owner.unwrap_or(Owner { uid: stat.st_uid, gid: stat.st_gid });
        let mode = (self.mode)(relative, stat.st_mode);
        Entry { uid: owner.uid, gid: owner.gid, mtime: self.mtime, ..Entry::new(name, kind, mode) }
    }
}

/// Writes what lies at `folder`/`relative` under `name`. A socket is left out, a device is an error.
pub(super) fn append(
    tar: &mut TarWriter<&mut dyn Write>,
    (root, folder): (&Root, &Path),
    relative: &Path,
    name: Vec<u8>,
    attributes: &Attributes,
) -> Result<(), LayerError> {
    let inside = folder.join(relative);
    let stat = root.symlink_metadata(&inside)?;
    let unfit = |kind| LayerError::Unfit { path: relative.to_owned(), kind };
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::CharacterDevice | FileType::BlockDevice => return Err(unfit("a device")),
        _ => kind(root, &inside, &stat)?,
    };
    match kind {
        None => Ok(()),
        Some(kind) => append_contents(tar, root, &inside, &attributes.entry(name, kind, relative, &stat)),
    }
}

/// The kind of entry for a file; none for a socket and what no archive holds.
pub(super) fn kind(root: &Root, inside: &Path, stat: &Stat) -> Result<Option<EntryKind>, LayerError> {
    let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => EntryKind::File { size: u64::try_from(stat.st_size).unwrap_or(0) },
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink { target: root.read_link(inside)?.as_os_str().as_bytes().to_vec() },
        FileType::CharacterDevice => EntryKind::CharDevice { major, minor },
        FileType::BlockDevice => EntryKind::BlockDevice { major, minor },
        FileType::Fifo => EntryKind::Fifo,
        FileType::Socket | FileType::Unknown => return Ok(None),
    }))
}

/// Writes an entry with the file's contents if it has any.
pub(super) fn append_contents(tar: &mut TarWriter<&mut dyn Write>, root: &Root, inside: &Path, entry: &Entry) -> Result<(), LayerError> {
    match entry.kind {
        EntryKind::File { .. } => tar.append(entry, &mut root.open_file(inside)?)?,
        _ => tar.append_empty(entry)?,
    }
    Ok(())
}
