//! Signals that reach fnpack: they go on to the process that it runs, or ask it to end in good order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use fnpack_sandbox::Handle;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;

/// Signals kept for a process that is about to start: one that comes meanwhile must neither be lost nor
/// end fnpack.
#[derive(Debug)]
pub(super) struct Held(Signals);

/// A thread that passes signals on, until it is ended.
#[derive(Debug)]
pub(super) struct Forwarding {
    signals: signal_hook::iterator::Handle,
    thread: JoinHandle<()>,
}

/// Whether the user asked to stop. While one of these exists, Ctrl-C only says so.
#[derive(Debug)]
pub(super) struct Interruption {
    asked: Arc<AtomicBool>,
    ids: Vec<signal_hook::SigId>,
}

impl Interruption {
    /// From now on Ctrl-C and its like ask to stop.
    pub(super) fn watch() -> io::Result<Self> {
        let mut interruption = Self { asked: Arc::default(), ids: Vec::new() };
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            interruption.ids.push(signal_hook::flag::register(signal, interruption.asked.clone())?);
        }
        Ok(interruption)
    }

    /// Whether the user asked.
    pub(super) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Interruption {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

impl Held {
    /// From now on signals wait.
    pub(super) fn hold() -> io::Result<Self> {
        Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH]).map(Self)
    }

    /// From now on signals go to the command, those that waited first. What a terminal sends goes to the command by itself.
    pub(super) fn forward(self, command: Handle) -> Forwarding {
        let Self(mut signals) = self;
        let terminal = io::IsTerminal::is_terminal(&io::stdin());
        let handle = signals.handle();
        let thread = std::thread::spawn(move || {
            for signal in signals.forever().filter(|signal| !(terminal && matches!(*signal, SIGINT | SIGQUIT | SIGWINCH))) {
                // A command that has just ended is seen by who waits for it.
                let _ = command.signal(signal);
            }
        });
        Forwarding { signals: handle, thread }
    }
}

impl Forwarding {
    /// Stops passing on.
    pub(super) fn end(self) {
        self.signals.close();
        // The thread only passes on signals; it has nothing to report.
        let _ = self.thread.join();
    }
}
