//! The root file system of a sandbox: everything mounted, then made the root of this process.
//!
//! Runs in the first process of the sandbox, in a mount namespace of its own. New mounts go over the
//! old root, so paths of the host keep working until [`pivot`], which takes the old root away with
//! all that nobody is to reach, the scratch folder among it.

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::{Errno, Result};
use rustix::mount::{MountAttrFlags, MountPropagationFlags, UnmountFlags, mount_change, unmount};

use crate::mount_point::{Kind, MountPoints, kind_of};
use crate::stub::Stubs;
use crate::{Mount, Overlay, RootPlan, SandboxError, SandboxPlan, mount, syscall, system};

/// Makes the root file system of a plan the root of this process.
pub(crate) fn enter(plan: &SandboxPlan, single_id: bool) -> std::result::Result<Stubs, SandboxError> {
    let set_up = |source| SandboxError::Root { path: "/".into(), source };
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(set_up)?;
    let scratch = Scratch::attach().map_err(|source| at("a scratch folder", "/", source))?;
    let (root, host, path) = open_root(&plan.root)?;
    let unusable = |source| SandboxError::Root { path: path.to_owned(), source };
    mount::attach_over_root(&root).map_err(unusable)?;
    let mut points = MountPoints::new(root, host).map_err(unusable)?;
    system::mount_all(&mut points, &scratch, single_id)?;
    for (number, entry) in plan.mounts.iter().enumerate() {
        let (tree, host) = open(entry, &scratch, number, single_id)?;
        points.attach(&tree, entry.target(), host)?;
    }
    let (root, stubs) = points.finish();
    pivot(&root).map_err(unusable)?;
    Ok(stubs)
}

fn pivot(root: &OwnedFd) -> Result<()> {
    rustix::process::fchdir(root)?;
    rustix::process::pivot_root(".", ".")?;
    // The old root now lies over the new one, and the scratch folder over the old root; `.` means what
    // lies on top. All other mounts of the host are below the old root and go with it.
    unmount(".", UnmountFlags::DETACH)?;
    unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")
}

/// The root as a detached mount, where its changes go, and a path to call it by.
fn open_root(plan: &RootPlan) -> std::result::Result<(OwnedFd, Option<PathBuf>, &Path), SandboxError> {
    match plan {
        RootPlan::Overlay(overlay) => {
            Ok((overlay.view()?, changes_of(overlay), overlay.lowers.first().map_or(Path::new(""), PathBuf::as_path)))
        }
        RootPlan::Folder(path) => {
            let failed = |source| SandboxError::Root { path: path.clone(), source };
            let tree = mount::copy(path).map_err(failed)?;
            if kind_of(&tree).map_err(failed)? == Kind::File {
                return Err(failed(Errno::NOTDIR));
            }
            syscall::set_mount_attributes(&tree, syscall::ATTRIBUTE_NO_DEVICES).map_err(failed)?;
            Ok((tree, Some(path.clone()), path))
        }
    }
}

fn changes_of(overlay: &Overlay) -> Option<PathBuf> {
    overlay.upper.as_ref().map(|upper| upper.folder.clone())
}

/// A mount of the plan as a detached mount, and where its changes go.
fn open(entry: &Mount, scratch: &Scratch, number: usize, single_id: bool) -> std::result::Result<(OwnedFd, Option<PathBuf>), SandboxError> {
    let mapped = |id: u32| if single_id { 0 } else { id };
    match entry {
        Mount::Bind { source, target, read_only } => {
            let tree = bind(source, *read_only).map_err(|errno| SandboxError::MountSource {
                from: source.clone(),
                target: target.clone(),
                source: errno,
            })?;
            Ok((tree, (!read_only).then(|| source.clone())))
        }
        Mount::Overlay { overlay, .. } => Ok((overlay.view()?, changes_of(overlay))),
        Mount::Tmpfs { target, size, mode, uid, gid } => {
            let mut options = vec![("mode", format!("{mode:o}")), ("uid", mapped(*uid).to_string()), ("gid", mapped(*gid).to_string())];
            options.extend(size.map(|size| ("size", size.to_string())));
            let options: Vec<_> = options.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
            Ok((mount::create("tmpfs", &options, attributes).map_err(|errno| at("a folder in memory", target, errno))?, None))
        }
        Mount::File { target, contents, mode, uid, gid } => {
            let owner = (Uid::from_raw(mapped(*uid)), Gid::from_raw(mapped(*gid)));
            let file = scratch.file(&format!("file-{number}"), contents, *mode, owner);
            Ok((file.map_err(|errno| at("a file in memory", target, errno))?, None))
        }
    }
}

fn bind(source: &Path, read_only: bool) -> Result<OwnedFd> {
    let tree = mount::copy(source)?;
    let attributes = syscall::ATTRIBUTE_NO_SET_ID | syscall::ATTRIBUTE_NO_DEVICES;
    syscall::set_mount_attributes(&tree, if read_only { attributes | syscall::ATTRIBUTE_READ_ONLY } else { attributes })?;
    Ok(tree)
}

pub(crate) fn at(what: &str, target: impl AsRef<Path>, source: Errno) -> SandboxError {
    SandboxError::Mount { what: what.to_owned(), target: target.as_ref().to_owned(), source }
}

/// A folder in memory that nobody in the sandbox can reach: what it holds is mounted piece by piece.
/// It lies over the old root and goes with it; the pieces stay.
pub(crate) struct Scratch(OwnedFd);

impl Scratch {
    fn attach() -> Result<Self> {
        let folder = mount::create("tmpfs", &[("mode", "0755")], MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV)?;
        mount::attach_over_root(&folder)?;
        rustix::fs::mkdirat(&folder, "empty", Mode::from_raw_mode(0o555))?;
        Ok(Self(folder))
    }

    fn file(&self, name: &str, contents: &[u8], mode: u32, (uid, gid): (Uid, Gid)) -> Result<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.0, name, flags, Mode::empty())?;
        let mut file = std::fs::File::from(file);
        file.write_all(contents).map_err(|error| crate::error::errno_of(&error))?;
        rustix::fs::fchown(&file, Some(uid), Some(gid))?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o7777))?;
        mount::copy_at(self.0.as_fd(), name.as_ref())
    }

    /// An empty folder that cannot be written.
    pub(crate) fn empty_folder(&self) -> Result<OwnedFd> {
        let folder = mount::copy_at(self.0.as_fd(), "empty".as_ref())?;
        syscall::set_mount_attributes(&folder, syscall::ATTRIBUTE_READ_ONLY)?;
        Ok(folder)
    }
}
