//! One HTTP request and its answer. Knows proxies and certificates; does not repeat, follow or log in.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::tls::{Certificate, ClientCert, RootCerts, TlsConfig};

use super::error::{CertificateFault, Refusal, RegistryError, Request};
use super::host_certificates::HostCertificates;
use super::parallel;
use super::peer_certificate::PeerCertificate;
use super::refusal;
use super::settings::{Settings, Timeouts};
use super::url::{Scheme, Url, is_loopback};

/// What a request is made of.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) method: &'static str,
    pub(super) url: &'a Url,
    pub(super) headers: &'a [(&'static str, &'a str)],
    pub(super) body: Body<'a>,
}

/// What is sent with a request.
#[derive(Clone, Copy)]
pub(super) enum Body<'a> {
    None,
    Bytes(&'a [u8]),
    /// Opened for each try; the length is announced and kept.
    Stream {
        length: u64,
        open: &'a dyn Fn() -> io::Result<Box<dyn Read + Send>>,
    },
}

/// An answer; the body is not yet read.
pub(super) struct Response {
    pub(super) status: u16,
    /// Where it came from, after redirects.
    pub(super) url: Url,
    request: Request,
    inner: ureq::http::Response<ureq::Body>,
}

/// The connections to everywhere.
pub(super) struct Transport {
    maker: AgentMaker,
    common: Agents,
    /// Of hosts with certificates of their own; `None` where it is known that there are none.
    by_host: Mutex<HashMap<String, Option<Agents>>>,
    /// Of hosts that may be spoken to in plain HTTP: whether they are not.
    encrypted: Mutex<HashMap<String, bool>>,
    certificate_folders: Vec<PathBuf>,
    bypass: Vec<String>,
}

#[derive(Clone)]
struct Agents {
    direct: ureq::Agent,
    proxied: Option<ureq::Agent>,
}

/// What all connections have in common.
struct AgentMaker {
    roots: Vec<Certificate<'static>>,
    user_agent: String,
    timeouts: Timeouts,
    proxy: Option<ureq::Proxy>,
}

impl Transport {
    pub(super) fn new(settings: &Settings) -> Result<Self, RegistryError> {
        let proxy = match &settings.proxy {
            None => None,
            Some(proxy) => Some(
                ureq::Proxy::new(proxy.url.reveal())
                    .map_err(|source| RegistryError::Proxy { proxy: proxy.shown(), source: Box::new(source) })?,
            ),
        };
        let maker = AgentMaker {
            roots: settings.roots.iter().map(|der| Certificate::from_der(der).to_owned()).collect(),
            user_agent: settings.user_agent.clone(),
            timeouts: settings.timeouts,
            proxy,
        };
        Ok(Self {
            common: maker.agents(maker.tls(Vec::new(), None)),
            encrypted: Mutex::default(),
            maker,
            by_host: Mutex::default(),
            certificate_folders: settings.certificate_folders.clone(),
            bypass: settings.proxy.as_ref().map(|proxy| proxy.bypass.clone()).unwrap_or_default(),
        })
    }

    pub(super) fn send(&self, call: &Call<'_>, authorization: Option<&str>) -> Result<Response, RegistryError> {
        let request = Request { method: call.method, url: call.url.without_query() };
        let host = call.url.authority().to_owned();
        let mut builder = ureq::http::Request::builder().method(call.method).uri(call.url.to_string());
        for (name, value) in call.headers {
            builder = builder.header(*name, *value);
        }
        if let Some(value) = authorization {
            builder = builder.header("Authorization", value);
        }
        if let Some(length) = call.body.length() {
            builder = builder.header("Content-Length", length);
        }
        let failed = |source: ureq::Error| classify(source, host.clone(), &request);
        let fault = Cell::new(None);
        let unreadable = |source| RegistryError::Unreadable { host: host.clone(), source };
        let mut source = Source { reader: call.body.open().map_err(unreadable)?, fault: &fault };
        let agent = self.agent(call.url)?;
        let answer = if matches!(call.body, Body::None) {
            builder.body(()).map_err(ureq::Error::from).and_then(|request| agent.run(request))
        } else {
            builder.body(ureq::SendBody::from_reader(&mut source)).map_err(ureq::Error::from).and_then(|request| agent.run(request))
        };
        if let Some(fault) = fault.take() {
            return Err(unreadable(fault));
        }
        let inner = answer.map_err(failed).map_err(|error| self.with_certificate(error, call.url))?;
        Ok(Response { status: inner.status().as_u16(), url: call.url.clone(), request, inner })
    }

    /// Adds what the server showed; behind a proxy only the proxy can see it.
    fn with_certificate(&self, error: RegistryError, url: &Url) -> RegistryError {
        let direct = self.common.proxied.is_none() || bypasses(url.host(), &self.bypass);
        match error {
            RegistryError::Certificate { host, fault, source, .. } if direct => {
                RegistryError::Certificate { host, fault, presented: PeerCertificate::of(url).map(Box::new), source }
            }
            error => error,
        }
    }

