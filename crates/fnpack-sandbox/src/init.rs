//! The first process of a sandbox: pid 1 of its namespace.
//!
//! It makes the root file system, starts the command, takes in orphans until the command ends, and
//! reports. When it ends, the kernel kills whatever is left.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, WaitOptions};

use crate::channel::Channel;
use crate::stage::{Report, die_with_parent, release_stdio, report_failure};
use crate::stub::Stubs;
use crate::syscall::{self, Fork};
use crate::user_namespace::IdMapping;
use crate::{ExitStatus, Network, SandboxError, SandboxPlan, command, loopback, rootfs};

/// A failure of the command's start fits in it many times.
const LONGEST_FAILURE: u64 = 64 << 10;

/// Does it and ends this process. `stage` becomes readable when the stage ends.
pub(crate) fn main(channel: &Channel, plan: &SandboxPlan, stage: &OwnedFd) -> ! {
    std::process::exit(run(channel, plan, stage).map_or_else(|error| report_failure(channel, error), |()| 0))
}

fn run(channel: &Channel, plan: &SandboxPlan, stage: &OwnedFd) -> Result<(), SandboxError> {
    die_with_parent()?;
    if has_ended(stage)? {
        return Err(SandboxError::Vanished);
    }
    let mapping = IdMapping::current()?;
    let single_id = matches!(mapping, IdMapping::Single { .. });
    let stubs = rootfs::enter(plan, single_id)?;
    rustix::system::sethostname(plan.hostname.as_bytes())
        .map_err(|source| SandboxError::HostName { name: plan.hostname.clone(), source })?;
    if plan.network == Network::None {
        loopback::switch_on().map_err(|source| SandboxError::Network { source })?;
    }
    // From here on others live in this namespace, and `/proc/1` is not theirs to look into.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(SandboxError::process("close the first process to others"))?;
    let command = start(plan, single_id)?;
    report_start(channel, command, stubs)?;
    release_stdio()?;
    let status = reap_until(command)?;
    channel.send(&Report::Ended(status), &[])
}

fn has_ended(process: &OwnedFd) -> Result<bool, SandboxError> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&now)).map_err(SandboxError::process("look after the stage"))?;
    Ok(ready > 0)
}

/// Starts the command and waits until it is executed or has said why not: the pipe is closed by exec.
fn start(plan: &SandboxPlan, single_id: bool) -> Result<Pid, SandboxError> {
    let (failure, failed) = pipe_with(PipeFlags::CLOEXEC).map_err(SandboxError::process("make a pipe"))?;
    match syscall::fork().map_err(SandboxError::process("start the command"))? {
        Fork::Child => command::main(plan, single_id, failed),
        Fork::Parent(command) => {
            drop(failed);
            let mut text = Vec::new();
            let read = File::from(failure).take(LONGEST_FAILURE).read_to_end(&mut text);
            read.map_err(|error| SandboxError::Channel { source: crate::error::errno_of(&error) })?;
            if text.is_empty() {
                return Ok(command);
            }
            Err(serde_json::from_slice(&text).unwrap_or(SandboxError::Channel { source: Errno::BADMSG }))
        }
    }
}

fn report_start(channel: &Channel, command: Pid, stubs: Stubs) -> Result<(), SandboxError> {
    let open = |pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(SandboxError::process("open a process of the sandbox"));
    let (this, command) = (open(rustix::process::getpid())?, open(command)?);
    channel.send(&Report::Started { stubs }, &[this.as_fd(), command.as_fd()])
}

fn reap_until(command: Pid) -> Result<ExitStatus, SandboxError> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == command => {
                let code = status.exit_status().map(ExitStatus::Code);
                return code.or(status.terminating_signal().map(ExitStatus::Signal)).ok_or(SandboxError::Vanished);
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(source) => return Err(SandboxError::process("wait for the command")(source)),
        }
    }
}
