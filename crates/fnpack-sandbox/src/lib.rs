//! Runs a command in a root file system, as root or rootless, without a daemon.
//!
//! A [`SandboxPlan`] is the whole description as a value; [`Sandbox::spawn`] carries it out. What
//! happens then, in which process:
//!
//! ```text
//! fnpack          the caller; a long-lived thread starts the stage     (supervisor.rs, sandbox.rs)
//!  └ stage        makes the namespaces, waits for init                 (stage.rs)
//!     └ init      pid 1: mounts, pivots, reaps, reports how it ended   (init.rs, rootfs.rs)
//!        └ command   drops ids and capabilities, filters, execs        (command.rs)
//! ```
//!
//! The stage is this same program, executed again: nothing is forked from a process that has
//! threads. Therefore a program that uses this crate calls [`init_if_asked`] first of all in `main`,
//! or names another program that does in [`SandboxPlan::init`].
//!
//! Nothing outlives the caller: each process asks for `SIGKILL` at its parent's death, the mounts
//! live in a mount namespace of their own, and [`Overlay::view`] is never attached anywhere. So
//! there is nothing to clean up after `kill -9`.
//!
//! Linux 5.12 is needed (`mount_setattr`), 5.11 for overlays without root; 6.5 is better
//! (`lowerdir+`).

mod capabilities;
mod channel;
mod command;
mod error;
mod init;
mod kernel;
mod loopback;
mod mount;
mod mount_point;
mod overlay;
mod plan;
mod probe;
mod program;
mod rootfs;
mod sandbox;
mod seccomp;
mod stage;
mod stub;
mod supervisor;
mod syscall;
mod system;
#[cfg(test)]
mod test_needs;
mod user_namespace;

pub use error::SandboxError;
pub use overlay::{Overlay, OverlayXattr, Upper};
pub use plan::{Capabilities, Mount, Network, RootPlan, SandboxPlan, Seccomp, Stdio, User};
pub use probe::{Fact, Facts, probe};
pub use sandbox::{ExitStatus, Handle, Sandbox};
pub use user_namespace::{EnterPlan, Entered, IdMapping, IdRange, enter};

/// Does the work of a sandbox process if this process was started as one, and then never returns.
///
/// Called first in `main`, before any thread is started: the kernel refuses to make user namespaces
/// for a process with threads.
pub fn init_if_asked() {
    let Some(name) = std::env::args_os().next() else { return };
    match name.to_str() {
        Some(stage::NAME) => stage::main(),
        Some(user_namespace::NAME) => user_namespace::main(),
        Some(probe::NAME) => probe::main(),
        _ => {}
    }
}
