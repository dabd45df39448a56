//! `fnpack run --raw`: an image's own process in the sandbox.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use fnpack_core::accounts;
use fnpack_core::executor::{Command, Privilege};
use fnpack_core::image::ContainerConfig;
use fnpack_core::root::Root;
use fnpack_sandbox::{Sandbox, SandboxError, Stdio};

use super::ground::{Ground, environment, machine, working_folder};
use super::subject::Subject;
use crate::arguments::RunArguments;
use crate::command::Session;
use crate::command::signals::Held;
use crate::command::variables::variables;
use crate::error::{Class, CommandError};

/// What shells answer where a program is not there, or is no program.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// Starts the process and gives its exit code.
pub(super) fn run(arguments: &RunArguments, session: &Session<'_>) -> Result<ExitCode, CommandError> {
    let Subject { name, image, .. } = &Subject::of_image(&arguments.image, session)?;
    let ground = Ground::of(image, session)?;
    // The view must be gone before the sandbox mounts the same folders.
    let command = {
        let view = ground.view()?;
        command(arguments, name, &image.config().config, &view)?
    };
    let plan = ground.plan(&command, &arguments.volumes, Stdio::Inherit)?;
    let held = Held::hold().map_err(machine)?;
    let mut sandbox = match Sandbox::spawn(&plan) {
        Ok(sandbox) => sandbox,
        Err(error) => return not_started(error, session),
    };
    let forwarding = held.forward(sandbox.handle());
    let status = sandbox.wait(&mut io::sink())?;
    forwarding.end();
    Ok(ExitCode::from(u8::try_from(status.shell_code()).unwrap_or(u8::MAX)))
}

/// A program that cannot be started is reported, with the exit code that shells and engines use for it.
fn not_started(error: SandboxError, session: &Session<'_>) -> Result<ExitCode, CommandError> {
    let code = match error {
        SandboxError::CommandNotFound { .. } => NOT_FOUND,
        SandboxError::CommandNotExecutable { .. } => NOT_EXECUTABLE,
        other => return Err(other.into()),
    };
    session.ui.error(&CommandError::new(Class::Usage, error).hint("see what the image has with `--entrypoint ls`").render());
    Ok(ExitCode::from(code))
}

fn command(arguments: &RunArguments, name: &str, config: &ContainerConfig, view: &Root) -> Result<Command, CommandError> {
    let own = &arguments.process;
    let account = accounts::account(view, own.user.as_deref().unwrap_or(&config.user))?;
    let mut environment = environment(config, &account.home, []);
    if let (true, Some(terminal)) = (io::IsTerminal::is_terminal(&io::stdin()), std::env::var_os("TERM")) {
        environment.insert("TERM".into(), terminal);
    }
    environment.extend(variables(&[], &arguments.env)?.into_iter().map(|(name, value)| (name.into(), value.into())));
    Ok(Command {
        arguments: process(arguments, name, config)?,
        environment,
        working_folder: own.workdir.clone().unwrap_or_else(|| working_folder(config)),
        user: account.user,
        network: own.network.into(),
        privilege: Privilege::None,
    })
}

/// Entrypoint and arguments, as container engines put them together: an entrypoint of the user's drops the
/// image's arguments.
fn process(arguments: &RunArguments, name: &str, config: &ContainerConfig) -> Result<Vec<OsString>, CommandError> {
    let given = &arguments.process;
    let entrypoint = match &given.entrypoint {
        Some(program) => vec![program.clone()],
        None => config.entrypoint.clone().unwrap_or_default(),
    };
    let own = if given.arguments.is_empty() && given.entrypoint.is_none() {
        config.cmd.clone().unwrap_or_default()
    } else {
        given.arguments.clone()
    };
    let all: Vec<OsString> = entrypoint.into_iter().chain(own).map(OsString::from).collect();
    if all.is_empty() {
        return Err(
            CommandError::message(Class::Usage, format!("`{name}` does not say what to start")).hint("name a program with `--entrypoint`")
        );
    }
    Ok(all)
}
