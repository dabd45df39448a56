//! Puts entries into the root file system.

use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::archive::{Archive, Kind, Member};
use super::{Applied, ApplyError};
use crate::root::{Root, RootError};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Names that aufs kept for itself; no file system has them.
const AUFS: &[u8] = b".wh..wh.";
/// As many dangling symlinks one behind the other as the kernel follows live ones.
const MAX_LINKS: u32 = 40;
/// What a folder gets that no entry describes.
const IMPLICIT_MODE: u32 = 0o755;
const EPOCH: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

pub(super) struct Placer<'a> {
    root: &'a Root,
    /// The root as `/proc` shows it: what stands before the paths of its folders there.
    shown_root: PathBuf,
    single_id: bool,
    parent: Option<Parent>,
    /// All that this layer has, and the folders above, by their real paths.
    written: HashSet<PathBuf>,
    /// Times that folders get when nothing more is put into them, by their real paths.
    folder_times: BTreeMap<PathBuf, Timespec>,
    applied: Applied,
    buffer: Vec<u8>,
}

/// The folder that entries go into. Entries of one folder stand together in nearly every tar.
#[derive(Clone)]
struct Parent {
    /// As the entries name it, cleaned.
    path: PathBuf,
    /// Without symlinks.
    real: PathBuf,
    folder: Rc<OwnedFd>,
}

/// Where an entry goes.
struct Place {
    parent: Parent,
    name: OsString,
    path: PathBuf,
    real: PathBuf,
}

