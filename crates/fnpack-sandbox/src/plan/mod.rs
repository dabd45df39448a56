//! What a sandbox is to be, as a value.
//!
//! A plan says everything: it can be compared, printed, stored as JSON and carried out by another
//! process. Paths of the host are real paths; `/proc/<pid>/fd/<n>` is not one.

pub(crate) mod text;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::SandboxError;
use crate::overlay::Overlay;

/// A command and the surroundings it runs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxPlan {
    /// The program that becomes the sandbox's first process: one that calls
    /// [`crate::init_if_asked`] first in its `main`.
    #[serde(with = "text::one")]
    pub init: PathBuf,
    /// The root file system.
    pub root: RootPlan,
    /// What is mounted into it, in this order, after `/proc`, `/sys` and `/dev`.
    pub mounts: Vec<Mount>,
    /// Program and arguments; a program without a slash is looked up in the `PATH` of `environment`.
    #[serde(with = "text::list")]
    pub arguments: Vec<OsString>,
    /// The whole environment: nothing is inherited.
    #[serde(with = "text::pairs")]
    pub environment: BTreeMap<OsString, OsString>,
    /// The working folder, absolute, as the command sees it; it must exist.
    #[serde(with = "text::one")]
    pub working_folder: PathBuf,
    /// Who the command runs as.
    pub user: User,
    /// What the command may do beyond its user's rights.
    pub capabilities: Capabilities,
    /// Which system calls it may make.
    pub seccomp: Seccomp,
    /// What `hostname` says.
    pub hostname: String,
    /// What of the network it sees.
    pub network: Network,
    /// Where its input comes from and its output goes.
    pub stdio: Stdio,
}

impl SandboxPlan {
    /// A plan with the strictest settings: no capability, no network, the seccomp filter, an empty
    /// environment.
    pub fn new(root: RootPlan, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            init: PathBuf::from("/proc/self/exe"),
            root,
            mounts: Vec::new(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: BTreeMap::new(),
            working_folder: PathBuf::from("/"),
            user: User { uid: 0, gid: 0, groups: Vec::new() },
            capabilities: Capabilities::None,
            seccomp: Seccomp::Container,
            hostname: "sandbox".to_owned(),
            network: Network::None,
            stdio: Stdio::Capture,
        }
    }

    /// The program as people would call it in a message.
    pub(crate) fn program(&self) -> String {
        self.arguments.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Refuses what could not be meant.
    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        let refuse = |reason: String| Err(SandboxError::Plan { reason });
        if self.arguments.first().is_none_or(|program| program.is_empty()) {
            return refuse("it has no command".to_owned());
        }
        if !self.working_folder.is_absolute() {
            return refuse(format!("the working folder `{}` is not absolute", self.working_folder.display()));
        }
        match self.mounts.iter().map(Mount::target).find(|target| !target.is_absolute()) {
            Some(target) => refuse(format!("the mount point `{}` is not absolute", target.display())),
            None => Ok(()),
        }
    }
}

/// Where the root file system comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootPlan {
    /// Layers over one another.
    Overlay(Overlay),
    /// A folder of the host as it is; the command's changes go straight into it.
    Folder(#[serde(with = "text::one")] PathBuf),
}

/// Something mounted into the root file system. A target that does not exist is made; a symlink in
/// a target is followed inside the root file system, so an image cannot aim a mount elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mount {
    /// A file or folder of the host, with what is mounted below it.
    Bind {
        /// The path on the host.
        #[serde(with = "text::one")]
        source: PathBuf,
        /// The path in the sandbox.
        #[serde(with = "text::one")]
        target: PathBuf,
        /// Whether writing is refused.
        read_only: bool,
    },
    /// Layers over one another.
    Overlay {
        /// The layers.
        overlay: Overlay,
        /// The path in the sandbox.
        #[serde(with = "text::one")]
        target: PathBuf,
    },
    /// An empty folder in memory.
    Tmpfs {
        /// The path in the sandbox.
        #[serde(with = "text::one")]
        target: PathBuf,
        /// How many bytes fit; half of the machine's memory if not given.
        size: Option<u64>,
        /// Permission bits of the folder.
        mode: u32,
        /// Owner of the folder.
        uid: u32,
        /// Group of the folder.
        gid: u32,
    },
    /// A file in memory: secrets, `resolv.conf`. Changes to it are lost.
    File {
        /// The path in the sandbox.
        #[serde(with = "text::one")]
        target: PathBuf,
        /// What is in it.
        #[serde(with = "text::bytes")]
        contents: Vec<u8>,
        /// Permission bits of the file.
        mode: u32,
        /// Owner of the file.
        uid: u32,
        /// Group of the file.
        gid: u32,
    },
}

impl Mount {
    /// The path in the sandbox.
    pub fn target(&self) -> &Path {
        match self {
            Self::Bind { target, .. } | Self::Overlay { target, .. } | Self::Tmpfs { target, .. } | Self::File { target, .. } => target,
        }
    }
}

/// Numeric ids inside the sandbox. Where only one id is mapped, this user is that id, whatever its
/// number, and `groups` are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// What a command may do beyond its user's rights. `no_new_privs` is set in either case: set-user-id
/// programs gain nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capabilities {
    /// Nothing, not even as user 0.
    None,
    /// The usual set of containers for user 0, less `NET_RAW` and `MKNOD`.
    Container,
}

/// Which system calls a command may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seccomp {
    /// All of them.
    Off,
    /// Those on a list like that of container engines; what is unknown does not exist.
    Container,
}

/// What of the network a command sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// The machine's own.
    Host,
    /// Only a loopback of its own.
    None,
}

/// Where input comes from and output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stdio {
    /// No input; standard output and error in order of arrival to the writer given to
    /// [`crate::Sandbox::wait`]. The command has no controlling terminal.
    Capture,
    /// The caller's own three, terminal included.
    Inherit,
}

#[cfg(test)]
mod tests;
