//! `fnpack run --raw`: an image's own process in the sandbox.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use fnpack_core::accounts;
use fnpack_core::executor::{Changes, Network, Privilege, SandboxExecutor, SandboxRoot, new_upper};
use fnpack_core::image::{ContainerConfig, Image};
use fnpack_sandbox::{Overlay, Sandbox, SandboxError, Stdio};

use super::Session;
use super::signals::Held;
use super::variables::{variables, volume};
use crate::arguments::RunArguments;
use crate::error::{Class, CommandError};

/// What shells answer where a program is not there, or is no program.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// Starts the process and gives its exit code.
pub(super) fn run(arguments: &RunArguments, session: &Session<'_>) -> Result<ExitCode, CommandError> {
    let bench = &session.bench;
    let image = bench.find(&arguments.image, &bench.target)?;
    let snapshot = bench.unpack(&image)?;
    session.ui.progress_done();
    let scratch = bench.store.scratch()?;
    let machine = |error: io::Error| CommandError::new(Class::Machine, error);
    let upper = new_upper(&scratch.path().join("run")).map_err(machine)?;
    snapshot.describe_upper(&upper.folder)?;
    let network = arguments.network.into();
    let mut mounts = bench.surroundings.mounts(network);
    mounts.extend(arguments.volumes.iter().map(|text| Ok((&volume(text)?).into())).collect::<Result<Vec<_>, CommandError>>()?);
    let command = {
        let overlay = Overlay { lowers: snapshot.lowers().to_vec(), upper: Some(upper.clone()), xattr: bench.xattr };
        command(arguments, &image, &overlay, network)?
    };
    let root = SandboxRoot { lowers: snapshot.lowers().to_vec(), changes: Changes::Kept(upper), xattr: bench.xattr };
    let executor = SandboxExecutor::new(root, mounts, bench.surroundings.init.clone());
    let plan = executor.plan(&command, Stdio::Inherit).map_err(machine)?;
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

fn command(
    arguments: &RunArguments,
    image: &Image,
    root: &Overlay,
    network: Network,
) -> Result<fnpack_core::executor::Command, CommandError> {
    let config = &image.config().config;
    let view = root.view()?;
    let view = fnpack_core::root::Root::from_fd(view);
    let user = arguments.user.as_deref().unwrap_or(&config.user);
    let account = accounts::account(&view, user)?;
    let mut environment: BTreeMap<OsString, OsString> =
        config.env.iter().filter_map(|entry| entry.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect();
    environment.entry("PATH".into()).or_insert_with(|| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into());
    environment.entry("HOME".into()).or_insert_with(|| account.home.clone().into());
    if let (true, Some(terminal)) = (io::IsTerminal::is_terminal(&io::stdin()), std::env::var_os("TERM")) {
        environment.insert("TERM".into(), terminal);
    }
    environment.extend(variables(&[], &arguments.env)?.into_iter().map(|(name, value)| (name.into(), value.into())));
    let working_folder =
        arguments.workdir.clone().unwrap_or_else(|| if config.working_dir.is_empty() { "/".into() } else { (&config.working_dir).into() });
    Ok(fnpack_core::executor::Command {
        arguments: process(arguments, config)?,
        environment,
        working_folder,
        user: account.user,
        network,
        privilege: Privilege::None,
    })
}

/// Entrypoint and arguments, as container engines put them together: an entrypoint of the user's drops the
/// image's arguments.
fn process(arguments: &RunArguments, config: &ContainerConfig) -> Result<Vec<OsString>, CommandError> {
    let entrypoint = match &arguments.entrypoint {
        Some(program) => vec![program.clone()],
        None => config.entrypoint.clone().unwrap_or_default(),
    };
    let own = if arguments.arguments.is_empty() && arguments.entrypoint.is_none() {
        config.cmd.clone().unwrap_or_default()
    } else {
        arguments.arguments.clone()
    };
    let all: Vec<OsString> = entrypoint.into_iter().chain(own).map(OsString::from).collect();
    if all.is_empty() {
        return Err(CommandError::message(Class::Usage, format!("`{}` does not say what to start", arguments.image.familiar()))
            .hint("name a program with `--entrypoint`"));
    }
    Ok(all)
}
