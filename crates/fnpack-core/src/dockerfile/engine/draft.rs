//! An image in the making.
//!
//! An [`Image`] is encoded and hashed whenever it is made. A stage changes its config with every
//! instruction, so it keeps the parts and makes an image only where somebody needs one.

use crate::digest::ChainId;
use crate::image::{History, Image, ImageConfig, Layer};

/// Config and layers of a stage so far.
pub(super) struct Draft {
    pub(super) config: ImageConfig,
    layers: Vec<Layer>,
    chain: Option<ChainId>,
}

impl Draft {
    /// Starts from an image. Its layers get history entries if they have none, so that what is added
    /// lines up.
    pub(super) fn of(image: &Image) -> Self {
        let mut config = image.config().clone();
        config.pad_history(image.layers().len());
        Self { config, layers: image.layers().to_vec(), chain: image.chain_id() }
    }

    /// What is so far, as an image.
    pub(super) fn image(&self) -> Image {
        Image::from_parts(self.config.clone(), self.layers.clone())
    }

    /// Names the files so far.
    pub(super) fn chain(&self) -> Option<ChainId> {
        self.chain
    }

    pub(super) fn push(&mut self, layer: Layer, history: History) {
        self.layers.push(layer);
        self.config.history.push(history);
        let diff_ids: Vec<_> = self.layers.iter().map(|layer| layer.diff_id).collect();
        self.chain = ChainId::chain(&diff_ids).pop();
    }
}
