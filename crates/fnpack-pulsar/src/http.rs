//! HTTP as administration and downloads need it: certificates, proxy, time limits.

use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// How HTTP servers are reached.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// The certificates to trust (DER). Without any, no HTTPS server is.
    pub roots: Vec<Vec<u8>>,
    /// The proxy for everything but loopback.
    pub proxy: Option<Proxy>,
    /// How long to wait for a connection, and for any single piece of data.
    pub timeout: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self { roots: Vec::new(), proxy: None, timeout: Duration::from_mins(1) }
    }
}

/// A proxy and the hosts that it is not for.
#[derive(Clone)]
pub struct Proxy {
    /// `http://[user:password@]host:port`.
    pub url: String,
    /// Host names or `.suffixes`.
    pub bypass: Vec<String>,
}

/// The address may hold a password.
impl std::fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Proxy").field("bypass", &self.bypass).finish_non_exhaustive()
    }
}

/// Connections to HTTP servers. Answers of any status are answers.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    direct: Agent,
    proxied: Option<(Agent, Vec<String>)>,
}

impl Http {
    pub(crate) fn new(options: &HttpOptions) -> Result<Self, ureq::Error> {
        let roots: Vec<Certificate<'static>> = options.roots.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        let tls = TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots))).build();
        let direct = agent(tls.clone(), None, options.timeout);
        let proxied = match &options.proxy {
            None => None,
            Some(proxy) => Some((agent(tls, Some(ureq::Proxy::new(&proxy.url)?), options.timeout), proxy.bypass.clone())),
        };
        Ok(Self { direct, proxied })
    }

    pub(crate) fn agent(&self, url: &str) -> &Agent {
        match &self.proxied {
            Some((agent, bypass)) if !bypasses(host(url).as_deref().unwrap_or_default(), bypass) => agent,
            _ => &self.direct,
        }
    }
}

fn agent(tls: TlsConfig, proxy: Option<ureq::Proxy>, timeout: Duration) -> Agent {
    Agent::config_builder()
        .tls_config(tls)
        .user_agent(concat!("fnpack/", env!("CARGO_PKG_VERSION")))
        .proxy(proxy)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_resolve(Some(timeout))
        .timeout_connect(Some(timeout))
        .timeout_recv_response(Some(timeout))
        .timeout_per_read(Some(timeout))
        .timeout_per_write(Some(timeout))
        .input_buffer_size(128 << 10)
        .output_buffer_size(128 << 10)
        .max_idle_connections_per_host(8)
        .build()
        .into()
}

fn host(url: &str) -> Option<String> {
    url.parse::<Uri>().ok()?.host().map(|host| host.trim_matches(['[', ']']).to_owned())
}

fn bypasses(host: &str, list: &[String]) -> bool {
    let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let named = |entry: &String| {
        let entry = entry.trim();
        let name = entry.trim_start_matches("*.").trim_start_matches('.');
        entry == "*" || entry == host || (!name.is_empty() && host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')))
    };
    loopback || list.iter().any(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_is_left_out_where_the_list_says() {
        let list = [".corp.example".to_owned(), "exact.example".to_owned(), String::new()];
        for (url, expected) in [
            ("http://127.0.0.1:8080/x", true),
            ("http://[::1]:8080/", true),
            ("http://localhost/", true),
            ("https://maven.corp.example/x", true),
            ("https://exact.example/", true),
            ("https://notexact.example/", false),
            ("https://repo1.maven.org/", false),
        ] {
            assert_eq!(bypasses(&host(url).unwrap(), &list), expected, "{url}");
        }
    }
}
