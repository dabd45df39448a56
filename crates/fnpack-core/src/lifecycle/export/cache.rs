//! Keeps the layers that a buildpack wants back in the next build.

use super::metadata::folder;
use super::{ExportError, ExportInput};
use crate::lifecycle::built::{BuiltBuildpack, BuiltLayer};
use crate::lifecycle::cache_volume::{CacheVolume, CacheVolumeError, Staging};
use crate::lifecycle::label::{BuildpackLayerRecord, BuildpackRecord, LayerRecord, layers_folder};
use crate::lifecycle::restore::CacheMetadata;

/// The bills of materials of cached layers, below the layers folder.
const SBOM: &str = "sbom/cache";

/// Why the cache could not be written. The image is not affected: callers warn.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A layer's folder could not be read, or it has none.
    #[error("cannot read what goes into the cache")]
    Contents(#[source] ExportError),
    /// The cache's folder could not be changed.
    #[error("cannot write the cache")]
    Volume(#[source] CacheVolumeError),
}

/// Writes every layer with `cache = true` into the cache and drops what was there before.
pub fn save_cache(input: &ExportInput<'_>, volume: &CacheVolume) -> Result<CacheMetadata, CacheError> {
    let mut staging = volume.stage().map_err(CacheError::Volume)?;
    let mut metadata = CacheMetadata::default();
    for buildpack in &input.built.buildpacks {
        let mut kept = BuildpackRecord { id: buildpack.id.clone(), version: buildpack.version.clone(), ..BuildpackRecord::default() };
        for layer in buildpack.layers.iter().filter(|layer| layer.cache) {
            let record = save(input, &mut staging, buildpack, layer)?;
            kept.layers.insert(layer.name.clone(), record);
        }
        metadata.buildpacks.push(kept);
    }
    if input.platform_api.has_sbom_layer() && input.layers.root.is_dir(SBOM) {
        let contents = folder(input, SBOM.as_ref()).map_err(CacheError::Contents)?;
        metadata.sbom = LayerRecord::of(staging.add(&contents).map_err(CacheError::Volume)?);
    }
    staging.commit(&metadata).map_err(CacheError::Volume)?;
    Ok(metadata)
}

fn save(
    input: &ExportInput<'_>,
    staging: &mut Staging<'_>,
    buildpack: &BuiltBuildpack,
    layer: &BuiltLayer,
) -> Result<BuildpackLayerRecord, CacheError> {
    if !layer.present {
        let layer = format!("{}:{}", buildpack.id, layer.name);
        return Err(CacheError::Contents(ExportError::CachedWithoutContents { layer }));
    }
    let contents = folder(input, &layers_folder(&buildpack.id).join(&layer.name)).map_err(CacheError::Contents)?;
    Ok(BuildpackLayerRecord::of(layer, staging.add(&contents).map_err(CacheError::Volume)?.to_string()))
}
