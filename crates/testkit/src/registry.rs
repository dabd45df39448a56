//! An image registry in memory, on a free port of 127.0.0.1.
//!
//! Speaks enough of the OCI distribution specification for real clients: pull, push in one or many
//! pieces, mounts, ranges, and the three ways of access (open, basic, bearer token with a token
//! endpoint of its own). It records every request and misbehaves on demand ([`Fault`]). Everything
//! ends when the value is dropped.

mod routes;
mod tls;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest as _, Sha256};

use crate::certificates::Pair;
use crate::http::{Answer, Request};

/// Who may do what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Access {
    /// Everybody everything.
    #[default]
    Open,
    /// Name and password with every request.
    Basic(String, String),
    /// Tokens of the endpoint `/token`, which asks for this name and password.
    Bearer {
        /// The name.
        user: String,
        /// The password.
        password: String,
        /// Whether the endpoint gives tokens for pulling to everybody.
        anonymous_pull: bool,
        /// The identity (refresh) token that does as well as name and password.
        identity_token: Option<String>,
    },
}

impl Access {
    /// [`Access::Bearer`] for this name and password alone.
    pub fn bearer(user: &str, password: &str) -> Self {
        Self::Bearer { user: user.to_owned(), password: password.to_owned(), anonymous_pull: false, identity_token: None }
    }
}

/// A misbehaviour: what the first matching requests meet.
#[derive(Debug, Clone)]
pub struct Fault {
    method: String,
    path: String,
    times: usize,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Answer(Answer),
    Early(Answer),
    Header(String, String),
    Truncate(usize),
    Corrupt,
    Append(Vec<u8>),
    HangUp,
    CutUpload(usize),
}

impl Fault {
    fn new(method: &str, path: &str, kind: Kind) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), times: usize::MAX, kind }
    }

    /// Answers this status, and nothing is done. `path` is a part of path and query.
    pub fn status(method: &str, path: &str, status: u16) -> Self {
        Self::new(method, path, Kind::Answer(Answer::new(status)))
    }

    /// Answers this status without reading the body, and closes the connection.
    pub fn refuse_early(method: &str, path: &str, status: u16) -> Self {
        Self::new(method, path, Kind::Early(Answer::new(status)))
    }

    /// Does what was asked and sets this header in the answer, in place of one of the same name.
    pub fn header(method: &str, path: &str, name: &str, value: &str) -> Self {
        Self::new(method, path, Kind::Header(name.to_owned(), value.to_owned()))
    }

    /// Sends only this many bytes of the body and closes the connection.
    pub fn truncate(method: &str, path: &str, bytes: usize) -> Self {
        Self::new(method, path, Kind::Truncate(bytes))
    }

    /// Flips a bit of the first byte of the body.
    pub fn corrupt(method: &str, path: &str) -> Self {
        Self::new(method, path, Kind::Corrupt)
    }

    /// Adds bytes to the body.
    pub fn append(method: &str, path: &str, bytes: &[u8]) -> Self {
        Self::new(method, path, Kind::Append(bytes.to_vec()))
    }

    /// Closes the connection without an answer.
    pub fn hang_up(method: &str, path: &str) -> Self {
        Self::new(method, path, Kind::HangUp)
    }

    /// Keeps this many bytes of an upload's body and closes the connection without an answer.
    pub fn cut_upload(method: &str, bytes: usize) -> Self {
        Self::new(method, "/blobs/uploads/", Kind::CutUpload(bytes))
    }

    /// Only this many times; for ever if not said.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// A header of the answer of [`Fault::status`] or [`Fault::refuse_early`].
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Kind::Answer(answer) | Kind::Early(answer) = &mut self.kind {
            answer.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The body of the answer of [`Fault::status`] or [`Fault::refuse_early`].
    #[must_use]
    pub fn with_body(mut self, body: &str) -> Self {
        if let Kind::Answer(answer) | Kind::Early(answer) = &mut self.kind {
            answer.body = body.as_bytes().to_vec();
        }
        self
    }
}

/// A request that the registry received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// Length of the body.
    pub body: usize,
}

impl Seen {
    /// `METHOD path`, without the query.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target.split('?').next().unwrap_or_default())
    }
}

/// Repository, and a tag or digest in it.
type Place = (String, String);

#[derive(Debug, Clone)]
struct Manifest {
    media_type: String,
    bytes: Arc<Vec<u8>>,
}

/// Where registries differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Habit {
    RefuseMounts,
    KeepNoReferrers,
    TakeSinglePosts,
    NameNoDigests,
}

