//! Runs commands where we already are: inside a builder's container or a pod.
//!
//! No namespaces are made, so [`Network`](super::Network) and [`Privilege`](super::Privilege) are what the surroundings give. The user
//! is changed when we are root and another one is asked for, and left as it is when we are not.

use std::ffi::OsString;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

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
        let mut process = process(command);
        process.stdin(Stdio::null()).stdout(writer.try_clone().map_err(set_up)?).stderr(writer);
        let mut child = process.spawn().map_err(|source| ExecutorError::CannotStart { program: program.clone(), source })?;
        // The command keeps the writing ends of the pipe; dropping ours lets the copy below end.
        drop(process);
        let copied = copy(&mut reader, end_of(&child).as_ref(), output);
        let status = child.wait().map_err(set_up)?;
        copied.map_err(|source| ExecutorError::Output { program, source })?;
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => ExitStatus::Code(code),
            (None, signal) => ExitStatus::Signal(signal.unwrap_or_default()),
        })
    }
}

fn process(command: &Command) -> std::process::Command {
    let mut process = std::process::Command::new(command.arguments.first().map(OsString::as_os_str).unwrap_or_default());
    process.args(command.arguments.iter().skip(1)).env_clear().envs(&command.environment).current_dir(&command.working_folder);
    let ours = (rustix::process::geteuid(), rustix::process::getegid());
    // Root without capabilities may not even set the ids that it has.
    if ours.0.is_root() && (ours.0.as_raw(), ours.1.as_raw()) != (command.user.uid, command.user.gid) {
        process.uid(command.user.uid).gid(command.user.gid);
    }
    process
}

/// Becomes readable when the command ends. Some container engines do not have it.
fn end_of(child: &Child) -> Option<OwnedFd> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// Passes on what arrives when it arrives, so that a user sees progress. Something that the command left running may
/// hold the pipe open for ever: when the command has ended, only what is there already is waited for.
fn copy(reader: &mut PipeReader, end: Option<&OwnedFd>, output: &mut (dyn Write + Send)) -> io::Result<()> {
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut ended = false;
    loop {
        let (has_output, has_ended) = {
            let mut ready = vec![PollFd::new(reader, PollFlags::IN)];
            ready.extend(end.map(|end| PollFd::new(end, PollFlags::IN)));
            rustix::io::retry_on_intr(|| poll(&mut ready, ended.then_some(&AT_ONCE)))?;
            let mut ready = ready.iter().map(|entry| !entry.revents().is_empty());
            (ready.next().unwrap_or(false), ready.next().unwrap_or(false))
        };
        match has_output {
            true if pass_on(reader, output)? == 0 => return Ok(()),
            false if ended => return Ok(()),
            _ => ended = has_ended,
        }
    }
}

fn pass_on(reader: &mut PipeReader, output: &mut (dyn Write + Send)) -> io::Result<usize> {
    let mut buffer = [0; 16 * 1024];
    let read = reader.read(&mut buffer)?;
    output.write_all(buffer.get(..read).unwrap_or_default())?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

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
    fn what_a_command_leaves_running_is_not_waited_for() {
        let (mut output, started) = (Vec::new(), Instant::now());
        // More than a pipe holds, so that what is left in it at the end is seen to arrive.
        let script = "sleep 20 & head -c 300000 /dev/zero; echo $!";
        let status = Here.run(&command(&["/bin/sh", "-c", script]), &mut output).unwrap();
        assert!(status.success() && output.len() > 300_000, "{}", output.len());
        assert!(started.elapsed() < Duration::from_secs(10));
        let pid = String::from_utf8(output.split_off(300_000)).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    #[test]
    fn missing_program_is_not_a_status() {
        let error = Here.run(&command(&["/nowhere/program"]), &mut Vec::new()).unwrap_err();
        assert!(matches!(error, ExecutorError::CannotStart { program, .. } if program == "/nowhere/program"));
    }
}
