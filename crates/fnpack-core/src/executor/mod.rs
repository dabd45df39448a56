//! How a command is run: the one thing that stations ask of the machine.
//!
//! A station describes a [`Command`] as a value and gives it to an [`Executor`]. Which kind it is
//! (own sandbox, the container we are already in, the bare machine) is decided once, by the
//! pipeline, and no station knows. Paths in a command are those that the command sees; what it reads
//! and writes is reached by [`crate::root::Root`] handles that the pipeline hands out beside the executor.

mod here;
mod processes;
mod sandbox;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

pub use here::Here;
pub use processes::Processes;
pub use sandbox::{Changes, SandboxExecutor, SandboxRoot, new_upper};

/// A command as a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments; the program is looked up in the command's own `PATH` if it has no slash.
    pub arguments: Vec<OsString>,
    /// The whole environment: nothing is inherited.
    pub environment: BTreeMap<OsString, OsString>,
    /// The working folder, absolute, as the command sees it.
    pub working_folder: PathBuf,
    /// Who runs it.
    pub user: User,
    /// What of the network it sees.
    pub network: Network,
    /// What it may do beyond its user's rights.
    pub privilege: Privilege,
}

/// Numeric ids inside the root file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// What of the network a command sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// The machine's own.
    Host,
    /// Only a loopback of its own.
    None,
}

/// What a command may do beyond its user's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// No capability, and no way to gain any: buildpack phases, functions.
    None,
    /// The usual set of containers, less raw sockets and device nodes: `RUN` of a Dockerfile.
    Container,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// By itself, with this code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl ExitStatus {
    /// Whether it is code 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl std::fmt::Display for ExitStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "exit status {code}"),
            Self::Signal(signal) => write!(formatter, "signal {signal}"),
        }
    }
}

/// The command could not be run at all; its own failure is an [`ExitStatus`].
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// The program is missing or not executable inside the root file system.
    #[error("cannot start `{program}`")]
    CannotStart {
        /// The program as asked for.
        program: String,
        /// What the kernel answered.
        #[source]
        source: std::io::Error,
    },
    /// The surroundings could not be made: namespaces, mounts, ids.
    #[error("cannot set up the {executor}")]
    SetUp {
        /// Which kind of executor.
        executor: &'static str,
        /// The failing step.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What the command printed could not be passed on.
    #[error("cannot pass on the output of `{program}`")]
    Output {
        /// The program as asked for.
        program: String,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// The user pressed Ctrl-C, or the caller asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Runs commands.
pub trait Executor: Sync {
    /// What users call it: `sandbox`, `here`, `host`.
    fn name(&self) -> &'static str;

    /// Runs a command to its end. Its standard input is empty; standard output and error both go to
    /// `output` in the order of arrival.
    fn run(&self, command: &Command, output: &mut (dyn Write + Send)) -> Result<ExitStatus, ExecutorError>;

    /// How long commands ran so far, from their start to their end. An executor that does not measure says nothing.
    fn busy(&self) -> Duration {
        Duration::ZERO
    }
}
