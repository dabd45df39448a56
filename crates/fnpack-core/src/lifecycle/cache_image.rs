//! Cached layers as an image, for builds on machines that keep nothing themselves.
//!
//! A label has what a cache folder says in a file, and the layers are those of the cache: tars of folders below the layers
//! folder (CNB platform specification, "restorer" and "exporter", `-cache-image`, in the format of the reference implementation).

use std::io::Read;
use std::path::Path;

use super::context::Place;
use super::export::{Blobs, CacheError, CacheSink, ExportInput, keep_layers};
use super::label::json_of;
use super::restore::{CacheMetadata, CachedLayerError, UnpackError, unpack};
use crate::digest::{DiffId, Hashing};
use crate::image::{CONSTANT_TIME, Image, ImageConfig, Layer, VerifiedReader};
use crate::layers::decompress::decompress;
use crate::layers::{self, Compression, Contents, Owner};
use crate::target::Target;

/// Says which layers the image has, and of what.
pub const CACHE_METADATA: &str = "io.buildpacks.lifecycle.cache.metadata";

/// A cache as it was left.
#[derive(Debug, Clone)]
pub struct CacheImage {
    image: Image,
    metadata: CacheMetadata,
}

/// The image is no cache.
#[derive(Debug, thiserror::Error)]
#[error("it has no readable label `{CACHE_METADATA}`")]
pub struct NotACache(#[source] Option<serde_json::Error>);

impl CacheImage {
    /// Reads the label.
    pub fn of(image: Image) -> Result<Self, NotACache> {
        let label = image.label(CACHE_METADATA).ok_or(NotACache(None))?;
        let metadata = serde_json::from_str(label).map_err(|source| NotACache(Some(source)))?;
        Ok(Self { image, metadata })
    }

    /// What it says that it holds.
    pub fn metadata(&self) -> &CacheMetadata {
        &self.metadata
    }

    /// A layer by its diff ID.
    pub fn layer(&self, diff_id: &DiffId) -> Option<&Layer> {
        self.image.layers().iter().find(|layer| layer.diff_id == *diff_id)
    }

    /// Puts the folder `path` of a layer, which the cache calls `sha`, into a layers folder.
    pub fn restore(&self, sha: &str, layers: &Place, path: &Path, owner: Option<Owner>) -> Result<(), CachedLayerError> {
        let diff_id: DiffId = sha.parse().map_err(|_| CachedLayerError::Name)?;
        let layer = self.layer(&diff_id).ok_or(CachedLayerError::Damaged)?;
        let blob = VerifiedReader::new(layer.blob.open().map_err(CachedLayerError::Read)?, &layer.descriptor, layer.blob.location());
        let mut archive = Hashing::new(decompress(blob).map_err(CachedLayerError::Read)?);
        unpack(archive.by_ref(), layers, path, owner)?;
        if DiffId::from_sha256(archive.finish().1) == diff_id {
            return Ok(());
        }
        layers.root.remove_all(path).map_err(UnpackError::Place)?;
        Err(CachedLayerError::Damaged)
    }

    /// The next state of a cache, of what a build left. Layers that `previous` or `blobs` know are not packed again.
    pub fn make(input: &ExportInput<'_>, blobs: Blobs<'_>, previous: Option<&Self>) -> Result<(Image, CacheMetadata), CacheError> {
        let mut draft = Draft { blobs, previous, compression: input.compression, layers: Vec::new() };
        let metadata = keep_layers(input, &mut draft)?;
        Ok((draft.finish(&metadata, &input.run_image.image.target()), metadata))
    }
}

/// A cache image being put together.
struct Draft<'a> {
    blobs: Blobs<'a>,
    previous: Option<&'a CacheImage>,
    compression: Compression,
    layers: Vec<Layer>,
}

impl CacheSink for Draft<'_> {
    fn keep(&mut self, contents: &dyn Contents) -> Result<DiffId, CacheError> {
        let diff_id = layers::diff_id(contents).map_err(CacheError::Layer)?;
        if self.layers.iter().any(|layer| layer.diff_id == diff_id) {
            return Ok(diff_id);
        }
        let known = self.previous.and_then(|previous| previous.layer(&diff_id)).cloned().or_else(|| (self.blobs.known)(&diff_id));
        let layer = match known {
            Some(layer) => layer,
            None => layers::write(contents, self.compression, self.blobs.sink).map_err(CacheError::Layer)?,
        };
        let diff_id = layer.diff_id;
        self.layers.push(layer);
        Ok(diff_id)
    }
}

