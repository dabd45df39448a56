//! A line to a server that breaks.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A line to a server that breaks after so many bytes of a connection, a few times.
pub(crate) struct BadLine {
    address: SocketAddr,
    cuts: Arc<AtomicUsize>,
}

impl BadLine {
    /// Serves until the process ends.
    pub(crate) fn to(server: SocketAddr, bytes: usize, times: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(AtomicUsize::new(times));
        let left = Arc::clone(&cuts);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let left = Arc::clone(&left);
                std::thread::spawn(move || pass(&client, server, bytes, &left));
            }
        });
        Self { address, cuts }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// How often it will still break.
    pub(crate) fn cuts_left(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

/// Both ways, until one end closes or the line breaks.
fn pass(client: &TcpStream, server: SocketAddr, limit: usize, cuts: &AtomicUsize) {
    let Ok(server) = TcpStream::connect(server) else { return };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::copy(&mut &server, &mut &*client);
            let _ = client.shutdown(Shutdown::Both);
        });
        let mut passed = 0;
        let mut piece = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = (&mut &*client).read(&mut piece) {
            passed += read;
            let breaks = passed > limit && cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            if breaks || (&server).write_all(&piece[..read]).is_err() {
                break;
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    });
}
