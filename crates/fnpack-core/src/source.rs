//! Function source: the user's folder, read and never written.
//!
//! A build works on a copy. [`Source::copy`] takes every file, folder and symlink but version control, gives
//! all of it to the build's user, and keeps permission bits and modification times (compilers look at
//! both). Nothing is followed out of the folder: a symlink is copied as what it says.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Timespec};

use crate::project::Selection;
use crate::root::{Root, RootError};

/// Names at any depth that belong to version control and never into a build.
const IGNORED: [&str; 4] = [".git", ".hg", ".svn", ".bzr"];

/// Function source as given on the command line.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    root: Root,
    selection: Selection,
}

/// How much was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Regular files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Why a folder cannot be taken as source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nothing of that name exists.
    #[error("there is no folder `{}`", path.display())]
    Missing {
        /// As given.
        path: PathBuf,
    },
    /// It is a file.
    #[error("`{}` is a file, not a folder with function source", path.display())]
    NotAFolder {
        /// As given.
        path: PathBuf,
    },
    /// A lookup or change failed.
    #[error("cannot read the source folder `{}`", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Which file and why.
        #[source]
        source: RootError,
    },
    /// A file's bytes could not be copied.
    #[error("cannot copy `{}` from the source folder", path.display())]
    Copy {
        /// Inside the folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A socket, fifo or device.
    #[error("`{}` in the source folder is neither a file, a folder nor a symlink", path.display())]
    Special {
        /// Inside the folder.
        path: PathBuf,
    },
}

impl Source {
    /// Opens a folder.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        match fs_err::metadata(path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(SourceError::NotAFolder { path: path.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SourceError::Missing { path: path.to_owned() }),
            Err(_) => {}
        }
        let root = Root::open(path).map_err(|source| SourceError::Unreadable { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), root, selection: Selection::All })
    }

    /// Only what is selected of it.
    #[must_use]
    pub fn selecting(self, selection: Selection) -> Self {
        Self { selection, ..self }
    }

    /// The folder as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder, for looking into it.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Whether the folder directly holds a file of this name.
    pub fn has_file(&self, name: &str) -> bool {
        self.root.is_file(name)
    }

    /// Copies everything into an empty folder; `owner` is the user and group id that all of it gets.
    pub fn copy(&self, to: &Root, owner: (u32, u32)) -> Result<Copied, SourceError> {
        let mut copied = Copied::default();
        self.copy_folder(to, Path::new(""), owner, &mut copied)?;
        Ok(copied)
    }

    fn copy_folder(&self, to: &Root, folder: &Path, owner: (u32, u32), copied: &mut Copied) -> Result<(), SourceError> {
        let lookup = |source| SourceError::Unreadable { path: self.path.clone(), source };
        for entry in self.root.read_dir(folder).map_err(lookup)? {
            if IGNORED.iter().any(|ignored| entry.name == *ignored) {
                continue;
            }
            let path = folder.join(&entry.name);
            let is_folder = entry.kind == FileType::Directory;
            let taken = self.selection.takes(&path, is_folder);
            if !taken && !(is_folder && self.selection.reaches_below()) {
                continue;
            }
            let stat = self.root.symlink_metadata(&path).map_err(lookup)?;
            match entry.kind {
                FileType::Directory => {
                    to.create_dir(&path, stat.st_mode | 0o700).map_err(lookup)?;
                    self.copy_folder(to, &path, owner, copied)?;
                    if !taken && to.read_dir(&path).map_err(lookup)?.is_empty() {
                        to.remove_all(&path).map_err(lookup)?;
                        continue;
                    }
                }
                FileType::RegularFile => {
                    copied.files += 1;
                    copied.bytes += self.copy_file(to, &path, stat.st_mode)?;
                }
                FileType::Symlink => to.symlink(self.root.read_link(&path).map_err(lookup)?, &path).map_err(lookup)?,
                _ => return Err(SourceError::Special { path }),
            }
            to.chown(&path, owner.0, owner.1).map_err(lookup)?;
            to.set_times(&path, modification_time(&stat)).map_err(lookup)?;
        }
        Ok(())
    }

    fn copy_file(&self, to: &Root, path: &Path, mode: u32) -> Result<u64, SourceError> {
        let lookup = |source| SourceError::Unreadable { path: self.path.clone(), source };
        let mut from = self.root.open_file(path).map_err(lookup)?;
        // Setuid and the like have no meaning in source; the owner can always read.
        let mut target = to.create_file(path, mode & 0o777 | 0o600).map_err(lookup)?;
        clone_or_copy(&mut from, &mut target).map_err(|source| SourceError::Copy { path: path.to_owned(), source })
    }
}

