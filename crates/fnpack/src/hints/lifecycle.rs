//! Stations of the lifecycle: detect, restore, build, export.

use std::error::Error;

use fnpack_core::builder::ModuleId;
use fnpack_core::executor::ExitStatus;
use fnpack_core::lifecycle::StartError;
use fnpack_core::lifecycle::build::{BuildError, OutputError, SbomError};
use fnpack_core::lifecycle::buildpacks::BuildpackError;
use fnpack_core::lifecycle::detect::{Attempt, DetectError, DetectResult, Outcome, Refusal};
use fnpack_core::lifecycle::environment::EnvironmentError;
use fnpack_core::lifecycle::export::ExportError;
use fnpack_core::lifecycle::files::FileError;
use fnpack_core::lifecycle::order::OrderError;
use fnpack_core::lifecycle::restore::RestoreError;

use super::layer::CHANGED;
use super::{Advice, Explain};
use crate::error::Class::{Configuration, Machine, Usage, YourCode};

/// Buildpacks are somebody's code; where it is not the user's, the user can only tell.
const TELL_THE_AUTHOR: &str = "tell the buildpack's author, or correct it if it is yours";
const BUILDER_ANEW: &str = "make the builder anew with `fnpack builder create`";

const KILLED: i32 = 9;
/// What shells make of it.
const KILLED_IN_SHELL: i32 = 128 + KILLED;

/// What to do about a command that failed.
pub(super) fn ended(status: ExitStatus) -> &'static str {
    match status {
        ExitStatus::Signal(KILLED) | ExitStatus::Code(KILLED_IN_SHELL) => {
            "it was killed: see in the kernel's log (`dmesg`) whether memory ran out"
        }
        ExitStatus::Code(_) | ExitStatus::Signal(_) => "its own messages are above",
    }
}

impl Explain for DetectError {
    fn advice(&self) -> Advice {
        match self {
            Self::NoGroup { results, attempts } => Advice::new(YourCode)
                .details(results.iter().flat_map(describe).chain(attempts.iter().filter_map(mismatch)).collect())
                .hint("correct what was looked for, name the folder that has the function's source, or another builder with `--builder`"),
            Self::Order(source) => source.advice(),
            Self::Buildpack(source) => source.advice(),
            Self::Environment(source) => source.advice(),
            Self::Scratch { source, .. } => source.advice(),
            Self::Executor { source, .. } => source.advice(),
        }
    }
}

/// What a buildpack answered and said.
fn describe(result: &DetectResult) -> Vec<String> {
    let module = &result.module;
    let said = result.last_line().unwrap_or_else(|| "it said nothing".to_owned());
    match &result.outcome {
        Outcome::Passed(_) => vec![format!("{module}  passed")],
        Outcome::Declined => vec![format!("{module}  declined: {said}")],
        Outcome::Errored { status, hint } => {
            let mut lines = vec![format!("{module}  failed ({status}): {said}")];
            lines.extend(hint.map(|hint| format!("  {hint}")));
            lines
        }
        Outcome::CannotStart(error) => chain(module, error),
        Outcome::InvalidPlan(error) => chain(module, error),
        Outcome::Unsupported { targets, wanted } => vec![format!("{module}  is made for {targets}, not for {wanted}")],
    }
}

/// Buildpacks that passed, each by itself, and make no group; the other refusals show in what each answered.
fn mismatch(attempt: &Attempt) -> Option<String> {
    match &attempt.refusal {
        refusal @ Refusal::Plan(_) => {
            let modules: Vec<String> = attempt.group.iter().map(|member| member.module.to_string()).collect();
            Some(format!("{}  make no group: {refusal}", modules.join(", ")))
        }
        Refusal::Required(_) | Refusal::NobodyPassed => None,
    }
}

fn chain(module: &ModuleId, error: &dyn Error) -> Vec<String> {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    std::iter::once(format!("{module}  {error}")).chain(causes.map(|cause| format!("  {cause}"))).collect()
}

impl Explain for BuildError {
    fn advice(&self) -> Advice {
        match self {
            Self::Failed { status, .. } => Advice::new(YourCode).hint(ended(*status)),
            Self::CannotStart { source, .. } => source.advice(),
            Self::Executor { source, .. } => source.advice(),
            Self::Output { source, .. } => source.advice(),
            Self::Buildpack(source) => source.advice(),
            Self::Environment(source) => source.advice(),
            Self::Folder(source) => source.advice(),
        }
    }
}

