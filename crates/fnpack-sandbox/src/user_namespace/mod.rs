//! Root without root: a user namespace around the whole program.
//!
//! The program executes itself once, before it has any thread, inside a user namespace with a
//! mount namespace. There it is user 0 over the caller's own id and, where `/etc/subuid` and
//! `/etc/subgid` lend some, over as many further ids as images use. Everything that follows is the
//! same as for real root.
//!
//! ```text
//! caller      waits, passes signals on, maps ids          (this module)
//!  └ stage    makes the namespaces, executes the program  (stage.rs)
//!     = the program again, with its own arguments, standard input and output
//! ```

mod mapping;
mod stage;
mod subordinate;

use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::io::Errno;
use rustix::process::{Pid, Signal};

pub use mapping::{IdMapping, IdRange};
pub(crate) use stage::{NAME, main};
pub(crate) use subordinate::Lent;

use crate::channel::Channel;
use crate::error::errno_of;
use crate::syscall::SignalQueue;
use crate::{ExitStatus, SandboxError};

const FORWARDED: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// How to enter a user namespace. The default is right for a program that calls
/// [`crate::init_if_asked`] itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterPlan {
    /// The program to execute again.
    pub program: PathBuf,
    /// Whether to use the ids that `/etc/subuid` and `/etc/subgid` lend; without, or where there are
    /// none, only one id exists.
    pub subordinate_ids: bool,
}

impl Default for EnterPlan {
    fn default() -> Self {
        Self { program: PathBuf::from("/proc/self/exe"), subordinate_ids: true }
    }
}

/// In which process [`enter`] returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// In the one that does the work: as user 0, ids mapped so.
    Here(IdMapping),
    /// In the one that waited: the work is done, this is how it ended.
    Finished(ExitStatus),
}

/// Goes on as user 0 of a user namespace, unless this process is user 0 already.
///
/// To be called after [`crate::init_if_asked`], before any thread is started and before anything is
/// read from standard input: the program starts over. Signals to this process (`INT`, `TERM`, `HUP`,
/// `QUIT`) reach the inner one; if this one is killed, so is that.
pub fn enter(plan: &EnterPlan) -> Result<Entered, SandboxError> {
    if rustix::process::geteuid().is_root() {
        return IdMapping::current().map(Entered::Here);
    }
    // Before the process exists whose end and whose signals these are.
    let signals =
        SignalQueue::new(&[FORWARDED.as_slice(), &[libc::SIGCHLD]].concat()).map_err(SandboxError::process("hold back signals"))?;
    let (channel, theirs) = Channel::pair()?;
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let mut command = Command::new(&plan.program);
    command.arg0(NAME).arg(name).args(arguments).stdin(theirs);
    let started = command.spawn();
    let mut child = started.map_err(|error| SandboxError::Start { program: plan.program.clone(), source: errno_of(&error) })?;
    drop(command);
    match introduce(&channel, &child, plan) {
        Ok(()) => wait(&mut child, &signals).map(Entered::Finished),
        Err(error) => {
            // Whatever it is doing, it is of no use any more.
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

/// Whether this process is in the first user namespace of the machine; its number is part of the
/// kernel's interface (`PROC_USER_INIT_INO`).
pub(crate) fn is_initial() -> bool {
    fs_err::read_link("/proc/self/ns/user").is_ok_and(|name| name == Path::new("user:[4026531837]"))
}

/// Leads the new process to where it executes the program: standard input in, ids mapped.
fn introduce(channel: &Channel, child: &Child, plan: &EnterPlan) -> Result<(), SandboxError> {
    let welcome = stage::Welcome { program: plan.program.clone(), caller: rustix::process::getpid().as_raw_pid() };
    channel.send(&welcome, &[rustix::stdio::stdin().as_fd()])?;
    answer(channel)?;
    map_ids(child.id(), plan.subordinate_ids)?;
    channel.send(&stage::Mapped {}, &[])?;
    // The socket is closed by the execution of the program, or says why there was none.
    match channel.receive::<Result<(), SandboxError>>()? {
        None => Ok(()),
        Some((result, _)) => result,
    }
}

fn answer(channel: &Channel) -> Result<(), SandboxError> {
    channel.receive::<Result<(), SandboxError>>()?.map_or(Err(SandboxError::Vanished), |(result, _)| result)
}

/// Maps ids for another process: a range where there is one, else its own.
fn map_ids(pid: u32, subordinate_ids: bool) -> Result<(), SandboxError> {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    if subordinate_ids {
        let (uids, gids) = (Lent::to(uid, "/etc/subuid".as_ref()), Lent::to(uid, "/etc/subgid".as_ref()));
        // Where the helper is missing or refuses, one id is better than none; `probe` tells the reason.
        if !uids.is_empty() && !gids.is_empty() && run_helper("newuidmap", pid, &uids.arguments(uid)).is_ok() {
            return run_helper("newgidmap", pid, &gids.arguments(gid));
        }
    }
    for (file, text) in [("setgroups", "deny".to_owned()), ("uid_map", format!("0 {uid} 1")), ("gid_map", format!("0 {gid} 1"))] {
        let path = PathBuf::from(format!("/proc/{pid}/{file}"));
        fs_err::write(&path, text)
            .map_err(|error| SandboxError::IdMapping { message: path.display().to_string(), source: errno_of(&error) })?;
    }
    Ok(())
}

fn run_helper(name: &str, pid: u32, arguments: &[String]) -> Result<(), SandboxError> {
    let failed = |message, source| SandboxError::IdMapping { message, source };
    let output = Command::new(name).arg(pid.to_string()).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| failed(name.to_owned(), errno_of(&error)))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned(), Errno::PERM))
}

/// Waits for the inner process; what is sent to this one is passed on.
fn wait(child: &mut Child, signals: &SignalQueue) -> Result<ExitStatus, SandboxError> {
    loop {
        if let Some(status) = child.try_wait().map_err(|error| SandboxError::process("wait for the inner process")(errno_of(&error)))? {
            return Ok(status.into());
        }
        match signals.next() {
            Ok(signal) if signal.number == libc::SIGCHLD || signal.from_kernel => {}
            Ok(signal) => forward(child, signal.number),
            Err(Errno::INTR) => {}
            Err(source) => return Err(SandboxError::process("wait for signals")(source)),
        }
    }
}

fn forward(child: &Child, number: i32) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(number)) {
        // The child is not reaped yet, so the number is still its own; if it has ended, nothing is lost.
        let _ = rustix::process::kill_process(pid, signal);
    }
}
