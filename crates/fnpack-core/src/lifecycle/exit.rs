//! The exit codes of the lifecycle's phases (CNB platform spec, "Lifecycle Exit Codes").

use super::build::BuildError;
use super::buildpacks::BuildpackError;
use super::detect::DetectError;

/// How a phase ends, for the platform to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// All is well.
    Success = 0,
    /// Something that has no code of its own.
    Failed = 1,
    /// A flag that does not exist.
    Usage = 2,
    /// Wrong arguments.
    Arguments = 3,
    /// The Platform API asked for is missing or not supported.
    PlatformApi = 11,
    /// A buildpack's API is missing or not supported.
    BuildpackApi = 12,
    /// No group passed, as every buildpack said no.
    NoGroup = 20,
    /// No group passed, and some buildpack failed to say yes or no.
    NoGroupWithErrors = 21,
    /// Another failure of detect.
    Detect = 22,
    /// A failure of analyze.
    Analyze = 32,
    /// A failure of restore.
    Restore = 42,
    /// A buildpack failed.
    BuildpackFailed = 51,
    /// Another failure of build.
    Build = 52,
    /// A failure of export.
    Export = 62,
    /// A failure of rebase.
    Rebase = 72,
    /// A failure of the launcher.
    Launch = 82,
    /// An image extension failed.
    ExtensionFailed = 91,
    /// Another failure of generate.
    Generate = 92,
    /// A failure of extend.
    Extend = 102,
}

impl ExitCode {
    /// The number for `exit(2)`.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// How detect ends.
    pub fn of_detect(error: &DetectError) -> Self {
        match error {
            DetectError::NoGroup { results, .. } if results.iter().any(|result| result.outcome.is_fault()) => Self::NoGroupWithErrors,
            DetectError::NoGroup { .. } => Self::NoGroup,
            DetectError::Buildpack(BuildpackError::Api { .. }) => Self::BuildpackApi,
            DetectError::Buildpack(_)
            | DetectError::Order(_)
            | DetectError::Environment(_)
            | DetectError::Scratch { .. }
            | DetectError::Executor { .. } => Self::Detect,
        }
    }

    /// How build ends.
    pub fn of_build(error: &BuildError) -> Self {
        match error {
            BuildError::Failed { .. } | BuildError::CannotStart { .. } => Self::BuildpackFailed,
            BuildError::Buildpack(BuildpackError::Api { .. }) => Self::BuildpackApi,
            BuildError::Buildpack(_)
            | BuildError::Executor { .. }
            | BuildError::Output { .. }
            | BuildError::Environment(_)
            | BuildError::Folder(_) => Self::Build,
        }
    }
}
