//! Transfers from and to registries, as one bar over all blobs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fnpack_core::digest::Digest;
use fnpack_core::registry::{Progress, RegistryError, Step};

use crate::ui::Ui;

/// Adds up what all blobs have moved.
#[derive(Debug)]
pub(crate) struct Transfers {
    ui: Ui,
    /// Bytes moved and bytes to move, by blob.
    blobs: Mutex<BTreeMap<Digest, (u64, u64)>>,
}

impl Transfers {
    /// Shown on `ui`.
    pub(crate) fn new(ui: Ui) -> Self {
        Self { ui, blobs: Mutex::default() }
    }
}

impl Progress for Transfers {
    fn blob(&self, digest: &Digest, step: Step) {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let blob = blobs.entry(*digest).or_default();
        match step {
            Step::Present | Step::Mounted => {}
            Step::Started(size) => *blob = (0, size),
            Step::Moved(bytes) => blob.0 += bytes,
            Step::Done => blob.0 = blob.1,
        }
        let (moved, all) = blobs.values().fold((0, 0), |sum, blob| (sum.0 + blob.0, sum.1 + blob.1));
        self.ui.progress("layers", moved, Some(all));
    }

    fn waiting(&self, reason: &RegistryError, delay: Duration) {
        self.ui.step(&format!("{reason}; trying again in {} s", delay.as_secs().max(1)));
    }
}
