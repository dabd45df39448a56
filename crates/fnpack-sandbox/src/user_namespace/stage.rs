//! The process that becomes the program inside a user namespace.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::Pid;
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::plan::text;
use crate::stage::die_with_parent;
use crate::{SandboxError, syscall};

/// What this process is called: the first argument by which it is recognised.
pub(crate) const NAME: &str = "fnpack-user-namespace";

/// From the caller, with its standard input.
#[derive(Serialize, Deserialize)]
pub(crate) struct Welcome {
    #[serde(with = "text::one")]
    pub(crate) program: PathBuf,
    pub(crate) caller: i32,
}

/// From the caller, when ids are mapped.
#[derive(Serialize, Deserialize)]
pub(crate) struct Mapped {}

/// Does it; ends this process if it cannot.
pub(crate) fn main() -> ! {
    if let Ok(channel) = Channel::from_stdin() {
        let Err(error) = run(&channel);
        // If even that fails there is nobody left to tell.
        let _ = channel.send(&Err::<(), _>(error), &[]);
    }
    std::process::exit(1)
}

fn run(channel: &Channel) -> Result<std::convert::Infallible, SandboxError> {
    let Some((welcome, descriptors)) = channel.receive::<Welcome>()? else { return Err(SandboxError::Vanished) };
    let input: OwnedFd = descriptors.into_iter().next().ok_or(SandboxError::Channel { source: Errno::BADMSG })?;
    // The caller waits for signals and holds them back; this process has inherited that.
    syscall::release_all_signals().map_err(SandboxError::process("let signals through"))?;
    syscall::unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS).map_err(|source| SandboxError::UserNamespace { source })?;
    channel.send(&Ok::<(), SandboxError>(()), &[])?;
    if channel.receive::<Mapped>()?.is_none() {
        return Err(SandboxError::Vanished);
    }
    become_root().map_err(|source| SandboxError::Credentials { uid: 0, gid: 0, source })?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(|source| SandboxError::Namespaces { source })?;
    die_with_parent()?;
    if rustix::process::getppid().map(Pid::as_raw_pid) != Some(welcome.caller) {
        return Err(SandboxError::Vanished);
    }
    rustix::stdio::dup2_stdin(&input).map_err(SandboxError::process("take over standard input"))?;
    drop(input);
    Err(execute(welcome.program))
}

/// The groups stay: they are the user's right to sources and sockets. What runs in a sandbox gets groups of its own.
fn become_root() -> rustix::io::Result<()> {
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)
}

fn execute(program: PathBuf) -> SandboxError {
    let mut arguments = std::env::args_os().skip(1);
    let name = arguments.next().unwrap_or_default();
    let error = Command::new(&program).arg0(name).args(arguments).exec();
    SandboxError::Start { program, source: crate::error::errno_of(&error) }
}
