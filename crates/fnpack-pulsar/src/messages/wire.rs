//! The bytes to and from a broker: TCP, or TLS over it. One thread reads, any may write.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::error::MessageError;
use super::service_url::host_of;

/// So much is read at once; a TLS record fits.
const CHUNK: usize = 32 << 10;

pub(super) struct Wire {
    tcp: TcpStream,
    /// None in plain.
    session: Option<Mutex<ClientConnection>>,
    /// What is written goes out whole under this lock. The reader never waits for it.
    writing: Mutex<()>,
}

/// What TLS needs to know: the certificates to trust.
pub(super) fn tls_config(roots: &[Vec<u8>]) -> Arc<ClientConfig> {
    let mut store = RootCertStore::empty();
    // One certificate that cannot be read is no reason not to trust the others; systems have such.
    store.add_parsable_certificates(roots.iter().map(|der| CertificateDer::from(der.as_slice())));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has all safe versions")
        .with_root_certificates(store)
        .with_no_client_auth();
    Arc::new(config)
}

impl Wire {
    /// Connects, and greets if it is to be TLS. `timeout` holds for each of both, and for writing later.
    pub(super) fn connect(address: &str, tls: Option<&Arc<ClientConfig>>, timeout: Duration) -> Result<Self, MessageError> {
        let failed = |source| MessageError::Connect { address: address.to_owned(), source };
        let mut tcp = open(address, timeout).map_err(failed)?;
        let session = match tls {
            None => None,
            Some(config) => Some(greet(&mut tcp, address, config)?),
        };
        Ok(Self { tcp, session: session.map(Mutex::new), writing: Mutex::new(()) })
    }

    /// How long [`Wire::read`] waits; then it answers [`io::ErrorKind::TimedOut`].
    pub(super) fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.tcp.set_read_timeout(Some(timeout))
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let _whole = lock(&self.writing);
        let Some(session) = &self.session else { return (&self.tcp).write_all(bytes) };
        let mut rest = bytes;
        while !rest.is_empty() {
            let mut session = lock(session);
            let taken = session.writer().write(rest)?;
            rest = rest.get(taken..).unwrap_or_default();
            flush(&mut session, &self.tcp)?;
        }
        Ok(())
    }

    /// Appends what arrives next. Nothing but an error is ever appended nothing.
    pub(super) fn read(&self, into: &mut Vec<u8>) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        let before = into.len();
        while into.len() == before {
            let size = (&self.tcp).read(&mut chunk).map_err(timed_out)?;
            if size == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let arrived = chunk.get(..size).unwrap_or_default();
            match &self.session {
                None => into.extend_from_slice(arrived),
                Some(session) => decrypt(&mut lock(session), arrived, &self.tcp, into)?,
            }
        }
        Ok(())
    }

    /// Ends both directions: a reader wakes up.
    pub(super) fn close(&self) {
        // It may have ended by itself.
        let _ = self.tcp.shutdown(Shutdown::Both);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for target in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&target, timeout) {
            Ok(tcp) => {
                tcp.set_nodelay(true)?;
                tcp.set_read_timeout(Some(timeout))?;
                tcp.set_write_timeout(Some(timeout))?;
                return Ok(tcp);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn greet(tcp: &mut TcpStream, address: &str, config: &Arc<ClientConfig>) -> Result<ClientConnection, MessageError> {
    let tls = |source| MessageError::Tls { address: address.to_owned(), source };
    let name = ServerName::try_from(host_of(address).to_owned()).map_err(|error| tls(rustls::Error::General(error.to_string())))?;
    let mut session = ClientConnection::new(config.clone(), name).map_err(tls)?;
    while session.is_handshaking() {
        session.complete_io(tcp).map_err(|error| match error.downcast::<rustls::Error>() {
            Ok(source) => tls(source),
            Err(source) => MessageError::Connect { address: address.to_owned(), source: timed_out(source) },
        })?;
    }
    Ok(session)
}

fn flush(session: &mut ClientConnection, mut tcp: &TcpStream) -> io::Result<()> {
    while session.wants_write() {
        session.write_tls(&mut tcp)?;
    }
    Ok(())
}

fn decrypt(session: &mut ClientConnection, arrived: &[u8], tcp: &TcpStream, into: &mut Vec<u8>) -> io::Result<()> {
    let mut rest = arrived;
    while !rest.is_empty() {
        session.read_tls(&mut rest)?;
        let state = session.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        session.reader().take(state.plaintext_bytes_to_read() as u64).read_to_end(into)?;
    }
    flush(session, tcp)
}

/// The system has two words for it.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::Error::new(io::ErrorKind::TimedOut, error) } else { error }
}
