//! What a step changed, read from the upper folder of an overlay, as an OCI layer.
//!
//! The overlay stores a removed name as a character device 0:0 and a replaced folder with an
//! attribute; a layer says both with names that start with `.wh.`. Names are relative and folders end
//! in a slash, as Docker and BuildKit write them.
//!
//! Answers the OCI image specification, `layer.md`, "Representing Changes".

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::Stat;

use super::{Contents, Entry, EntryKind, LayerError, TarWriter, node, xattrs};
use crate::image::CONSTANT_TIME_SECONDS;
use crate::root::Root;

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// The changes in an upper folder.
#[derive(Debug)]
pub struct Changes<'a> {
    /// The upper folder.
    pub upper: &'a Root,
    /// When the step started: what was changed since gets the constant time, older times (files
    /// unpacked or copied with theirs) stay.
    pub since: SystemTime,
    /// Paths from the upper folder that are left out with all that is in them: mount points and the like.
    pub exclude: Vec<PathBuf>,
}

/// Files with several names by device and inode, with the name written first.
type Seen = HashMap<(u64, u64), Vec<u8>>;

impl<'a> Changes<'a> {
    /// All changes of a step that started at `since`.
    pub fn new(upper: &'a Root, since: SystemTime) -> Self {
        Self { upper, since, exclude: Vec::new() }
    }

    /// Whether the step changed nothing, which makes no layer.
    pub fn is_empty(&self) -> Result<bool, LayerError> {
        Ok(self.upper.read_dir("")?.iter().all(|entry| self.is_excluded(Path::new(&entry.name))))
    }

    fn is_excluded(&self, path: &Path) -> bool {
        self.exclude.iter().any(|excluded| excluded.strip_prefix("/").unwrap_or(excluded) == path)
    }

    fn folder(&self, tar: &mut TarWriter<&mut dyn Write>, seen: &mut Seen, folder: &Path) -> Result<(), LayerError> {
        for entry in self.upper.read_dir(folder)? {
            let path = folder.join(&entry.name);
            if !self.is_excluded(&path) {
                self.append(tar, seen, &path)?;
            }
        }
        Ok(())
    }

    fn append(&self, tar: &mut TarWriter<&mut dyn Write>, seen: &mut Seen, path: &Path) -> Result<(), LayerError> {
        if path.file_name().is_some_and(|name| name.as_bytes().starts_with(WHITEOUT)) {
            return Err(LayerError::Unfit { path: path.to_owned(), kind: "named like the mark of a removed file" });
        }
        let stat = self.upper.symlink_metadata(path)?;
        match node::kind(self.upper, path, &stat)? {
            None => Ok(()),
            Some(EntryKind::CharDevice { major: 0, minor: 0 }) => Ok(tar.append_empty(&whiteout(path))?),
            Some(EntryKind::Directory) => self.append_folder(tar, seen, path, &stat),
            Some(kind) => self.append_file(tar, seen, path, (&stat, kind)),
        }
    }

    fn append_folder(&self, tar: &mut TarWriter<&mut dyn Write>, seen: &mut Seen, path: &Path, stat: &Stat) -> Result<(), LayerError> {
        let attributes = xattrs::read(self.upper, path)?;
        let opaque = xattrs::is_opaque(&attributes);
        let mut name = path.as_os_str().as_bytes().to_vec();
        name.push(b'/');
        let mark = [name.as_slice(), OPAQUE].concat();
        tar.append_empty(&self.entry(name, EntryKind::Directory, stat, attributes))?;
        if opaque {
            tar.append_empty(&Entry::new(mark, EntryKind::File { size: 0 }, 0o600))?;
        }
        self.folder(tar, seen, path)
    }

    fn append_file(
        &self,
        tar: &mut TarWriter<&mut dyn Write>,
        seen: &mut Seen,
        path: &Path,
        (stat, kind): (&Stat, EntryKind),
    ) -> Result<(), LayerError> {
        let name = path.as_os_str().as_bytes().to_vec();
        let identity = (stat.st_dev, stat.st_ino);
        if stat.st_nlink > 1 {
            if let Some(first) = seen.get(&identity) {
                let kind = EntryKind::HardLink { target: first.clone() };
                return Ok(tar.append_empty(&self.entry(name, kind, stat, BTreeMap::new()))?);
            }
            seen.insert(identity, name.clone());
        }
        let entry = self.entry(name, kind, stat, xattrs::read(self.upper, path)?);
        node::append_contents(tar, self.upper, path, &entry)
    }

    fn entry(&self, name: Vec<u8>, kind: EntryKind, stat: &Stat, attributes: BTreeMap<Vec<u8>, Vec<u8>>) -> Entry {
        Entry {
            uid: stat.st_uid,
            gid: stat.st_gid,
            mtime: self.time(stat),
            xattrs: xattrs::for_layer(attributes),
            ..Entry::new(name, kind, stat.st_mode & 0o7777)
        }
    }

    fn time(&self, stat: &Stat) -> i64 {
        let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
        let since = self.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let changed = u64::try_from(stat.st_mtime).is_ok_and(|seconds| Duration::new(seconds, nanoseconds) >= since);
        if changed { CONSTANT_TIME_SECONDS } else { stat.st_mtime }
    }
}

impl Contents for Changes<'_> {
    fn write_to(&self, tar: &mut TarWriter<&mut dyn Write>) -> Result<(), LayerError> {
        self.folder(tar, &mut Seen::new(), Path::new(""))
    }
}

/// The mark that hides a name of the layers below.
fn whiteout(path: &Path) -> Entry {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut name = folder.map(|folder| [folder.as_os_str().as_bytes(), b"/"].concat()).unwrap_or_default();
    name.extend_from_slice(WHITEOUT);
    name.extend_from_slice(path.file_name().unwrap_or_default().as_bytes());
    Entry::new(name, EntryKind::File { size: 0 }, 0o600)
}
