//! Layers at a path, in a mount namespace of this process's own.
//!
//! [`Overlay::view`] is enough for who works on layers alone. A folder that this process and its
//! sandboxes work on in turn must be one mount for both, or each would see its own past: it is
//! attached at a path, and sandboxes bind it from there. The namespace is private and ends with the
//! process, and its mounts with it.

use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, UnmountFlags, mount_change, move_mount, unmount};
use rustix::thread::UnshareFlags;

use crate::{Overlay, SandboxError, syscall};

/// Gives this process a mount namespace of its own, whose mounts no other process sees. To be called
/// before any thread is started: threads that are there keep the old one.
pub fn own_mounts() -> Result<(), SandboxError> {
    syscall::unshare(UnshareFlags::NEWNS).map_err(|source| SandboxError::Namespaces { source })?;
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE).map_err(|source| SandboxError::Mount {
        what: "everything privately".to_owned(),
        target: "/".into(),
        source,
    })
}

/// Layers attached at a path; dropped, they are detached.
#[derive(Debug)]
pub struct Attached {
    path: PathBuf,
}

impl Attached {
    /// Where the layers are.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // It fails only if somebody else detached it, and ends with the process in any case.
        let _ = unmount(&self.path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
    }
}

impl Overlay {
    /// Attaches the layers at an existing folder, for this process and those it starts. After [`own_mounts`].
    pub fn attach(&self, at: &Path) -> Result<Attached, SandboxError> {
        let view = self.view()?;
        move_mount(&view, "", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).map_err(|source| SandboxError::Mount {
            what: "an overlay".to_owned(),
            target: at.to_owned(),
            source,
        })?;
        Ok(Attached { path: at.to_owned() })
    }
}
