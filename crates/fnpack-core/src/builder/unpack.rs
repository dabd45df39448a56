//! Archives of foreign origin into a folder that nothing can leave.

use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType};

use crate::root::{Root, RootError};

/// More is no buildpack.
const MOST_BYTES: u64 = 2 * 1024 * 1024 * 1024;
const MOST_ENTRIES: usize = 100_000;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no archive, or cut short.
    #[error("cannot read it as a tar archive")]
    Unreadable(#[source] io::Error),
    /// An entry that no buildpack has.
    #[error("entry `{}`: {reason}", path.display())]
    Refused {
        /// The entry's name.
        path: PathBuf,
        /// Why, one clause.
        reason: &'static str,
    },
    /// More than can be meant.
    #[error("it has more than {MOST_ENTRIES} entries or {MOST_BYTES} bytes")]
    TooMuch,
    /// The folder cannot be written.
    #[error(transparent)]
    Write(#[from] RootError),
}

type Result<T> = std::result::Result<T, UnpackError>;

/// Unpacks a tar, in gzip or not, into `root`. Owners and times are not kept.
pub(super) fn unpack(archive: impl Read, root: &Root) -> Result<()> {
    let reader = plain(archive).map_err(UnpackError::Unreadable)?;
    let mut archive = Archive::new(reader.take(MOST_BYTES + 1));
    let mut size = 0;
    for (count, entry) in archive.entries().map_err(UnpackError::Unreadable)?.enumerate() {
        let mut entry = entry.map_err(UnpackError::Unreadable)?;
        size += entry.size();
        if count >= MOST_ENTRIES || size > MOST_BYTES {
            return Err(UnpackError::TooMuch);
        }
        unpack_entry(&mut entry, root)?;
    }
    Ok(())
}

/// The bytes without gzip around them.
fn plain<'a>(mut archive: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut start = Vec::new();
    archive.by_ref().take(2).read_to_end(&mut start)?;
    let is_gzip = start == [0x1f, 0x8b];
    let whole = io::Cursor::new(start).chain(archive);
    Ok(if is_gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}

fn unpack_entry(entry: &mut tar::Entry<'_, impl Read>, root: &Root) -> Result<()> {
    let kind = entry.header().entry_type();
    let name = PathBuf::from(std::ffi::OsStr::from_bytes(&entry.path_bytes()));
    let refused = |reason| UnpackError::Refused { path: name.clone(), reason };
    if matches!(kind, EntryType::XGlobalHeader) {
        return Ok(());
    }
    let path = inside(&name).ok_or_else(|| refused("its name leads out of the archive"))?;
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        root.create_dir_all(parent, 0o755)?;
    }
    match kind {
        EntryType::Directory => Ok(root.create_dir(&path, 0o755)?),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let mode = if entry.header().mode().unwrap_or(0) & 0o111 == 0 { 0o644 } else { 0o755 };
            let mut file = root.create_file(&path, mode)?;
            io::copy(entry, &mut file).map(drop).map_err(UnpackError::Unreadable)
        }
        EntryType::Symlink => {
            let target = entry.link_name_bytes().ok_or_else(|| refused("it is a symlink to nowhere"))?;
            root.remove_all(&path)?;
            Ok(root.symlink(std::ffi::OsStr::from_bytes(&target), &path)?)
        }
        EntryType::Link => Err(refused("hard links are not taken, write the file again")),
        _ => Err(refused("it is neither a file nor a folder nor a symlink")),
    }
}

/// The name below the archive's own root; none if it leads out of it.
fn inside(name: &Path) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}
