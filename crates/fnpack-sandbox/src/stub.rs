//! Empty files and folders that were made only to be mounted on, and how they go again.
//!
//! A mount needs something to lie on. What an image lacks is made in the folder that receives its
//! changes, and would end in its next layer; so would the copies that overlayfs makes of the
//! folders above, and their new modification times. [`Stubs::remove`] takes all of this back after the run, as
//! far as the command left it alone: what it changed is its own.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::{Errno, Result};
use serde::{Deserialize, Serialize};

use crate::plan::text;

/// A folder below a folder of the host. The command had its hands in the latter, so the way between
/// the two is only ever gone without following symlinks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    #[serde(with = "text::one")]
    pub(crate) base: PathBuf,
    #[serde(with = "text::one")]
    pub(crate) folder: PathBuf,
}

impl Place {
    fn open(&self) -> Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let base = rustix::fs::openat(CWD, &self.base, flags, Mode::empty())?;
        if self.folder.as_os_str().is_empty() {
            return Ok(base);
        }
        rustix::fs::openat2(&base, &self.folder, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
    }

    fn stat(&self) -> Result<Stat> {
        rustix::fs::fstat(self.open()?)
    }

    fn parent(&self) -> Option<Self> {
        self.folder.parent().map(|folder| Self { base: self.base.clone(), folder: folder.to_owned() })
    }
}