impl Place {
    fn folder(&self) -> BorrowedFd<'_> {
        self.parent.folder.as_fd()
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(Errno) -> ApplyError {
        failed(action, &self.path)
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(Errno) -> ApplyError {
    let path = path.to_owned();
    move |errno| ApplyError::Place { action, path, source: errno.into() }
}

impl From<RootError> for ApplyError {
    fn from(RootError { action, path, source }: RootError) -> Self {
        Self::Place { action, path, source }
    }
}

impl<'a> Placer<'a> {
    pub(super) fn new(root: &'a Root, single_id: bool) -> Self {
        Self {
            root,
            shown_root: shown(root.as_fd()).unwrap_or_default(),
            single_id,
            parent: None,
            written: HashSet::new(),
            folder_times: BTreeMap::new(),
            applied: Applied::default(),
            buffer: vec![0; 128 * 1024],
        }
    }

    pub(super) fn place<R: Read>(&mut self, member: &Member, data: &mut Archive<R>) -> Result<(), ApplyError> {
        let path = clean(&member.path);
        self.applied.entries += 1;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return self.place_root(member);
        };
        if name.as_bytes().starts_with(WHITEOUT) {
            return self.whiteout(parent, name.as_bytes());
        }
        let parent = self.parent(parent)?;
        let place = Place { name: name.to_owned(), real: parent.real.join(name), path: path.clone(), parent };
        if member.kind == Kind::HardLink && self.is_linked(&place, &clean(&member.link)) {
            return Ok(());
        }
        let existing = self.make_room(&place, member.kind)?;
        match member.kind {
            Kind::File => self.file(&place, member, data)?,
            Kind::HardLink => self.hard_link(&place, member)?,
            Kind::Folder => self.folder(&place, member, existing)?,
            Kind::Symlink => self.symlink(&place, member)?,
            Kind::Fifo | Kind::Character | Kind::Block => self.node(&place, member)?,
        }
        self.remember(&place.real);
        Ok(())
    }

    /// Gives the folders their times; until then every entry put into one changed them.
    pub(super) fn finish(self) -> Result<Applied, ApplyError> {
        for (path, time) in &self.folder_times {
            match self.root.set_times(path, *time) {
                Err(error) if error.is_not_found() => {}
                result => result?,
            }
        }
        Ok(self.applied)
    }

    fn place_root(&mut self, member: &Member) -> Result<(), ApplyError> {
        if member.kind != Kind::Folder {
            return Err(ApplyError::Entry { path: "/".into(), reason: "the root is not a folder in it" });
        }
        let parent = self.parent(Path::new(""))?;
        let place = Place { name: ".".into(), path: "/".into(), real: PathBuf::new(), parent };
        self.set_owner_and_mode(&place, member)?;
        self.set_attributes(&place, member)?;
        self.folder_times.insert(PathBuf::new(), member.time);
        Ok(())
    }

    // --- what was there ---------------------------------------------------------------------------

    /// Removes what has the name; a folder that stays is given back.
    fn make_room(&mut self, place: &Place, kind: Kind) -> Result<Option<Stat>, ApplyError> {
        let stat = match rustix::fs::statat(place.folder(), &place.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(place.failed("examine")(errno)),
        };
        match (FileType::from_raw_mode(stat.st_mode), kind) {
            (FileType::Directory, Kind::Folder) => return Ok(Some(stat)),
            // Other names of the file may have been made as hard links, so it is not written over.
            (FileType::RegularFile, _) => {
                rustix::fs::unlinkat(place.folder(), &place.name, AtFlags::empty()).map_err(place.failed("replace"))?;
            }
            _ => self.remove(&place.path, &place.real)?,
        }
        Ok(None)
    }

    fn remove(&mut self, path: &Path, real: &Path) -> Result<(), ApplyError> {
        self.parent = None;
        let below: Vec<PathBuf> = self
            .folder_times
            .range(real.to_owned()..)
            .take_while(|(path, _)| path.starts_with(real))
            .map(|(path, _)| path.clone())
            .collect();
        for path in below {
            self.folder_times.remove(&path);
        }
        Ok(self.root.remove_all(path)?)
    }

    fn whiteout(&mut self, parent: &Path, name: &[u8]) -> Result<(), ApplyError> {
        let Some(parent) = self.existing_parent(parent)? else { return Ok(()) };
        let hidden = name.get(WHITEOUT.len()..).unwrap_or_default();
        if name == OPAQUE {
            return self.clear_below(&parent.path, &parent.real);
        }
        if name.starts_with(AUFS) {
            return Ok(());
        }
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(ApplyError::Entry {
                path: parent.path.join(OsStr::from_bytes(name)),
                reason: "it deletes nothing that has a name",
            });
        }
        let hidden = OsStr::from_bytes(hidden);
        self.remove_lower(&parent.path.join(hidden), &parent.real.join(hidden))
    }

    /// Removes what came from below, however deep what this layer wrote is mixed with it.
    fn remove_lower(&mut self, path: &Path, real: &Path) -> Result<(), ApplyError> {
        if !self.written.contains(real) {
            return self.remove(path, real);
        }
        match self.root.try_symlink_metadata(path)? {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => self.clear_below(path, real),
            _ => Ok(()),
        }
    }

    fn clear_below(&mut self, path: &Path, real: &Path) -> Result<(), ApplyError> {
        for entry in self.root.read_dir(path)? {
            self.remove_lower(&path.join(&entry.name), &real.join(&entry.name))?;
        }
        Ok(())
    }

    fn remember(&mut self, real: &Path) {
        for ancestor in real.ancestors() {
            if !self.written.contains(ancestor) {
                self.written.insert(ancestor.to_owned());
            } else if ancestor != real {
                break;
            }
        }
    }

    // --- the way there ----------------------------------------------------------------------------

    /// The folder of this cleaned path, made if it is missing.
    fn parent(&mut self, path: &Path) -> Result<Parent, ApplyError> {
        if let Some(parent) = self.parent.as_ref().filter(|parent| parent.path == path) {
            return Ok(parent.clone());
        }
        self.ensure_folder(path, 0)?;
        self.existing_parent(path)?.ok_or_else(|| failed("open folder", path)(Errno::NOENT))
    }

