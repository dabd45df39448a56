//! Images in registries: OCI distribution specification 1.1, and what Docker's registries do beside it.
//!
//! [`RegistryClient::pull`] gives an [`Image`](crate::image::Image) whose manifest and config are here
//! and verified, and whose layers are opened when somebody needs them: nobody who only changes a
//! config or the base of an image moves its layers. [`RegistryClient::push`] sends what the registry
//! does not have: layers first, then the config, then the manifest, so that nothing ever names what is
//! not there. Blobs pass through in one stream, without a copy on disk.
//!
//! Everything that comes is hostile until its digest says otherwise: documents are bounded, addresses
//! are checked before they are followed, and passwords go neither over plain HTTP nor to another host.
//!
//! Inside, from the bottom: `transport` does one HTTP request (`agents`, `early_answer`, `bypass`, `faults`), `exchange` adds login
//! (`auth`, `challenge`), redirects and asking again (`retry`), `upload`, `pull` and `push` speak the
//! specification, at the places that `registries` names.
//!
//! Why not one of the clients that there are: `oci-client` wants an asynchronous runtime, gives up at the
//! first 401 or 503 in the middle, knows neither refresh tokens nor the second scope of a mount, and drops
//! the upload session of a refused one. What is left of it after that is less than what is here.

mod addresses;
mod agents;
mod auth;
mod authorities;
mod base;
mod bypass;
mod challenge;
mod clock;
pub mod credentials;
mod early_answer;
mod endpoint;
mod error;
mod exchange;
mod faults;
mod fetch;
mod host_certificates;
mod http_date;
mod peer_certificate;
mod progress;
mod pull;
mod push;
mod referrers;
mod refusal;
mod registries;
mod replace;
mod retry;
mod settings;
mod transport;
mod tree;
mod upload;
mod url;

use std::fmt;
use std::sync::Arc;

use auth::Authenticator;
pub use authorities::{NamedAuthorities, read_certificates};
pub use clock::Clock;
pub use error::{Cause, CertificateFault, LoginTrace, Refusal, RegistryError, Request};
pub use peer_certificate::PeerCertificate;
pub use progress::{Progress, Quiet, Step};
pub use pull::Resolved;
pub use push::Pushed;
pub use registries::{Registries, RegistriesError};
pub use retry::Retry;
pub use settings::{Proxy, Settings, Timeouts, TrustedRoots};
use transport::Transport;
use url::{Scheme, Url};

/// Speaks to registries. Cheap to clone; clones share connections and logins, and may be used from
/// several threads.
#[derive(Clone)]
pub struct RegistryClient(Arc<Client>);

struct Client {
    transport: Transport,
    authenticator: Authenticator,
    insecure_hosts: Vec<String>,
    registries: Registries,
    retry: Retry,
    progress: Arc<dyn Progress>,
}

impl RegistryClient {
    /// Makes a client; nothing is asked of anybody yet.
    pub fn new(settings: Settings) -> Result<Self, RegistryError> {
        let transport = Transport::new(&settings)?;
        let insecure_hosts = [settings.insecure_hosts, settings.registries.insecure_hosts()].concat();
        Ok(Self(Arc::new(Client {
            transport,
            authenticator: Authenticator::new(settings.credentials, insecure_hosts.clone()),
            insecure_hosts,
            registries: settings.registries,
            retry: settings.retry,
            progress: settings.progress,
        })))
    }
}

impl Client {
    fn address(&self, registry: &str, path: &str) -> Url {
        let url = endpoint::address(registry, path, &self.insecure_hosts);
        if url.scheme() == Scheme::Http && self.transport.prefers_tls(&url) { url.encrypted() } else { url }
    }
}

impl fmt::Debug for RegistryClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RegistryClient").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
