//! Debian's `docker-registry` (CNCF distribution 2.8) on a free port of 127.0.0.1: the registry that many run.
//!
//! Each has a folder, a configuration and keys of its own, and is ended when the value is dropped. What it holds is read
//! from its files ([`Repository`]), so that a test does not depend on the client that it tests.

mod authority;
mod contents;
mod token_server;

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

pub use authority::Authority;
pub use contents::{Damage, Repository};
use serde_json::{Value, json};
use tempfile::TempDir;
pub use token_server::TokenServer;

use crate::server::{address_of, listener};

/// The name that guarded registries know.
pub const USER: &str = "me";
/// Its password.
pub const PASSWORD: &str = "right word";
/// The same as a line of a password file (bcrypt of the least cost).
const PASSWORD_LINE: &str = "me:$2y$05$abcdefghijklmnopqrstuuz8.2z5YkXDV9Bj0DyWWsqup5tWWZCye\n";
/// What the registry has been seen to need, a hundred times over.
const LONGEST_START: Duration = Duration::from_secs(20);

/// Who may do what, and whether others can listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Everybody everything, in plain HTTP.
    Open,
    /// Name and password with every request.
    Basic,
    /// Signed tokens of a token server.
    Token,
    /// Everybody everything, by a certificate of an authority that nobody knows.
    Tls,
    /// The same for those alone who show a certificate of this authority.
    TlsClients,
}

/// How a registry is to be; `Setup::of(guard).start()`.
#[derive(Debug, Clone)]
pub struct Setup {
    guard: Guard,
    deletion: bool,
    read_only: bool,
}

impl Setup {
    /// Blobs and manifests can be written and not deleted.
    pub fn of(guard: Guard) -> Self {
        Self { guard, deletion: false, read_only: false }
    }

    /// Blobs and manifests can be deleted.
    #[must_use]
    pub fn with_deletion(self) -> Self {
        Self { deletion: true, ..self }
    }

    /// Nothing can be written.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    /// Starts the registry. `None` (a skip) where `docker-registry` or `openssl` is not installed, which CI has.
    ///
    /// # Panics
    ///
    /// If it does not start, or in CI is not there.
    pub fn start(self) -> Option<DockerRegistry> {
        if !installed("docker-registry") || !installed("openssl") {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("fnpack-docker-registry-").tempdir().expect("a folder for temporary files");
        let tokens = (self.guard == Guard::Token).then(|| TokenServer::start(&folder.path().join("tokens")));
        let authority = matches!(self.guard, Guard::Tls | Guard::TlsClients).then(|| Authority::make(&folder.path().join("authority")));
        // Between the look for a port and its use somebody else may take it.
        let started = (0..5).find_map(|_| {
            let address = address_of(&listener());
            let configuration = self.configuration(address, folder.path(), tokens.as_ref(), authority.as_ref());
            fs_err::write(folder.path().join("config.yml"), configuration.to_string()).expect("a writable folder");
            serve(folder.path(), address).map(|process| (process, address))
        });
        let output = || fs_err::read_to_string(folder.path().join("output")).unwrap_or_default();
        let (process, address) = started.unwrap_or_else(|| panic!("docker-registry does not start:\n{}", output()));
        Some(DockerRegistry { process, address, folder, tokens, authority })
    }

    /// Its configuration; JSON is YAML, too.
    fn configuration(&self, address: SocketAddr, folder: &Path, tokens: Option<&TokenServer>, authority: Option<&Authority>) -> Value {
        let mut http = json!({ "addr": address.to_string(), "secret": "of no account" });
        if let Some(authority) = authority {
            http["tls"] = json!({ "certificate": authority.server_certificate(), "key": authority.server_key() });
            if self.guard == Guard::TlsClients {
                http["tls"]["clientcas"] = json!([authority.certificate()]);
            }
        }
        let mut configuration = json!({
            "version": 0.1,
            "log": { "level": "info" },
            "storage": {
                "filesystem": { "rootdirectory": folder.join("storage") },
                "delete": { "enabled": self.deletion },
                "maintenance": { "uploadpurging": { "enabled": false }, "readonly": { "enabled": self.read_only } },
            },
            "http": http,
        });
        if self.guard == Guard::Basic {
            let path = folder.join("htpasswd");
            fs_err::write(&path, PASSWORD_LINE).expect("a writable folder");
            configuration["auth"] = json!({ "htpasswd": { "realm": "test", "path": path } });
        }
        if let Some(tokens) = tokens {
            configuration["auth"] = json!({ "token": tokens.registry_configuration() });
        }
        configuration
    }
}

/// A running registry.
#[derive(Debug)]
pub struct DockerRegistry {
    process: Child,
    address: SocketAddr,
    folder: TempDir,
    tokens: Option<TokenServer>,
    authority: Option<Authority>,
}

impl DockerRegistry {
    /// `127.0.0.1:port`, the registry part of image names.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The token server of [`Guard::Token`].
    ///
    /// # Panics
    ///
    /// Of registries without one.
    pub fn tokens(&self) -> &TokenServer {
        self.tokens.as_ref().expect("a registry with a token server")
    }

