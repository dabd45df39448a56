//! Ports that nobody uses.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use super::error::StandaloneError;

/// Stored data name the storage by its port, so kept data need the same one again.
const STORAGE_PORT: &str = "storage-port";

/// The ports of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) service: u16,
    pub(super) web: u16,
    pub(super) storage: u16,
}

/// Makes a folder that was new new again, so that its storage may have another port.
pub(super) fn forget(folder: &Path) -> Result<(), StandaloneError> {
    let (port, data) = (folder.join(STORAGE_PORT), folder.join("data"));
    fs_err::remove_file(&port).map_err(StandaloneError::file("remove", &port))?;
    fs_err::remove_dir_all(&data).map_err(StandaloneError::file("remove", &data))
}

/// Whether no server ran in the folder yet.
pub(super) fn is_new(folder: &Path) -> bool {
    !folder.join(STORAGE_PORT).exists()
}

impl Ports {
    /// Asks the system. Somebody else may take one before the server does; then it says so and is started anew.
    pub(super) fn choose(folder: &Path) -> Result<Self, StandaloneError> {
        let mut ports = free().map_err(StandaloneError::system("find free ports"))?;
        let path = folder.join(STORAGE_PORT);
        match fs_err::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()) {
            Some(port) => ports.storage = port,
            None => fs_err::write(&path, ports.storage.to_string()).map_err(StandaloneError::file("write", &path))?,
        }
        Ok(ports)
    }
}

fn free() -> io::Result<Ports> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    // Held until all are known, so that they differ.
    let [service, web, storage] = [listen()?, listen()?, listen()?];
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    Ok(Ports { service: port(&service)?, web: port(&web)?, storage: port(&storage)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_keeps_its_port_and_the_others_are_new() {
        let folder = tempfile::tempdir().unwrap();
        let first = Ports::choose(folder.path()).unwrap();
        assert!(first.service != first.web && first.web != first.storage && first.service != first.storage);
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first.service)).unwrap();
        let second = Ports::choose(folder.path()).unwrap();
        assert!(second.storage == first.storage && second.service != first.service);
        fs_err::write(folder.path().join(STORAGE_PORT), "x").unwrap();
        Ports::choose(folder.path()).unwrap();
    }
}
