//! A layer seen over its parents: an overlay mounted nowhere, for this process alone.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen,
};

use crate::root::Root;

/// Where overlayfs keeps its marks on folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OverlayXattr {
    /// `trusted.overlay.*`: root of the machine.
    Trusted,
    /// `user.overlay.*`: root of a user namespace.
    User,
}

impl fmt::Display for OverlayXattr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Trusted => "trusted",
            Self::User => "user",
        })
    }
}

/// Mounts `upper` over `lowers`, topmost first. The mount ends with the value.
pub(super) fn mount(lowers: &[PathBuf], upper: &Path, work: &Path, xattr: OverlayXattr) -> io::Result<Root> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    configure(&context, lowers, upper, work, xattr).map_err(|error| explained(&context, error))?;
    let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_NODEV)?;
    Ok(Root::from_fd(mount))
}

fn configure(context: &OwnedFd, lowers: &[PathBuf], upper: &Path, work: &Path, xattr: OverlayXattr) -> io::Result<()> {
    // A string of the mount interface ends at 255 bytes, so folders are named by their descriptors.
    let mut open = Vec::new();
    let mut named = |path: &Path| -> io::Result<String> {
        let folder = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let name = format!("/proc/self/fd/{}", folder.as_raw_fd());
        open.push(folder);
        Ok(name)
    };
    for lower in lowers {
        fsconfig_set_string(context.as_fd(), "lowerdir+", named(lower)?)?;
    }
    fsconfig_set_string(context.as_fd(), "upperdir", named(upper)?)?;
    fsconfig_set_string(context.as_fd(), "workdir", named(work)?)?;
    // Folders stay what they say they are: no mark in a layer leads elsewhere.
    for (option, value) in [("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off")] {
        fsconfig_set_string(context.as_fd(), option, value)?;
    }
    if xattr == OverlayXattr::User {
        fsconfig_set_flag(context.as_fd(), "userxattr")?;
    }
    // The store syncs once for all layers; without this every unmount would.
    fsconfig_set_flag(context.as_fd(), "volatile")?;
    Ok(fsconfig_create(context.as_fd())?)
}

/// The kernel tells its reasons through the context.
fn explained(context: &OwnedFd, error: io::Error) -> io::Error {
    let mut message = [0; 512];
    match rustix::io::read(context, &mut message) {
        Ok(length) if length > 2 => {
            let text = String::from_utf8_lossy(message.get(2..length).unwrap_or_default()).trim_end().to_owned();
            io::Error::new(error.kind(), format!("{error}: {text}"))
        }
        _ => error,
    }
}
