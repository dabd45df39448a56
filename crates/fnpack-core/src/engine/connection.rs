//! One request to an engine and its answer (Docker Engine API). Paths carry no version: every engine takes them so.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::tls::TlsConfig;

use super::EngineError;
use super::certificates::tls;
use super::endpoint::Endpoint;
use super::socket::{NoNames, SocketConnector};

/// For connecting.
const CONNECT: Duration = Duration::from_secs(20);
/// For an answer that needs no work.
const PATIENCE: Duration = Duration::from_mins(2);
/// For an engine that unpacks a large layer and says nothing meanwhile.
const LONG_PATIENCE: Duration = Duration::from_mins(30);
/// For documents; an engine with thousands of images lists them in less.
const LONGEST_DOCUMENT: u64 = 64 * 1024 * 1024;
/// For what is told of an error.
const LONGEST_MESSAGE: u64 = 16 * 1024;
/// For what is shown of it, in characters.
const LONGEST_LINE: usize = 400;

/// The way to one engine.
#[derive(Debug)]
pub(super) struct Connection {
    agent: ureq::Agent,
    base: String,
    place: String,
    deaf: Arc<AtomicBool>,
}

/// An answer that is not an error; the body is not yet read.
#[derive(Debug)]
pub(super) struct Answer {
    response: ureq::http::Response<ureq::Body>,
    place: String,
    request: String,
}

/// What is sent, until the engine takes no more of it.
struct Sending<'a> {
    body: &'a mut dyn Read,
    deaf: &'a AtomicBool,
}

/// How engines say that something went wrong.
#[derive(Deserialize)]
struct Message {
    message: String,
}

impl Connection {
    /// Nothing is asked yet.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, EngineError> {
        let place = endpoint.to_string();
        let deaf = Arc::new(AtomicBool::new(false));
        let (agent, base) = match endpoint {
            Endpoint::Socket(path) => {
                let connector = SocketConnector { path: path.clone(), deaf: Arc::clone(&deaf) };
                (ureq::Agent::with_parts(config(None), connector, NoNames), "http://localhost".to_owned())
            }
            Endpoint::Tcp { authority, certificates: None } => (config(None).into(), format!("http://{authority}")),
            Endpoint::Tcp { authority, certificates: Some(folder) } => (config(Some(tls(folder)?)).into(), format!("https://{authority}")),
        };
        Ok(Self { agent, base, place, deaf })
    }

    /// Where the engine is, for messages.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Asks for a document.
    pub(super) fn get(&self, path: &str) -> Result<Answer, EngineError> {
        self.ask(("GET", path), None, PATIENCE)
    }

    /// Asks for a document; none if there is no such thing.
    pub(super) fn get_if_there(&self, path: &str) -> Result<Option<Answer>, EngineError> {
        match self.get(path) {
            Err(EngineError::Refused { status: 404, .. }) => Ok(None),
            result => result.map(Some),
        }
    }

    /// Asks for what may be long in coming.
    pub(super) fn get_slowly(&self, path: &str) -> Result<Answer, EngineError> {
        self.ask(("GET", path), None, LONG_PATIENCE)
    }

    /// Has something small done.
    pub(super) fn post(&self, path: &str) -> Result<Answer, EngineError> {
        self.ask(("POST", path), Some(&mut io::empty()), PATIENCE)
    }

    /// Sends a tar of unknown length.
    pub(super) fn post_tar(&self, path: &str, tar: &mut dyn Read) -> Result<Answer, EngineError> {
        self.ask(("POST", path), Some(tar), LONG_PATIENCE)
    }

    fn ask(&self, (method, path): (&str, &str), body: Option<&mut dyn Read>, patience: Duration) -> Result<Answer, EngineError> {
        let request = format!("{method} {}", path.split('?').next().unwrap_or_default());
        let builder = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        let answer = match body {
            None => builder.body(()).map_err(ureq::Error::from).and_then(|request| self.run(request, patience)),
            Some(body) => {
                let mut sending = Sending { body, deaf: &self.deaf };
                let builder = builder.header("Content-Type", "application/x-tar");
                builder
                    .body(ureq::SendBody::from_reader(&mut sending))
                    .map_err(ureq::Error::from)
                    .and_then(|request| self.run(request, patience))
            }
        };
        let response = answer.map_err(|error| self.fault(error, request.clone()))?;
        Answer { response, place: self.place.clone(), request }.accepted()
    }

    fn run<B: ureq::AsSendBody>(
        &self,
        request: ureq::http::Request<B>,
        patience: Duration,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let request = self.agent.configure_request(request).timeout_per_read(Some(patience)).timeout_per_write(Some(patience)).build();
        self.agent.run(request)
    }

    fn fault(&self, error: ureq::Error, request: String) -> EngineError {
        let place = self.place.clone();
        match error {
            ureq::Error::Timeout(_) => EngineError::TimedOut { place, request },
            ureq::Error::Io(source) => io_fault(source, place, request),
            ureq::Error::Rustls(source) => EngineError::Tls { place, source: Box::new(source) },
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
                EngineError::NotConnected { place, source: io::Error::other(error.to_string()) }
            }
            other => EngineError::NotAnEngine { place, reason: other.to_string() },
        }
    }
}

