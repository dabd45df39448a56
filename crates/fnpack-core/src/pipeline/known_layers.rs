//! Layers that this store's fnpack made before, by diff ID: what need not be compressed again.
//!
//! Only layers of our own encoder are remembered, so a digest never depends on what the store has seen.

use super::{PipelineError, Workbench};
use crate::digest::DiffId;
use crate::image::{BlobSink, Descriptor, Layer};
use crate::lifecycle::export::{self, Blobs, ExportInput, Exported, LayerOrigin};
use crate::store::{Keep, StoreError};

const KIND: &str = "layer";

impl Workbench<'_> {
    /// Makes an image in the store; layers that were made here before are not made again.
    pub(super) fn export(&self, input: &ExportInput<'_>) -> Result<Exported, PipelineError> {
        let known = |diff_id: &_| self.known_layer(diff_id);
        let exported = export::export(input, Blobs { sink: &self.store, known: &known })?;
        for new in exported.layers.iter().filter(|layer| layer.origin == LayerOrigin::New) {
            let layer = exported.image.layers().iter().find(|layer| layer.diff_id == new.diff_id);
            layer.map(|layer| self.remember_layer(layer)).transpose()?;
        }
        Ok(exported)
    }

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
