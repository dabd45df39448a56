//! A manifest or an index with all that it names, as it is somewhere: what is copied byte for byte.
//!
//! Nothing is interpreted but the descriptors, so that artifacts (signatures, SBOMs, attestations) are
//! carried as well as images (OCI image specification, `manifest.md`, `image-index.md`).

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use serde::Deserialize;

use super::{Blob, BlobSource, Descriptor, Image, ImageError, Platform, media_type};
use crate::digest::Digest;

/// Indexes may name indexes; nobody does so deeper.
const DEEPEST: usize = 3;
/// For every target and its attestations, many times over.
const MOST_CHILDREN: usize = 1024;
/// For configs; those of large applications stay below 1 MiB.
const LONGEST_CONFIG: u64 = 16 * 1024 * 1024;

/// A document, the blobs that it names and the documents that it names.
#[derive(Debug, Clone)]
pub struct ManifestTree {
    /// Of the document itself, with the platform where one is known.
    pub descriptor: Descriptor,
    /// The document.
    pub bytes: Arc<[u8]>,
    /// Config and layers of a manifest.
    pub blobs: Vec<(Descriptor, Blob)>,
    /// Manifests of an index.
    pub children: Vec<ManifestTree>,
}

/// Somewhere that documents and blobs are read from.
pub trait TreeSource {
    /// Why a document cannot be had.
    type Error;

    /// The bytes that a descriptor names: of bounded length, and checked against its digest.
    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Self::Error>;

    /// A blob, which may be opened later.
    fn blob(&self, descriptor: &Descriptor) -> Blob;

    /// The error for a document that is not what it should be.
    fn invalid(&self, descriptor: &Descriptor, source: ImageError) -> Self::Error;
}

/// All that matters of a document here.
#[derive(Deserialize)]
struct Names {
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
}

impl ManifestTree {
    /// Of an image.
    pub fn of(image: &Image) -> Self {
        let manifest = image.manifest();
        let descriptor = Descriptor {
            platform: Some(Platform::from(&image.target())).filter(|platform| !platform.os.is_empty()),
            ..Descriptor::of(manifest.media_type(), image.manifest_bytes())
        };
        let config = (manifest.config.clone(), Blob::new(Document(image.config_bytes().into())));
        let layers = image.layers().iter().map(|layer| (layer.descriptor.clone(), layer.blob.clone()));
        Self { descriptor, bytes: image.manifest_bytes().into(), blobs: layers.chain([config]).collect(), children: Vec::new() }
    }

    /// Reads all documents; blobs are opened when they are needed.
    pub fn read<S: TreeSource>(source: &S, descriptor: Descriptor) -> Result<Self, S::Error> {
        let bytes = source.document(&descriptor)?;
        Self::with_children(source, descriptor, bytes, DEEPEST)
    }

    /// The same for a document that is here already.
    pub fn of_document<S: TreeSource>(source: &S, descriptor: Descriptor, bytes: Vec<u8>) -> Result<Self, S::Error> {
        Self::with_children(source, descriptor, bytes, DEEPEST)
    }

    fn with_children<S: TreeSource>(source: &S, descriptor: Descriptor, bytes: Vec<u8>, depth: usize) -> Result<Self, S::Error> {
        let document = Names::of(&bytes).map_err(|error| source.invalid(&descriptor, error))?;
        let named = document.manifests.unwrap_or_default();
        if named.len() > MOST_CHILDREN || depth == 0 && !named.is_empty() {
            return Err(source.invalid(&descriptor, ImageError::TooManyManifests));
        }
        let child = |entry: Descriptor| {
            let bytes = source.document(&entry)?;
            Self::with_children(source, entry, bytes, depth.saturating_sub(1))
        };
        let children = named.into_iter().map(child).collect::<Result<_, _>>()?;
        let blobs = document.layers.into_iter().flatten().chain(document.config);
        let blobs = blobs.map(|blob| (blob.clone(), source.blob(&blob))).collect();
        Ok(Self { descriptor, bytes: bytes.into(), blobs, children })
    }

    /// Whether it is an index.
    pub fn is_index(&self) -> bool {
        matches!(self.descriptor.media_type.as_str(), media_type::OCI_INDEX | media_type::DOCKER_INDEX)
    }

    /// The digests of the document itself and of all that it names, through indexes.
    pub fn digests(&self) -> Vec<Digest> {
        [self.descriptor.digest].into_iter().chain(self.children.iter().flat_map(Self::digests)).collect()
    }

    /// The image that it is, if it is a manifest of one. The config is read, the layers are not.
    pub fn image(&self) -> Result<Image, ImageError> {
        let (descriptor, config) = self.blobs.last().ok_or_else(|| self.no_image())?;
        let mut bytes = Vec::new();
        // To the end, and not only to the last byte: a connection that more could come from is not used again.
        let limit = descriptor.size.min(LONGEST_CONFIG).saturating_add(1);
        let read = config.open().and_then(|reader| reader.take(limit).read_to_end(&mut bytes));
        read.map_err(|source| ImageError::ConfigAbsent { digest: descriptor.digest, source })?;
        let known = |layer: &Descriptor| self.blobs.iter().find(|(blob, _)| blob.digest == layer.digest).map(|(_, blob)| blob.clone());
        Image::from_bytes(self.bytes.to_vec(), bytes, |layer, _| known(layer).unwrap_or_else(|| Blob::new(Document(Arc::default()))))
    }

    /// The same; nothing if it is a manifest of something else, an attestation or a signature.
    pub fn image_if_one(&self) -> Result<Option<Image>, ImageError> {
        let described = self.descriptor.platform.as_ref().is_none_or(|platform| platform.os != "unknown");
        match self.image() {
            Ok(image) => Ok(Some(image)),
            Err(ImageError::NotAnImage { .. }) => Ok(None),
            // Attestations are dressed as images of no platform.
            Err(ImageError::LayerCount { .. }) if !described => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All images below it, in order; what is no image is left out.
    pub fn images(&self) -> Result<Vec<Image>, ImageError> {
        if !self.is_index() {
            return Ok(self.image_if_one()?.into_iter().collect());
        }
        let mut all = Vec::new();
        for child in &self.children {
            all.extend(child.images()?);
        }
        Ok(all)
    }

    fn no_image(&self) -> ImageError {
        ImageError::NotAnImage { media_type: self.descriptor.media_type.clone() }
    }
}

impl Names {
    fn of(bytes: &[u8]) -> Result<Self, ImageError> {
        serde_json::from_slice(bytes).map_err(|source| ImageError::Unreadable { document: "manifest", source })
    }
}

/// A document as a blob.
struct Document(Arc<[u8]>);

impl BlobSource for Document {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(Arc::clone(&self.0))))
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }
}
