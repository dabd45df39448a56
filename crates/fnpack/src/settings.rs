//! What the environment says: the one place that reads it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use fnpack_core::engine::EngineSettings;
use fnpack_core::registry::credentials::Secret;
use fnpack_core::registry::{NamedAuthorities, Proxy, RegistryError};

use crate::engines;
use crate::registries::RegistryFiles;

/// Folders and variables of the user who calls.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The store's folder.
    pub(crate) store: PathBuf,
    /// Where logins, mirrors and certificates for registries are.
    pub(crate) registries: RegistryFiles,
    /// Where a container engine is looked for, if somebody asks for one.
    pub(crate) engine: EngineSettings,
    /// Variables that build steps get from here: proxies, in both cases of letters.
    pub(crate) proxy: Vec<(OsString, OsString)>,
    /// Authorities that take the place of the system's.
    pub(crate) authorities: NamedAuthorities,
    /// The machine's bundle of trusted certificates in PEM, if there is one.
    pub(crate) certificates: Option<PathBuf>,
    /// Folder of what can be fetched again.
    pub(crate) cache: Option<PathBuf>,
    /// The `java` program for a Pulsar of our own.
    pub(crate) java: PathBuf,
}

const PROXY_VARIABLES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// Where distributions keep the bundle.
const BUNDLES: [&str; 4] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"];

impl Settings {
    /// Certificates (DER) that servers are checked with: those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name, else
    /// those of the system. Reading them takes milliseconds, so this is only asked for when a server is.
    pub(crate) fn trusted_roots(&self) -> Result<Vec<Vec<u8>>, RegistryError> {
        Ok(self.authorities.read()?.unwrap_or_else(of_the_system))
    }

    /// The proxy for registries.
    pub(crate) fn registry_proxy(&self) -> Option<Proxy> {
        let value =
            |wanted: &str| self.proxy.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).and_then(|(_, value)| value.to_str());
        let url = value("HTTPS_PROXY").filter(|url| !url.is_empty())?;
        let bypass = value("NO_PROXY").unwrap_or_default().split(',').map(|host| host.trim().to_owned()).filter(|host| !host.is_empty());
        Some(Proxy { url: Secret::new(url), bypass: bypass.collect() })
    }

    /// Reads the environment; `store` is what the command line said.
    pub(crate) fn read(store: Option<PathBuf>) -> Option<Self> {
        let home = env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let store = store.or_else(|| env::var_os("FNPACK_STORE").filter(|folder| !folder.is_empty()).map(PathBuf::from));
        let default = || Some(data.or_else(|| Some(home.as_ref()?.join(".local/share")))?.join("fnpack"));
        let certificates =
            env::var_os("SSL_CERT_FILE").map(PathBuf::from).into_iter().chain(BUNDLES.map(PathBuf::from)).find(|path| path.is_file());
        Some(Self {
            store: store.map_or_else(default, Some)?,
            registries: RegistryFiles::locate(|name| env::var_os(name)),
            engine: engines::locate(|name| env::var_os(name)),
            proxy: proxy_variables(),
            authorities: NamedAuthorities::of(|name| env::var_os(name)),
            certificates,
            cache: cache.or_else(|| Some(home?.join(".cache"))).map(|folder| folder.join("fnpack")),
            java: env::var_os("JAVA_HOME")
                .filter(|home| !home.is_empty())
                .map_or("java".into(), |home| PathBuf::from(home).join("bin/java")),
        })
    }
}

fn of_the_system() -> Vec<Vec<u8>> {
    rustls_native_certs::load_native_certs().certs.into_iter().map(|certificate| certificate.to_vec()).collect()
}

/// The whole environment: that of a builder's image, where we are in its container.
pub(crate) fn environment() -> BTreeMap<OsString, OsString> {
    env::vars_os().collect()
}

/// Where programs of this machine are looked for.
pub(crate) fn search_path() -> OsString {
    env::var_os("PATH").unwrap_or_default()
}

fn proxy_variables() -> Vec<(OsString, OsString)> {
    let both = PROXY_VARIABLES.iter().flat_map(|name| [(*name).to_owned(), name.to_ascii_lowercase()]);
    both.filter_map(|name| Some((OsString::from(&name), env::var_os(&name)?))).collect()
}
