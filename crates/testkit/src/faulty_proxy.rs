//! A network that fails, as a proxy before a registry: each request may meet a [`Mishap`].
//!
//! What happens is settled by a seed, the request, and how often it came, so that a run can be repeated. Only what
//! checksums of TCP and TLS keep from happening in earnest is left out: a manifest is not changed on its way to the
//! registry, as no client could notice before the registry took it.

mod plan;
mod relay;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use plan::{Mishap, Plan};

use crate::http::Request;
use crate::server::{Server, listener};

/// How many requests, by what was asked (`PUT upload`) and what became of them (`passed`, or the mishap's name).
pub type Counts = BTreeMap<String, BTreeMap<&'static str, u64>>;

/// A running proxy.
#[derive(Debug)]
pub struct FaultyProxy {
    server: Server,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    registry: SocketAddr,
    /// Requests that the registry may still be at work on.
    under_way: AtomicUsize,
    turn: Mutex<Turn>,
}

#[derive(Debug)]
struct Turn {
    plan: Plan,
    /// How often each request came since the plan was set.
    seen: BTreeMap<String, u64>,
    counts: Counts,
}

impl FaultyProxy {
    /// Starts a proxy before a registry that speaks plain HTTP.
    ///
    /// # Panics
    ///
    /// If the machine has no free port on loopback.
    pub fn before(registry: SocketAddr, plan: Plan) -> Self {
        let state = Arc::new(State {
            registry,
            under_way: AtomicUsize::new(0),
            turn: Mutex::new(Turn { plan, seen: BTreeMap::new(), counts: Counts::new() }),
        });
        let shared = Arc::clone(&state);
        let server = Server::start(listener(), move |stream| relay::serve(stream, &shared));
        Self { server, state }
    }

    /// `127.0.0.1:port`, the registry part of image names.
    pub fn host(&self) -> String {
        self.server.address().to_string()
    }

    /// Does so from now on.
    pub fn follow(&self, plan: Plan) {
        let mut turn = self.state.lock();
        turn.plan = plan;
        turn.seen.clear();
    }

    /// Waits until the registry has done all that it was asked: a client that has given up does not know when that is.
    pub fn settle(&self) {
        while self.state.under_way.load(Ordering::SeqCst) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// All requests since the start.
    pub fn counts(&self) -> Counts {
        self.state.lock().counts.clone()
    }

    /// How many these are.
    pub fn requests(&self) -> u64 {
        self.state.lock().counts.values().flat_map(BTreeMap::values).sum()
    }
}

/// A request is with the registry as long as this is there.
struct UnderWay<'a>(&'a State);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl State {
    fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        UnderWay(self)
    }

    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request meets.
    fn mishap_of(&self, request: &Request) -> Option<Mishap> {
        let resource = Resource::of(request.path());
        let line = format!("{} {}", request.method, resource.without_session(request.path()));
        let mut turn = self.lock();
        let times = turn.seen.entry(line.clone()).or_default();
        *times += 1;
        let times = *times;
        let mishap = turn.plan.mishap(&line, times, |mishap| mishap.fits(request));
        let kind = format!("{} {}", request.method, resource.name());
        *turn.counts.entry(kind).or_default().entry(mishap.map_or("passed", Mishap::name)).or_default() += 1;
        mishap
    }
}

/// What a path below `/v2/` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource {
    Base,
    Blob,
    Upload,
    Manifest,
    Other,
}

impl Resource {
    fn of(path: &str) -> Self {
        match path {
            "/v2/" => Self::Base,
            _ if path.contains("/blobs/uploads/") => Self::Upload,
            _ if path.contains("/blobs/") => Self::Blob,
            _ if path.contains("/manifests/") => Self::Manifest,
            _ => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Blob => "blob",
            Self::Upload => "upload",
            Self::Manifest => "manifest",
            Self::Other => "other",
        }
    }

    /// Sessions are called anew in each run.
    fn without_session(self, path: &str) -> &str {
        match path.split_once("/blobs/uploads/") {
            Some((repository, _)) if self == Self::Upload => repository,
            _ => path,
        }
    }
}

#[cfg(test)]
mod tests;