/// What was made for the mounts of one sandbox.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stubs {
    made: Vec<Stub>,
    /// Each folder that a stub changed or that came to be above one; deeper ones sort later.
    touched: Vec<(Place, Touched)>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stub {
    place: Place,
    #[serde(with = "text::one")]
    name: PathBuf,
    folder: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Touched {
    /// The modification time before; `None` if the folder was not there.
    before: Option<(i64, i64)>,
    /// The change time when all stubs were made: it tells whether anybody else changed anything.
    after: Option<(i64, i64)>,
}

impl Stubs {
    /// Notes something that is about to be made.
    pub(crate) fn note(&mut self, place: Place, name: &OsStr, folder: bool) {
        let mut above = Some(place.clone());
        while let Some(here) = above {
            if !self.touched.iter().any(|(known, _)| *known == here) && !self.is_made(&here) {
                let before = here.stat().ok().map(|stat| modified(&stat));
                self.touched.push((here.clone(), Touched { before, after: None }));
            }
            above = here.parent();
        }
        self.made.push(Stub { place, name: name.into(), folder });
    }

    fn is_made(&self, place: &Place) -> bool {
        self.made.iter().any(|stub| stub.place.base == place.base && stub.place.folder.join(&stub.name) == place.folder)
    }

    /// To be called when all stubs are made.
    pub(crate) fn seal(&mut self) {
        for (place, touched) in &mut self.touched {
            touched.after = place.stat().ok().map(|stat| changed(&stat));
        }
        self.touched.sort_by(|(left, _), (right, _)| left.cmp(right));
    }

    /// Takes everything back that the command left alone. What cannot be removed stays: it is not
    /// empty, or gone already, and then it is the command's.
    pub(crate) fn remove(&self) {
        let untouched: BTreeMap<_, _> = self.touched.iter().map(|(place, touched)| (place, touched.is_unchanged(place))).collect();
        for stub in self.made.iter().rev() {
            // Best effort, as said above.
            let _ = stub.remove();
        }
        for (place, touched) in self.touched.iter().rev().filter(|(place, _)| untouched.get(place) == Some(&true)) {
            let _ = touched.restore(place);
        }
    }
}

impl Stub {
    fn remove(&self) -> Result<()> {
        let parent = self.place.open()?;
        if self.folder {
            return rustix::fs::unlinkat(&parent, &self.name, AtFlags::REMOVEDIR);
        }
        let stat = rustix::fs::statat(&parent, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_size == 0 {
            rustix::fs::unlinkat(&parent, &self.name, AtFlags::empty())?;
        }
        Ok(())
    }
}

impl Touched {
    fn is_unchanged(&self, place: &Place) -> bool {
        self.after.is_some() && place.stat().ok().map(|stat| changed(&stat)) == self.after
    }

    fn restore(&self, place: &Place) -> Result<()> {
        if let Some((seconds, nanoseconds)) = self.before {
            let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
            let last_modification = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
            // An `O_PATH` descriptor takes no times; the folder as `.` of itself does.
            return rustix::fs::utimensat(place.open()?, ".", &Timestamps { last_access, last_modification }, AtFlags::empty());
        }
        let (Some(parent), Some(name)) = (place.parent(), place.folder.file_name()) else { return Err(Errno::BUSY) };
        rustix::fs::unlinkat(parent.open()?, name, AtFlags::REMOVEDIR)
    }
}

fn modified(stat: &Stat) -> (i64, i64) {
    (stat.st_mtime, stat.st_mtime_nsec.try_into().unwrap_or_default())
}

fn changed(stat: &Stat) -> (i64, i64) {
    (stat.st_ctime, stat.st_ctime_nsec.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn at(base: &Path, folder: &str) -> Place {
        Place { base: base.to_owned(), folder: folder.into() }
    }

    /// `etc/deep`, made long ago, with stubs `etc/deep/file` and `etc/run/folder`.
    fn stubbed() -> (tempfile::TempDir, SystemTime, Stubs) {
        let temporary = tempfile::tempdir().unwrap();
        let base = temporary.path();
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        fs_err::create_dir_all(base.join("etc/deep")).unwrap();
        for folder in ["etc/deep", "etc", ""] {
            fs_err::File::open(base.join(folder)).unwrap().file().set_modified(old).unwrap();
        }
        let mut stubs = Stubs::default();
        stubs.note(at(base, "etc/deep"), "file".as_ref(), false);
        fs_err::write(base.join("etc/deep/file"), "").unwrap();
        stubs.note(at(base, "etc"), "run".as_ref(), true);
        fs_err::create_dir(base.join("etc/run")).unwrap();
        stubs.note(at(base, "etc/run"), "folder".as_ref(), true);
        fs_err::create_dir(base.join("etc/run/folder")).unwrap();
        stubs.seal();
        let stubs = serde_json::from_str(&serde_json::to_string(&stubs).unwrap()).unwrap();
        (temporary, old, stubs)
    }

    #[test]
    fn stubs_go_and_leave_no_trace() {
        let (temporary, old, stubs) = stubbed();
        stubs.remove();
        let base = temporary.path();
        assert!(!base.join("etc/run").exists() && !base.join("etc/deep/file").exists());
        for folder in ["etc/deep", "etc", ""] {
            assert_eq!(fs_err::metadata(base.join(folder)).unwrap().modified().unwrap(), old, "`{folder}`");
        }
    }

    #[test]
    fn stubs_that_were_used_stay() {
        let (temporary, old, stubs) = stubbed();
        let base = temporary.path();
        fs_err::write(base.join("etc/run/folder/mine"), "").unwrap();
        fs_err::write(base.join("etc/deep/file"), "mine").unwrap();
        fs_err::set_permissions(base.join("etc/deep"), PermissionsExt::from_mode(0o700)).unwrap();
        stubs.remove();
        assert!(base.join("etc/run/folder/mine").exists() && base.join("etc/deep/file").exists());
        assert_ne!(fs_err::metadata(base.join("etc/deep")).unwrap().modified().unwrap(), old);
    }

    #[test]
    fn folders_that_came_to_be_above_a_stub_go_unless_changed() {
        for changed in [false, true] {
            let temporary = tempfile::tempdir().unwrap();
            let base = temporary.path();
            let mut stubs = Stubs::default();
            stubs.note(at(base, "a/b"), "file".as_ref(), false);
            // As overlayfs copies folders up when something is made in them.
            fs_err::create_dir_all(base.join("a/b")).unwrap();
            fs_err::write(base.join("a/b/file"), "").unwrap();
            stubs.seal();
            if changed {
                fs_err::set_permissions(base.join("a/b"), PermissionsExt::from_mode(0o700)).unwrap();
            }
            stubs.remove();
            assert_eq!((base.join("a").exists(), base.join("a/b").exists()), (changed, changed));
            assert!(!base.join("a/b/file").exists());
        }
    }

    #[test]
    fn symlinks_put_in_the_way_lead_nowhere() {
        let (temporary, _, stubs) = stubbed();
        let base = temporary.path();
        let outside = tempfile::tempdir().unwrap();
        fs_err::create_dir(outside.path().join("folder")).unwrap();
        fs_err::write(outside.path().join("file"), "").unwrap();
        fs_err::remove_dir_all(base.join("etc/deep")).unwrap();
        fs_err::remove_dir_all(base.join("etc/run")).unwrap();
        symlink(outside.path(), base.join("etc/deep")).unwrap();
        symlink(outside.path(), base.join("etc/run")).unwrap();
        stubs.remove();
        assert!(outside.path().join("file").exists() && outside.path().join("folder").exists());
    }
}
