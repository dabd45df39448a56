//! Places to mount on, looked up in a root file system that may be hostile.
//!
//! The lookup is done here, name by name, each opened without following: a symlink is read and its
//! target continues the lookup from the root or the folder it lies in, `..` goes no higher than the
//! root, magic links of `/proc` are only text. What is missing is made on the way, and
//! noted, as what is made for a mount must not stay in an image (see [`crate::stub`]).

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, StatxFlags};
use rustix::io::{Errno, Result};

use crate::stub::{Place, Stubs};
use crate::{SandboxError, mount};

/// As many as the kernel follows.
const MOST_SYMLINKS: usize = 40;

/// What a missing mount point becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File,
}

/// The root file system in the making, and what lies where in it.
pub(crate) struct MountPoints {
    root: OwnedFd,
    /// For each mount that was attached and has a place on the host that receives changes: its
    /// number and that place.
    hosts: Vec<(u64, PathBuf)>,
    stubs: Stubs,
}

impl MountPoints {
    /// Starts with a root that is attached; `host` is where its changes go.
    pub(crate) fn new(root: OwnedFd, host: Option<PathBuf>) -> Result<Self> {
        let mut points = Self { root, hosts: Vec::new(), stubs: Stubs::default() };
        points.note_host(&points.root.try_clone().map_err(|error| crate::error::errno_of(&error))?, host)?;
        Ok(points)
    }

    /// Puts a detached mount on `target`. `host` is where changes below it go on the host.
    pub(crate) fn attach(&mut self, tree: &OwnedFd, target: &Path, host: Option<PathBuf>) -> std::result::Result<(), SandboxError> {
        let at = |source| SandboxError::MountPoint { target: target.to_owned(), source };
        let kind = kind_of(tree).map_err(at)?;
        let place = self.open(target, kind).map_err(at)?;
        mount::attach(tree, &place).map_err(at)?;
        self.note_host(tree, host).map_err(at)
    }

    /// Opens the root as the working folder of this process, and tells what was made.
    pub(crate) fn finish(mut self) -> (OwnedFd, Stubs) {
        self.stubs.seal();
        (self.root, self.stubs)
    }

    fn note_host(&mut self, tree: &OwnedFd, host: Option<PathBuf>) -> Result<()> {
        if let Some(host) = host {
            self.hosts.push((mount_number(tree)?, host));
        }
        Ok(())
    }

    /// Opens what `target` leads to in the root; what is missing is made.
    fn open(&mut self, target: &Path, kind: Kind) -> Result<OwnedFd> {
        let mut way: Vec<(OwnedFd, OsString)> = Vec::new();
        let mut rest: VecDeque<OsString> = VecDeque::new();
        push_front(&mut rest, target);
        let mut symlinks = 0;
        while let Some(name) = rest.pop_front() {
            if name == "/" {
                way.clear();
            } else if name == ".." {
                way.pop();
            } else {
                let last = rest.is_empty();
                let next = match self.step(&way, &name) {
                    Err(Errno::NOENT) => self.make(&way, &name, if last { kind } else { Kind::Folder })?,
                    next => next?,
                };
                if file_type(&next)? == FileType::Symlink {
                    symlinks += 1;
                    if symlinks > MOST_SYMLINKS {
                        return Err(Errno::LOOP);
                    }
                    let link = rustix::fs::readlinkat(&next, "", Vec::new())?;
                    push_front(&mut rest, Path::new(&OsString::from_vec(link.into_bytes())));
                } else {
                    way.push((next, name));
                }
            }
        }
        match way.pop() {
            Some((place, _)) => Ok(place),
            None => Err(Errno::BUSY),
        }
    }

    fn step(&self, way: &[(OwnedFd, OsString)], name: &OsStr) -> Result<OwnedFd> {
        rustix::fs::openat(self.folder(way), name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
    }

    fn make(&mut self, way: &[(OwnedFd, OsString)], name: &OsStr, kind: Kind) -> Result<OwnedFd> {
        if let Some(place) = self.place(way)? {
            self.stubs.note(place, name, kind == Kind::Folder);
        }
        let folder = self.folder(way);
        match kind {
            Kind::Folder => rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o755))?,
            Kind::File => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o644)).map(drop)?;
            }
        }
        self.step(way, name)
    }

    fn folder<'way>(&'way self, way: &'way [(OwnedFd, OsString)]) -> &'way OwnedFd {
        way.last().map_or(&self.root, |(folder, _)| folder)
    }

    /// Where the folder at the end of the way lies on the host, if changes to it stay.
    fn place(&self, way: &[(OwnedFd, OsString)]) -> Result<Option<Place>> {
        let mount = mount_number(self.folder(way))?;
        let Some((_, base)) = self.hosts.iter().rev().find(|(number, _)| *number == mount) else { return Ok(None) };
        // Names since the way entered this mount: its own root is not one of them.
        let mut names = Vec::new();
        for (at, (_, name)) in way.iter().enumerate().rev() {
            let above = if at == 0 { &self.root } else { way.get(at - 1).map_or(&self.root, |(folder, _)| folder) };
            if mount_number(above)? != mount {
                break;
            }
            names.push(name);
        }
        Ok(Some(Place { base: base.clone(), folder: names.into_iter().rev().collect() }))
    }
}

/// Puts the names of a path before those that are still to be walked.
fn push_front(rest: &mut VecDeque<OsString>, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::CurDir | Component::Prefix(_) => {}
            component => rest.push_front(component.as_os_str().to_owned()),
        }
    }
}

/// Whether a mount is one of a folder or of a file.
pub(crate) fn kind_of(tree: impl AsFd) -> Result<Kind> {
    Ok(if file_type(tree)? == FileType::Directory { Kind::Folder } else { Kind::File })
}

fn file_type(file: impl AsFd) -> Result<FileType> {
    rustix::fs::fstat(file).map(|stat| FileType::from_raw_mode(stat.st_mode))
}

fn mount_number(file: &OwnedFd) -> Result<u64> {
    rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).map(|stat| stat.stx_mnt_id)
}
