//! Why a phase ended early: what it was at, the cause, and the code that platforms read.

use std::error::Error;

use fnpack_core::lifecycle::exit::ExitCode;
pub(crate) use fnpack_core::pipeline::with_causes;

/// The end of a phase.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action}")]
pub(crate) struct Failure {
    /// How the process ends.
    pub(crate) code: ExitCode,
    action: String,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// `action` is a verb phrase; `source` an error, or a text that says what is wrong.
    pub(crate) fn new(code: ExitCode, action: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { code, action: action.into(), source: source.into() }
    }

    /// Wrong arguments.
    pub(crate) fn arguments(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ExitCode::Arguments, "parse arguments", source)
    }

    /// Something asked for that this lifecycle does not have.
    pub(crate) fn unsupported(what: &str) -> Self {
        Self::new(ExitCode::Arguments, "start", what)
    }

    /// The whole story in one line.
    pub(crate) fn story(&self) -> String {
        with_causes(self)
    }
}

/// What is done, and how the process ends if it fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) code: ExitCode,
    /// A verb phrase.
    pub(crate) action: &'static str,
}

impl Step {
    /// The failure of this step.
    pub(crate) fn failure(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        Failure::new(self.code, self.action, source)
    }
}

/// Errors of any kind as failures of a step.
pub(crate) trait OrFail<T> {
    fn or_fail(self, step: Step) -> Result<T, Failure>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrFail<T> for Result<T, E> {
    fn or_fail(self, step: Step) -> Result<T, Failure> {
        self.map_err(|error| step.failure(error))
    }
}
