//! The last steps before the command: everything is given up that it must not have, then it is
//! executed.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{Gid, Mode, Uid};
use rustix::io::{Errno, Result};
use rustix::process::DumpableBehavior;
use rustix::thread::UnshareFlags;

use crate::{SandboxError, SandboxPlan, Seccomp, User, capabilities, seccomp, syscall};

/// Executes the command of a plan. If that fails, the reason is written to `failed`.
pub(crate) fn main(plan: &SandboxPlan, single_id: bool, failed: OwnedFd) -> ! {
    let Err(error) = execute(plan, single_id);
    if let Ok(text) = serde_json::to_vec(&error) {
        // The reader is the first process; without it this one is being killed already.
        let _ = std::fs::File::from(failed).write_all(&text);
    }
    std::process::exit(127)
}

fn execute(plan: &SandboxPlan, single_id: bool) -> std::result::Result<std::convert::Infallible, SandboxError> {
    syscall::restore_all_signals().map_err(SandboxError::process("restore signals"))?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let user = &plan.user;
    let unusable = |source| SandboxError::Credentials { uid: user.uid, gid: user.gid, source };
    if single_id && (user.uid, user.gid) != (0, 0) {
        rename_the_only_id(user).map_err(unusable)?;
    }
    capabilities::limit(plan.capabilities).map_err(|source| SandboxError::Capabilities { source })?;
    become_user(user, single_id).map_err(unusable)?;
    capabilities::keep(plan.capabilities, user.uid).map_err(|source| SandboxError::Capabilities { source })?;
    rustix::process::chdir(&plan.working_folder)
        .map_err(|source| SandboxError::WorkingFolder { path: plan.working_folder.clone(), source })?;
    rustix::thread::set_no_new_privs(true).map_err(|source| SandboxError::Capabilities { source })?;
    if plan.seccomp == Seccomp::Container {
        seccomp::install().map_err(|error| SandboxError::Seccomp { reason: error.to_string() })?;
    }
    Err(replace_process(plan))
}

/// Where only one id is mapped, it is 0 here. A user namespace inside calls it by the number asked for:
/// what the command makes belongs to that id.
fn rename_the_only_id(user: &User) -> Result<()> {
    syscall::unshare(UnshareFlags::NEWUSER)?;
    // The files below belong to this process only while it can be looked into.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    let files = [("setgroups", "deny".to_owned()), ("uid_map", format!("{} 0 1", user.uid)), ("gid_map", format!("{} 0 1", user.gid))];
    for (name, text) in files {
        fs_err::write(Path::new("/proc/self").join(name), text).map_err(|error| crate::error::errno_of(&error))?;
    }
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

fn become_user(user: &User, single_id: bool) -> Result<()> {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    if !single_id {
        rustix::thread::set_thread_groups(&user.groups.iter().copied().map(Gid::from_raw).collect::<Vec<_>>())?;
    }
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)
}

/// Returns only if that failed. The standard library looks the program up in the new environment's
/// `PATH`.
fn replace_process(plan: &SandboxPlan) -> SandboxError {
    let Some((program, arguments)) = plan.arguments.split_first() else { return SandboxError::Vanished };
    let error = Command::new(program).args(arguments).env_clear().envs(&plan.environment).exec();
    match crate::error::errno_of(&error) {
        Errno::NOENT | Errno::NOTDIR if !exists(plan) => SandboxError::CommandNotFound { program: plan.program() },
        source => SandboxError::CommandNotExecutable { program: plan.program(), source },
    }
}

/// Whether the program itself is there: then what was not found is its interpreter.
fn exists(plan: &SandboxPlan) -> bool {
    let Some(program) = plan.arguments.first() else { return false };
    if program.as_bytes().contains(&b'/') {
        return Path::new(program).exists();
    }
    plan.environment
        .get(std::ffi::OsStr::new("PATH"))
        .is_some_and(|path| std::env::split_paths(path).any(|folder| folder.join(program).exists()))
}
