//! A certificate authority of two days, with a certificate for a server on 127.0.0.1 and one for a client.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The authority's files.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// Makes keys and certificates in a new folder, with the `openssl` command.
    pub(super) fn make(folder: &Path) -> Self {
        fs_err::create_dir(folder).expect("a writable folder");
        certificate(folder, "ca", &["-subj", "/CN=Test Authority"]);
        let leaf = ["-addext", "basicConstraints=critical,CA:false", "-CA", "ca.crt", "-CAkey", "ca.key"];
        let server = [&leaf[..], &["-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1"]].concat();
        certificate(folder, "server", &server);
        let client = [&leaf[..], &["-subj", "/CN=client", "-addext", "extendedKeyUsage=clientAuth"]].concat();
        certificate(folder, "client", &client);
        Self { folder: folder.to_owned() }
    }

    /// The authority's own certificate, which clients are to trust.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// The certificate that a client shows.
    pub fn client_certificate(&self) -> PathBuf {
        self.folder.join("client.crt")
    }

    /// Its key.
    pub fn client_key(&self) -> PathBuf {
        self.folder.join("client.key")
    }

    pub(super) fn server_certificate(&self) -> PathBuf {
        self.folder.join("server.crt")
    }

    pub(super) fn server_key(&self) -> PathBuf {
        self.folder.join("server.key")
    }
}

/// Makes `NAME.key` and `NAME.crt`; self-signed if no signer is among the arguments.
pub(super) fn certificate(folder: &Path, name: &str, arguments: &[&str]) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
        .args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.crt")])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "openssl cannot make a certificate:\n{}", String::from_utf8_lossy(&made.stderr));
}
