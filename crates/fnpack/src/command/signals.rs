//! Signals that reach fnpack go on to the process that it runs.

use std::io;
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
