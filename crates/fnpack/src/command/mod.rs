//! What a user asked for, done: one module a command.

mod access;
mod artifact;
mod build;
mod builder;
mod completion;
mod default_builder;
mod doctor;
mod executor;
mod host_builder;
mod image;
mod index;
mod inspect;
mod login;
mod new;
mod package;
mod project;
mod rebase;
mod run;
mod session;
mod signals;
mod source;
mod store;
mod table;
mod variables;

use std::process::ExitCode;

use fnpack_core::pipeline::{Destination, PullPolicy};

use crate::arguments::{Arguments, BuilderCommand, Command, ImageCommand, StoreCommand};
use crate::error::CommandError;
use crate::ui::Ui;
use executor::Executor;
use session::Session;

/// Carries out a command. The exit code is the process's own for `run`, else success.
pub(crate) fn run(arguments: Arguments, ui: &Ui) -> Result<ExitCode, CommandError> {
    match arguments.command {
        Command::Version => ui.result(&format!("fnpack {}", env!("CARGO_PKG_VERSION"))),
        Command::Completion { shell } => completion::completion(shell, ui),
        Command::New(new) => new::run(&new, ui)?,
        Command::Manual { folder } => completion::manual(&folder)?,
        Command::Login(login) => login::login(&login, &arguments.global, ui)?,
        Command::Logout(logout) => login::logout(&logout, &arguments.global, ui)?,
        Command::Access(access) => access::run(&access, &arguments.global, ui)?,
        Command::Doctor(doctor) => return Ok(doctor::run(&doctor, &arguments.global, ui)),
        command => {
            let executor = executor::choose(arguments.global.executor, &command)?;
            if needs_ids(&command)
                && executor == Executor::Sandbox
                && let Some(code) = session::enter_user_namespace()?
            {
                return Ok(code);
            }
            let session = Session::open(arguments.global, executor, pull_policy(&command), ui)?;
            return in_session(command, &session);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where a command wants what it makes.
fn destination(publish: bool) -> Destination {
    if publish { Destination::Registry } else { Destination::Store }
}

/// When registries are asked for images that the store has.
fn pull_policy(command: &Command) -> PullPolicy {
    match command {
        Command::Build(arguments) => arguments.from.pull.pull_policy.into(),
        Command::Package(arguments) => arguments.from.pull.pull_policy.into(),
        Command::Run(arguments) => arguments.pull.pull_policy.into(),
        Command::Image(ImageCommand::Build(arguments)) => arguments.pull.pull_policy.into(),
        _ => PullPolicy::default(),
    }
}

/// Whether a command works on files of several owners, and so must be root over mapped ids.
fn needs_ids(command: &Command) -> bool {
    match command {
        Command::Build(arguments) => !artifact::is_named(arguments),
        Command::Package(_) | Command::Run(_) | Command::Image(ImageCommand::Build(_)) | Command::Store(_) => true,
        _ => false,
    }
}

fn in_session(command: Command, session: &Session<'_>) -> Result<ExitCode, CommandError> {
    match command {
        Command::Build(arguments) => build::run(&arguments, session)?,
        Command::Package(arguments) => package::run(&arguments, session)?,
        Command::Run(arguments) => return run::run(&arguments, session),
        Command::Rebase(arguments) => rebase::run(&arguments, session)?,
        Command::Inspect(arguments) | Command::Image(ImageCommand::Inspect(arguments)) => inspect::run(&arguments, session)?,
        Command::Image(command) => image::run(command, session)?,
        Command::Index(command) => index::run(command, session)?,
        Command::Builder(BuilderCommand::Create { name, config, platform, publish, load }) => {
            builder::create(&name, (&config, platform), (publish, load), session)?;
        }
        Command::Builder(BuilderCommand::Inspect { name, output }) => builder::inspect(&name, output, session)?,
        Command::Builder(BuilderCommand::Ls { output }) => builder::list(output, session)?,
        Command::Store(StoreCommand::Check { deep }) => store::check(deep, session)?,
        Command::Store(StoreCommand::Gc { dry_run }) => store::collect(dry_run, session)?,
        Command::New(_)
        | Command::Version
        | Command::Completion { .. }
        | Command::Manual { .. }
        | Command::Doctor(_)
        | Command::Login(_)
        | Command::Logout(_)
        | Command::Access(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}
