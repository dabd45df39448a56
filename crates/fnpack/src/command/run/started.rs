//! An instance in its sandbox.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self as unix, UnixListener};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fnpack_core::function_mesh::Ports;
use fnpack_sandbox::{ExitStatus, Handle, Sandbox, SandboxPlan};

use super::conversation::Instance;
use super::ground::machine;
use super::log::Log;
use crate::error::CommandError;

/// A listener on this machine answers at once.
const KNOCK: Duration = Duration::from_millis(200);
/// What a process that was killed has.
const KILLED: ExitStatus = ExitStatus::Signal(9);

/// A running instance; dropped, it is killed with all that it started.
pub(super) struct Started {
    handle: Handle,
    ended: Arc<OnceLock<ExitStatus>>,
    thread: Option<JoinHandle<()>>,
    metrics: u16,
    log: Arc<Log>,
    began: Instant,
}

impl Started {
    /// Starts it; what it prints goes into the log.
    pub(super) fn start(plan: &SandboxPlan, ports: Ports, log: Arc<Log>) -> Result<Self, CommandError> {
        let began = Instant::now();
        let mut sandbox = Sandbox::spawn(plan)?;
        let (handle, ended) = (sandbox.handle(), Arc::new(OnceLock::new()));
        let thread = {
            let (log, ended) = (log.clone(), ended.clone());
            move || {
                let status = sandbox.wait(&mut log.as_ref());
                log.end();
                let status = status.unwrap_or_else(|error| {
                    log.take(format!("{error}\n").as_bytes());
                    KILLED
                });
                // Nobody else sets it.
                let _ = ended.set(status);
            }
        };
        let thread = std::thread::Builder::new().name("instance".to_owned()).spawn(thread).map_err(machine)?;
        Ok(Self { handle, ended, thread: Some(thread), metrics: ports.metrics, log, began })
    }

    /// How long it runs.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Instance for Started {
    fn ended(&self) -> Option<ExitStatus> {
        self.ended.get().copied()
    }

    fn is_listening(&self) -> bool {
        TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, self.metrics)), KNOCK).is_ok()
    }

    fn is_doomed(&self) -> bool {
        self.log.cause().is_some_and(|found| found.cause.fatal)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.handle.kill();
        if let Some(thread) = self.thread.take() {
            // It only waits for the sandbox, which is dead.
            let _ = thread.join();
        }
    }
}

/// Ports for an instance, and what keeps them from other runs.
pub(super) struct PortsLease {
    pub(super) ports: Ports,
    _kept: Option<UnixListener>,
}

impl PortsLease {
    /// Ports that nobody has at this moment.
    pub(super) fn of_free() -> Result<Self, CommandError> {
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
        // Both are held until both are known, so that they differ.
        let ((control, _first), (metrics, _second)) = (free().map_err(machine)?, free().map_err(machine)?);
        Ok(Self { ports: Ports { control, metrics }, _kept: None })
    }

    /// These ports; `None` if somebody has them, or another run is about to.
    pub(super) fn of(ports: Ports) -> Option<Self> {
        // The name of a socket without a file belongs to the network, as ports do, and goes with the process.
        let name = format!("fnpack-run-{}-{}", ports.control, ports.metrics);
        let kept = UnixListener::bind_addr(&unix::SocketAddr::from_abstract_name(name).ok()?).ok()?;
        let is_free = |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
        (is_free(ports.control) && is_free(ports.metrics)).then_some(Self { ports, _kept: Some(kept) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_belong_to_one_run() {
        let free = PortsLease::of_free().unwrap().ports;
        assert_ne!(free.control, free.metrics);
        let taken = PortsLease::of(free).unwrap();
        assert!(PortsLease::of(free).is_none());
        drop(taken);
        let _listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, free.metrics)).unwrap();
        assert!(PortsLease::of(free).is_none());
    }
}
