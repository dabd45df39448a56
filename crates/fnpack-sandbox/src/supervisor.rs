//! The thread that starts all sandboxes of this process.
//!
//! A sandbox asks to be killed when its parent ends, and for the kernel the parent is the *thread* that
//! started it. Threads of callers come and go; this one lives as long as the process. Waiting for a
//! sandbox is possible from any thread.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

type Job = Box<dyn FnOnce() + Send>;

static JOBS: Mutex<Option<Sender<Job>>> = Mutex::new(None);

/// Starts a process that lives no longer than this one.
pub(crate) fn spawn(mut command: Command) -> io::Result<Child> {
    let (answer, result) = channel();
    let job: Job = Box::new(move || {
        // The receiver waits below.
        let _ = answer.send(command.spawn());
    });
    let gone = |_| io::Error::other("the thread that starts sandboxes has ended");
    jobs()?.send(job).map_err(|_| gone(std::sync::mpsc::RecvError))?;
    result.recv().map_err(gone)?
}

fn jobs() -> io::Result<Sender<Job>> {
    let mut jobs = JOBS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(jobs) = jobs.as_ref() {
        return Ok(jobs.clone());
    }
    let (sender, receiver) = channel::<Job>();
    std::thread::Builder::new().name("sandboxes".to_owned()).spawn(move || receiver.iter().for_each(|job| job()))?;
    Ok(jobs.insert(sender).clone())
}
