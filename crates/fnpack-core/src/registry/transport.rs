//! One HTTP request and its answer. Knows proxies and certificates; does not repeat, follow or log in.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::agents::{AgentMaker, Agents};
use super::bypass::Bypass;
use super::clock::Clock;
use super::early_answer;
use super::error::{CertificateFault, Refusal, RegistryError, Request};
use super::faults::classify;
use super::host_certificates::HostCertificates;
use super::http_date;
use super::peer_certificate::PeerCertificate;
use super::refusal::{self, Summary};
use super::settings::Settings;
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
    /// For plain HTTP without a proxy, which needs no certificates.
    plain: ureq::Agent,
    /// For hosts without certificates of their own; made when the first of them is met.
    common: Mutex<Option<Agents>>,
    /// Of hosts with certificates of their own; `None` where it is known that there are none.
    by_host: Mutex<HashMap<String, Option<Agents>>>,
    /// Of hosts that may be spoken to in plain HTTP: whether they are not.
    encrypted: Mutex<HashMap<String, bool>>,
    certificate_folders: Vec<PathBuf>,
    bypass: Bypass,
}

impl Transport {
    pub(super) fn new(settings: &Settings) -> Result<Self, RegistryError> {
        let maker = AgentMaker::new(settings)?;
        Ok(Self {
            plain: maker.plain(),
            common: Mutex::default(),
            encrypted: Mutex::default(),
            maker,
            by_host: Mutex::default(),
            certificate_folders: settings.certificate_folders.clone(),
            bypass: Bypass::new(settings.proxy.as_ref().map_or(&[], |proxy| &proxy.bypass)),
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
        let left = call.body.length().unwrap_or_default();
        let mut source = Source { reader: call.body.open().map_err(unreadable)?, left, fault: &fault };
        let agent = self.agent(call.url)?;
        early_answer::begin();
        let answer = if matches!(call.body, Body::None) {
            builder.body(()).map_err(ureq::Error::from).and_then(|request| agent.run(request))
        } else {
            builder.body(ureq::SendBody::from_reader(&mut source)).map_err(ureq::Error::from).and_then(|request| agent.run(request))
        };
        if let Some(fault) = fault.take() {
            return Err(unreadable(fault));
        }
        let inner = answer.map_err(failed).map_err(|error| self.with_certificates(error, call.url))?;
        Ok(Response { status: inner.status().as_u16(), url: call.url.clone(), request, inner })
    }

    /// Adds to a fault of certificates what the server showed, or whether we did.
    fn with_certificates(&self, error: RegistryError, url: &Url) -> RegistryError {
        match error {
            RegistryError::Certificate { host, fault, source, .. } => {
                // Behind a proxy only the proxy can see it.
                let presented = if self.is_direct(url) { PeerCertificate::of(url).map(Box::new) } else { None };
                let in_time = !matches!(fault, CertificateFault::Expired | CertificateFault::NotYetValid);
                let clock = if in_time { Clock::Unknown } else { Clock::judge(SystemTime::now(), self.time_at(url)) };
                RegistryError::Certificate { host, fault, presented, clock, source }
            }
            RegistryError::ClientCertificate { host, source, .. } => {
                let shown = self.agents_for(url).is_ok_and(|agents| agents.show_certificate);
                RegistryError::ClientCertificate { host, shown, source }
            }
            error => error,
        }
    }

    /// What a server says the time is, whoever it is: good enough to doubt our own clock.
    fn time_at(&self, url: &Url) -> Option<u64> {
        let agent = self.chosen(self.maker.unverified(), url);
        let response = agent.head(format!("https://{}/v2/", url.authority())).call().ok()?;
        http_date::parse(response.headers().get("date")?.to_str().ok()?)
    }

    fn is_direct(&self, url: &Url) -> bool {
        !self.maker.has_proxy() || self.bypass.covers(url)
    }

    fn agent(&self, url: &Url) -> Result<ureq::Agent, RegistryError> {
        if url.scheme() == Scheme::Http && self.is_direct(url) {
            return Ok(self.plain.clone());
        }
        self.agents_for(url).map(|agents| self.chosen(agents, url))
    }

    fn chosen(&self, agents: Agents, url: &Url) -> ureq::Agent {
        match agents.proxied {
            Some(agent) if !self.bypass.covers(url) => agent,
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
        let agents = self.maker.unverified();
        let agent = self.chosen(agents.clone(), url);
        let answers = agent.head(url.to_string()).call().is_ok();
        if answers {
            self.by_host.lock().unwrap_or_else(PoisonError::into_inner).insert(url.authority().to_owned(), Some(agents));
        }
        answers
    }

    fn agents_for(&self, url: &Url) -> Result<Agents, RegistryError> {
        let mut by_host = self.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        if url.scheme() == Scheme::Https && !by_host.contains_key(url.authority()) {
            let own = HostCertificates::read(&self.certificate_folders, url.authority())?;
            let agents = own.map(|own| self.maker.trusting(own.authorities, own.client)).transpose()?;
            by_host.insert(url.authority().to_owned(), agents);
        }
        match by_host.get(url.authority()) {
            Some(Some(own)) if url.scheme() == Scheme::Https => Ok(own.clone()),
            _ => self.common(),
        }
    }

    fn common(&self) -> Result<Agents, RegistryError> {
        let mut common = self.common.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agents) = &*common {
            return Ok(agents.clone());
        }
        let agents = self.maker.trusting(Vec::new(), None)?;
        Ok(common.insert(agents).clone())
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
        let (retry_after, request, status) = (self.retry_after(), self.request(), self.status);
        let mut body = Vec::new();
        // Half a message is better than none.
        let _ = self.into_reader().take(refusal::LONGEST_BODY).read_to_end(&mut body);
        let Summary { message, unknown_blobs } = refusal::summary(&body);
        Refusal { request, status, message, retry_after, unknown_blobs, login: super::LoginTrace::default() }
    }

    /// `Retry-After`: seconds, or a date, which is one of the server's clock.
    fn retry_after(&self) -> Option<Duration> {
        let value = self.header("retry-after")?.trim();
        let until_date = || {
            let ours = || SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
            let now = self.header("date").and_then(http_date::parse).or_else(ours)?;
            Some(http_date::parse(value)?.saturating_sub(now))
        };
        value.parse().ok().or_else(until_date).map(Duration::from_secs)
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
    left: u64,
    fault: &'a Cell<Option<io::Error>>,
}

impl Source<'_> {
    /// The rest of what was announced, as nothing in particular.
    fn skip(&mut self, bytes: usize) -> usize {
        let skipped = bytes.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= skipped as u64;
        skipped
    }
}

impl Read for Source<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if early_answer::is_barred() {
            return Ok(self.skip(bytes.len()));
        }
        let read = self.reader.read(bytes).map_err(|error| {
            let kind = error.kind();
            self.fault.set(Some(error));
            io::Error::from(kind)
        })?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}
