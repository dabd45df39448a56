//! Layers over one another, by overlayfs.
//!
//! Mounted through the new mount interface, one `lowerdir+` for each layer: the kernel acknowledges
//! or refuses every single layer, so the number that came to be is the number asked for. (`mount(2)`
//! cuts its options at one page and reports success for the layers that fitted.) Kernels before 6.5
//! lack `lowerdir+`: see [`legacy`].
//!
//! Layers are named to the kernel by `/proc/self/fd/<n>`: short, whatever characters the path has,
//! and a missing folder is an error with its name before anything is mounted.

mod legacy;

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen};
use serde::{Deserialize, Serialize};

use crate::plan::text;
use crate::{SandboxError, kernel, mount, syscall};

/// `OVL_MAX_STACK` of the kernel.
const MOST_LAYERS: usize = 500;

const KERNEL_WITH_SINGLE_LAYERS: (u32, u32) = (6, 5);

/// Redirects are neither made nor followed, so a renamed folder is a copied folder, and a layer
/// holds all of what it says: what `redirect_dir=off,metacopy=off,index=off` promises, and that also
/// for layers that already have redirects. (`redirect_dir=off` itself cannot stand beside `userxattr`.)
const OPTIONS: [(&str, &str); 3] = [("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off")];

/// Read-only folders over one another and, if it is to be written, a folder for the changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// The read-only layers, topmost first.
    #[serde(with = "text::list")]
    pub lowers: Vec<PathBuf>,
    /// Where changes go. Without it the overlay is read-only.
    pub upper: Option<Upper>,
    /// Where overlayfs keeps its notes.
    pub xattr: OverlayXattr,
}

/// Where the changes to an overlay go. The command's own syncs are left out, which makes package
/// managers faster by a sixth: whoever keeps the folder syncs its file system once, and whoever
/// finds one after a crash drops it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upper {
    /// The folder that receives the changes.
    #[serde(with = "text::one")]
    pub folder: PathBuf,
    /// An empty folder on the same file system, used by no other overlay at the same time.
    #[serde(with = "text::one")]
    pub work: PathBuf,
}

/// The class of extended attributes in which overlayfs keeps its notes (opaque folders and such).
/// Layers written with one are not understood with the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverlayXattr {
    /// `trusted.overlay.*`: only for root of the initial user namespace.
    Trusted,
    /// `user.overlay.*`: everywhere else, Linux 5.11.
    User,
}

impl OverlayXattr {
    /// The one that this process can use.
    pub fn here() -> Self {
        if rustix::process::geteuid().is_root() && crate::user_namespace::is_initial() { Self::Trusted } else { Self::User }
    }
}

impl Overlay {
    /// The layers as one folder, reached by the descriptor returned and by nothing else: the mount
    /// is attached nowhere and is gone when the descriptor is closed, however this process ends.
    ///
    /// The number of layers is as asked for, see the module's text.
    pub fn view(&self) -> Result<OwnedFd, SandboxError> {
        if self.lowers.len() > MOST_LAYERS {
            return Err(SandboxError::TooManyLayers { count: self.lowers.len(), limit: MOST_LAYERS });
        }
        match (self.lowers.as_slice(), &self.upper) {
            // The kernel refuses an overlay of a single folder.
            ([only], None) => read_only(only),
            // Older kernels take the option at first and then refuse the whole without a reason.
            _ if kernel::is_at_least(KERNEL_WITH_SINGLE_LAYERS) => self.view_by_layers(),
            _ => legacy::view(self),
        }
    }

    fn view_by_layers(&self) -> Result<OwnedFd, SandboxError> {
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(|errno| self.refused(None, errno))?;
        let refused = |errno| self.refused(Some(&context), errno);
        for lower in &self.lowers {
            // Looked up by the kernel at once, so each is open only for a moment.
            fsconfig_set_string(&context, "lowerdir+", proc_path(&open_folder(lower)?)).map_err(refused)?;
        }
        if let Some(upper) = &self.upper {
            fsconfig_set_string(&context, "upperdir", proc_path(&open_folder(&upper.folder)?)).map_err(refused)?;
            fsconfig_set_string(&context, "workdir", proc_path(&open_work_folder(&upper.work)?)).map_err(refused)?;
            fsconfig_set_flag(&context, "volatile").map_err(refused)?;
        }
        for (name, value) in OPTIONS {
            fsconfig_set_string(&context, name, value).map_err(refused)?;
        }
        if self.xattr == OverlayXattr::User {
            fsconfig_set_flag(&context, "userxattr").map_err(refused)?;
        }
        fsconfig_create(&context).map_err(refused)?;
        // Device nodes of an image are never to work, not even where root unpacked them.
        fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_NODEV).map_err(refused)
    }

    fn refused(&self, context: Option<&OwnedFd>, source: Errno) -> SandboxError {
        let message = context.map(messages).unwrap_or_default();
        SandboxError::Overlay { count: self.lowers.len(), message, source }
    }
}

fn open_folder(path: &Path) -> Result<OwnedFd, SandboxError> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|source| SandboxError::Layer { path: path.to_owned(), source })
}

/// Also takes away the mark that keeps the kernel from mounting a folder again that was written without
/// syncs: whether that is sound is the caller's to know.
fn open_work_folder(path: &Path) -> Result<OwnedFd, SandboxError> {
    let folder = open_folder(path)?;
    let kinds = [AtFlags::empty(), AtFlags::REMOVEDIR, AtFlags::REMOVEDIR];
    for (mark, kind) in ["work/incompat/volatile/dirty", "work/incompat/volatile", "work/incompat"].into_iter().zip(kinds) {
        match rustix::fs::unlinkat(&folder, mark, kind) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(source) => return Err(SandboxError::Layer { path: path.join(mark), source }),
        }
    }
    Ok(folder)
}

fn read_only(path: &Path) -> Result<OwnedFd, SandboxError> {
    let failed = |source| SandboxError::Layer { path: path.to_owned(), source };
    let tree = mount::copy(path).map_err(failed)?;
    let attributes = syscall::ATTRIBUTE_READ_ONLY | syscall::ATTRIBUTE_NO_DEVICES;
    syscall::set_mount_attributes(&tree, attributes).map_err(failed)?;
    // A file can be copied too, but it is no layer; and the caller wants to look names up in it.
    rustix::fs::openat(&tree, ".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    Ok(tree)
}

fn proc_path(folder: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", folder.as_raw_fd())
}

/// What the kernel wrote into the log of a mount in the making.
fn messages(context: &OwnedFd) -> String {
    let mut lines = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(count) = rustix::io::read(context, &mut buffer) {
        let line = String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()).trim_end().to_owned();
        // The first two characters are the class: "e " for an error.
        lines.push(line.get(2..).unwrap_or_default().to_owned());
        if count == 0 || lines.len() > 8 {
            break;
        }
    }
    lines.join("; ")
}

#[cfg(test)]
mod tests;
