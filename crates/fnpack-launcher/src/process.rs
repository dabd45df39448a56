//! Which command to run, from the recorded processes and what the user typed (CNB platform spec, "Launch").

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::api::PlatformApi;
use crate::files::base_name;
use crate::metadata::{Metadata, Process};

/// What the platform asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The name that the launcher was called by; a link named like a process type asks for that process.
    pub(crate) program: &'a OsStr,
    pub(crate) arguments: &'a [OsString],
    pub(crate) api: PlatformApi,
    pub(crate) execution_environment: &'a str,
}

/// The command to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StartCommand {
    /// None for a command of the user.
    pub(crate) process_type: Option<String>,
    pub(crate) command: OsString,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) style: Style,
    /// None for the application folder.
    pub(crate) working_folder: Option<PathBuf>,
}

/// How the command is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// As it is, without a shell.
    Direct,
    /// By bash, which expands variables in the command and in each argument.
    Tokens,
    /// By bash, as a script.
    Script,
}

/// Why there is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProcessError {
    #[error("when there is no default process a command is required")]
    NoCommand,
    #[error("process type `{0}` has no command")]
    EmptyCommand(String),
    #[error("process type `{kind}` is not for the execution environment `{environment}`")]
    NotEligible { kind: String, environment: String },
}

/// Chooses the command.
pub(crate) fn start_command(metadata: &Metadata, request: &Request<'_>) -> Result<StartCommand, ProcessError> {
    let name = base_name(Path::new(request.program));
    match metadata.processes.iter().find(|process| name == OsStr::new(&process.kind)) {
        Some(process) => defined_process(metadata, process, request),
        None => user_process(request.arguments),
    }
}

/// A command of the user: behind `--` as it is, else by the shell.
fn user_process(arguments: &[OsString]) -> Result<StartCommand, ProcessError> {
    let (command, arguments, style) = match arguments {
        [] => return Err(ProcessError::NoCommand),
        [dashes, command, arguments @ ..] if dashes == "--" => (command, arguments, Style::Direct),
        [command] => (command, &[][..], Style::Script),
        [command, arguments @ ..] => (command, arguments, Style::Tokens),
    };
    Ok(StartCommand { process_type: None, command: command.clone(), arguments: arguments.to_vec(), style, working_folder: None })
}

fn defined_process(metadata: &Metadata, process: &Process, request: &Request<'_>) -> Result<StartCommand, ProcessError> {
    if request.api.has_execution_environments() && !eligible(process, request.execution_environment) {
        let environment = request.execution_environment.to_owned();
        return Err(ProcessError::NotEligible { kind: process.kind.clone(), environment });
    }
    let Some((command, fixed)) = process.command.split_first() else {
        return Err(ProcessError::EmptyCommand(process.kind.clone()));
    };
    // A command of several words can only come from a Buildpack API that has overridable arguments.
    let overridable = !fixed.is_empty() || metadata.api_of(process).is_some_and(crate::api::BuildpackApi::has_overridable_arguments);
    let replaced = overridable && request.api.user_arguments_replace() && !request.arguments.is_empty();
    let defaults = if replaced { &[][..] } else { &process.arguments[..] };
    let arguments: Vec<OsString> = fixed.iter().chain(defaults).map(OsString::from).chain(request.arguments.iter().cloned()).collect();
    let style = match (process.direct, arguments.is_empty()) {
        (true, _) => Style::Direct,
        (false, true) => Style::Script,
        (false, false) => Style::Tokens,
    };
    Ok(StartCommand {
        process_type: Some(process.kind.clone()),
        command: OsString::from(command),
        arguments,
        style,
        working_folder: process.working_folder.clone(),
    })
}

