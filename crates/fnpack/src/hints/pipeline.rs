//! A build as a whole.

use fnpack_core::pipeline::{BuilderFolderError, LeakError, PipelineError, PlatformError};
use fnpack_core::runner::Misfit;

use super::machine::DOCTOR;
use super::{Advice, Explain};
use crate::error::Class::{Configuration, Machine, Usage};

impl Explain for PipelineError {
    fn advice(&self) -> Advice {
        match self {
            Self::Source(source) => source.advice(),
            Self::Find(source) => source.advice(),
            Self::Store(source) => source.advice(),
            Self::Builder(source) => source.advice(),
            Self::Choice(source) => source.advice(),
            Self::BuilderFolder(source) => source.advice(),
            Self::Leak(source) => source.advice(),
            Self::Load(source) => source.advice(),
            Self::Create(source) => source.advice(),
            Self::Dockerfile(source) => source.advice(),
            Self::Platform(source) => source.advice(),
            Self::Folder(source) => source.advice(),
            Self::Executor(source) => source.advice(),
            Self::Sandbox(source) => source.advice(),
            Self::Reference(source) => source.advice(),
            Self::Detect(source) => source.advice(),
            Self::Restore(source) => source.advice(),
            Self::Build(source) => source.advice(),
            Self::Export(source) => source.advice(),
            Self::Place(source) => source.advice(),
            Self::Take(source) => source.advice(),
            Self::Prepare(source) => source.advice(),
            Self::LauncherTarget { wanted, .. } => Advice::new(Usage)
                .hint(format!("make the image with the fnpack for {wanted}, or name a run image of this machine's target")),
            Self::NoCommonApi { .. } | Self::NoBuildpacks { .. } => {
                Advice::new(Configuration).hint("make the builder anew with `fnpack builder create`")
            }
            Self::BuilderOfOtherTarget { .. } | Self::NotIsolated { .. } => Advice::new(Usage).hint("build with `--executor sandbox`"),
            Self::NoRunImage { .. } => Advice::new(Configuration).hint("name one with `--run-image`"),
            Self::Misfit { misfits, .. } => {
                Advice::new(Configuration).details(misfits.iter().map(ToString::to_string).collect()).hint(match misfits.first() {
                    Some(Misfit::Language { function, .. }) => format!("name a runner of {function} functions with `--run-image`"),
                    _ => "name a run image that fits with `--run-image`, or build for this one".to_owned(),
                })
            }
        }
    }
}

impl Explain for BuilderFolderError {
    fn advice(&self) -> Advice {
        match self {
            Self::Missing { .. } => {
                Advice::new(Configuration).hint("start fnpack in the container of a builder that `fnpack builder create` made")
            }
            Self::File(source) => source.advice(),
            Self::Buildpack(source) => source.advice(),
            Self::Folder(source) => source.advice(),
            Self::User(source) => source.advice(),
        }
    }
}

impl Explain for LeakError {
    fn advice(&self) -> Advice {
        match self {
            Self::Named { .. } => Advice::new(Configuration)
                .hint("build with `--executor sandbox`, where the build sees the same folders as the image, or have the buildpack use BP_LAUNCH_APP_DIR"),
            Self::Unreadable(source) => source.advice(),
        }
    }
}

impl Explain for PlatformError {
    fn advice(&self) -> Advice {
        match self {
            Self::Memory(_) => Advice::new(Machine).hint(DOCTOR),
            Self::Write(source) => source.advice(),
            Self::Binding { .. } => Advice::new(Usage).hint("see that all files of the binding can be read by the user that runs fnpack"),
        }
    }
}
