//! The phases. Each is a function over values, and a second one that gets these values from files and leaves its
//! results in files, for the process that runs it alone. The creator joins the first ones.

mod analyze;
mod build;
mod create;
mod detect;
mod export;
mod rebase;
mod restore;
mod run_images;

use std::io::Write;

use fnpack_core::lifecycle::api::PlatformApi;
use fnpack_core::lifecycle::exit::ExitCode;

use crate::arguments::{Arguments, Environment, Flag, FlagError, usage};
use crate::failure::{Failure, OrFail, Step};
use crate::log::{Level, Log};
use crate::ownership::Identity;
use crate::phase::{Call, Phase};
use crate::session::Session;

/// How a call ended that did not do its work.
enum End {
    Failure(Failure),
    /// As Go's programs end that are given wrong flags: with all flags on standard error.
    Flags(FlagError, Phase, PlatformApi),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Does what a call asks for.
pub(crate) fn main(program: &str, arguments: Vec<String>, environment: Environment<'_>) -> ExitCode {
    // Until the flags are known, the environment says how to say what is wrong.
    let level = environment("CNB_LOG_LEVEL").and_then(|text| text.parse().ok()).unwrap_or_default();
    let mut log = Log::new(level, environment("CNB_NO_COLOR").is_some_and(|value| value == "true"));
    match call(program, arguments, environment, &mut log) {
        Ok(()) => ExitCode::Success,
        Err(End::Failure(failure)) => {
            log.error(&failure.story());
            failure.code
        }
        Err(End::Flags(error, phase, api)) => {
            let help = error == FlagError::Help;
            let message = if help { String::new() } else { format!("{error}\n") };
            // Nobody is left to tell if the stream is closed.
            let _ = write!(std::io::stderr(), "{message}{}", usage(phase, api));
            if help { ExitCode::Success } else { ExitCode::Usage }
        }
    }
}

fn call(program: &str, mut arguments: Vec<String>, environment: Environment<'_>, log: &mut Log) -> Result<(), End> {
    let (phase, used) = match Call::of(program, &arguments)? {
        Call::Version => return print_version().map_err(End::from),
        Call::Phase(phase, used) => (phase, used),
    };
    let api = platform_api(environment)?;
    arguments.drain(..used);
    let arguments = Arguments::parse(phase, api, arguments, environment).map_err(|error| End::Flags(error, phase, api))?;
    if arguments.is_on(Flag::Version) {
        return print_version().map_err(End::from);
    }
    let step = Step { code: ExitCode::Arguments, action: "set log level" };
    let level = arguments.text(Flag::LogLevel).unwrap_or_default().parse::<Level>().or_fail(step)?;
    *log = Log::new(level, arguments.is_on(Flag::NoColor));
    run(phase, arguments, environment, *log).map_err(End::from)
}

fn platform_api(environment: Environment<'_>) -> Result<PlatformApi, Failure> {
    let step = Step { code: ExitCode::PlatformApi, action: "set platform API" };
    match environment("CNB_PLATFORM_API").filter(|text| !text.trim().is_empty()) {
        Some(text) => text.trim().parse::<PlatformApi>().or_fail(step),
        None => Err(step.failure("CNB_PLATFORM_API is not set: please set it to the version that the platform speaks")),
    }
}

fn print_version() -> Result<(), Failure> {
    let step = Step { code: ExitCode::Failed, action: "print the version" };
    writeln!(std::io::stdout(), "{}", env!("CARGO_PKG_VERSION")).or_fail(step)
}

fn run(phase: Phase, arguments: Arguments, environment: Environment<'_>, log: Log) -> Result<(), Failure> {
    refuse_what_is_not_there(&arguments)?;
    if let Some(argument) = arguments.positional.iter().find(|argument| argument.starts_with('-')) {
        log.warn(&format!("`{argument}` comes after the first argument and is not taken for a flag"));
    }
    if arguments.given(Flag::LaunchCache).is_some() {
        log.warn("ignoring `-launch-cache`, which is only for use with a daemon");
    }
    hide_environment(log);
    let by_buildpacks = matches!(phase, Phase::Detect | Phase::Build);
    let identity = if by_buildpacks { Identity::ours() } else { Identity::of(&arguments)? };
    if by_buildpacks && identity.is_root {
        return Err(Failure::new(ExitCode::Failed, phase.verb(), "refusing to run as root"));
    }
    let session = Session { arguments, environment, log, identity };
    match phase {
        Phase::Analyze => analyze::alone(&session),
        Phase::Build => build::alone(&session),
        Phase::Create => create::create(&session),
        Phase::Detect => detect::alone(&session),
        Phase::Export => export::alone(&session),
        Phase::Rebase => rebase::rebase(&session),
        Phase::Restore => restore::alone(&session),
    }
}

/// Better no image than one that is not where the platform looks for it.
fn refuse_what_is_not_there(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.is_on(Flag::Daemon) {
        return Err(Failure::unsupported("`-daemon` is not supported: this lifecycle works with registries and needs no daemon"));
    }
    if arguments.is_on(Flag::Layout) {
        return Err(Failure::unsupported("`-layout` is not supported: this lifecycle works with registries"));
    }
    Ok(())
}

/// Buildpacks of the same user could else read the registry logins in `/proc`.
fn hide_environment(log: Log) {
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        log.debug(&format!("this process's environment can be read by others of its user: {error}"));
    }
}