    fn agent(&self, url: &Url) -> Result<ureq::Agent, RegistryError> {
        self.agents_for(url).map(|agents| self.chosen(agents, url))
    }

    fn chosen(&self, agents: Agents, url: &Url) -> ureq::Agent {
        match agents.proxied {
            Some(agent) if !bypasses(url.host(), &self.bypass) => agent,
            _ => agents.direct,
        }
    }

    /// Whether a host that may be spoken to in plain HTTP is better spoken to over TLS: it has certificates here,
    /// or it is somewhere else and answers so, with whatever certificate. Asked once for each host.
    pub(super) fn prefers_tls(&self, url: &Url) -> bool {
        let mut known = self.encrypted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(encrypted) = known.get(url.authority()) {
            return *encrypted;
        }
        let encrypted = HostCertificates::exist(&self.certificate_folders, url.authority())
            || (!is_loopback(url.host()) && self.answers_unverified(&url.clone().encrypted()));
        known.insert(url.authority().to_owned(), encrypted);
        encrypted
    }

    /// Whether a host answers over TLS when nobody looks at its certificate; then nobody does so later either.
    fn answers_unverified(&self, url: &Url) -> bool {
        let tls = TlsConfig::builder().disable_verification(true).build();
        let agents = self.maker.agents(tls);
        let agent = self.chosen(agents.clone(), url);
        let answers = agent.head(url.to_string()).call().is_ok();
        if answers {
            self.by_host.lock().unwrap_or_else(PoisonError::into_inner).insert(url.authority().to_owned(), Some(agents));
        }
        answers
    }

    fn agents_for(&self, url: &Url) -> Result<Agents, RegistryError> {
        if url.scheme() == Scheme::Http {
            return Ok(self.common.clone());
        }
        let mut by_host = self.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        if !by_host.contains_key(url.authority()) {
            let own = HostCertificates::read(&self.certificate_folders, url.authority())?;
            let agents = own.map(|own| self.maker.agents(self.maker.tls(own.authorities, own.client)));
            by_host.insert(url.authority().to_owned(), agents);
        }
        Ok(by_host.get(url.authority()).cloned().flatten().unwrap_or_else(|| self.common.clone()))
    }
}

impl AgentMaker {
    fn tls(&self, further: Vec<Certificate<'static>>, client: Option<ClientCert>) -> TlsConfig {
        let roots = [self.roots.clone(), further].concat();
        TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots))).client_cert(client).build()
    }

    fn agents(&self, tls: TlsConfig) -> Agents {
        let proxied = self.proxy.as_ref().map(|proxy| agent(tls.clone(), &self.user_agent, self.timeouts, Some(proxy.clone())));
        Agents { direct: agent(tls, &self.user_agent, self.timeouts, None), proxied }
    }
}

impl Response {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.inner.headers().get(name)?.to_str().ok()
    }

    pub(super) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.inner.headers().get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    pub(super) fn host(&self) -> String {
        self.url.authority().to_owned()
    }

    pub(super) fn request(&self) -> Request {
        self.request.clone()
    }

    /// An answer that breaks the specification.
    pub(super) fn unexpected(&self, reason: impl Into<String>) -> RegistryError {
        RegistryError::Protocol { host: self.host(), request: self.request(), reason: reason.into() }
    }

    /// Reads a body of at most `limit` bytes; `None` if it is longer.
    pub(super) fn read(self, limit: u64) -> Result<Option<Vec<u8>>, RegistryError> {
        let (host, request) = (self.host(), self.request());
        let mut bytes = Vec::new();
        let read = self.into_reader().take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|source| classify(source.into(), host, &request))?;
        Ok((bytes.len() as u64 <= limit).then_some(bytes))
    }

    pub(super) fn into_reader(self) -> Box<dyn Read + Send> {
        Box::new(self.inner.into_body().into_reader())
    }

    /// What an error's answer says; the login is filled in by who knows it.
    pub(super) fn into_refusal(self) -> Refusal {
        let retry_after = self.header("retry-after").and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);
        let (request, status) = (self.request(), self.status);
        let mut body = Vec::new();
        // Half a message is better than none.
        let _ = self.into_reader().take(refusal::LONGEST_BODY).read_to_end(&mut body);
        Refusal { request, status, message: refusal::summary(&body), retry_after, login: super::LoginTrace::default() }
    }
}

impl<'a> Body<'a> {
    fn length(&self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Stream { length, .. } => Some(*length),
        }
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send + 'a>> {
        match self {
            Self::None => Ok(Box::new(io::empty())),
            Self::Bytes(bytes) => Ok(Box::new(*bytes)),
            Self::Stream { open, .. } => open(),
        }
    }
}

/// Keeps a fault of the body apart from a fault of the connection.
struct Source<'a> {
    reader: Box<dyn Read + Send + 'a>,
    fault: &'a Cell<Option<io::Error>>,
}