#[derive(Debug, Default)]
struct Contents {
    blobs: HashMap<Place, Arc<Vec<u8>>>,
    manifests: HashMap<Place, Manifest>,
    uploads: HashMap<String, Vec<u8>>,
    /// Scopes by token.
    tokens: HashMap<String, Vec<String>>,
    seen: Vec<Seen>,
    faults: Vec<Fault>,
    connections: Vec<Weak<TcpStream>>,
    counter: usize,
    habits: HashSet<Habit>,
    blobs_elsewhere: Option<String>,
}

impl Contents {
    fn has(&self, habit: Habit) -> bool {
        self.habits.contains(&habit)
    }
}

#[derive(Debug)]
struct State {
    address: SocketAddr,
    access: Access,
    encryption: Option<Arc<ServerConfig>>,
    contents: Mutex<Contents>,
    stopped: AtomicBool,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disconnect(&self) {
        let connections = std::mem::take(&mut self.lock().connections);
        for connection in connections.iter().filter_map(Weak::upgrade) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

/// A running registry.
#[derive(Debug)]
pub struct Registry {
    state: Arc<State>,
    acceptor: Option<JoinHandle<()>>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// Starts a registry that is open to everybody.
    pub fn new() -> Self {
        Self::with_access(Access::Open)
    }

    /// Starts a registry.
    ///
    /// # Panics
    ///
    /// If the machine has no free port on loopback.
    pub fn with_access(access: Access) -> Self {
        Self::start(access, None)
    }

    /// Starts a registry that speaks TLS with this certificate, and asks for one of this authority if it is given.
    ///
    /// # Panics
    ///
    /// If these are not what they should be.
    pub fn encrypted(own: &Pair, client_authority: Option<&str>) -> Self {
        Self::start(Access::Open, Some(Arc::new(tls::config(own, client_authority))))
    }

    fn start(access: Access, encryption: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("the address of a listener");
        let state = Arc::new(State { address, access, encryption, contents: Mutex::default(), stopped: AtomicBool::new(false) });
        let shared = Arc::clone(&state);
        let acceptor = std::thread::spawn(move || accept(&listener, &shared));
        Self { state, acceptor: Some(acceptor) }
    }

    /// `127.0.0.1:port`, the registry part of image names.
    pub fn host(&self) -> String {
        self.state.address.to_string()
    }

    /// Misbehaves from now on.
    pub fn fault(&self, fault: Fault) {
        self.state.lock().faults.push(fault);
    }

    /// Answers mounts with an upload session from now on.
    pub fn refuse_mounts(&self) {
        self.state.lock().habits.insert(Habit::RefuseMounts);
    }

    /// Keeps no list of referrers from now on, as registries before 1.1 of the specification.
    pub fn keep_no_referrers(&self) {
        self.state.lock().habits.insert(Habit::KeepNoReferrers);
    }

    /// Takes a whole blob with the request that would open an upload from now on.
    pub fn take_single_posts(&self) {
        self.state.lock().habits.insert(Habit::TakeSinglePosts);
    }

    /// Names no digests in its answers from now on.
    pub fn name_no_digests(&self) {
        self.state.lock().habits.insert(Habit::NameNoDigests);
    }

    /// Loses a blob, as after garbage collection at the wrong time.
    pub fn lose_blob(&self, repository: &str, digest: &str) {
        self.state.lock().blobs.remove(&(repository.to_owned(), digest.to_owned()));
    }

    /// Redirects requests for blobs to the same path below another base URL from now on.
    pub fn redirect_blobs(&self, base: &str) {
        self.state.lock().blobs_elsewhere = Some(base.to_owned());
    }

    /// Every request since the start or the last [`Registry::forget_requests`].
    pub fn requests(&self) -> Vec<Seen> {
        self.state.lock().seen.clone()
    }

    /// [`Seen::line`] of every request.
    pub fn request_lines(&self) -> Vec<String> {
        self.requests().iter().map(Seen::line).collect()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.state.lock().connections.len()
    }

    /// Starts the record of requests anew.
    pub fn forget_requests(&self) {
        self.state.lock().seen.clear();
    }

    /// Makes all tokens given so far worthless, as if they had expired.
    pub fn revoke_tokens(&self) {
        self.state.lock().tokens.clear();
    }

    /// Puts a blob in place; gives its digest.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        self.state.lock().blobs.insert((repository.to_owned(), digest.clone()), Arc::new(bytes.to_vec()));
        digest
    }

    /// Puts a manifest or index in place under a tag and its digest; gives the digest.
    pub fn put_manifest(&self, repository: &str, tag: &str, media_type: &str, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        let value = Manifest { media_type: media_type.to_owned(), bytes: Arc::new(bytes.to_vec()) };
        let mut contents = self.state.lock();
        contents.manifests.insert((repository.to_owned(), tag.to_owned()), value.clone());
        contents.manifests.insert((repository.to_owned(), digest.clone()), value);
        digest
    }

    /// A blob's bytes.
    pub fn blob(&self, repository: &str, digest: &str) -> Option<Vec<u8>> {
        self.state.lock().blobs.get(&(repository.to_owned(), digest.to_owned())).map(|bytes| bytes.to_vec())
    }

    /// A manifest's bytes by tag or digest.
    pub fn manifest(&self, repository: &str, name: &str) -> Option<Vec<u8>> {
        self.state.lock().manifests.get(&(repository.to_owned(), name.to_owned())).map(|manifest| manifest.bytes.to_vec())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // `accept` only notices when somebody comes.
        drop(TcpStream::connect(self.state.address));
        self.state.disconnect();
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    let mut threads = Vec::new();
    for stream in listener.incoming() {
        if state.stopped.load(Ordering::SeqCst) {
            break;
        }
        let Ok(stream) = stream else { continue };
        let stream = Arc::new(stream);
        state.lock().connections.push(Arc::downgrade(&stream));
        let state = Arc::clone(state);
        threads.push(std::thread::spawn(move || serve(&stream, &state)));
    }
    state.disconnect();
    for thread in threads {
        let _ = thread.join();
    }
}

/// The connection is closed at the end, and reset if something in it was not read.
fn serve(stream: &TcpStream, state: &State) {
    let _ = stream.set_nodelay(true);
    match &state.encryption {
        None => talk(stream, state),
        Some(config) => {
            if let Ok(session) = ServerConnection::new(Arc::clone(config)) {
                talk(StreamOwned::new(session, stream), state);
            }
        }
    }
}

fn talk(stream: impl Read + Write, state: &State) {
    let mut stream = BufReader::new(stream);
    while let Ok(Some(mut request)) = Request::read_head(&mut stream) {
        let fault = next_fault(state, &request);
        if !matches!(fault, Some(Kind::Early(_))) && request.read_body(&mut stream).is_err() {
            break;
        }
        state.lock().seen.push(Seen {
            method: request.method.clone(),
            target: request.target.clone(),
            authorization: request.header("authorization").map(str::to_owned),
            body: request.body.len(),
        });
        if answer(state, &request, fault, stream.get_mut()).is_none() {
            break;
        }
    }
}

/// Answers one request; `None` when the connection is to be closed.
fn answer(state: &State, request: &Request, fault: Option<Kind>, stream: &mut impl Write) -> Option<()> {
    let head = request.method == "HEAD";
    if let Some(Kind::Early(answer)) = &fault {
        let _ = answer.write(stream, head, usize::MAX);
        return None;
    }
    if let Some(Kind::Answer(answer)) = &fault {
        return answer.write(stream, head, usize::MAX).ok();
    }
    if let Some(Kind::CutUpload(limit)) = fault {
        routes::keep_part(state, request, limit);
        return None;
    }
    if matches!(fault, Some(Kind::HangUp)) {
        return None;
    }
    let mut answer = routes::route(state, request);
    if state.lock().has(Habit::NameNoDigests) {
        answer.headers.retain(|(name, _)| name != routes::DIGEST_HEADER);
    }
    match fault {
        Some(Kind::Header(name, value)) => {
            answer.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(&name));
            answer.headers.push((name, value));
        }
        Some(Kind::Corrupt) => {
            if let Some(byte) = answer.body.first_mut() {
                *byte ^= 1;
            }
        }
        Some(Kind::Append(bytes)) => answer.body.extend(bytes),
        Some(Kind::Truncate(limit)) => {
            let _ = answer.write(stream, head, limit);
            return None;
        }
        Some(Kind::Answer(_) | Kind::Early(_) | Kind::HangUp | Kind::CutUpload(_)) | None => {}
    }
    answer.write(stream, head, usize::MAX).ok()
}

fn next_fault(state: &State, request: &Request) -> Option<Kind> {
    let mut contents = state.lock();
    let fault = contents
        .faults
        .iter_mut()
        .find(|fault| fault.times > 0 && fault.method == request.method && request.target.contains(&fault.path))?;
    fault.times -= 1;
    Some(fault.kind.clone())
}

/// `sha256:` and the hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
