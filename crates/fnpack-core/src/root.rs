//! A folder that nothing looked up inside can leave.
//!
//! Trees of foreign origin (an image's root file system, the layers a buildpack wrote, a build
//! context) are only touched through [`Root`]. Names are resolved by `openat2` with
//! `RESOLVE_IN_ROOT`: absolute symlinks and `..` stay inside, as in a chroot, whatever somebody
//! renames meanwhile. The kernel gives no such promise for calls that take a path without a
//! resolution rule, so every change is made relative to a parent folder opened this way, with the last
//! component never followed.
//!
//! Paths given to [`Root`] may be absolute or relative; both mean "below this root". Errors carry the
//! path inside the root.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps};

/// A folder and all that is below it.
#[derive(Debug)]
pub struct Root {
    folder: OwnedFd,
}

/// What could not be done with which path inside a root.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`", path.display())]
pub struct RootError {
    /// The call, as a verb phrase.
    pub action: &'static str,
    /// The path inside the root.
    pub path: PathBuf,
    /// What the kernel answered.
    #[source]
    pub source: io::Error,
}

impl RootError {
    /// Whether the cause is that nothing of this name exists.
    pub fn is_not_found(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    }
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The bare name.
    pub name: OsString,
    /// Its kind, symlinks not followed.
    pub kind: FileType,
}

type Result<T> = std::result::Result<T, RootError>;

fn failed(action: &'static str, path: &Path) -> impl FnOnce(rustix::io::Errno) -> RootError {
    let path = path.to_owned();
    move |errno| RootError { action, path, source: errno.into() }
}

