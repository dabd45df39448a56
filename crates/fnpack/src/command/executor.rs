//! Which executor runs the commands of a build.

use std::path::Path;

use fnpack_core::pipeline::{BuilderFolder, LocalExecutor};
use rustix::fs::Mode;

use crate::arguments::{Command, ExecutorKind};
use crate::error::{Class, CommandError};
use crate::settings;

/// Where we are.
const CONTAINER: &str = "/";

/// An executor that works here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Executor {
    /// Own namespaces over an image.
    Sandbox,
    /// The builder's container that we are in.
    Here,
    /// The machine's own toolchains.
    Host,
}

impl Executor {
    /// What users call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Here => "here",
            Self::Host => "host",
        }
    }

    /// How builds are introduced.
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Sandbox => "in the sandbox",
            Self::Here => "as plain processes",
            Self::Host => "as plain processes of this machine: not isolated",
        }
    }
}

/// The executor that the user names, if it works and the command has a use for it; else the strongest that works.
pub(super) fn choose(asked: ExecutorKind, command: &Command) -> Result<Executor, CommandError> {
    let executor = match (asked, command) {
        (ExecutorKind::Here, Command::Build(_) | Command::Package(_) | Command::Store(_)) => check_container().map(|()| Executor::Here)?,
        (ExecutorKind::Host, Command::Build(_) | Command::Package(_) | Command::Store(_)) => Executor::Host,
        (ExecutorKind::Auto, Command::Build(_) | Command::Package(_) | Command::Store(_)) => strongest(),
        (ExecutorKind::Here | ExecutorKind::Host, Command::Run(_) | Command::Image(crate::arguments::ImageCommand::Build(_))) => {
            return Err(CommandError::message(Class::Usage, "this command runs in the sandbox only")
                .hint("leave out `--executor`, and FNPACK_EXECUTOR if it is set"));
        }
        _ => Executor::Sandbox,
    };
    if executor != Executor::Sandbox {
        // Modes of files go into layers; the umask of who calls must not.
        rustix::process::umask(Mode::from_raw_mode(0o022));
    }
    Ok(executor)
}

/// What is chosen where nobody says anything. Outside of a builder's container there is nothing to fall back to, and
/// nothing is tried beforehand.
pub(super) fn strongest() -> Executor {
    if !BuilderFolder::missing(Path::new(CONTAINER)).is_empty() {
        return Executor::Sandbox;
    }
    let facts = fnpack_sandbox::probe(Path::new("/proc/self/exe"));
    if facts.sandbox_works() { Executor::Sandbox } else { Executor::Here }
}

fn check_container() -> Result<(), CommandError> {
    let missing = BuilderFolder::missing(Path::new(CONTAINER));
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.iter().map(|path| format!("there is no /{path}"));
    Err(CommandError::message(Class::Usage, "the executor `here` works in a builder's container, and this is none")
        .details(missing)
        .hint("start fnpack in the container of a builder that `fnpack builder create` made"))
}

/// The container that we are in.
pub(super) fn container() -> BuilderFolder {
    BuilderFolder { executor: LocalExecutor::Here, root: CONTAINER.into(), environment: settings::environment() }
}