    /// The authority of [`Guard::Tls`] and [`Guard::TlsClients`].
    ///
    /// # Panics
    ///
    /// Of registries without one.
    pub fn authority(&self) -> &Authority {
        self.authority.as_ref().expect("a registry with TLS")
    }

    /// What it holds under a name, whoever may see it.
    pub fn repository(&self, name: &str) -> Repository {
        Repository::new(self.storage(), name)
    }

    /// `METHOD path status` of the requests that it has answered.
    pub fn requests(&self) -> Vec<String> {
        self.output().lines().filter_map(request_of_log).collect()
    }

    /// Everything that it has printed.
    pub fn output(&self) -> String {
        fs_err::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }

    fn storage(&self) -> PathBuf {
        self.folder.path().join("storage/docker/registry/v2")
    }
}

impl Drop for DockerRegistry {
    #[expect(clippy::print_stderr, reason = "a failing test is understood by what the registry said")]
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let lines: Vec<String> = self.requests();
            let last = lines.iter().rev().take(60).rev().fold(String::new(), |mut text, line| {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "  {line}");
                text
            });
            eprintln!("docker-registry at {} answered last:\n{last}", self.address);
        }
    }
}

/// Whether a program is installed; that it is not is a skip, which CI does not have.
///
/// # Panics
///
/// In CI, if it is not there.
#[expect(clippy::print_stderr, reason = "a test says why it skips")]
pub fn installed(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).any(|folder| folder.join(program).is_file());
    assert!(found || std::env::var_os("CI").is_none(), "`{program}` is not installed: run ./test");
    if !found {
        eprintln!("skipped: `{program}` is not installed; ./test does that");
    }
    found
}

/// Starts it on an address; `None` if it ends at once.
fn serve(folder: &Path, address: SocketAddr) -> Option<Child> {
    let output = fs_err::File::create(folder.join("output")).expect("a writable folder");
    let errors = output.try_clone().expect("a second handle of a file");
    let mut command = Command::new("docker-registry");
    command.args(["serve", "config.yml"]).current_dir(folder).stdout(output.into_file()).stderr(errors.into_file());
    let mut process = command.env_clear().spawn().expect("docker-registry is installed");
    let end = Instant::now() + LONGEST_START;
    while TcpStream::connect(address).is_err() {
        if process.try_wait().ok().flatten().is_some() {
            return None;
        }
        if Instant::now() > end {
            let _ = process.kill();
            let _ = process.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Some(process)
}

/// Of `127.0.0.1 - - [time] "GET /v2/ HTTP/1.1" 200 2 "" "agent"`.
fn request_of_log(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("] \"")?;
    let (request, rest) = rest.split_once('"')?;
    let mut words = request.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    Some(format!("{method} {} {}", target.split('?').next()?, rest.split_whitespace().next()?))
}

#[cfg(test)]
mod tests;