impl Draft<'_> {
    fn finish(self, metadata: &CacheMetadata, target: &Target) -> Image {
        let mut config = ImageConfig::new(target);
        config.created = Some(CONSTANT_TIME.to_owned());
        config.config.labels.insert(CACHE_METADATA.to_owned(), json_of(metadata).to_string());
        Image::from_parts(config, self.layers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::image::MemoryBlobs;
    use crate::layers::FilesLayer;
    use crate::lifecycle::label::LayerRecord;
    use crate::root::Root;

    fn contents(text: &str) -> FilesLayer {
        FilesLayer::new().file("/layers/a_b/kept/file", 0o644, Owner::ROOT, text)
    }

    fn made(texts: &[&str], previous: Option<&CacheImage>) -> (Image, MemoryBlobs, Vec<DiffId>) {
        let sink = MemoryBlobs::default();
        let blobs = Blobs { sink: &sink, known: &|_| None };
        let mut draft = Draft { blobs, previous, compression: Compression::Gzip, layers: Vec::new() };
        let diff_ids: Vec<DiffId> = texts.iter().map(|text| draft.keep(&contents(text)).unwrap()).collect();
        let metadata = CacheMetadata { sbom: LayerRecord::of(diff_ids[0]), ..CacheMetadata::default() };
        (draft.finish(&metadata, &"linux/amd64".parse().unwrap()), sink, diff_ids)
    }

    fn place() -> (tempfile::TempDir, Place) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        (folder, Place { path: "/layers".into(), root })
    }

    #[test]
    fn layers_come_back_by_what_the_label_says() {
        let (image, _, diff_ids) = made(&["one", "two", "one"], None);
        assert_eq!(image.layers().len(), 2, "the same contents are one layer");
        let cache = CacheImage::of(image).unwrap();
        assert_eq!(cache.metadata().sbom, LayerRecord::of(diff_ids[0]));
        let (_folder, layers) = place();
        cache.restore(&diff_ids[1].to_string(), &layers, Path::new("a_b/kept"), None).unwrap();
        assert_eq!(layers.root.read_to_string("a_b/kept/file", 10).unwrap(), "two");
    }

    #[test]
    fn known_layers_are_not_packed_again() {
        let before = CacheImage::of(made(&["one", "two"], None).0).unwrap();
        let (image, sink, diff_ids) = made(&["two", "three"], Some(&before));
        let digests: Vec<Digest> = image.layers().iter().map(|layer| layer.descriptor.digest).collect();
        use crate::image::BlobSink as _;
        assert!(sink.existing(&digests[0]).is_none() && sink.existing(&digests[1]).is_some());
        assert_eq!(image.diff_ids(), diff_ids);
    }

    #[test]
    fn damage_is_told_and_leaves_nothing() {
        let (image, ..) = made(&["one", "two"], None);
        // A config that calls the first layer by the name of another.
        let lying = CacheImage::of(Image::from_parts(
            image.config().clone(),
            vec![Layer { diff_id: DiffId::of("other"), ..image.layers()[0].clone() }],
        ))
        .unwrap();
        let (_folder, layers) = place();
        for (sha, damaged) in [(DiffId::of("other").to_string(), true), (DiffId::of("missing").to_string(), true), ("x".into(), false)] {
            let error = lying.restore(&sha, &layers, Path::new("a_b/kept"), None).unwrap_err();
            assert_eq!(matches!(error, CachedLayerError::Damaged), damaged, "{error}");
        }
        assert!(layers.root.try_metadata("a_b/kept").unwrap().is_none());
        let unlabelled = |label: Option<&str>| {
            image.with_config(|config| {
                config.config.labels.clear();
                config.config.labels.extend(label.map(|label| (CACHE_METADATA.to_owned(), label.to_owned())));
            })
        };
        for label in [None, Some("["), Some("{\"buildpacks\":1}")] {
            assert!(CacheImage::of(unlabelled(label)).is_err(), "{label:?}");
        }
    }
}