/// A process that names no execution environment is for all.
fn eligible(process: &Process, environment: &str) -> bool {
    let named = &process.execution_environments;
    named.is_empty() || named.iter().any(|name| name == "*" || name == environment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Buildpack;

    fn metadata(buildpack_api: &str, processes: Vec<Process>) -> Metadata {
        Metadata { buildpacks: vec![Buildpack { id: "bp".into(), api: buildpack_api.into() }], processes }
    }

    fn process(command: &[&str], arguments: &[&str]) -> Process {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Process {
            kind: "web".into(),
            command: owned(command),
            arguments: owned(arguments),
            direct: true,
            buildpack_id: Some("bp".into()),
            ..Process::default()
        }
    }

    fn chosen(metadata: &Metadata, platform_api: &str, program: &str, arguments: &[&str]) -> Result<StartCommand, ProcessError> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let api = PlatformApi::parse(platform_api).unwrap();
        let program = OsStr::new(program);
        start_command(metadata, &Request { program, arguments: &arguments, api, execution_environment: "production" })
    }

    fn words(command: &StartCommand) -> Vec<&str> {
        std::iter::once(&command.command).chain(&command.arguments).map(|word| word.to_str().unwrap()).collect()
    }

    #[test]
    fn start_command_arguments_by_api() {
        // platform API, buildpack API, command, args, the user's arguments, result
        for (platform, buildpack, command, arguments, user, expected) in [
            ("0.10", "0.9", &["run"][..], &["a"][..], &[][..], &["run", "a"][..]),
            ("0.10", "0.9", &["run"], &["a"], &["u"], &["run", "u"]),
            ("0.10", "0.9", &["run", "fix"], &["a"], &[], &["run", "fix", "a"]),
            ("0.10", "0.9", &["run", "fix"], &["a"], &["u", "v"], &["run", "fix", "u", "v"]),
            ("0.10", "0.8", &["run"], &["a"], &["u"], &["run", "a", "u"]),
            ("0.15", "0.12", &["run"], &[], &["u"], &["run", "u"]),
            ("0.9", "0.9", &["run"], &["a"], &["u"], &["run", "a", "u"]),
            ("0.9", "0.9", &["run", "fix"], &["a"], &["u"], &["run", "fix", "a", "u"]),
            ("0.7", "0.7", &["run"], &["a"], &[], &["run", "a"]),
        ] {
            let metadata = metadata(buildpack, vec![process(command, arguments)]);
            let result = chosen(&metadata, platform, "/cnb/process/web", user).unwrap();
            assert_eq!(words(&result), expected, "{platform} {buildpack} {command:?} {user:?}");
            assert_eq!(result.process_type.as_deref(), Some("web"));
        }
    }

    #[test]
    fn start_command_process_of_unknown_buildpack_appends() {
        let metadata = Metadata { buildpacks: Vec::new(), processes: vec![process(&["run"], &["a"])] };
        assert_eq!(words(&chosen(&metadata, "0.10", "web", &["u"]).unwrap()), ["run", "a", "u"]);
    }

    #[test]
    fn start_command_of_user() {
        for (arguments, style, expected) in [
            (&["--", "ls"][..], Style::Direct, &["ls"][..]),
            (&["--", "ls", "-l", "--"], Style::Direct, &["ls", "-l", "--"]),
            (&["--"], Style::Script, &["--"]),
            (&["ls | wc"], Style::Script, &["ls | wc"]),
            (&["echo", "$HOME"], Style::Tokens, &["echo", "$HOME"]),
            (&["web"], Style::Script, &["web"]),
        ] {
            let result = chosen(&metadata("0.9", vec![process(&["run"], &[])]), "0.10", "/cnb/lifecycle/launcher", arguments).unwrap();
            assert_eq!((words(&result), result.style, result.process_type.as_deref()), (expected.to_vec(), style, None), "{arguments:?}");
        }
    }

    #[test]
    fn start_command_shell_process() {
        for (command, arguments, user, style) in [
            (&["run it"][..], &[][..], &[][..], Style::Script),
            (&["run"], &["a"], &[], Style::Tokens),
            (&["run"], &[], &["u"], Style::Tokens),
        ] {
            let metadata = metadata("0.8", vec![Process { direct: false, ..process(command, arguments) }]);
            assert_eq!(chosen(&metadata, "0.9", "web", user).unwrap().style, style, "{command:?} {arguments:?} {user:?}");
        }
    }

    #[test]
    fn start_command_absent() {
        let metadata_of = |process| metadata("0.10", vec![process]);
        let one = metadata_of(process(&["run"], &[]));
        assert_eq!(chosen(&one, "0.10", "launcher", &[]), Err(ProcessError::NoCommand));
        assert_eq!(chosen(&one, "0.10", "", &[]), Err(ProcessError::NoCommand));
        assert_eq!(chosen(&one, "0.10", "/cnb/process/worker", &[]), Err(ProcessError::NoCommand));
        let empty = metadata_of(process(&[], &["a"]));
        assert_eq!(chosen(&empty, "0.10", "web", &[]), Err(ProcessError::EmptyCommand("web".into())));
    }

    #[test]
    fn start_command_execution_environment_gates() {
        for (platform, named, expected) in [
            ("0.15", &[][..], true),
            ("0.15", &["production"], true),
            ("0.15", &["test", "*"], true),
            ("0.15", &["test"], false),
            ("0.14", &["test"], true),
        ] {
            let execution_environments = named.iter().map(|&name| name.to_owned()).collect();
            let metadata = metadata("0.12", vec![Process { execution_environments, ..process(&["run"], &[]) }]);
            assert_eq!(chosen(&metadata, platform, "web", &[]).is_ok(), expected, "{platform} {named:?}");
        }
    }

    #[test]
    fn start_command_keeps_working_folder() {
        let metadata = metadata("0.10", vec![Process { working_folder: Some("sub".into()), ..process(&["run"], &[]) }]);
        assert_eq!(chosen(&metadata, "0.10", "web", &[]).unwrap().working_folder, Some(PathBuf::from("sub")));
    }
}
