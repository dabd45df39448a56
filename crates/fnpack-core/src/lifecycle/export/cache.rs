//! Keeps the layers that a buildpack wants back in the next build.

use super::metadata::folder;
use super::{ExportError, ExportInput};
use crate::digest::DiffId;
use crate::layers::{Contents, LayerError};
use crate::lifecycle::built::{BuiltBuildpack, BuiltLayer};
use crate::lifecycle::cache_volume::{CacheVolume, CacheVolumeError, Staging};
use crate::lifecycle::label::{BuildpackLayerRecord, BuildpackRecord, LayerRecord, layers_folder};
use crate::lifecycle::restore::CacheMetadata;

/// The bills of materials of cached layers, below the layers folder.
const SBOM: &str = "sbom/cache";

/// Where a new state of a cache is put together.
pub trait CacheSink {
    /// Takes the contents of a layer; gives their diff ID.
    fn keep(&mut self, contents: &dyn Contents) -> Result<DiffId, CacheError>;
}

/// Why the cache could not be written. The image is not affected: callers warn.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A layer's folder could not be read, or it has none.
    #[error("cannot read what goes into the cache")]
    Contents(#[source] ExportError),
    /// The cache's folder could not be changed.
    #[error("cannot write the cache")]
    Volume(#[source] CacheVolumeError),
    /// A layer of a cache image could not be made.
    #[error("cannot pack a layer for the cache")]
    Layer(#[source] LayerError),
}

impl CacheSink for Staging<'_> {
    fn keep(&mut self, contents: &dyn Contents) -> Result<DiffId, CacheError> {
        self.add(contents).map_err(CacheError::Volume)
    }
}

/// Writes every layer with `cache = true` into a cache folder and drops what was there before.
pub fn save_cache(input: &ExportInput<'_>, volume: &CacheVolume) -> Result<CacheMetadata, CacheError> {
    let mut staging = volume.stage().map_err(CacheError::Volume)?;
    let metadata = keep_layers(input, &mut staging)?;
    staging.commit(&metadata).map_err(CacheError::Volume)?;
    Ok(metadata)
}

/// Hands every layer with `cache = true` to a cache; gives what it has to say of itself.
pub fn keep_layers(input: &ExportInput<'_>, sink: &mut dyn CacheSink) -> Result<CacheMetadata, CacheError> {
    let mut metadata = CacheMetadata::default();
    for buildpack in &input.built.buildpacks {
        let mut kept = BuildpackRecord { id: buildpack.id.clone(), version: buildpack.version.clone(), ..BuildpackRecord::default() };
        for layer in buildpack.layers.iter().filter(|layer| layer.cache) {
            let record = save(input, sink, buildpack, layer)?;
            kept.layers.insert(layer.name.clone(), record);
        }
        metadata.buildpacks.push(kept);
    }
    if input.platform_api.has_sbom_layer() && input.layers.root.is_dir(SBOM) {
        let contents = folder(input, SBOM.as_ref()).map_err(CacheError::Contents)?;
        metadata.sbom = LayerRecord::of(sink.keep(&contents)?);
    }
    Ok(metadata)
}

fn save(
    input: &ExportInput<'_>,
    sink: &mut dyn CacheSink,
    buildpack: &BuiltBuildpack,
    layer: &BuiltLayer,
) -> Result<BuildpackLayerRecord, CacheError> {
    if !layer.present {
        let layer = format!("{}:{}", buildpack.id, layer.name);
        return Err(CacheError::Contents(ExportError::CachedWithoutContents { layer }));
    }
    let contents = folder(input, &layers_folder(&buildpack.id).join(&layer.name)).map_err(CacheError::Contents)?;
    Ok(BuildpackLayerRecord::of(layer, sink.keep(&contents)?.to_string()))
}
