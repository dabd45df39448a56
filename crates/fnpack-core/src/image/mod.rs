//! Images as values: a config, a manifest, layers with lazy openers.
//!
//! An [`Image`] never changes; [`Image::appended`] and its kin give a new one. What was read from
//! somewhere keeps its bytes, so its digest stays what it was there; what was made here is encoded by
//! one rule, so its digest is the same on every machine. A layer's blob may be absent with its source
//! recorded ([`Blob`]): only what needs bytes fetches them.
//!
//! Answers the OCI image specification 1.1 (`config.md`, `manifest.md`, `image-index.md`,
//! `descriptor.md`) and reads Docker's schema 2 in the same types.

mod blob;
pub mod companion;
mod config;
mod manifest;
mod tree;
mod verify;

use std::sync::Arc;

pub use blob::{Blob, BlobSink, BlobSource, MemoryBlobs, PendingBlob};
pub use config::{ContainerConfig, History, ImageConfig, RootFs};
pub use manifest::{Descriptor, Index, Manifest, Platform, media_type};
pub use tree::{ManifestTree, TreeSource};
pub use verify::{BlobError, MeasuredReader, Verified, VerifiedReader, copy_verified};

use crate::digest::{ChainId, DiffId, Digest};
use crate::target::Target;

/// The time in what fnpack and the CNB lifecycle make: one second past 1980, the earliest that zip
/// can hold, so that a digest does not depend on when an image was made.
pub const CONSTANT_TIME: &str = "1980-01-01T00:00:01Z";
/// [`CONSTANT_TIME`] in seconds since 1970.
pub const CONSTANT_TIME_SECONDS: i64 = 315_532_801;

/// A layer of an image.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Digest, size and media type of the compressed blob.
    pub descriptor: Descriptor,
    /// The address of the uncompressed tar.
    pub diff_id: DiffId,
    /// Where the bytes come from.
    pub blob: Blob,
}

/// An image for one target.
#[derive(Debug, Clone)]
pub struct Image {
    config: Arc<ImageConfig>,
    layers: Arc<[Layer]>,
    manifest: Arc<Manifest>,
    config_bytes: Arc<[u8]>,
    manifest_bytes: Arc<[u8]>,
}