    fn existing_parent(&mut self, path: &Path) -> Result<Option<Parent>, ApplyError> {
        if let Some(parent) = self.parent.as_ref().filter(|parent| parent.path == path) {
            return Ok(Some(parent.clone()));
        }
        let folder = match self.root.parent(&path.join("x")) {
            Ok((folder, _)) => folder,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(errno) => return Err(failed("open folder", path)(errno)),
        };
        let real = shown(folder.as_fd()).and_then(|shown| shown.strip_prefix(&self.shown_root).ok().map(Path::to_owned));
        let real = real.unwrap_or_else(|| path.to_owned());
        // A folder that the layer has no entry for keeps the time it has below.
        if !self.folder_times.contains_key(&real) {
            let stat = rustix::fs::fstat(&folder).map_err(failed("examine", path))?;
            self.folder_times.insert(real.clone(), modified(&stat));
        }
        let parent = Parent { path: path.to_owned(), real, folder: Rc::new(folder) };
        self.parent = Some(parent.clone());
        Ok(Some(parent))
    }

    fn ensure_folder(&mut self, path: &Path, links: u32) -> Result<(), ApplyError> {
        if path.as_os_str().is_empty() || self.root.is_dir(path) {
            return Ok(());
        }
        if links > MAX_LINKS {
            return Err(failed("create folder", path)(Errno::LOOP));
        }
        let above = path.parent().unwrap_or(Path::new(""));
        self.ensure_folder(above, links)?;
        let Some(Component::Normal(name)) = path.components().next_back() else { return Ok(()) };
        let (folder, _) = self.root.parent(path).map_err(failed("open folder", above))?;
        match rustix::fs::mkdirat(&folder, name, Mode::from_raw_mode(IMPLICIT_MODE)) {
            Ok(()) => self.describe_implicit(&folder, name, path),
            Err(Errno::EXIST) => match self.root.read_link(path) {
                Ok(target) => self.ensure_folder(&above.join(target), links + 1),
                Err(_) => Err(failed("create folder", path)(Errno::NOTDIR)),
            },
            Err(errno) => Err(failed("create folder", path)(errno)),
        }
    }

