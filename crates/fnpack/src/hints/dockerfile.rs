//! Dockerfiles and their contexts.

use fnpack_core::dockerfile::parse::Problem;
use fnpack_core::dockerfile::{ContextError, CopyError, DockerfileError, ExpandError, WriteError};

use super::layer::CHANGED;
use super::machine::boxed;
use super::{Advice, Explain, lifecycle};
use crate::error::Class::{Configuration, Machine, Usage, YourCode};

impl Explain for DockerfileError {
    fn advice(&self) -> Advice {
        let configuration = Advice::new(Configuration);
        match self {
            Self::Invalid { problem, .. } => problem.advice(),
            Self::UnknownTarget { .. } => Advice::new(Usage).hint("name one of them with `--target`"),
            Self::LaterStage { .. } => configuration.hint("move the stage up, or name another"),
            Self::EmptyName { .. } => configuration.hint("give the variable a value with `--build-arg NAME=VALUE`, or in its `ARG`"),
            Self::Reference { source, .. } => Advice { class: Configuration, ..source.advice() },
            Self::Platform { .. } => configuration.hint("write it as `linux/amd64` or `linux/arm64`"),
            Self::OnBuild { .. } => configuration.hint("name an image without `ONBUILD`, and write its instructions into this file"),
            Self::Base { source, .. } | Self::Open { source, .. } | Self::Commit { source, .. } | Self::Prepare { source, .. } => {
                boxed(source.as_ref()).unwrap_or_else(|| Advice::new(Machine))
            }
            Self::User { source, .. } => source.advice(),
            Self::Run { source, .. } => source.advice(),
            Self::RunFailed { status, .. } => Advice::new(YourCode).hint(lifecycle::ended(*status)),
            Self::PackageLists { .. } => {
                Advice::new(Machine).hint("check network and proxy: HTTP_PROXY and HTTPS_PROXY are passed on to `RUN`")
            }
            Self::Copy { source, .. } => source.advice(),
        }
    }
}

impl Explain for Problem {
    /// The texts say what is accepted, so that few need more.
    fn advice(&self) -> Advice {
        let configuration = Advice::new(Configuration);
        match self {
            Self::NoStage | Self::Empty => configuration.hint("begin with `FROM IMAGE`"),
            Self::BeforeFrom { .. } => configuration.hint("move it below; only `ARG` can stand there"),
            Self::NotUtf8 | Self::Nul => configuration.hint("save the file as UTF-8 text"),
            Self::Expansion(source) => source.advice(),
            Self::TooLong { .. }
            | Self::UnknownInstruction { .. }
            | Self::UnsupportedInstruction { .. }
            | Self::UnsupportedFlag { .. }
            | Self::UnsupportedForm { .. }
            | Self::UnknownFlag { .. }
            | Self::RepeatedFlag { .. }
            | Self::FlagWithoutValue { .. }
            | Self::NotASwitch { .. }
            | Self::VariableInFlag { .. }
            | Self::Operands { .. }
            | Self::NotAPair { .. }
            | Self::NoName { .. }
            | Self::NotStrings { .. }
            | Self::StageName { .. }
            | Self::RepeatedStage { .. }
            | Self::EndlessDocument { .. }
            | Self::RepeatedDirective { .. }
            | Self::EscapeCharacter { .. } => configuration,
        }
    }
}

impl Explain for ExpandError {
    fn advice(&self) -> Advice {
        let configuration = Advice::new(Configuration);
        match self {
            Self::Required { name, .. } => configuration.hint(format!("give it with `--build-arg {name}=VALUE`")),
            Self::OpenQuote { .. } | Self::OpenBrace { .. } | Self::NoName { .. } => {
                configuration.hint("put a `\\` before a character that is meant as it is")
            }
            Self::Modifier { .. } | Self::TooDeep { .. } | Self::TooLong => configuration,
        }
    }
}

impl Explain for CopyError {
    fn advice(&self) -> Advice {
        let configuration = Advice::new(Configuration);
        match self {
            Self::Missing { .. } => configuration.hint("sources are looked for in the build context, not beside the Dockerfile"),
            Self::Ignored { pattern, .. } => configuration.hint(format!("add a line `!{pattern}` at the end of the ignore file")),
            Self::Pattern(_) | Self::Mode { .. } => configuration,
            Self::Special { .. } => configuration.hint("take it out of the context, or name it in `.dockerignore`"),
            Self::NeedsFolder { destination, .. } => configuration.hint(format!("write `{destination}/`")),
            Self::Read { source, .. } => source.advice(),
            Self::Bytes { source, .. } => source.advice(),
            Self::Write(source) => source.advice(),
        }
    }
}

impl Explain for WriteError {
    fn advice(&self) -> Advice {
        match self {
            Self::Root(source) => source.advice(),
            Self::Owner { source, .. } => boxed(source.as_ref()).unwrap_or_else(|| Advice::new(Machine)),
            Self::Kind { .. } => Advice::new(Configuration).hint("copy to another name, or remove the old one with `RUN` before"),
            Self::Bytes { source, .. } => source.advice(),
            Self::Changed { .. } => Advice::new(Machine).hint(CHANGED),
        }
    }
}

impl Explain for ContextError {
    fn advice(&self) -> Advice {
        match self {
            Self::Open { .. } => Advice::new(Usage).hint("name the folder that has the files which `COPY` takes"),
            Self::Read { source, .. } => source.advice(),
            Self::Ignore { .. } => Advice::new(Configuration).hint("correct the pattern: `[` needs a `]`, and `\\` something after it"),
        }
    }
}
