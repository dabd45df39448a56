//! Ports that nobody uses.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// The ports of a server. That of its storage Pulsar chooses by itself, and keeps it with the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) service: u16,
    pub(super) web: u16,
}

impl Ports {
    /// Asks the system. Somebody else may take one before the server does; then it says so and is started anew.
    pub(super) fn choose() -> io::Result<Self> {
        let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        // Held until both are known, so that they differ.
        let (service, web) = (listen()?, listen()?);
        Ok(Self { service: service.local_addr()?.port(), web: web.local_addr()?.port() })
    }
}
