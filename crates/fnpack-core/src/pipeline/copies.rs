//! Trees copied and compared, for builds without an overlay.

use std::fs::File;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Stat};

use crate::root::{Root, RootError};
use crate::source::{clone_or_copy, modification_time};

/// Copies what is in `folder` of one root into the same folder of another, with modes and times. The blocks of files are
/// shared where the file system can. A file that nobody may write is shared as a whole, by a hard link, unless we are root,
/// who may write all the same: the module cache of Go consists of such files.
pub(super) fn copy(from: &Root, to: &Root, folder: &Path) -> Result<(), RootError> {
    for entry in from.read_dir(folder)? {
        let path = folder.join(&entry.name);
        let stat = from.symlink_metadata(&path)?;
        match entry.kind {
            FileType::Directory => {
                to.create_dir(&path, 0o700)?;
                copy(from, to, &path)?;
                to.chmod(&path, stat.st_mode)?;
            }
            FileType::RegularFile => {
                if is_writable(&stat) || link(from, to, &path).is_err() {
                    copy_file(from, to, &path, &stat)?;
                }
            }
            FileType::Symlink => to.symlink(from.read_link(&path)?, &path)?,
            // Sockets and fifos of programs that no longer run.
            _ => continue,
        }
        to.set_times(&path, modification_time(&stat))?;
    }
    Ok(())
}

fn is_writable(stat: &Stat) -> bool {
    stat.st_mode & 0o222 != 0 || rustix::process::geteuid().is_root()
}

fn link(from: &Root, to: &Root, path: &Path) -> rustix::io::Result<()> {
    let ((from, name), (to, _)) = (from.parent(path)?, to.parent(path)?);
    rustix::fs::linkat(&from, &name, &to, &name, AtFlags::empty())
}

fn copy_file(from: &Root, to: &Root, path: &Path, stat: &Stat) -> Result<(), RootError> {
    let (mut source, mut target): (File, File) = (from.open_file(path)?, to.create_file(path, stat.st_mode)?);
    clone_or_copy(&mut source, &mut target).map_err(|source| RootError { action: "copy", path: path.to_owned(), source })?;
    Ok(())
}

/// Whether `path` is the same tree in both roots, as far as names, kinds, modes, sizes and modification times tell.
pub(super) fn is_same(one: &Root, other: &Root, path: &Path) -> Result<bool, RootError> {
    let (Some(left), Some(right)) = (one.try_symlink_metadata(path)?, other.try_symlink_metadata(path)?) else {
        return Ok(false);
    };
    if left.st_mode != right.st_mode {
        return Ok(false);
    }
    match FileType::from_raw_mode(left.st_mode) {
        FileType::Directory => {
            let (entries, others) = (one.read_dir(path)?, other.read_dir(path)?);
            if entries != others {
                return Ok(false);
            }
            for entry in entries {
                if !is_same(one, other, &path.join(entry.name))? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        FileType::Symlink => Ok(one.read_link(path)? == other.read_link(path)?),
        _ => Ok((left.st_size, modification_time(&left)) == (right.st_size, modification_time(&right))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn tree() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        root.create_dir_all("bp/layer/sub", 0o755).unwrap();
        root.write("bp/layer/sub/plain", b"1", 0o644).unwrap();
        root.write("bp/layer/sub/sealed", b"2", 0o444).unwrap();
        root.symlink("/nowhere", "bp/layer/link").unwrap();
        root.chmod("bp/layer/sub", 0o555).unwrap();
        (folder, root)
    }

    fn copied(from: &Root) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        copy(from, &root, Path::new("")).unwrap();
        (folder, root)
    }

    #[test]
    fn copy_is_the_same_and_what_can_be_written_is_its_own() {
        let (folder, from) = tree();
        let (copy, to) = copied(&from);
        assert!(is_same(&from, &to, Path::new("bp")).unwrap());
        let inode = |folder: &tempfile::TempDir, name: &str| fs_err::metadata(folder.path().join("bp/layer/sub").join(name)).unwrap().ino();
        assert_ne!(inode(&folder, "plain"), inode(&copy, "plain"));
        let shared = inode(&folder, "sealed") == inode(&copy, "sealed");
        assert_eq!(shared, !rustix::process::geteuid().is_root());
    }

    #[test]
    fn every_change_is_seen() {
        let changes: [fn(&Root); 6] = [
            |root| root.write("bp/layer/new", b"", 0o644).unwrap(),
            |root| root.remove_all("bp/layer/sub/plain").unwrap(),
            |root| root.write("bp/layer/sub/plain", b"3", 0o644).unwrap(),
            |root| root.chmod("bp/layer/sub", 0o755).unwrap(),
            |root| {
                root.remove_all("bp/layer/link").unwrap();
                root.symlink("/elsewhere", "bp/layer/link").unwrap();
            },
            |root| root.remove_all("bp/layer").unwrap(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let (_folder, from) = tree();
            let (_copy, to) = copied(&from);
            change(&to);
            assert!(!is_same(&from, &to, Path::new("bp/layer")).unwrap(), "change {number}");
        }
    }
}