fn io_fault(source: io::Error, place: String, request: String) -> EngineError {
    let source = match source.downcast::<rustls::Error>() {
        Ok(source) => return EngineError::Tls { place, source: Box::new(source) },
        Err(source) => source,
    };
    match source.kind() {
        io::ErrorKind::PermissionDenied => EngineError::Forbidden { place, source },
        io::ErrorKind::NotFound
        | io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::InvalidInput => EngineError::NotConnected { place, source },
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => EngineError::TimedOut { place, request },
        // Name lookups have no error kind of their own in the standard library.
        _ if source.to_string().starts_with("failed to lookup address") => EngineError::NotConnected { place, source },
        _ => EngineError::HungUp { place, request, source },
    }
}

impl Answer {
    fn accepted(self) -> Result<Self, EngineError> {
        let status = self.response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(self);
        }
        let (place, request) = (self.place.clone(), self.request.clone());
        let mut body = Vec::new();
        // Half a message is better than none.
        let _ = self.into_reader().take(LONGEST_MESSAGE).read_to_end(&mut body);
        let text =
            serde_json::from_slice(&body).map_or_else(|_| String::from_utf8_lossy(&body).into_owned(), |Message { message }| message);
        Err(EngineError::Refused { place, request, status, message: in_one_line(&text) })
    }

    /// A header's value.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Of an answer that no engine gives.
    pub(super) fn not_an_engine(&self, reason: &str) -> EngineError {
        EngineError::NotAnEngine { place: self.place.clone(), reason: reason.to_owned() }
    }

    /// The body as a document.
    pub(super) fn json<T: DeserializeOwned>(self) -> Result<T, EngineError> {
        let (place, request) = (self.place.clone(), self.request.clone());
        let body = io::BufReader::new(self.into_reader().take(LONGEST_DOCUMENT));
        serde_json::from_reader(body).map_err(|source| unreadable(source, place, request))
    }

    /// The body as documents, one after another.
    pub(super) fn json_stream<T: DeserializeOwned>(self) -> impl Iterator<Item = Result<T, EngineError>> {
        let (place, request) = (self.place.clone(), self.request.clone());
        let body = io::BufReader::new(self.into_reader().take(LONGEST_DOCUMENT));
        let documents = serde_json::Deserializer::from_reader(body).into_iter();
        documents.map(move |document| document.map_err(|source| unreadable(source, place.clone(), request.clone())))
    }

    /// The body as it comes.
    pub(super) fn into_reader(self) -> impl Read {
        self.response.into_body().into_reader()
    }

    /// A fault of the connection while the body comes.
    pub(super) fn broken(place: &str, source: io::Error) -> EngineError {
        io_fault(source, place.to_owned(), "in the middle of an image".to_owned())
    }
}

/// What cannot be read may be junk, or the end of a connection.
fn unreadable(source: serde_json::Error, place: String, request: String) -> EngineError {
    match source.io_error_kind() {
        Some(kind) => io_fault(io::Error::new(kind, source), place, request),
        None => EngineError::Unreadable { place, request, source },
    }
}

impl Read for Sending<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.deaf.load(Ordering::Relaxed) { Ok(0) } else { self.body.read(bytes) }
    }
}

fn config(tls: Option<TlsConfig>) -> ureq::config::Config {
    ureq::Agent::config_builder()
        .tls_config(tls.unwrap_or_default())
        .user_agent(concat!("fnpack/", env!("CARGO_PKG_VERSION")))
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT))
        .input_buffer_size(128 * 1024)
        .output_buffer_size(128 * 1024)
        .max_idle_connections(0)
        .build()
}

/// What an engine says, fit to be shown.
pub(super) fn in_one_line(text: &str) -> String {
    let words = text.split(|character: char| character.is_whitespace() || character.is_control()).filter(|word| !word.is_empty());
    let line: String = words.collect::<Vec<_>>().join(" ").chars().take(LONGEST_LINE).collect();
    if line.is_empty() { "it says nothing more".to_owned() } else { line }
}

/// A text as a part of a path or the value of a query: what may not stand there is escaped.
pub(super) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'@' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
