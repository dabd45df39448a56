//! Overlays on kernels before 6.5: all layers in one option of `mount(2)`, which takes one page.
//!
//! `mount(2)` can only attach, and takes the names from the caller's working folder. So a thread with
//! a mount namespace and a working folder of its own does it: the working folder is
//! `/proc/self/fd`, the names are numbers of descriptors, and the mount is copied into a detached one
//! before the thread and its namespace end.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::UnshareFlags;

use super::{OPTIONS, Overlay, OverlayXattr, open_folder, open_work_folder};
use crate::{SandboxError, syscall};

/// Layers, and the folders for changes and work, all open.
pub(super) struct Folders {
    pub(super) lowers: Vec<OwnedFd>,
    pub(super) upper: Option<(OwnedFd, OwnedFd)>,
}

impl Folders {
    fn open(overlay: &Overlay) -> Result<Self, SandboxError> {
        let upper = match &overlay.upper {
            Some(upper) => Some((open_folder(&upper.folder)?, open_work_folder(&upper.work)?)),
            None => None,
        };
        Ok(Self { lowers: overlay.lowers.iter().map(|path| open_folder(path)).collect::<Result<_, _>>()?, upper })
    }
}

/// What fits in the page that the kernel copies, less its final zero.
const LONGEST_OPTIONS: usize = 4095;

/// Any folder that is everywhere and needed by nobody in the thread's namespace.
const PLACE: &str = "/sys";

pub(super) fn view(overlay: &Overlay) -> Result<OwnedFd, SandboxError> {
    std::thread::scope(|scope| scope.spawn(|| view_in_own_namespace(overlay)).join().unwrap_or(Err(SandboxError::Vanished)))
}

fn view_in_own_namespace(overlay: &Overlay) -> Result<OwnedFd, SandboxError> {
    let refused = |errno: Errno| overlay.refused(None, errno);
    syscall::unshare(UnshareFlags::NEWNS).map_err(refused)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(refused)?;
    // Opened here, as a layer must be in the namespace of the one who mounts.
    let folders = Folders::open(overlay)?;
    let options = options(overlay, &folders)?;
    rustix::process::chdir("/proc/self/fd").map_err(refused)?;
    mount("overlay", PLACE, "overlay", MountFlags::NODEV, Some(options.as_c_str())).map_err(refused)?;
    crate::mount::copy(PLACE.as_ref()).map_err(refused)
}

pub(super) fn options(overlay: &Overlay, folders: &Folders) -> Result<CString, SandboxError> {
    let lowers: Vec<_> = folders.lowers.iter().map(|folder| folder.as_raw_fd().to_string()).collect();
    let mut options = vec![format!("lowerdir={}", lowers.join(":"))];
    if let Some((upper, work)) = &folders.upper {
        options.push(format!("upperdir={},workdir={},volatile", upper.as_raw_fd(), work.as_raw_fd()));
    }
    options.extend(OPTIONS.iter().map(|(name, value)| format!("{name}={value}")));
    if overlay.xattr == OverlayXattr::User {
        options.push("userxattr".to_owned());
    }
    let options = options.join(",");
    if options.len() > LONGEST_OPTIONS {
        return Err(SandboxError::OverlayOptions { count: lowers.len() });
    }
    CString::new(options).map_err(|_| overlay.refused(None, Errno::INVAL))
}
