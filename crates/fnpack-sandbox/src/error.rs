//! Why a sandbox could not be made or a command in it not be run.
//!
//! The same values are used in all processes of a sandbox: those that fail inside send theirs to the
//! caller as JSON, the cause as an error number.

use std::path::PathBuf;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// What failed. A command that ran and failed is no error but an [`crate::ExitStatus`].
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the message above each field names it")]
pub enum SandboxError {
    /// The caller's mistake.
    #[error("the sandbox plan cannot be carried out: {reason}")]
    Plan { reason: String },
    /// The program named as `init` could not be executed.
    #[error("cannot start the sandbox program `{}`", program.display())]
    Start {
        program: PathBuf,
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// A sandbox process was killed, or the program named as `init` is not one.
    #[error("the sandbox process ended without saying why")]
    Vanished,
    /// The socket to the sandbox process failed.
    #[error("cannot talk to the sandbox process")]
    Channel {
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// The kernel's own files under `/proc` are not as they should be.
    #[error("cannot read `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// User namespaces are switched off, used up, or refused by a security module.
    #[error("cannot make a user namespace")]
    UserNamespace {
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// The ids of a user namespace could not be set.
    #[error("cannot map user and group ids{}", detail(message))]
    IdMapping {
        message: String,
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// No right to make namespaces: neither root nor in a user namespace.
    #[error("cannot make the sandbox's namespaces")]
    Namespaces {
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// More layers than the kernel stacks.
    #[error("{count} layers are more than the {limit} that overlayfs can stack")]
    TooManyLayers { count: usize, limit: usize },
    /// The options of an old kernel's overlay mount do not fit a page.
    #[error("the names of {count} layers do not fit the mount options of this kernel (before 6.5)")]
    OverlayOptions { count: usize },
    /// A layer's folder is missing or no folder.
    #[error("cannot open layer folder `{}`", path.display())]
    Layer {
        path: PathBuf,
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// The kernel refused the overlay.
    #[error("cannot mount an overlay of {count} layers{}", detail(message))]
    Overlay {
        count: usize,
        message: String,
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// The root folder is missing, or cannot become the root.
    #[error("cannot make `{}` the root folder", path.display())]
    Root {
        path: PathBuf,
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// What is to be mounted is missing on the host.
    #[error("cannot open `{}` to mount it on `{}`", from.display(), target.display())]
    MountSource {
        from: PathBuf,
        target: PathBuf,
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// The place to mount on is missing and cannot be made, or leads nowhere.
    #[error("cannot make the mount point `{}`", target.display())]
    MountPoint {
        target: PathBuf,
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// The kernel refused a mount.
    #[error("cannot mount {what} on `{}`", target.display())]
    Mount {
        what: String,
        target: PathBuf,
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// The loopback of a sandbox without network could not be switched on.
    #[error("cannot set up the sandbox's loopback network")]
    Network {
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// The host name was refused.
    #[error("cannot set the host name `{name}`")]
    HostName {
        name: String,
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// The ids are not mapped, or groups may not be set.
    #[error("cannot become user {uid} and group {gid}")]
    Credentials {
        uid: u32,
        gid: u32,
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// Capabilities could not be dropped.
    #[error("cannot set the capabilities of the command")]
    Capabilities {
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// The filter was refused: a kernel without seccomp.
    #[error("cannot install the system call filter: {reason}")]
    Seccomp { reason: String },
    /// The working folder is missing or closed to the user.
    #[error("cannot enter the working folder `{}`", path.display())]
    WorkingFolder {
        path: PathBuf,
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// The program exists nowhere on the command's `PATH`, or not at the path given.
    #[error("command `{program}` not found in the root file system")]
    CommandNotFound { program: String },
    /// The program exists, but the kernel does not run it: wrong architecture, no execute
    /// permission, its interpreter is missing.
    #[error("command `{program}` cannot be executed")]
    CommandNotExecutable {
        program: String,
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// An own process could not be made.
    #[error("cannot {action}")]
    Process {
        action: String,
        #[source]
        #[serde(with = "errno")]
        source: Errno,
    },
    /// The writer given for the output failed.
    #[error("cannot pass on the output of the command")]
    #[serde(skip)]
    Output {
        #[source]
        source: std::io::Error,
    },
}

impl SandboxError {
    pub(crate) fn process(action: &'static str) -> impl FnOnce(Errno) -> Self {
        move |source| Self::Process { action: action.to_owned(), source }
    }
}

/// The error number of an error of the standard library.
pub(crate) fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

fn detail(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

mod errno {
    use rustix::io::Errno;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
    pub(super) fn serialize<S: Serializer>(errno: &Errno, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(errno.raw_os_error())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Errno, D::Error> {
        // Errno holds 1..4096; another number comes from no kernel.
        let number = i32::deserialize(deserializer)?;
        Ok(if (1..4096).contains(&number) { Errno::from_raw_os_error(number) } else { Errno::IO })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_keeps_its_cause_on_the_way_between_processes() {
        let error = SandboxError::MountPoint { target: "/x".into(), source: Errno::ROFS };
        let back: SandboxError = serde_json::from_str(&serde_json::to_string(&error).unwrap()).unwrap();
        assert!(matches!(&back, SandboxError::MountPoint { target, source: Errno::ROFS } if target == std::path::Path::new("/x")));
        assert_eq!(back.to_string(), "cannot make the mount point `/x`");
        assert_eq!(std::error::Error::source(&back).unwrap().to_string(), Errno::ROFS.to_string());
    }

    #[test]
    fn error_number_out_of_range_is_no_panic() {
        for number in [0, -1, 4096, i32::MIN] {
            let text = format!(r#"{{"Channel":{{"source":{number}}}}}"#);
            assert!(matches!(serde_json::from_str(&text).unwrap(), SandboxError::Channel { source: Errno::IO }));
        }
    }
}
