//! Runs commands where we already are: inside a builder's container or a pod.
//!
//! No namespaces are made, so [`Network`](super::Network) and [`Privilege`](super::Privilege) are what the surroundings give. The user
//! is changed when we are root, and left as it is when we are not.

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Stdio;

use super::{Command, Executor, ExecutorError, ExitStatus};

/// The container we are in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Here;

impl Executor for Here {
    fn name(&self) -> &'static str {
        "here"
    }

    fn run(&self, command: &Command, output: &mut (dyn Write + Send)) -> Result<ExitStatus, ExecutorError> {
        let program = command.arguments.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
        let set_up = |source: io::Error| ExecutorError::SetUp { executor: "here", source: Box::new(source) };
        let (mut reader, writer) = io::pipe().map_err(set_up)?;
        let mut process = std::process::Command::new(&program);
        process.args(command.arguments.iter().skip(1)).env_clear().envs(&command.environment).current_dir(&command.working_folder);
        process.stdin(Stdio::null()).stdout(writer.try_clone().map_err(set_up)?).stderr(writer);
        if rustix::process::geteuid().is_root() {
            process.uid(command.user.uid).gid(command.user.gid);
        }
        let mut child = process.spawn().map_err(|source| ExecutorError::CannotStart { program: program.clone(), source })?;
        // The command keeps the writing ends of the pipe; dropping ours lets the copy below end.
        drop(process);
        let copied = copy(&mut reader, output);
        let status = child.wait().map_err(set_up)?;
        copied.map_err(|source| ExecutorError::Output { program, source })?;
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => ExitStatus::Code(code),
            (None, signal) => ExitStatus::Signal(signal.unwrap_or_default()),
        })
    }
}

/// Passes on what arrives when it arrives, so that a user sees progress.
fn copy(reader: &mut impl Read, output: &mut (dyn Write + Send)) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => output.write_all(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Network, Privilege, User};
    use super::*;

    fn command(arguments: &[&str]) -> Command {
        Command {
            arguments: arguments.iter().map(Into::into).collect(),
            environment: [("GREETING".into(), "hello".into())].into(),
            working_folder: "/".into(),
            user: User { uid: rustix::process::getuid().as_raw(), gid: rustix::process::getgid().as_raw(), groups: Vec::new() },
            network: Network::Host,
            privilege: Privilege::None,
        }
    }

    #[test]
    fn both_streams_and_the_status_come_back() {
        let mut output = Vec::new();
        let script = "echo $GREETING; echo $HOME >&2; pwd; exit 7";
        let status = Here.run(&command(&["/bin/sh", "-c", script]), &mut output).unwrap();
        assert_eq!((status, String::from_utf8(output).unwrap().as_str()), (ExitStatus::Code(7), "hello\n\n/\n"));
        let status = Here.run(&command(&["/bin/sh", "-c", "kill -9 $$"]), &mut Vec::new()).unwrap();
        assert_eq!(status, ExitStatus::Signal(9));
    }

    #[test]
    fn missing_program_is_not_a_status() {
        let error = Here.run(&command(&["/nowhere/program"]), &mut Vec::new()).unwrap_err();
        assert!(matches!(error, ExecutorError::CannotStart { program, .. } if program == "/nowhere/program"));
    }
}