impl Root {
    /// Opens a folder of the host as a root.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, path, flags, Mode::empty()).map(|folder| Self { folder }).map_err(failed("open folder", path))
    }

    /// Takes an open folder (an `O_PATH` descriptor is enough, a detached mount too).
    pub fn from_fd(folder: OwnedFd) -> Self {
        Self { folder }
    }

    /// Another handle of the same folder.
    pub fn try_clone(&self) -> Result<Self> {
        let folder = self.folder.try_clone().map_err(|source| RootError { action: "duplicate the handle of", path: "/".into(), source })?;
        Ok(Self { folder })
    }

    /// The folder `path` as a root of its own; symlinks are followed inside this root.
    pub fn sub(&self, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let folder = self.resolve(path, OFlags::PATH | OFlags::DIRECTORY).map_err(failed("open folder", path))?;
        Ok(Self { folder })
    }

    /// A path by which this process, and children that inherit nothing, can reach the folder as
    /// long as this value lives. Lookups through it are not confined.
    pub fn proc_path(&self) -> PathBuf {
        use std::os::fd::AsRawFd;
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.folder.as_raw_fd()))
    }

    /// Opens a file for reading; symlinks are followed inside this root. Blocks on no fifo: what is
    /// not a regular file is refused.
    pub fn open_file(&self, path: impl AsRef<Path>) -> Result<File> {
        let path = path.as_ref();
        let fail = |errno| failed("open", path)(errno);
        let file = self.resolve(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY).map_err(fail)?;
        let stat = rustix::fs::fstat(&file).map_err(fail)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(File::from(file)),
            FileType::Directory => Err(fail(rustix::io::Errno::ISDIR)),
            _ => Err(RootError { action: "open", path: path.to_owned(), source: io::Error::other("it is not a regular file") }),
        }
    }

    /// Reads a whole file of at most `limit` bytes; a longer one is an error.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>> {
        let path = path.as_ref();
        let fail = |source| RootError { action: "read", path: path.to_owned(), source };
        let mut bytes = Vec::new();
        self.open_file(path)?.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.len() as u64 > limit {
            return Err(fail(io::Error::other(format!("it is longer than {limit} bytes"))));
        }
        Ok(bytes)
    }

    /// Like [`Root::read`], for text in UTF-8.
    pub fn read_to_string(&self, path: impl AsRef<Path>, limit: u64) -> Result<String> {
        let path = path.as_ref();
        String::from_utf8(self.read(path, limit)?).map_err(|error| RootError {
            action: "read",
            path: path.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidData, error),
        })
    }

    /// What the last component itself is: a symlink is not followed.
    pub fn symlink_metadata(&self, path: impl AsRef<Path>) -> Result<Stat> {
        let path = path.as_ref();
        let fail = |errno| failed("examine", path)(errno);
        let (parent, name) = self.parent(path).map_err(fail)?;
        rustix::fs::statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(fail)
    }

    /// What `path` leads to, symlinks followed inside this root.
    pub fn metadata(&self, path: impl AsRef<Path>) -> Result<Stat> {
        let path = path.as_ref();
        let fail = |errno| failed("examine", path)(errno);
        rustix::fs::fstat(self.resolve(path, OFlags::PATH).map_err(fail)?).map_err(fail)
    }

    /// The same as [`Root::symlink_metadata`], `None` where nothing of that name exists.
    pub fn try_symlink_metadata(&self, path: impl AsRef<Path>) -> Result<Option<Stat>> {
        absent_is_none(self.symlink_metadata(path))
    }

    /// The same as [`Root::metadata`], `None` where nothing of that name exists.
    pub fn try_metadata(&self, path: impl AsRef<Path>) -> Result<Option<Stat>> {
        absent_is_none(self.metadata(path))
    }

    /// Whether `path` leads to a folder.
    pub fn is_dir(&self, path: impl AsRef<Path>) -> bool {
        self.metadata(path).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }

    /// Whether `path` leads to a regular file.
    pub fn is_file(&self, path: impl AsRef<Path>) -> bool {
        self.metadata(path).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
    }

    /// Where a symlink points, as written in it.
    pub fn read_link(&self, path: impl AsRef<Path>) -> Result<PathBuf> {
        let path = path.as_ref();
        let fail = |errno| failed("read symlink", path)(errno);
        let (parent, name) = self.parent(path).map_err(fail)?;
        let target = rustix::fs::readlinkat(&parent, &name, Vec::new()).map_err(fail)?;
        Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
    }

    /// The names in a folder, sorted by bytes.
    pub fn read_dir(&self, path: impl AsRef<Path>) -> Result<Vec<DirEntry>> {
        let path = path.as_ref();
        let fail = |errno| failed("list", path)(errno);
        let folder = self.resolve(path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(fail)?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    FileType::from_raw_mode(rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(fail)?.st_mode)
                }
                kind => kind,
            };
            entries.push(DirEntry { name: OsStr::from_bytes(name.to_bytes()).to_owned(), kind });
        }
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    /// Writes a whole new file with exactly these permission bits; what had the name before is
    /// replaced, a symlink is not followed.
    pub fn write(&self, path: impl AsRef<Path>, contents: &[u8], mode: u32) -> Result<()> {
        let path = path.as_ref();
        let mut file = self.create_file(path, mode)?;
        file.write_all(contents).map_err(|source| RootError { action: "write", path: path.to_owned(), source })
    }

    /// Makes a new empty file with exactly these permission bits and opens it for writing; what had
    /// the name before is replaced.
    pub fn create_file(&self, path: impl AsRef<Path>, mode: u32) -> Result<File> {
        let path = path.as_ref();
        let fail = |errno| failed("create", path)(errno);
        let (parent, name) = self.parent(path).map_err(fail)?;
        match rustix::fs::unlinkat(&parent, &name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(errno) => return Err(fail(errno)),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&parent, &name, flags, Mode::from_raw_mode(0o600)).map_err(fail)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o7777)).map_err(fail)?;
        Ok(File::from(file))
    }

    /// Makes one folder with exactly these permission bits; its parent must exist. A folder that is
    /// there already is left as it is.
    pub fn create_dir(&self, path: impl AsRef<Path>, mode: u32) -> Result<()> {
        let path = path.as_ref();
        let fail = |errno| failed("create folder", path)(errno);
        let (parent, name) = self.parent(path).map_err(fail)?;
        match rustix::fs::mkdirat(&parent, &name, Mode::from_raw_mode(0o700)) {
            Ok(()) => rustix::fs::chmodat(&parent, &name, Mode::from_raw_mode(mode & 0o7777), AtFlags::empty()).map_err(fail),
            Err(rustix::io::Errno::EXIST) if self.is_dir(path) => Ok(()),
            Err(errno) => Err(fail(errno)),
        }
    }

    /// Makes a folder and the missing ones above it, all with these permission bits.
    pub fn create_dir_all(&self, path: impl AsRef<Path>, mode: u32) -> Result<()> {
        let mut prefix = PathBuf::new();
        for component in path.as_ref().components() {
            match component {
                Component::Normal(_) | Component::ParentDir => prefix.push(component),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => continue,
            }
            if !self.is_dir(&prefix) {
                self.create_dir(&prefix, mode)?;
            }
        }
        Ok(())
    }

    /// Makes a symlink; fails if the name is taken.
    pub fn symlink(&self, target: impl AsRef<Path>, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let fail = |errno| failed("create symlink", path)(errno);
        let (parent, name) = self.parent(path).map_err(fail)?;
        rustix::fs::symlinkat(target.as_ref(), &parent, &name).map_err(fail)
    }

    /// Changes the owner of the last component itself.
    pub fn chown(&self, path: impl AsRef<Path>, uid: u32, gid: u32) -> Result<()> {
        let path = path.as_ref();
        let fail = |errno| failed("change the owner of", path)(errno);
        let (parent, name) = self.parent(path).map_err(fail)?;
        let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
        rustix::fs::chownat(&parent, &name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).map_err(fail)
    }

    /// Gives a file or folder with all that is in it to somebody; of symlinks the links themselves.
    pub fn chown_all(&self, path: impl AsRef<Path>, uid: u32, gid: u32) -> Result<()> {
        let path = path.as_ref();
        self.chown(path, uid, gid)?;
        if FileType::from_raw_mode(self.symlink_metadata(path)?.st_mode) == FileType::Directory {
            for entry in self.read_dir(path)? {
                self.chown_all(path.join(entry.name), uid, gid)?;
            }
        }
        Ok(())
    }

    /// Sets the permission bits of a file or folder; refuses to follow a symlink.
    pub fn chmod(&self, path: impl AsRef<Path>, mode: u32) -> Result<()> {
        let path = path.as_ref();
        let fail = |errno| failed("change the mode of", path)(errno);
        let (parent, name) = self.parent(path).map_err(fail)?;
        let stat = rustix::fs::statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(fail)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            return Err(fail(rustix::io::Errno::LOOP));
        }
        rustix::fs::chmodat(&parent, &name, Mode::from_raw_mode(mode & 0o7777), AtFlags::empty()).map_err(fail)
    }

    /// Sets access and modification time of the last component itself.
    pub fn set_times(&self, path: impl AsRef<Path>, time: Timespec) -> Result<()> {
        let path = path.as_ref();
        let fail = |errno| failed("set the times of", path)(errno);
        let (parent, name) = self.parent(path).map_err(fail)?;
        let times = Timestamps { last_access: time, last_modification: time };
        rustix::fs::utimensat(&parent, &name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(fail)
    }

    /// Removes a file, a symlink or a whole tree; nothing there is no error.
    pub fn remove_all(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let fail = |errno| failed("remove", path)(errno);
        let (parent, name) = match self.parent(path) {
            Ok(found) => found,
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(fail(errno)),
        };
        remove_tree(parent.as_fd(), &name).map_err(fail)
    }

    /// Moves a name to another name inside this root; what was there is replaced as `rename(2)` does.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let fail = |errno| failed("rename", from)(errno);
        let (from_parent, from_name) = self.parent(from).map_err(fail)?;
        let (to_parent, to_name) = self.parent(to).map_err(fail)?;
        rustix::fs::renameat(&from_parent, &from_name, &to_parent, &to_name).map_err(fail)
    }

    /// The folder that holds the last component, symlinks on the way followed inside the root, and the
    /// last component. For calls that this type does not have; give the name to an `*at` call with
    /// `NOFOLLOW`. The root itself is (root, `.`). `..` as last component is refused.
    pub fn parent(&self, path: &Path) -> rustix::io::Result<(OwnedFd, OsString)> {
        let mut components = path.components();
        let name = match components.next_back() {
            Some(Component::Normal(name)) => name.to_owned(),
            Some(Component::ParentDir) => return Err(rustix::io::Errno::INVAL),
            Some(Component::RootDir | Component::CurDir | Component::Prefix(_)) | None => OsString::from("."),
        };
        let parent = self.resolve(components.as_path(), OFlags::PATH | OFlags::DIRECTORY)?;
        Ok((parent, name))
    }

    fn resolve(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let rule = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            match rustix::fs::openat2(&self.folder, path, flags | OFlags::CLOEXEC, Mode::empty(), rule) {
                // A rename somewhere on the way made the kernel unsure; it asks to try again.
                Err(rustix::io::Errno::AGAIN) => {}
                result => return result,
            }
        }
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