impl Read for Source<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.reader.read(bytes).map_err(|error| {
            let kind = error.kind();
            self.fault.set(Some(error));
            kind.into()
        })
    }
}

fn agent(tls: TlsConfig, user_agent: &str, timeouts: Timeouts, proxy: Option<ureq::Proxy>) -> ureq::Agent {
    ureq::Agent::config_builder()
        .tls_config(tls)
        .user_agent(user_agent)
        .proxy(proxy)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_resolve(Some(timeouts.connect))
        .timeout_connect(Some(timeouts.connect))
        .timeout_per_read(Some(timeouts.stall))
        .timeout_per_write(Some(timeouts.stall))
        .input_buffer_size(128 * 1024)
        .output_buffer_size(128 * 1024)
        .max_idle_connections(2 * parallel::AT_ONCE)
        .max_idle_connections_per_host(parallel::AT_ONCE)
        .build()
        .into()
}

/// Whether a host is spoken to without the proxy (`NO_PROXY` as curl and Go read it, without networks).
fn bypasses(host: &str, list: &[String]) -> bool {
    is_loopback(host)
        || list.iter().map(|entry| entry.trim()).any(|entry| {
            let name = entry.trim_start_matches("*.").trim_start_matches('.');
            let below = host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
            !name.is_empty() && (entry == "*" || below || (host == name && entry == name))
        })
}

fn classify(error: ureq::Error, host: String, request: &Request) -> RegistryError {
    let request = request.clone();
    match error {
        ureq::Error::HostNotFound => RegistryError::UnknownHost { host, request, source: Box::new(error) },
        ureq::Error::Rustls(fault) => tls_fault(host, fault),
        ureq::Error::Timeout(_) => RegistryError::TimedOut { host, request, source: Box::new(error) },
        ureq::Error::ConnectionFailed | ureq::Error::ConnectProxyFailed(_) => {
            RegistryError::CannotConnect { host, request, source: Box::new(error) }
        }
        ureq::Error::Io(error) => classify_io(error, host, request),
        other => RegistryError::Protocol { host, request, reason: other.to_string() },
    }
}

fn classify_io(error: io::Error, host: String, request: Request) -> RegistryError {
    let error = match error.downcast::<rustls::Error>() {
        Ok(fault) => return tls_fault(host, fault),
        Err(error) => error,
    };
    let source = Box::new(error);
    match source.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => RegistryError::TimedOut { host, request, source },
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied => RegistryError::CannotConnect { host, request, source },
        // Name lookups have no error kind of their own in the standard library.
        _ if source.to_string().starts_with("failed to lookup address") => RegistryError::UnknownHost { host, request, source },
        _ => RegistryError::Broken { host, request, source },
    }
}

fn tls_fault(host: String, fault: rustls::Error) -> RegistryError {
    use rustls::CertificateError as Problem;
    let rustls::Error::InvalidCertificate(problem) = &fault else {
        return RegistryError::Tls { host, source: Box::new(fault) };
    };
    let kind = match problem {
        Problem::UnknownIssuer => CertificateFault::UnknownIssuer,
        Problem::Expired | Problem::ExpiredContext { .. } => CertificateFault::Expired,
        Problem::NotValidYet | Problem::NotValidYetContext { .. } => CertificateFault::NotYetValid,
        Problem::NotValidForName | Problem::NotValidForNameContext { .. } => CertificateFault::OtherName,
        _ => CertificateFault::Invalid,
    };
    RegistryError::Certificate { host, fault: kind, presented: None, source: Box::new(fault) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_is_left_out_where_the_list_says() {
        let list: Vec<String> = [".corp.example", "exact.example", " 10.0.0.7", "*.star.example", ""].map(str::to_owned).to_vec();
        for (host, expected) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("registry.corp.example", true),
            ("corp.example", false),
            ("exact.example", true),
            ("sub.exact.example", true),
            ("notexact.example", false),
            ("10.0.0.7", true),
            ("a.star.example", true),
            ("ghcr.io", false),
        ] {
            assert_eq!(bypasses(host, &list), expected, "{host}");
        }
        assert!(bypasses("ghcr.io", &["*".to_owned()]));
    }

    #[test]
    fn certificate_faults_are_told_apart() {
        use rustls::CertificateError as Problem;
        let request = Request { method: "GET", url: "https://x/".to_owned() };
        for (problem, expected) in [
            (Problem::UnknownIssuer, CertificateFault::UnknownIssuer),
            (Problem::Expired, CertificateFault::Expired),
            (Problem::NotValidYet, CertificateFault::NotYetValid),
            (Problem::NotValidForName, CertificateFault::OtherName),
            (Problem::BadEncoding, CertificateFault::Invalid),
        ] {
            // The handshake wraps its error in one of input and output.
            let error = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(problem));
            let error = classify(error.into(), "x".to_owned(), &request);
            assert!(matches!(&error, RegistryError::Certificate { fault, .. } if *fault == expected), "{error}");
        }
    }
}