    fn describe_implicit(&mut self, folder: &OwnedFd, name: &OsStr, path: &Path) -> Result<(), ApplyError> {
        let owner = (!self.single_id).then_some((Uid::ROOT, Gid::ROOT));
        if let Some((uid, gid)) = owner {
            rustix::fs::chownat(folder, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(failed("change the owner of", path))?;
        }
        let mode = Mode::from_raw_mode(IMPLICIT_MODE);
        rustix::fs::chmodat(folder, name, mode, AtFlags::empty()).map_err(failed("change the mode of", path))?;
        let times = Timestamps { last_access: EPOCH, last_modification: EPOCH };
        rustix::fs::utimensat(folder, name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(failed("set the times of", path))
    }

    // --- the kinds --------------------------------------------------------------------------------

    fn file<R: Read>(&mut self, place: &Place, member: &Member, data: &mut Archive<R>) -> Result<(), ApplyError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(place.folder(), &place.name, flags, Mode::RUSR | Mode::WUSR).map_err(place.failed("create"))?;
        let mut file = File::from(file);
        self.write_contents(&mut file, place, member, data)?;
        if !self.single_id {
            let (uid, gid) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
            rustix::fs::fchown(&file, Some(uid), Some(gid)).map_err(owner_failed(place, member))?;
        }
        rustix::fs::fchmod(&file, Mode::from_raw_mode(member.mode)).map_err(place.failed("change the mode of"))?;
        self.each_attribute(place, member, |name, value| rustix::fs::fsetxattr(&file, name, value, XattrFlags::empty()))?;
        rustix::fs::futimens(&file, &times(member)).map_err(place.failed("set the times of"))
    }

    fn write_contents<R: Read>(
        &mut self,
        file: &mut File,
        place: &Place,
        member: &Member,
        data: &mut Archive<R>,
    ) -> Result<(), ApplyError> {
        let failed = |source| ApplyError::Place { action: "write", path: place.path.clone(), source };
        let mut position = 0;
        for segment in &member.segments {
            if segment.offset != position {
                file.seek(SeekFrom::Start(segment.offset)).map_err(failed)?;
            }
            position = segment.offset + segment.length;
            let mut left = segment.length;
            while left > 0 {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
                let read = data.read_data(self.buffer.get_mut(..length).unwrap_or_default())?;
                if read == 0 {
                    return Err(data.malformed("a file has less data than it says"));
                }
                file.write_all(self.buffer.get(..read).unwrap_or_default()).map_err(failed)?;
                left -= read as u64;
                self.applied.bytes += read as u64;
            }
        }
        if position != member.size {
            file.set_len(member.size).map_err(failed)?;
        }
        Ok(())
    }

    /// Whether both are one file already: making room would remove what is to be linked to.
    fn is_linked(&self, place: &Place, target: &Path) -> bool {
        let inode = |path| self.root.symlink_metadata(path).map(|stat| (stat.st_dev, stat.st_ino));
        matches!((inode(place.path.as_path()), inode(target)), (Ok(one), Ok(other)) if one == other)
    }

    fn hard_link(&mut self, place: &Place, member: &Member) -> Result<(), ApplyError> {
        let target = clean(&member.link);
        let failed = |errno: Errno| ApplyError::HardLink { path: place.path.clone(), target: target.clone(), source: errno.into() };
        let (folder, name) = self.root.parent(&target).map_err(failed)?;
        rustix::fs::linkat(&folder, &name, place.folder(), &place.name, AtFlags::empty()).map_err(failed)
    }

    fn folder(&mut self, place: &Place, member: &Member, existing: Option<Stat>) -> Result<(), ApplyError> {
        if existing.is_none() {
            rustix::fs::mkdirat(place.folder(), &place.name, Mode::RWXU).map_err(place.failed("create folder"))?;
        }
        self.set_owner_and_mode(place, member)?;
        self.set_attributes(place, member)?;
        self.folder_times.insert(place.real.clone(), member.time);
        Ok(())
    }

    fn symlink(&mut self, place: &Place, member: &Member) -> Result<(), ApplyError> {
        let target = OsStr::from_bytes(&member.link);
        rustix::fs::symlinkat(target, place.folder(), &place.name).map_err(place.failed("create symlink"))?;
        self.set_owner(place, member)?;
        self.set_attributes(place, member)?;
        set_times(place, member)
    }

    fn node(&mut self, place: &Place, member: &Member) -> Result<(), ApplyError> {
        let kind = match member.kind {
            Kind::Character if member.device == (0, 0) => {
                self.applied.skipped_devices += 1;
                return Ok(());
            }
            Kind::Character => FileType::CharacterDevice,
            Kind::Block => FileType::BlockDevice,
            _ => FileType::Fifo,
        };
        let (major, minor) = if kind == FileType::Fifo { (0, 0) } else { member.device };
        let device = rustix::fs::makedev(major, minor);
        match rustix::fs::mknodat(place.folder(), &place.name, kind, Mode::RUSR, device) {
            Err(Errno::PERM) if kind != FileType::Fifo => {
                self.applied.skipped_devices += 1;
                return Ok(());
            }
            result => result.map_err(place.failed("create device"))?,
        }
        self.set_owner_and_mode(place, member)?;
        self.set_attributes(place, member)?;
        set_times(place, member)
    }

    // --- what they carry --------------------------------------------------------------------------

    fn set_owner_and_mode(&self, place: &Place, member: &Member) -> Result<(), ApplyError> {
        self.set_owner(place, member)?;
        let mode = Mode::from_raw_mode(member.mode);
        rustix::fs::chmodat(place.folder(), &place.name, mode, AtFlags::empty()).map_err(place.failed("change the mode of"))
    }

    fn set_owner(&self, place: &Place, member: &Member) -> Result<(), ApplyError> {
        if self.single_id {
            return Ok(());
        }
        let (uid, gid) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
        rustix::fs::chownat(place.folder(), &place.name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(owner_failed(place, member))
    }

    fn set_attributes(&mut self, place: &Place, member: &Member) -> Result<(), ApplyError> {
        // There is no call relative to a folder; the folder's own entry in /proc makes one of a path,
        // and the last component is not followed.
        let path = Path::new("/proc/self/fd").join(place.folder().as_raw_fd().to_string()).join(&place.name);
        self.each_attribute(place, member, |name, value| rustix::fs::lsetxattr(&path, name, value, XattrFlags::empty()))
    }

    fn each_attribute(
        &mut self,
        place: &Place,
        member: &Member,
        set: impl Fn(&OsStr, &[u8]) -> rustix::io::Result<()>,
    ) -> Result<(), ApplyError> {
        for (name, value) in member.attributes.iter().filter(|(name, _)| belongs_to_layers(name)) {
            let value = if name == b"security.capability" { capability_version_2(value) } else { value.clone() };
            match set(OsStr::from_bytes(name), &value) {
                Ok(()) => {}
                Err(Errno::NOTSUP | Errno::PERM | Errno::INVAL | Errno::RANGE) => self.applied.skipped_attributes += 1,
                Err(errno) => return Err(place.failed("set an extended attribute of")(errno)),
            }
        }
        Ok(())
    }
}

/// Labels of the machine and marks of a file system say nothing about the image, and marks of overlayfs
/// would be obeyed.
fn belongs_to_layers(name: &[u8]) -> bool {
    let overlay = name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.");
    !overlay && name != b"security.selinux" && !name.starts_with(b"system.nfs4") && !name.starts_with(b"trusted.nfs")
}

/// Version 3 of a file capability names the root of a user namespace, which only the machine knows that wrote it;
/// the kernel turns version 2 into it where it is needed (capabilities(7), "File capability versioning").
fn capability_version_2(value: &[u8]) -> Vec<u8> {
    match value {
        [flags, 0, 0, 3, capabilities @ .., _, _, _, _] if capabilities.len() == 16 => [&[*flags, 0, 0, 2], capabilities].concat(),
        _ => value.to_vec(),
    }
}

fn owner_failed(place: &Place, member: &Member) -> impl FnOnce(Errno) -> ApplyError {
    let path = place.path.clone();
    let (uid, gid) = (member.uid, member.gid);
    move |errno| match errno {
        Errno::INVAL => ApplyError::UnmappedOwner { path, uid, gid },
        errno => failed("change the owner of", &path)(errno),
    }
}

fn times(member: &Member) -> Timestamps {
    Timestamps { last_access: member.time, last_modification: member.time }
}

fn set_times(place: &Place, member: &Member) -> Result<(), ApplyError> {
    let times = times(member);
    rustix::fs::utimensat(place.folder(), &place.name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(place.failed("set the times of"))
}

fn modified(stat: &Stat) -> Timespec {
    Timespec { tv_sec: stat.st_mtime, tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or_default() }
}

/// A folder's path as `/proc` has it: without symlinks.
fn shown(folder: BorrowedFd<'_>) -> Option<PathBuf> {
    let link = format!("/proc/self/fd/{}", folder.as_raw_fd());
    let shown = rustix::fs::readlinkat(rustix::fs::CWD, link, Vec::new()).ok()?;
    Some(PathBuf::from(OsString::from_vec(shown.into_bytes())))
}

/// The path that a name means seen from the root, as text: relative, without `.` and `..`.
fn clean(name: &[u8]) -> PathBuf {
    let mut path = PathBuf::new();
    for component in Path::new(OsStr::from_bytes(name)).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => {
                path.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    path
}
