//! An instance in its sandbox.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use fnpack_core::function_mesh::Ports;
use fnpack_sandbox::{ExitStatus, Handle, Sandbox, SandboxPlan};

use super::conversation::Instance;
use super::ground::machine;
use super::log::Log;
use crate::error::{Class, CommandError};

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
}

impl Started {
    /// Starts it; what it prints goes into the log.
    pub(super) fn start(plan: &SandboxPlan, ports: Ports, log: Arc<Log>) -> Result<Self, CommandError> {
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
        Ok(Self { handle, ended, thread: Some(thread), metrics: ports.metrics, log })
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

/// Two ports that nobody has at this moment.
pub(super) fn free_ports() -> Result<Ports, CommandError> {
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
    // Both are held until both are known, so that they differ.
    let ((control, _first), (metrics, _second)) = (free().map_err(machine)?, free().map_err(machine)?);
    Ok(Ports { control, metrics })
}

/// Refuses ports that somebody has: the instance would start and fail.
pub(super) fn check_free(ports: Ports) -> Result<(), CommandError> {
    for port in [ports.control, ports.metrics] {
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_err() {
            return Err(CommandError::message(Class::Machine, format!("port {port}, which the instance wants, is in use"))
                .hint("end the other instance, or leave out `--under`: then free ports are taken"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_port_is_refused() {
        let ports = free_ports().unwrap();
        assert_ne!(ports.control, ports.metrics);
        let _taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, ports.metrics)).unwrap();
        assert!(check_free(ports).unwrap_err().render().contains(&ports.metrics.to_string()));
    }
}
