//! What of this machine a build step may know: name resolution, proxies, trusted certificates.
//!
//! All of it is mounted or given as environment while a step runs; nothing of it is recorded in a layer
//! or a config.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use fnpack_sandbox::Mount;

use crate::executor::Network;

/// Where the certificates lie inside. Not over a file that a package owns: a bind over such a file
/// breaks the package's own scripts.
const CERTIFICATES: &str = "/run/fnpack/ca-certificates.crt";

/// Variables by which common tools are told of a bundle.
const CERTIFICATE_VARIABLES: [&str; 6] =
    ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO"];

/// Facts of the machine, read once by the caller.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The program that becomes a sandbox's first process.
    pub init: PathBuf,
    /// The machine's bundle of trusted certificates, PEM.
    pub certificates: Option<PathBuf>,
    /// Proxy variables, in both cases of letters.
    pub proxy: Vec<(OsString, OsString)>,
}

/// A folder or file of the machine that a step sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Absolute path here.
    pub source: PathBuf,
    /// Absolute path inside.
    pub target: PathBuf,
    /// Whether the step may write.
    pub writable: bool,
}

impl Surroundings {
    /// The mounts that every step of this network gets.
    pub fn mounts(&self, network: Network) -> Vec<Mount> {
        let text = |target: &str, contents: Vec<u8>| Mount::File { target: target.into(), contents, mode: 0o644, uid: 0, gid: 0 };
        let mut mounts = vec![text("/etc/hosts", b"127.0.0.1 localhost fnpack\n::1 localhost\n".to_vec())];
        if network == Network::Host {
            mounts[0] = text("/etc/hosts", machine_file("/etc/hosts"));
            mounts.push(text("/etc/resolv.conf", machine_file("/etc/resolv.conf")));
            if let Some(bundle) = &self.certificates {
                mounts.push(Mount::Bind { source: bundle.clone(), target: CERTIFICATES.into(), read_only: true });
            }
        }
        mounts
    }

    /// Where a step that has a network finds the bundle of trusted certificates, if the machine has one.
    pub fn certificates_inside(&self) -> Option<&'static str> {
        self.certificates.is_some().then_some(CERTIFICATES)
    }

    /// The variables that tell tools of the certificates, `mounted` or where they are on this machine; empty without a
    /// bundle or a network.
    pub(super) fn certificate_variables(&self, network: Network, mounted: bool) -> Vec<(String, String)> {
        let Some(bundle) = self.certificates.as_ref().filter(|_| network == Network::Host) else { return Vec::new() };
        let bundle = if mounted { CERTIFICATES.to_owned() } else { bundle.to_string_lossy().into_owned() };
        CERTIFICATE_VARIABLES.iter().map(|name| ((*name).to_owned(), bundle.clone())).collect()
    }

    /// The proxy variables, for steps that have a network.
    pub(super) fn proxy_variables(&self, network: Network) -> &[(OsString, OsString)] {
        match network {
            Network::Host => &self.proxy,
            Network::None => &[],
        }
    }
}

impl From<&Volume> for Mount {
    fn from(volume: &Volume) -> Self {
        Self::Bind { source: volume.source.clone(), target: volume.target.clone(), read_only: !volume.writable }
    }
}

/// The text of a small system file; a machine without it has nothing to tell.
fn machine_file(path: &str) -> Vec<u8> {
    fs_err::read(Path::new(path)).unwrap_or_default()
}