/// Why bytes are not an image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A document is not the JSON that the specification asks for.
    #[error("cannot read the image {document}")]
    Unreadable {
        /// `config`, `manifest` or `index`.
        document: &'static str,
        /// The JSON fault, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// Config and manifest disagree.
    #[error("the image config names {diff_ids} layers and the manifest {layers}")]
    LayerCount {
        /// `rootfs.diff_ids` of the config.
        diff_ids: usize,
        /// `layers` of the manifest.
        layers: usize,
    },
    /// The config's bytes are not what the manifest names.
    #[error("the image config is {actual} and not {expected} as the manifest says")]
    ConfigDigest {
        /// Digest in the manifest.
        expected: Digest,
        /// Digest of the bytes.
        actual: Digest,
    },
    /// The config that the manifest names cannot be read.
    #[error("cannot read the image config {digest}")]
    ConfigAbsent {
        /// The config.
        digest: Digest,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// More than any honest index names, or indexes in indexes without end.
    #[error("the index names too many manifests, or indexes too deep")]
    TooManyManifests,
    /// The media type is of something that is no image for a container.
    #[error("`{media_type}` is not an image manifest")]
    NotAnImage {
        /// Media type or artifact type found.
        media_type: String,
    },
}

impl Image {
    /// An image without layers, for `target`.
    pub fn empty(target: &Target) -> Self {
        Self::from_parts(ImageConfig::new(target), Vec::new())
    }

    /// Makes an image of a config and layers; `rootfs.diff_ids` is set from the layers.
    pub fn from_parts(mut config: ImageConfig, layers: Vec<Layer>) -> Self {
        config.rootfs = RootFs::of(layers.iter().map(|layer| layer.diff_id).collect());
        let config_bytes = config.encode();
        let descriptor = Descriptor::of(media_type::OCI_CONFIG, &config_bytes);
        let manifest = Manifest::new(descriptor, layers.iter().map(|layer| layer.descriptor.as_oci()).collect());
        let manifest_bytes = manifest.encode();
        Self {
            config: Arc::new(config),
            layers: layers.into(),
            manifest: Arc::new(manifest),
            config_bytes: config_bytes.into(),
            manifest_bytes: manifest_bytes.into(),
        }
    }

    /// Takes manifest and config as they are somewhere, byte for byte; `blob` gives the source of each layer.
    pub fn from_bytes(
        manifest_bytes: Vec<u8>,
        config_bytes: Vec<u8>,
        blob: impl Fn(&Descriptor, DiffId) -> Blob,
    ) -> Result<Self, ImageError> {
        let manifest = Manifest::parse(&manifest_bytes)?;
        let actual = Digest::of(&config_bytes);
        if manifest.config.digest != actual {
            return Err(ImageError::ConfigDigest { expected: manifest.config.digest, actual });
        }
        let config = ImageConfig::parse(&config_bytes)?;
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() != manifest.layers.len() {
            return Err(ImageError::LayerCount { diff_ids: diff_ids.len(), layers: manifest.layers.len() });
        }
        let layers: Vec<Layer> = manifest
            .layers
            .iter()
            .zip(diff_ids)
            .map(|(descriptor, diff_id)| Layer { descriptor: descriptor.clone(), diff_id: *diff_id, blob: blob(descriptor, *diff_id) })
            .collect();
        Ok(Self {
            config: Arc::new(config),
            layers: layers.into(),
            manifest: Arc::new(manifest),
            config_bytes: config_bytes.into(),
            manifest_bytes: manifest_bytes.into(),
        })
    }

    /// The digest by which a registry knows the image: that of the manifest.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest_bytes)
    }

    /// The config.
    pub fn config(&self) -> &ImageConfig {
        &self.config
    }

    /// The config's bytes, as hashed.
    pub fn config_bytes(&self) -> &[u8] {
        &self.config_bytes
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest's bytes, as hashed.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest_bytes
    }

    /// The layers, lowest first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The digests of config and layers.
    pub fn blobs(&self) -> impl Iterator<Item = Digest> + '_ {
        self.manifest.layers.iter().map(|layer| layer.digest).chain([self.manifest.config.digest])
    }

    /// The diff IDs, lowest first.
    pub fn diff_ids(&self) -> Vec<DiffId> {
        self.layers.iter().map(|layer| layer.diff_id).collect()
    }

    /// The chain ID of the whole image; none without layers.
    pub fn chain_id(&self) -> Option<ChainId> {
        ChainId::chain(&self.diff_ids()).pop()
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.config.config.labels.get(key).map(String::as_str)
    }

    /// An environment variable's value.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.config.config.env_value(name)
    }

    /// The target that the config names.
    pub fn target(&self) -> Target {
        self.config.target()
    }

    /// The same image with layers and their history on top. Every layer counts one entry.
    #[must_use]
    pub fn appended(&self, additions: impl IntoIterator<Item = (Layer, History)>) -> Self {
        let mut config = (*self.config).clone();
        let mut layers = self.layers.to_vec();
        config.pad_history(layers.len());
        for (layer, history) in additions {
            layers.push(layer);
            config.history.push(history);
        }
        Self::from_parts(config, layers)
    }

    /// The same layers under a changed config.
    #[must_use]
    pub fn with_config(&self, change: impl FnOnce(&mut ImageConfig)) -> Self {
        let mut config = (*self.config).clone();
        change(&mut config);
        Self::from_parts(config, self.layers.to_vec())
    }

    /// The same image, byte for byte, with each layer's blob taken from elsewhere.
    #[must_use]
    pub fn with_blobs(&self, blob: impl Fn(&Layer) -> Blob) -> Self {
        let layers: Vec<Layer> = self.layers.iter().map(|layer| Layer { blob: blob(layer), ..layer.clone() }).collect();
        Self { layers: layers.into(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests;
