//! Layers that this store's fnpack made before, by diff ID: what need not be compressed again.
//!
//! Only layers of our own encoder are remembered, so a digest never depends on what the store has seen.

use super::Workbench;
use crate::digest::DiffId;
use crate::image::{BlobSink, Descriptor, Layer};
use crate::store::{Keep, StoreError};

const KIND: &str = "layer";

impl Workbench<'_> {
    /// The layer of this diff ID, if it was made here and its blob is still there.
    pub(super) fn known_layer(&self, diff_id: &DiffId) -> Option<Layer> {
        // A record that cannot be read counts as none: the layer is made again.
        let record = self.store.record(KIND, &diff_id.hex())?;
        let descriptor: Descriptor = serde_json::from_slice(&record).ok()?;
        let blob = self.store.existing(&descriptor.digest)?;
        Some(Layer { descriptor, diff_id: *diff_id, blob })
    }

    /// Remembers a layer that was made here.
    pub(super) fn remember_layer(&self, layer: &Layer) -> Result<(), StoreError> {
        let value = serde_json::to_vec(&layer.descriptor).unwrap_or_default();
        self.store.remember(KIND, &layer.diff_id.hex(), &value, &[Keep::Blob(layer.descriptor.digest)])
    }
}
