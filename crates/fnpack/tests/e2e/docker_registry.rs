//! The registry that most people run, `docker-registry` of Debian, on a port of its own; and a bad line to it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use testkit::certificates::SERVER;

/// A registry, ended when dropped.
pub(crate) struct DockerRegistry {
    child: Child,
    address: SocketAddr,
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl DockerRegistry {
    /// Keeps its files in a folder; with TLS it shows the certificate of the test kit. `None` (a skip) where there is no
    /// `docker-registry`, which `./test` gets.
    pub(crate) fn start(folder: &Path, encrypted: bool) -> Option<Self> {
        let Some(program) = program() else {
            assert!(std::env::var_os("CI").is_none(), "docker-registry is not here");
            eprintln!("skipped: docker-registry is not here; ./test gets it");
            return None;
        };
        let folder = folder.join("docker-registry");
        fs_err::create_dir(&folder).unwrap();
        fs_err::write(folder.join("server.crt"), SERVER.certificate).unwrap();
        fs_err::write(folder.join("server.key"), SERVER.key).unwrap();
        // Free a moment ago: the registry cannot be told to find one by itself and say which.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let tls = if encrypted { "\n  tls: {certificate: server.crt, key: server.key}" } else { "" };
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: data}}}}\nhttp:\n  addr: {address}{tls}\n"
        );
        fs_err::write(folder.join("registry.yml"), config).unwrap();
        let mut command = Command::new(program);
        command.args(["serve", "registry.yml"]).current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::null());
        let registry = Self { child: command.spawn().unwrap(), address };
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < end, "docker-registry does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(registry)
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }
}

/// Of this machine, or what `./test` put aside.
fn program() -> Option<PathBuf> {
    let kept = std::env::var_os("FNPACK_TEST_CACHE").map(|cache| PathBuf::from(cache).join("docker-registry"));
    let installed = PathBuf::from("/usr/bin/docker-registry");
    kept.into_iter().chain([installed]).find(|program| program.is_file())
}

/// A line to a server that breaks after so many bytes of a connection, a few times.
pub(crate) struct BadLine {
    address: SocketAddr,
    cuts: Arc<AtomicUsize>,
}

impl BadLine {
    /// Serves until the process ends.
    pub(crate) fn to(registry: &DockerRegistry, bytes: usize, times: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (cuts, server) = (Arc::new(AtomicUsize::new(times)), registry.address);
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
