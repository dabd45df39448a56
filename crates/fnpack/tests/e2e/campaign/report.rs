//! What a run came to.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::faulty_proxy::Counts;

use super::steps::Done;

/// Counts steps by what they were and how they ended.
pub(super) struct Report {
    seed: u64,
    steps: BTreeMap<&'static str, BTreeMap<String, u64>>,
    requests: Counts,
    time: Duration,
}

impl Report {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, steps: BTreeMap::new(), requests: Counts::new(), time: Duration::ZERO }
    }

    pub(super) fn count(&mut self, done: &Done) {
        let outcome = done.result.as_ref().err().map_or("done", String::as_str);
        *self.steps.entry(done.what).or_default().entry(outcome.to_owned()).or_default() += 1;
    }

    pub(super) fn end(&mut self, requests: &Counts, time: Duration) {
        (self.requests, self.time) = (requests.clone(), time);
    }

    /// For a file.
    pub(super) fn to_json(&self) -> Value {
        let requests: u64 = self.requests.values().flat_map(BTreeMap::values).sum();
        let mut mishaps: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, times) in self.requests.values().flatten() {
            *mishaps.entry(name).or_default() += times;
        }
        json!({
            "what": "fnpack at docker-registry through a network that fails; every outcome was looked at past both",
            "seed": self.seed,
            "seconds": self.time.as_secs(),
            "requests": requests,
            "requests_by_kind": self.requests,
            "mishaps": mishaps,
            "steps": self.steps,
        })
    }
}