/// Shares the blocks where the file system can, else copies.
pub(crate) fn clone_or_copy(from: &mut File, to: &mut File) -> io::Result<u64> {
    match rustix::fs::ioctl_ficlone(&*to, &*from) {
        Ok(()) => Ok(from.metadata()?.len()),
        Err(_) => io::copy(from, to),
    }
}

/// When a file was last changed.
#[expect(
    clippy::unnecessary_cast,
    clippy::cast_possible_wrap,
    reason = "the fields' types differ between architectures; nanoseconds fit either"
)]
pub(crate) fn modification_time(stat: &rustix::fs::Stat) -> Timespec {
    Timespec { tv_sec: stat.st_mtime as i64, tv_nsec: stat.st_mtime_nsec as _ }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;
    use crate::project::Patterns;

    fn owner() -> (u32, u32) {
        (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw())
    }

    #[test]
    fn everything_but_version_control_is_copied_with_mode_and_time() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [".git", "sub/.git", "empty"] {
            fs_err::create_dir_all(from.path().join(folder)).unwrap();
        }
        fs_err::write(from.path().join("sub/run.sh"), "echo").unwrap();
        fs_err::write(from.path().join(".hidden"), "").unwrap();
        fs_err::set_permissions(from.path().join("sub/run.sh"), std::fs::Permissions::from_mode(0o750)).unwrap();
        symlink("/etc/passwd", from.path().join("link")).unwrap();
        let time = Timespec { tv_sec: 1_000_000_000, tv_nsec: 7 };
        Root::open(from.path()).unwrap().set_times("sub/run.sh", time).unwrap();
        let copied = Source::open(from.path()).unwrap().copy(&Root::open(to.path()).unwrap(), owner()).unwrap();
        assert_eq!(copied, Copied { files: 2, bytes: 4 });
        let names: Vec<_> = Root::open(to.path()).unwrap().read_dir("").unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, [".hidden", "empty", "link", "sub"]);
        let script = fs_err::metadata(to.path().join("sub/run.sh")).unwrap();
        assert_eq!((script.mode() & 0o7777, script.mtime(), script.mtime_nsec()), (0o750, 1_000_000_000, 7));
        assert!(!to.path().join("sub/.git").exists());
        assert_eq!(fs_err::read_link(to.path().join("link")).unwrap(), Path::new("/etc/passwd"));
    }

    #[test]
    fn selection_leaves_out_files_and_the_folders_that_would_be_empty() {
        let from = tempfile::tempdir().unwrap();
        for file in ["main.go", "docs/a.md", "docs/deep/b.md", "sub/run.go", "sub/notes.md"] {
            let path = from.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
        let patterns = |list: &[&str]| Patterns::new(&list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap();
        for (selection, kept) in [
            (Selection::Include(patterns(&["*.go"])), &["main.go", "sub/run.go"][..]),
            (Selection::Exclude(patterns(&["docs/"])), &["main.go", "sub/notes.md", "sub/run.go"]),
            (Selection::Exclude(patterns(&["*.md", "!notes.md"])), &["docs/deep", "main.go", "sub/notes.md", "sub/run.go"]),
        ] {
            let to = tempfile::tempdir().unwrap();
            let root = Root::open(to.path()).unwrap();
            Source::open(from.path()).unwrap().selecting(selection).copy(&root, owner()).unwrap();
            assert_eq!(leaves(&root, Path::new("")), kept);
        }
    }

    /// Files and empty folders, sorted.
    fn leaves(root: &Root, folder: &Path) -> Vec<String> {
        let entries = root.read_dir(folder).unwrap();
        if entries.is_empty() {
            return vec![folder.to_str().unwrap().to_owned()];
        }
        let below = |entry: crate::root::DirEntry| {
            let path = folder.join(entry.name);
            if entry.kind == FileType::Directory { leaves(root, &path) } else { vec![path.to_str().unwrap().to_owned()] }
        };
        entries.into_iter().flat_map(below).collect()
    }

    #[test]
    fn what_is_no_folder_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs_err::write(&file, "").unwrap();
        assert!(matches!(Source::open(&file), Err(SourceError::NotAFolder { .. })));
        assert!(matches!(Source::open(&folder.path().join("none")), Err(SourceError::Missing { .. })));
        rustix::fs::mknodat(rustix::fs::CWD, folder.path().join("fifo"), FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        let to = tempfile::tempdir().unwrap();
        let error = Source::open(folder.path()).unwrap().copy(&Root::open(to.path()).unwrap(), owner()).unwrap_err();
        assert!(matches!(error, SourceError::Special { path } if path == Path::new("fifo")));
    }
}
