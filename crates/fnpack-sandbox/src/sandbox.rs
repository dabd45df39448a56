//! A sandbox as its caller sees it: started, listened to, ended.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio as ChildStdio};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::program::Program;
use crate::stage::{self, Order, Report};
use crate::stub::Stubs;
use crate::{SandboxError, SandboxPlan, Stdio, supervisor};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitStatus {
    /// By itself, with this code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl ExitStatus {
    /// The number by which a shell would report it.
    pub fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128 + number,
        }
    }
}

impl From<std::process::ExitStatus> for ExitStatus {
    fn from(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        status.code().map(Self::Code).or(status.signal().map(Self::Signal)).unwrap_or(Self::Signal(libc::SIGKILL))
    }
}

/// A command that runs in a sandbox. Dropped, it is killed with all that it started.
#[derive(Debug)]
pub struct Sandbox {
    stage: Stage,
    channel: Channel,
    output: Option<OwnedFd>,
    handle: Handle,
    stubs: Stubs,
}

impl Sandbox {
    /// Carries out a plan. When this returns, the command is being executed; every failure up to
    /// there is an error, not an exit code.
    pub fn spawn(plan: &SandboxPlan) -> Result<Self, SandboxError> {
        plan.check()?;
        let (channel, theirs) = Channel::pair()?;
        let stage = Stage::start(plan, theirs)?;
        let (output, stdio) = Streams::open(plan.stdio)?;
        let order = Order { plan: plan.clone(), caller: rustix::process::getpid().as_raw_pid() };
        match channel.send(&order, &stdio.all()) {
            // It has ended, and what follows says why.
            Err(SandboxError::Channel { source: Errno::PIPE | Errno::CONNRESET }) => {}
            result => result?,
        }
        drop(stdio);
        match channel.receive::<Report>()? {
            Some((Report::Started { stubs }, descriptors)) => {
                let handle = Handle::new(descriptors)?;
                Ok(Self { stage, channel, output, handle, stubs })
            }
            Some((Report::Failed(error), _)) => Err(error),
            Some((Report::Ended(_), _)) | None => Err(SandboxError::Vanished),
        }
    }

    /// Passes on the output until the command has ended and everything in the sandbox is gone, and
    /// takes back what was made only to be mounted on (missing `/proc`, `/etc/resolv.conf`, …) from
    /// the folders that receive changes. A sandbox that was killed ends by signal 9.
    pub fn wait(&mut self, output: &mut dyn Write) -> Result<ExitStatus, SandboxError> {
        let passed = self.pass_on(output);
        if passed.is_err() {
            self.handle.kill();
        }
        let report = self.channel.receive::<Report>();
        // After this no process of the sandbox exists: the stage ends after the first process, and
        // that one after all others.
        self.stage.end();
        self.stubs.remove();
        passed?;
        match report? {
            Some((Report::Ended(status), _)) => Ok(status),
            Some((Report::Failed(error), _)) => Err(error),
            Some((Report::Started { .. }, _)) => Err(SandboxError::Channel { source: Errno::PROTO }),
            None => Ok(ExitStatus::Signal(Signal::KILL.as_raw())),
        }
    }

    /// Kills the command and everything it started; [`Sandbox::wait`] still is to be called.
    pub fn kill(&self) {
        self.handle.kill();
    }

    /// Sends a signal to the command.
    pub fn signal(&self, number: i32) -> Result<(), SandboxError> {
        self.handle.signal(number)
    }

    /// The process of the host that stands for the sandbox.
    pub fn pid(&self) -> u32 {
        self.stage.0.id()
    }

    /// What another thread needs to end a sandbox while this one waits for it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    fn pass_on(&mut self, writer: &mut dyn Write) -> Result<(), SandboxError> {
        let Some(pipe) = self.output.take() else { return Ok(()) };
        let failed = |source| SandboxError::Output { source };
        let mut buffer = vec![0; 64 << 10];
        loop {
            match rustix::io::read(&pipe, &mut buffer) {
                Ok(0) => return writer.flush().map_err(failed),
                Ok(count) => writer.write_all(buffer.get(..count).unwrap_or_default()).map_err(failed)?,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
        }
    }
}

/// Ends a sandbox, or sends signals into it, from any thread. It never reaches another process, also
/// after the sandbox has ended.
#[derive(Debug, Clone)]
pub struct Handle {
    init: Arc<OwnedFd>,
    command: Arc<OwnedFd>,
}

impl Handle {
    fn new(descriptors: Vec<OwnedFd>) -> Result<Self, SandboxError> {
        let [init, command] = <[OwnedFd; 2]>::try_from(descriptors).map_err(|_| SandboxError::Channel { source: Errno::BADMSG })?;
        Ok(Self { init: Arc::new(init), command: Arc::new(command) })
    }

    /// Kills the command and everything it started.
    pub fn kill(&self) {
        // It fails only if the process is gone, and then everything is.
        let _ = pidfd_send_signal(&*self.init, Signal::KILL);
    }

    /// Sends a signal to the command; a command that has ended gets nothing.
    pub fn signal(&self, number: i32) -> Result<(), SandboxError> {
        let sent = Signal::from_named_raw(number).ok_or(Errno::INVAL).and_then(|signal| pidfd_send_signal(&*self.command, signal));
        match sent {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(source) => Err(SandboxError::process("send a signal to the command")(source)),
        }
    }
}

/// The stage process; never left behind.
#[derive(Debug)]
struct Stage(Child);

impl Stage {
    fn start(plan: &SandboxPlan, channel: OwnedFd) -> Result<Self, SandboxError> {
        let program = Program::open(&plan.init)?;
        let mut command = Command::new(program.path());
        command.arg0(stage::NAME).env_clear().stdin(channel).stdout(ChildStdio::null()).stderr(ChildStdio::null());
        let failed = |error: std::io::Error| SandboxError::Start { program: plan.init.clone(), source: crate::error::errno_of(&error) };
        supervisor::spawn(command).map(Self).map_err(failed)
    }

    fn end(&mut self) {
        // Its end was awaited, or it is killed by `drop`; there is no third case to report.
        let _ = self.0.wait();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The kernel kills the first process with the stage, and the rest with that.
        let _ = self.0.kill();
        self.end();
    }
}

/// What becomes the command's standard input, output and error.
enum Streams {
    Captured { input: OwnedFd, output: OwnedFd },
    Inherited,
}

impl Streams {
    /// Also gives the reading end, if there is one.
    fn open(stdio: Stdio) -> Result<(Option<OwnedFd>, Self), SandboxError> {
        if stdio == Stdio::Inherit {
            return Ok((None, Self::Inherited));
        }
        let failed = SandboxError::process("open the command's input and output");
        let opened = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .and_then(|input| pipe_with(PipeFlags::CLOEXEC).map(|(reader, output)| (Some(reader), Self::Captured { input, output })));
        opened.map_err(failed)
    }

    fn all(&self) -> [BorrowedFd<'_>; 3] {
        match self {
            Self::Captured { input, output } => [input.as_fd(), output.as_fd(), output.as_fd()],
            Self::Inherited => [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()],
        }
    }
}
