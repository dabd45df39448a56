//! Runs commands as plain processes on this machine, with folders of their own for what they keep to themselves.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Command, Executor, ExecutorError, ExitStatus, Here};

/// Plain processes of this user: the executors `here` and `host`.
#[derive(Debug)]
pub struct Processes {
    name: &'static str,
    temporary: PathBuf,
    busy: Mutex<Duration>,
}

impl Processes {
    /// `temporary` is where commands put what nobody needs later (`TMPDIR`): the root file system may be read-only.
    pub fn new(name: &'static str, temporary: PathBuf) -> Self {
        Self { name, temporary, busy: Mutex::default() }
    }
}

impl Executor for Processes {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, command: &Command, output: &mut (dyn Write + Send)) -> Result<ExitStatus, ExecutorError> {
        let mut command = command.clone();
        command.environment.entry("TMPDIR".into()).or_insert_with(|| self.temporary.clone().into_os_string());
        let started = Instant::now();
        let status = Here.run(&command, output);
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner) += started.elapsed();
        status
    }

    fn busy(&self) -> Duration {
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