impl Explain for StartError {
    fn advice(&self) -> Advice {
        let code = Advice::new(YourCode);
        match self {
            Self::Missing { .. } | Self::NotAFile { .. } => code.hint(TELL_THE_AUTHOR),
            Self::NotExecutable { program } => code.hint(format!("make it executable in the buildpack: `chmod +x {}`", program.display())),
            Self::CarriageReturn { .. } => code.hint("convert it, for example with `sed -i 's/\\r$//'`"),
            Self::Interpreter { interpreter, .. } => code.hint(format!("install `{interpreter}` in the build image")),
            Self::Kernel { .. } => code.hint("see that it is a program for the build image's processor"),
        }
    }
}

impl Explain for OutputError {
    fn advice(&self) -> Advice {
        match self {
            Self::File(source) => source.advice(),
            Self::Environment(source) => source.advice(),
            Self::Sbom(source) => source.advice(),
            Self::Symlink { .. }
            | Self::NotAFolder { .. }
            | Self::Name { .. }
            | Self::FolderReplaced { .. }
            | Self::UnmetUnknown { .. } => Advice::new(YourCode).hint(TELL_THE_AUTHOR),
            Self::Folder(source) => source.advice(),
        }
    }
}

impl Explain for FileError {
    fn advice(&self) -> Advice {
        match self {
            Self::Unreadable { source, .. } => source.advice(),
            Self::Symlink { .. } | Self::Invalid { .. } => Advice::new(YourCode).hint(TELL_THE_AUTHOR),
        }
    }
}

impl Explain for SbomError {
    fn advice(&self) -> Advice {
        match self {
            Self::Undeclared { .. } => Advice::new(YourCode).hint(TELL_THE_AUTHOR),
            Self::Copy { source, .. } => source.advice(),
        }
    }
}

impl Explain for EnvironmentError {
    fn advice(&self) -> Advice {
        match self {
            Self::Read { source, .. } => source.advice(),
            Self::Name { .. } | Self::Value { .. } => Advice::new(YourCode).hint(TELL_THE_AUTHOR),
        }
    }
}

impl Explain for BuildpackError {
    fn advice(&self) -> Advice {
        let configuration = Advice::new(Configuration);
        match self {
            Self::Name { .. } => configuration.hint("give the buildpack another id"),
            Self::NotFound { .. } => {
                configuration.hint("name it with `--buildpack` too, or make the builder anew with `fnpack builder create`")
            }
            Self::Ambiguous { .. } => configuration.hint(BUILDER_ANEW),
            Self::Description { source, .. } => source.advice().or_hint(BUILDER_ANEW),
            Self::Api { .. } => configuration.hint("take a version of the buildpack that is written for one of these"),
            Self::Folder(source) => source.advice(),
        }
    }
}

impl Explain for OrderError {
    fn advice(&self) -> Advice {
        let configuration = Advice::new(Configuration);
        match self {
            Self::Cycle { .. } => configuration.hint("take one of them out of the other's order"),
            Self::Extensions => configuration.hint("use a builder without extensions"),
            Self::TooLarge => configuration.hint("write fewer optional buildpacks and alternatives into the order"),
        }
    }
}

impl Explain for RestoreError {
    fn advice(&self) -> Advice {
        self.source.advice()
    }
}

impl Explain for ExportError {
    fn advice(&self) -> Advice {
        let code = Advice::new(YourCode);
        match self {
            Self::Layer { source, .. } => source.advice(),
            Self::Changed { .. } => Advice::new(Machine).hint(CHANGED),
            Self::Layers(source) | Self::App(source) | Self::Sbom { source, .. } => source.advice(),
            Self::CachedWithoutContents { .. } | Self::SlicePattern { .. } | Self::ProcessType { .. } => code.hint(TELL_THE_AUTHOR),
            Self::NothingToReuse { .. } => code.hint("build once with `--clear-cache`; if it stays, tell the buildpack's author"),
            Self::UnknownProcess { .. } => Advice::new(Usage).hint("name one of these with `--default-process`"),
        }
    }
}
