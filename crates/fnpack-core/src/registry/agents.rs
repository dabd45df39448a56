//! Who makes connections: one `ureq` agent for each set of certificates, with and without the proxy.

use std::sync::Arc;

use ureq::ProxyProtocol;
use ureq::tls::{Certificate, ClientCert, RootCerts, TlsConfig};

use super::addresses::RememberedAddresses;
use super::early_answer;
use super::error::{Cause, RegistryError};
use super::settings::{Proxy, Settings, Timeouts, TrustedRoots};
use crate::parallel;

/// Those that trust, and show, the same certificates.
#[derive(Clone)]
pub(super) struct Agents {
    pub(super) direct: ureq::Agent,
    pub(super) proxied: Option<ureq::Agent>,
    /// Whether they show servers a certificate of ours.
    pub(super) show_certificate: bool,
}

/// What all connections have in common.
pub(super) struct AgentMaker {
    roots: TrustedRoots,
    user_agent: String,
    timeouts: Timeouts,
    proxy: Option<ureq::Proxy>,
    proxy_shown: String,
}

/// The proxy of the settings, if it is of a kind that is known here.
fn usable(proxy: &Proxy) -> Result<ureq::Proxy, RegistryError> {
    let unusable = |source: Cause| RegistryError::Proxy { proxy: proxy.shown(), source };
    let parsed = ureq::Proxy::new(proxy.url.reveal()).map_err(|source| unusable(source.into()))?;
    match parsed.protocol() {
        ProxyProtocol::Http | ProxyProtocol::Https => Ok(parsed),
        _ => Err(unusable("only proxies of `http://` and `https://` are known here".into())),
    }
}

impl AgentMaker {
    pub(super) fn new(settings: &Settings) -> Result<Self, RegistryError> {
        Ok(Self {
            roots: Arc::clone(&settings.roots),
            user_agent: settings.user_agent.clone(),
            timeouts: settings.timeouts,
            proxy: settings.proxy.as_ref().map(usable).transpose()?,
            proxy_shown: settings.proxy.as_ref().map(Proxy::shown).unwrap_or_default(),
        })
    }

    pub(super) fn has_proxy(&self) -> bool {
        self.proxy.is_some()
    }

    /// For messages: the proxy without name and password.
    pub(super) fn proxy_shown(&self) -> String {
        self.proxy_shown.clone()
    }

    /// For plain HTTP without the proxy.
    pub(super) fn plain(&self) -> ureq::Agent {
        self.agent(TlsConfig::default(), None)
    }

    /// Trusting all that is trusted and more, showing a certificate of ours.
    pub(super) fn trusting(&self, further: Vec<Certificate<'static>>, client: Option<ClientCert>) -> Result<Agents, RegistryError> {
        let roots = (self.roots)()?.iter().map(|der| Certificate::from_der(der).to_owned()).chain(further).collect();
        let show_certificate = client.is_some();
        let tls = TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots))).client_cert(client).build();
        Ok(Agents { show_certificate, ..self.agents(tls) })
    }

    /// Not looking at certificates.
    pub(super) fn unverified(&self) -> Agents {
        self.agents(TlsConfig::builder().disable_verification(true).build())
    }

    fn agents(&self, tls: TlsConfig) -> Agents {
        let proxied = self.proxy.as_ref().map(|proxy| self.agent(tls.clone(), Some(proxy.clone())));
        Agents { direct: self.agent(tls, None), proxied, show_certificate: false }
    }

    fn agent(&self, tls: TlsConfig, proxy: Option<ureq::Proxy>) -> ureq::Agent {
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .user_agent(&self.user_agent)
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(self.timeouts.connect))
            .timeout_connect(Some(self.timeouts.connect))
            .timeout_per_read(Some(self.timeouts.stall))
            .timeout_per_write(Some(self.timeouts.stall))
            .input_buffer_size(128 * 1024)
            .output_buffer_size(128 * 1024)
            .max_idle_connections(2 * parallel::AT_ONCE)
            .max_idle_connections_per_host(parallel::AT_ONCE)
            .build();
        ureq::Agent::with_parts(config, early_answer::connector(), <RememberedAddresses>::default())
    }
}
