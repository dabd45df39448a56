//! Runs commands in sandboxes over an unpacked image.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fnpack_sandbox::{Capabilities, Mount, Overlay, OverlayXattr, RootPlan, Sandbox, SandboxError, SandboxPlan, Seccomp, Stdio, Upper};

use super::{Command, Executor, ExecutorError, ExitStatus, Network, Privilege};

/// What a sandbox's root file system is made of.
#[derive(Debug)]
pub struct SandboxRoot {
    /// Unpacked layers, topmost first.
    pub lowers: Vec<PathBuf>,
    /// Where changes go.
    pub changes: Changes,
    /// Where overlayfs keeps its marks.
    pub xattr: OverlayXattr,
}

/// Where changes to a root file system go.
#[derive(Debug)]
pub enum Changes {
    /// Into one place: every command sees what those before it changed. Only one command at a time.
    Kept(Upper),
    /// Into a new place below this folder for each command, so that several may run at once.
    Dropped(PathBuf),
}

/// Runs each command in a sandbox of its own.
#[derive(Debug)]
pub struct SandboxExecutor {
    root: SandboxRoot,
    mounts: Vec<Mount>,
    init: PathBuf,
    runs: AtomicU64,
    busy: Mutex<Duration>,
}

impl SandboxExecutor {
    /// `init` is the program that becomes a sandbox's first process ([`SandboxPlan::init`]); `mounts` are
    /// made in every sandbox.
    pub fn new(root: SandboxRoot, mounts: Vec<Mount>, init: PathBuf) -> Self {
        Self { root, mounts, init, runs: AtomicU64::new(0), busy: Mutex::default() }
    }

    /// The whole sandbox of a command, as a value.
    pub fn plan(&self, command: &Command, stdio: Stdio) -> std::io::Result<SandboxPlan> {
        let overlay = Overlay { lowers: self.root.lowers.clone(), upper: Some(self.upper()?), xattr: self.root.xattr };
        let mut plan = SandboxPlan::new(RootPlan::Overlay(overlay), command.arguments.iter().cloned());
        plan.init.clone_from(&self.init);
        plan.mounts.clone_from(&self.mounts);
        plan.environment.clone_from(&command.environment);
        plan.working_folder.clone_from(&command.working_folder);
        plan.user = fnpack_sandbox::User { uid: command.user.uid, gid: command.user.gid, groups: command.user.groups.clone() };
        plan.capabilities = match command.privilege {
            Privilege::None => Capabilities::None,
            Privilege::Container => Capabilities::Container,
        };
        plan.network = match command.network {
            Network::Host => fnpack_sandbox::Network::Host,
            Network::None => fnpack_sandbox::Network::None,
        };
        plan.seccomp = Seccomp::Container;
        "fnpack".clone_into(&mut plan.hostname);
        plan.stdio = stdio;
        Ok(plan)
    }

    fn upper(&self) -> std::io::Result<Upper> {
        match &self.root.changes {
            Changes::Kept(upper) => Ok(upper.clone()),
            Changes::Dropped(folder) => {
                let run = folder.join(self.runs.fetch_add(1, Ordering::Relaxed).to_string());
                new_upper(&run)
            }
        }
    }
}

/// Makes the two folders that overlayfs wants for changes, below a new folder.
pub fn new_upper(below: &Path) -> std::io::Result<Upper> {
    let upper = Upper { folder: below.join("changes"), work: below.join("work") };
    fs_err::create_dir_all(&upper.folder)?;
    fs_err::create_dir_all(&upper.work)?;
    // The root folder of the merged tree takes its mode from here, and a umask must not show in it.
    fs_err::set_permissions(&upper.folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    Ok(upper)
}

impl Executor for SandboxExecutor {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn run(&self, command: &Command, output: &mut (dyn Write + Send)) -> Result<ExitStatus, ExecutorError> {
        let set_up = |source| ExecutorError::SetUp { executor: "sandbox", source };
        let plan = self.plan(command, Stdio::Capture).map_err(|error| set_up(Box::new(error)))?;
        let failed = |error: SandboxError| match error {
            SandboxError::CommandNotFound { program } => {
                ExecutorError::CannotStart { program, source: std::io::ErrorKind::NotFound.into() }
            }
            SandboxError::CommandNotExecutable { program, source } => ExecutorError::CannotStart { program, source: source.into() },
            SandboxError::Output { source } => ExecutorError::Output {
                program: command.arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
                source,
            },
            error => set_up(Box::new(error)),
        };
        let mut sandbox = Sandbox::spawn(&plan).map_err(failed)?;
        let started = Instant::now();
        let status = sandbox.wait(output);
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner) += started.elapsed();
        match status.map_err(failed)? {
            fnpack_sandbox::ExitStatus::Code(code) => Ok(ExitStatus::Code(code)),
            fnpack_sandbox::ExitStatus::Signal(signal) => Ok(ExitStatus::Signal(signal)),
        }
    }

    /// Making the sandboxes is not counted.
    fn busy(&self) -> Duration {
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
