//! The platform folder of a build (CNB platform specification, "Platform directory"): variables of the
//! user for buildpacks, in memory only, because they may be secrets.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use fnpack_sandbox::Mount;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::root::{Root, RootError};

/// The platform folder's place inside.
pub(super) const PLATFORM: &str = "/platform";

/// What is in the platform folder.
#[derive(Debug, Default)]
pub(super) struct Platform {
    /// `env/<name>`: contents as they are.
    env: BTreeMap<String, String>,
}

/// Why the folder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The kernel refused a file system in memory.
    #[error("cannot make a file system in memory for the build's variables")]
    Memory(#[source] std::io::Error),
    /// A file could not be written.
    #[error("cannot write the build's variables")]
    Write(#[from] RootError),
    /// A file of a service binding could not be read.
    #[error("cannot read the service binding `{}`", path.display())]
    Binding {
        /// The folder that was given.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl Platform {
    pub(super) fn new(env: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { env: env.into_iter().collect() }
    }

    /// The folder for the lifecycle's own reading beside sandboxes: a file system in memory that is mounted nowhere
    /// and gone with the value.
    pub(super) fn folder(&self) -> Result<Root, PlatformError> {
        let memory = |errno: rustix::io::Errno| PlatformError::Memory(errno.into());
        let filesystem = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(memory)?;
        rustix::mount::fsconfig_set_string(filesystem.as_fd(), "mode", "0755").map_err(memory)?;
        rustix::mount::fsconfig_create(filesystem.as_fd()).map_err(memory)?;
        let folder = rustix::mount::fsmount(filesystem.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).map_err(memory)?;
        let root = Root::from_fd(folder);
        self.write_to(&root)?;
        Ok(root)
    }

    /// Writes the folder's contents; only we can read them.
    pub(super) fn write_to(&self, root: &Root) -> Result<(), RootError> {
        root.create_dir("env", 0o700)?;
        for (name, value) in &self.env {
            root.write(Path::new("env").join(name), value.as_bytes(), 0o600)?;
        }
        Ok(())
    }

    /// The same as mounts of a sandbox.
    pub(super) fn mounts(&self) -> Vec<Mount> {
        let folder = Mount::Tmpfs { target: PLATFORM.into(), size: None, mode: 0o755, uid: 0, gid: 0 };
        let env = Mount::Tmpfs { target: PathBuf::from(PLATFORM).join("env"), size: None, mode: 0o755, uid: 0, gid: 0 };
        let files = self.env.iter().map(|(name, value)| Mount::File {
            target: PathBuf::from(PLATFORM).join("env").join(name),
            contents: value.as_bytes().to_vec(),
            mode: 0o644,
            uid: 0,
            gid: 0,
        });
        [folder, env].into_iter().chain(files).collect()
    }
}
