//! A server on a free port of 127.0.0.1, one thread a connection, ended when dropped.

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    connections: Arc<Connections>,
    acceptor: Option<JoinHandle<()>>,
}

/// Those that are open, so that they can be closed.
#[derive(Debug, Default)]
struct Connections {
    stopped: AtomicBool,
    open: Mutex<BTreeMap<u64, TcpStream>>,
}

/// A free port, taken.
pub(crate) fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port on loopback")
}

/// Where a listener listens.
pub(crate) fn address_of(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("the address of a listener")
}

impl Server {
    /// Calls `serve` for each connection; the connection is closed when it returns.
    pub(crate) fn start(listener: TcpListener, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let address = address_of(&listener);
        let connections = Arc::new(Connections::default());
        let shared = Arc::clone(&connections);
        let acceptor = std::thread::spawn(move || accept(&listener, &shared, &serve));
        Self { address, connections, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.connections.stopped.store(true, Ordering::SeqCst);
        // `accept` only notices when somebody comes.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept(listener: &TcpListener, connections: &Connections, serve: &(impl Fn(TcpStream) + Sync)) {
    std::thread::scope(|scope| {
        for (number, stream) in (0..).zip(listener.incoming()) {
            if connections.stopped.load(Ordering::SeqCst) {
                break;
            }
            let Ok(stream) = stream else { continue };
            let _ = stream.set_nodelay(true);
            if let Ok(clone) = stream.try_clone() {
                connections.lock().insert(number, clone);
            }
            scope.spawn(move || {
                serve(stream);
                connections.lock().remove(&number);
            });
        }
        for connection in connections.lock().values() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    });
}
