//! Mounts as descriptors: made or copied detached, then put on a place that was opened before.
//!
//! No mount goes by a path of the sandbox: a path would be looked up again by the kernel, after
//! whatever an image's symlinks make of it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::Result;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
    move_mount, open_tree,
};

/// Makes a detached mount of a file system of the kernel's (`tmpfs`, `proc`).
pub(crate) fn create(file_system: &str, options: &[(&str, &str)], attributes: MountAttrFlags) -> Result<OwnedFd> {
    let context = fsopen(file_system, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (name, value) in options {
        fsconfig_set_string(&context, *name, *value)?;
    }
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Copies what is mounted at a path of the host, and below it, into a detached mount.
pub(crate) fn copy(path: &Path) -> Result<OwnedFd> {
    copy_at(CWD, path)
}

/// The same for a path relative to an open folder.
pub(crate) fn copy_at(folder: impl AsFd, path: &Path) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    open_tree(folder, path, flags)
}

/// Puts a detached mount on an open file or folder.
pub(crate) fn attach(mount: impl AsFd, place: impl AsFd) -> Result<()> {
    move_mount(mount, "", place, "", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH)
}

/// Puts a detached mount over the root folder of this process. What is below stays in reach of
/// absolute paths until the root is pivoted: a lookup starts at the root as it was.
pub(crate) fn attach_over_root(mount: impl AsFd) -> Result<()> {
    move_mount(mount, "", CWD, "/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}
