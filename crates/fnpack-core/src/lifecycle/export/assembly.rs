//! The layers of an image being put together: each is taken from where it already is, or made.

use std::collections::HashMap;

use super::{Blobs, ExportError, ExportInput, ExportedLayer, LayerOrigin};
use crate::digest::DiffId;
use crate::image::{CONSTANT_TIME, History, Image, Layer};
use crate::layers::{self, Contents};

/// Layers to put on the run image.
pub(super) struct Assembly<'a> {
    blobs: Blobs<'a>,
    input: &'a ExportInput<'a>,
    previous: HashMap<DiffId, Layer>,
    additions: Vec<(Layer, History)>,
    exported: Vec<ExportedLayer>,
}

impl<'a> Assembly<'a> {
    pub(super) fn new(input: &'a ExportInput<'a>, blobs: Blobs<'a>) -> Self {
        let layers = input.previous.into_iter().flat_map(Image::layers);
        let previous = layers.map(|layer| (layer.diff_id, layer.clone())).collect();
        Self { blobs, input, previous, additions: Vec::new(), exported: Vec::new() }
    }

    /// Adds a layer of these contents.
    pub(super) fn add(&mut self, name: &str, contents: &dyn Contents, created_by: String) -> Result<DiffId, ExportError> {
        let failed = |source| ExportError::Layer { layer: name.to_owned(), source };
        let diff_id = layers::diff_id(contents).map_err(failed)?;
        let (layer, origin) = if let Some(layer) = self.previous.get(&diff_id) {
            (layer.clone(), LayerOrigin::PreviousImage)
        } else if let Some(layer) = (self.blobs.known)(&diff_id) {
            (layer, LayerOrigin::Known)
        } else {
            (layers::write(contents, self.input.compression, self.blobs.sink).map_err(failed)?, LayerOrigin::New)
        };
        if layer.diff_id != diff_id {
            return Err(ExportError::Changed { layer: name.to_owned() });
        }
        self.push(name, layer, origin, created_by);
        Ok(diff_id)
    }

    /// Adds a layer of the previous image by its recorded diff ID.
    pub(super) fn reuse(&mut self, name: &str, recorded: Option<&str>, created_by: String) -> Result<DiffId, ExportError> {
        let diff_id = recorded.and_then(|recorded| recorded.parse::<DiffId>().ok());
        let layer = diff_id.and_then(|diff_id| self.previous.get(&diff_id)).cloned();
        let layer = layer.ok_or_else(|| ExportError::NothingToReuse { layer: name.to_owned() })?;
        let diff_id = layer.diff_id;
        self.push(name, layer, LayerOrigin::PreviousImage, created_by);
        Ok(diff_id)
    }

    fn push(&mut self, name: &str, layer: Layer, origin: LayerOrigin, created_by: String) {
        let created_by = Some(created_by).filter(|_| self.input.platform_api.has_history());
        let history = History { created: Some(CONSTANT_TIME.to_owned()), created_by, ..History::default() };
        self.exported.push(ExportedLayer { name: name.to_owned(), diff_id: layer.diff_id, origin });
        self.additions.push((layer, history));
    }

    /// The layers with their history, and what to tell of them.
    pub(super) fn finish(self) -> (Vec<(Layer, History)>, Vec<ExportedLayer>) {
        (self.additions, self.exported)
    }
}
