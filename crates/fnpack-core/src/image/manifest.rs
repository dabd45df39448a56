//! Manifest, index and descriptor (OCI image specification, `manifest.md`, `image-index.md`, `descriptor.md`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ImageError;
use crate::digest::Digest;
use crate::target::Target;

/// Media types and other constants of the formats.
pub mod media_type {
    /// An image manifest, OCI.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An image index, OCI.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An image config, OCI.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// An uncompressed layer, OCI.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// A layer in gzip, OCI.
    pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// A layer in zstd, OCI.
    pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// An image manifest, Docker schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// An image index, Docker schema 2.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// An image config, Docker schema 2.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// An uncompressed layer, Docker schema 2.
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
    /// A layer in gzip, Docker schema 2.
    pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
}

/// Names a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: String,
    /// Its address.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// For entries of an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Keys that fnpack does not know (`urls`, `data`, `artifactType`).
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// The target of an index entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// Processor.
    pub architecture: String,
    /// Operating system.
    pub os: String,
    /// Variant of the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Keys that fnpack does not know (`os.version`, `os.features`).
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// A manifest: a config and layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// OCI or Docker; absent in some old OCI manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The config.
    pub config: Descriptor,
    /// Lowest first.
    pub layers: Vec<Descriptor>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Keys that fnpack does not know (`subject`, `artifactType`).
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// An index: one manifest a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// OCI or Docker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// In the order of preference.
    pub manifests: Vec<Descriptor>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Keys that fnpack does not know.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

impl Descriptor {
    /// Of a blob in memory.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// Of a blob by address and length.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self { media_type: media_type.to_owned(), digest, size, platform: None, annotations: BTreeMap::new(), rest: BTreeMap::new() }
    }

    /// The same blob under OCI's media type where Docker's says the same.
    #[must_use]
    pub fn as_oci(&self) -> Self {
        let media_type = match self.media_type.as_str() {
            media_type::DOCKER_LAYER => media_type::OCI_LAYER,
            media_type::DOCKER_LAYER_GZIP => media_type::OCI_LAYER_GZIP,
            media_type::DOCKER_CONFIG => media_type::OCI_CONFIG,
            other => other,
        };
        Self { media_type: media_type.to_owned(), ..self.clone() }
    }
}

impl Platform {
    /// As a [`Target`].
    pub fn target(&self) -> Target {
        Target { os: self.os.clone(), arch: self.architecture.clone(), variant: self.variant.clone().filter(|variant| !variant.is_empty()) }
    }
}

impl From<&Target> for Platform {
    fn from(target: &Target) -> Self {
        Self { architecture: target.arch.clone(), os: target.os.clone(), variant: target.variant.clone(), rest: BTreeMap::new() }
    }
}

impl Manifest {
    /// An OCI manifest.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::OCI_MANIFEST.to_owned()),
            config,
            layers,
            annotations: BTreeMap::new(),
            rest: BTreeMap::new(),
        }
    }

    /// Reads a manifest of either kind; an index or an artifact without layers is refused by name.
    pub fn parse(bytes: &[u8]) -> Result<Self, ImageError> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|source| ImageError::Unreadable { document: "manifest", source })?;
        match manifest.media_type.as_deref() {
            None | Some(media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST) => {}
            Some(other) => return Err(ImageError::NotAnImage { media_type: other.to_owned() }),
        }
        match manifest.config.media_type.as_str() {
            media_type::OCI_CONFIG | media_type::DOCKER_CONFIG => Ok(manifest),
            other => Err(ImageError::NotAnImage { media_type: other.to_owned() }),
        }
    }

    /// The bytes that are hashed.
    ///
    /// # Panics
    ///
    /// Never: strings, lists and string-keyed maps always have a JSON form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest has a JSON form")
    }

    /// The media type to name the manifest by.
    pub fn media_type(&self) -> &str {
        self.media_type.as_deref().unwrap_or(media_type::OCI_MANIFEST)
    }
}

impl Index {
    /// An OCI index.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::OCI_INDEX.to_owned()),
            manifests,
            annotations: BTreeMap::new(),
            rest: BTreeMap::new(),
        }
    }

    /// Reads an index of either kind.
    pub fn parse(bytes: &[u8]) -> Result<Self, ImageError> {
        serde_json::from_slice(bytes).map_err(|source| ImageError::Unreadable { document: "index", source })
    }

    /// The bytes that are hashed.
    ///
    /// # Panics
    ///
    /// Never: strings, lists and string-keyed maps always have a JSON form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an index has a JSON form")
    }

    /// The entry for a target: the first that satisfies it. A lone entry without a platform is taken.
    pub fn select(&self, target: &Target) -> Option<&Descriptor> {
        let exact = self.manifests.iter().find(|entry| entry.platform.as_ref().is_some_and(|platform| platform.target().satisfies(target)));
        exact.or_else(|| match self.manifests.as_slice() {
            [only] if only.platform.is_none() => Some(only),
            _ => None,
        })
    }
}