fn absent_is_none(result: Result<Stat>) -> Result<Option<Stat>> {
    match result {
        Ok(stat) => Ok(Some(stat)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove_tree(parent: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<()> {
    use rustix::io::Errno;
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match rustix::fs::openat(parent, name, flags, Mode::empty()) {
        // Folders without rights for the owner (a Go module cache is read-only) are opened up first.
        Err(Errno::ACCESS) => {
            rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
            rustix::fs::openat(parent, name, flags, Mode::empty())?
        }
        result => result?,
    };
    let names: Vec<OsString> = Dir::read_from(&folder)?
        .map(|entry| entry.map(|entry| OsStr::from_bytes(entry.file_name().to_bytes()).to_owned()))
        .filter(|name| !matches!(name, Ok(name) if name == "." || name == ".."))
        .collect::<rustix::io::Result<_>>()?;
    if !names.is_empty() && rustix::fs::fstat(&folder)?.st_mode & 0o300 != 0o300 {
        rustix::fs::fchmod(&folder, Mode::RWXU)?;
    }
    for name in names {
        remove_tree(folder.as_fd(), &name)?;
    }
    rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn root() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("root")).unwrap();
        fs_err::write(folder.path().join("secret"), "outside").unwrap();
        let root = Root::open(folder.path().join("root")).unwrap();
        (folder, root)
    }

    #[test]
    fn lookups_stay_inside() {
        let (folder, root) = root();
        let inside = folder.path().join("root");
        fs_err::create_dir_all(inside.join("etc")).unwrap();
        fs_err::write(inside.join("etc/name"), "inside").unwrap();
        symlink("/etc", inside.join("absolute")).unwrap();
        symlink("../../../etc", inside.join("etc/dots")).unwrap();
        symlink("../secret", inside.join("out")).unwrap();
        for path in ["etc/name", "/etc/name", "absolute/name", "etc/dots/name", "../../etc/name", "./etc/../etc/name"] {
            assert_eq!(root.read(path, 100).unwrap(), b"inside", "{path}");
        }
        assert!(root.read("out", 100).unwrap_err().is_not_found());
        assert!(root.read("../secret", 100).unwrap_err().is_not_found());
    }

    #[test]
    fn changes_do_not_follow_the_last_component() {
        let (folder, root) = root();
        let inside = folder.path().join("root");
        symlink(folder.path().join("secret"), inside.join("link")).unwrap();
        root.write("link", b"new", 0o640).unwrap();
        assert_eq!(fs_err::read_to_string(folder.path().join("secret")).unwrap(), "outside");
        assert_eq!(fs_err::symlink_metadata(inside.join("link")).unwrap().permissions().mode() & 0o7777, 0o640);
        symlink("/nowhere", inside.join("dangling")).unwrap();
        assert!(root.chmod("dangling", 0o777).is_err());
        root.remove_all("dangling").unwrap();
        assert!(root.try_symlink_metadata("dangling").unwrap().is_none());
    }

    #[test]
    fn folders_are_made_and_removed_whole() {
        let (folder, root) = root();
        root.create_dir_all("a/b/c", 0o755).unwrap();
        root.write("a/b/c/file", b"x", 0o600).unwrap();
        root.symlink("/secret", "a/b/link").unwrap();
        root.chmod("a/b", 0o500).unwrap();
        assert_eq!(root.read_dir("a/b").unwrap().iter().map(|entry| entry.name.to_str().unwrap()).collect::<Vec<_>>(), ["c", "link"]);
        assert_eq!(fs_err::metadata(folder.path().join("root/a/b/c")).unwrap().mode() & 0o7777, 0o755);
        root.remove_all("a").unwrap();
        root.remove_all("a").unwrap();
        assert!(root.read_dir("/").unwrap().is_empty());
    }

    #[test]
    fn reading_is_bounded_and_only_for_files() {
        let (folder, root) = root();
        root.write("five", b"12345", 0o600).unwrap();
        assert_eq!(root.read("five", 5).unwrap(), b"12345");
        assert!(root.read("five", 4).unwrap_err().source.to_string().contains("longer than 4 bytes"));
        assert!(root.read("/", 4).is_err());
        let fifo = folder.path().join("root/fifo");
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(root.open_file("fifo").unwrap_err().source.to_string().contains("not a regular file"));
    }
}
