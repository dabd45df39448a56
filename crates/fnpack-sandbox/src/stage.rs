//! The process between the caller and the sandbox: it makes the namespaces and waits.
//!
//! It exists because a pid namespace takes effect for children only, and because it has no threads:
//! it may fork. It is started anew for each sandbox by executing the `init` program of the plan.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::stub::Stubs;
use crate::syscall::{self, Fork};
use crate::{ExitStatus, Network, SandboxError, SandboxPlan, Stdio, init};

/// What this process is called: the first argument by which it is recognised.
pub(crate) const NAME: &str = "fnpack-sandbox-stage";

/// What login shells have.
const UMASK: u32 = 0o022;

/// From the caller; the command's standard input, output and error go with it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) plan: SandboxPlan,
    pub(crate) caller: i32,
}

/// To the caller.
#[derive(Serialize, Deserialize)]
pub(crate) enum Report {
    /// Nothing runs.
    Failed(SandboxError),
    /// The command runs. Descriptors of the first process and of the command go with it.
    Started { stubs: Stubs },
    /// The command ended, and everything else in the sandbox ends now.
    Ended(ExitStatus),
}

/// Does it and ends this process.
pub(crate) fn main() -> ! {
    let code = match Channel::from_stdin() {
        Ok(channel) => run(&channel).map_or_else(|error| report_failure(&channel, error), |()| 0),
        Err(_) => 1,
    };
    std::process::exit(code)
}

/// Tells the caller; if even that fails there is nobody left to tell.
pub(crate) fn report_failure(channel: &Channel, error: SandboxError) -> i32 {
    let _ = channel.send(&Report::Failed(error), &[]);
    1
}

fn run(channel: &Channel) -> Result<(), SandboxError> {
    // Mount points made here and files made by the command must not depend on who started fnpack.
    rustix::process::umask(Mode::from_raw_mode(UMASK));
    syscall::close_on_exec_from(3).map_err(SandboxError::process("close inherited files"))?;
    syscall::block_all_signals().map_err(SandboxError::process("hold back signals"))?;
    let Some((order, descriptors)) = channel.receive::<Order>()? else { return Err(SandboxError::Vanished) };
    take_stdio(&descriptors)?;
    if order.plan.stdio == Stdio::Capture {
        rustix::process::setsid().map_err(SandboxError::process("start a session"))?;
    }
    syscall::unshare(namespaces(&order.plan)).map_err(|source| SandboxError::Namespaces { source })?;
    die_with_parent()?;
    if rustix::process::getppid().map(Pid::as_raw_pid) != Some(order.caller) {
        return Err(SandboxError::Vanished);
    }
    let alive =
        rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).map_err(SandboxError::process("open the stage"))?;
    match syscall::fork().map_err(SandboxError::process("start the first process of the sandbox"))? {
        Fork::Child => init::main(channel, &order.plan, &alive),
        Fork::Parent(init) => {
            release_stdio()?;
            wait_for(init)
        }
    }
}

/// Asks the kernel to kill this process when its parent ends. Any change of ids takes that back, so
/// it comes after them.
pub(crate) fn die_with_parent() -> Result<(), SandboxError> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(SandboxError::process("ask to end with the parent"))
}

fn namespaces(plan: &SandboxPlan) -> UnshareFlags {
    let always = UnshareFlags::NEWNS | UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS | UnshareFlags::NEWCGROUP;
    if plan.network == Network::None { always | UnshareFlags::NEWNET } else { always }
}

fn take_stdio(descriptors: &[OwnedFd]) -> Result<(), SandboxError> {
    let [input, output, error] = descriptors else { return Err(SandboxError::Channel { source: Errno::BADMSG }) };
    set_stdio(input, output, error).map_err(SandboxError::process("take over standard input and output"))
}

fn set_stdio(input: impl AsFd, output: impl AsFd, error: impl AsFd) -> rustix::io::Result<()> {
    rustix::stdio::dup2_stdin(input)?;
    rustix::stdio::dup2_stdout(output)?;
    rustix::stdio::dup2_stderr(error)
}

/// Lets go of the command's output, so that its end is the end for the reader too.
pub(crate) fn release_stdio() -> Result<(), SandboxError> {
    let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty());
    null.and_then(|null| set_stdio(&null, &null, &null)).map_err(SandboxError::process("let go of standard input and output"))
}

fn wait_for(child: Pid) -> Result<(), SandboxError> {
    rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(child), WaitOptions::empty()))
        .map(drop)
        .map_err(SandboxError::process("wait for the sandbox"))
}
