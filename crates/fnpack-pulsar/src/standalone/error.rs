//! Why a standalone Pulsar does not run.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::distribution::DistributionError;

/// A failure to start or to stop a standalone Pulsar.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StandaloneError {
    /// There is no such Java.
    #[error("cannot run Java as `{program}`", program = program.display())]
    Java {
        /// What was to be run.
        program: PathBuf,
        /// Why it cannot.
        #[source]
        source: io::Error,
    },
    /// The Java is older than Pulsar needs, or none that says which it is.
    #[error("Pulsar needs Java {needed} or later, and `{program}` is {found}", program = program.display())]
    JavaVersion {
        /// What was run.
        program: PathBuf,
        /// What it says of itself.
        found: String,
        /// What Pulsar needs.
        needed: u32,
    },
    /// Configuration, data or log.
    #[error("cannot {action} `{path}`", path = path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The distribution cannot be used.
    #[error("cannot prepare Pulsar")]
    Distribution {
        /// Why.
        #[source]
        source: DistributionError,
    },
    /// No port, or no process.
    #[error("cannot {action}")]
    System {
        /// What was to be done.
        action: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The server ended while it started.
    #[error("Pulsar ended while starting")]
    Ended {
        /// What it said last.
        #[source]
        log: LogTail,
    },
    /// The caller gave up.
    #[error("interrupted")]
    Interrupted,
    /// The server does not get ready.
    #[error("Pulsar was not ready within {} s", waited.as_secs())]
    NotReady {
        /// For so long it was waited for.
        waited: Duration,
        /// What it said last.
        #[source]
        log: LogTail,
    },
}

impl StandaloneError {
    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    pub(super) fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { action, source }
    }
}

/// The last lines of the server's log, those of errors before the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTail {
    /// The lines.
    pub lines: Vec<String>,
}

impl fmt::Display for LogTail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines.is_empty() {
            return formatter.write_str("it said nothing");
        }
        formatter.write_str(&self.lines.join("\n"))
    }
}

impl std::error::Error for LogTail {}
