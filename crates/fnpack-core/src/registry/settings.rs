//! What a client is told: the library reads no environment and no configuration by itself.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::credentials::{Anonymous, Credentials, Secret};
use super::error::RegistryError;
use super::progress::{Progress, Quiet};
use super::registries::Registries;
use super::retry::Retry;

/// Gives trusted certificates (DER): those of the system and the user's own. Asked for when the first server is met that needs
/// them, as reading those of a system takes milliseconds. Without any, no HTTPS server is trusted.
pub type TrustedRoots = Arc<dyn Fn() -> Result<Vec<Vec<u8>>, RegistryError> + Send + Sync>;

/// Everything that a [`super::RegistryClient`] needs to know of its surroundings.
#[derive(Clone)]
pub struct Settings {
    /// Whom HTTPS servers are trusted by.
    pub roots: TrustedRoots,
    /// Who asks, as registries log it.
    pub user_agent: String,
    /// Where logins are looked for.
    pub credentials: Arc<dyn Credentials>,
    /// Registries, as `host` or `host:port`, that are spoken to in plain HTTP. Loopback is so by itself.
    pub insecure_hosts: Vec<String>,
    /// Folders like `/etc/docker/certs.d`, the most important first: each host may have certificates of its own there.
    pub certificate_folders: Vec<PathBuf>,
    /// Mirrors, moved and blocked names.
    pub registries: Registries,
    /// The proxy for everything but loopback.
    pub proxy: Option<Proxy>,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// How often to try again.
    pub retry: Retry,
    /// Who is told how it goes.
    pub progress: Arc<dyn Progress>,
}

/// A proxy and the hosts that it is not for.
#[derive(Clone)]
pub struct Proxy {
    /// `http://[user:password@]host:port`.
    pub url: Secret,
    /// Host names, `.suffixes`, addresses, networks, or `*`, each with or without a port.
    pub bypass: Vec<String>,
}

/// How long to wait. There is no limit on a whole transfer, only on standing still.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For name lookup, connection and TLS.
    pub connect: Duration,
    /// For any single piece of data.
    pub stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(20), stall: Duration::from_mins(1) }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            roots: Arc::new(|| Ok(Vec::new())),
            user_agent: concat!("fnpack/", env!("CARGO_PKG_VERSION")).to_owned(),
            credentials: Arc::new(Anonymous),
            insecure_hosts: Vec::new(),
            certificate_folders: Vec::new(),
            registries: Registries::default(),
            proxy: None,
            timeouts: Timeouts::default(),
            retry: Retry::default(),
            progress: Arc::new(Quiet),
        }
    }
}

impl Proxy {
    /// Its address without name and password.
    pub(super) fn shown(&self) -> String {
        let url = self.url.reveal();
        match (url.split_once("://"), url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{place}"),
            (None, Some((_, place))) => place.to_owned(),
            (_, None) => url.to_owned(),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Proxy").field("url", &self.shown()).field("bypass", &self.bypass).finish()
    }
}
