//! A container engine in memory, on a unix socket of its own: as much of the Docker Engine API as takes images and gives
//! them.
//!
//! Like the real ones it looks for a layer by chain ID ([`Kind::Docker`]) or diff ID ([`Kind::Podman`]) before it opens the
//! layer's file, or makes Ids of its own ([`Kind::Containerd`]). It records every request and misbehaves on demand ([`Fault`]). Everything ends when
//! the value is dropped.

mod images;

use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Answer, Request};
use images::Images;

/// What it behaves like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Docker with its own image store.
    Docker,
    /// Docker over containerd's store.
    Containerd,
    /// Podman's compatible service.
    Podman,
}

/// A misbehaviour: what matching requests meet.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answers this status and body, and nothing is done.
    Answer(u16, &'static str),
    /// The same before the body has come, and closes the connection.
    EarlyAnswer(u16, &'static str),
    /// Closes the connection without an answer.
    HangUp,
    /// Sends only this many bytes of the answer's body and closes the connection.
    Truncate(usize),
    /// Sends these bytes and closes the connection.
    Junk(&'static [u8]),
    /// Forgets all layers, then does what was asked.
    ForgetLayers,
}

#[derive(Debug)]
struct ExpectedFault {
    /// The start of `METHOD path`.
    line: String,
    times: usize,
    fault: Fault,
}

#[derive(Debug)]
struct State {
    kind: Kind,
    images: Mutex<Images>,
    faults: Mutex<Vec<ExpectedFault>>,
    requests: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    folder: TempDir,
    state: Arc<State>,
    acceptor: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts an engine without images.
    ///
    /// # Panics
    ///
    /// If no socket can be made in the folder for temporary files.
    pub fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the socket");
        let listener = UnixListener::bind(folder.path().join(SOCKET)).expect("a socket in a new folder");
        let state = Arc::new(State {
            kind,
            images: Mutex::default(),
            faults: Mutex::default(),
            requests: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        let acceptor = std::thread::spawn(move || accept(&listener, &shared));
        Self { folder, state, acceptor: Some(acceptor) }
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }

    /// The value of `DOCKER_HOST` for it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Misbehaves the next `times` times that `METHOD path` begins with `line`.
    pub fn fault(&self, line: &str, times: usize, fault: Fault) {
        lock(&self.state.faults).push(ExpectedFault { line: line.to_owned(), times, fault });
    }

    /// `METHOD path?query` of every request since the start or the last call.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.state.requests))
    }

    /// The Id that a name stands for.
    pub fn id_of(&self, name: &str) -> Option<String> {
        lock(&self.state.images).find(name).map(|image| image.id.clone())
    }

    /// The files of layers in the last archive that were not empty.
    pub fn received_layers(&self) -> usize {
        lock(&self.state.images).received
    }

    /// Gives a name to another image, as somebody else may do.
    pub fn retag(&self, name: &str, id: &str) {
        lock(&self.state.images).tag(id, name);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // `accept` only notices when somebody comes.
        drop(UnixStream::connect(self.socket()));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

const SOCKET: &str = "engine.sock";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &UnixListener, state: &Arc<State>) {
    for stream in listener.incoming() {
        if state.stopped.load(Ordering::SeqCst) {
            break;
        }
        // One at a time is enough for one client, and nothing outlives the engine.
        if let Ok(stream) = stream {
            let _ = serve(&stream, state);
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn serve(stream: &UnixStream, state: &State) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let fault = next_fault(state, reader.fill_buf()?);
    if let Some(Fault::EarlyAnswer(status, body)) = fault {
        return Answer::new(status).body(body.into()).write(&mut &*stream, false, usize::MAX);
    }
    let Some(request) = Request::read(&mut reader)? else { return Ok(()) };
    lock(&state.requests).push(format!("{} {}", request.method, request.target));
    let limit = match fault {
        Some(Fault::Answer(status, body)) => return Answer::new(status).body(body.into()).write(&mut &*stream, false, usize::MAX),
        Some(Fault::Junk(bytes)) => return (&mut &*stream).write_all(bytes),
        Some(Fault::HangUp | Fault::EarlyAnswer(..)) => return Ok(()),
        Some(Fault::Truncate(limit)) => limit,
        Some(Fault::ForgetLayers) => {
            lock(&state.images).forget_layers();
            usize::MAX
        }
        None => usize::MAX,
    };
    answer(state, &request).header("Connection", "close").write(&mut &*stream, false, limit)
}

fn next_fault(state: &State, start: &[u8]) -> Option<Fault> {
    let mut faults = lock(&state.faults);
    let expected = faults.iter_mut().find(|expected| expected.times > 0 && start.starts_with(expected.line.as_bytes()))?;
    expected.times -= 1;
    Some(expected.fault.clone())
}

fn answer(state: &State, request: &Request) -> Answer {
    let path = request.path().to_owned();
    match (request.method.as_str(), path.as_str()) {
        ("GET", "/_ping") => greeting(state.kind),
        ("GET", "/info") => document(&information(state.kind)),
        ("GET", "/images/json") => document(&lock(&state.images).list()),
        ("POST", "/images/load") => match lock(&state.images).load(&request.body, state.kind) {
            Ok(names) => document(&json!({ "stream": format!("Loaded image: {names}\n") })),
            Err(message) => document(&json!({ "errorDetail": { "message": message }, "error": message })),
        },
        (method, path) => of_image(state, method, path, request),
    }
}

fn of_image(state: &State, method: &str, path: &str, request: &Request) -> Answer {
    let mut images = lock(&state.images);
    let (name, action) = path.strip_prefix("/images/").and_then(|rest| rest.rsplit_once('/')).unwrap_or_default();
    let Some(image) = images.find(name).cloned() else {
        return Answer::new(404).body(json!({ "message": format!("no such image: {name}") }).to_string().into_bytes());
    };
    match (method, action) {
        ("GET", "json") => document(&image.details()),
        ("GET", "get") => Answer::new(200).body(images.export(&image, name, state.kind)),
        ("POST", "tag") => {
            let of = |key: &str| request.query(key).concat();
            images.tag(&image.id, &format!("{}:{}", of("repo"), of("tag")));
            Answer::new(201)
        }
        _ => Answer::new(404).body(b"page not found".to_vec()),
    }
}

fn greeting(kind: Kind) -> Answer {
    let greeting = Answer::new(200).header("Api-Version", "1.41").body(b"OK".to_vec());
    if kind == Kind::Podman { greeting.header("Libpod-Api-Version", "4.3.1") } else { greeting }
}

fn information(kind: Kind) -> Value {
    match kind {
        Kind::Containerd => json!({ "Driver": "overlayfs", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]] }),
        Kind::Docker | Kind::Podman => json!({ "Driver": "overlay2", "DriverStatus": [["Backing Filesystem", "extfs"]] }),
    }
}

fn document(value: &Value) -> Answer {
    Answer::new(200).header("Content-Type", "application/json").body(value.to_string().into_bytes())
}
