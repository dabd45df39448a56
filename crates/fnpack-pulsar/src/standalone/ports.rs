//! Ports that nobody uses.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// The ports of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) service: u16,
    pub(super) web: u16,
    pub(super) storage: u16,
}

impl Ports {
    /// Asks the system. Somebody else may take one before the server does; then it says so and is started anew.
    pub(super) fn choose() -> io::Result<Self> {
        // Held until all are known, so that they differ.
        let [service, web, storage] = [free()?, free()?, free()?];
        let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
        Ok(Self { service: port(&service)?, web: port(&web)?, storage: port(&storage)? })
    }
}

fn free() -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
}
