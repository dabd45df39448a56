//! What a build gets back of the one before.
//!
//! Which layers' metadata and contents come back is decided from values alone ([`decide`]); writing
//! the TOML files is another step ([`apply()`]); bringing contents is for who has the cache.
//!
//! Answers the CNB platform specification, "restorer", and the buildpack specification, "Layer types".

mod apply;
mod contents;
mod sbom;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Table;

pub use apply::{RestoreError, apply};
pub use contents::{CachedLayerError, UnpackError, unpack};
pub use sbom::distribute_sboms;

use super::api::PlatformApi;
use super::label::{BuildpackLayerRecord, BuildpackRecord, LayerRecord, LifecycleMetadata};
use super::values::table_of_json;

/// What a cache says it holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CacheMetadata {
    /// The layer with the bills of materials of cached layers.
    #[serde(default)]
    pub sbom: LayerRecord,
    /// Layers by buildpack.
    #[serde(default)]
    pub buildpacks: Vec<BuildpackRecord>,
}

/// What a buildpack gets back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Restored {
    /// The buildpack's id.
    pub buildpack: String,
    /// `[metadata]` of store.toml.
    pub store: Option<Table>,
    /// Sorted by name.
    pub layers: Vec<RestoredLayer>,
    /// Cached layers whose contents are not those that the metadata is of; nothing of them comes back.
    pub stale: Vec<String>,
}

/// A layer that comes back.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoredLayer {
    /// Its name.
    pub name: String,
    /// Where its metadata is from.
    pub origin: Origin,
    /// `[metadata]` of its TOML file. Types are not restored: the buildpack must ask for them again.
    pub metadata: Table,
    /// The cached layer (its recorded diff ID) whose contents come back with it.
    pub contents: Option<String>,
}

/// Where a layer's metadata is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The previous image.
    Image,
    /// The cache.
    Cache,
}

/// Decides for each buildpack of a group.
pub fn decide<'a>(
    group: impl IntoIterator<Item = &'a str>,
    previous: &LifecycleMetadata,
    cache: &CacheMetadata,
    platform_api: PlatformApi,
) -> Vec<Restored> {
    let empty = BuildpackRecord::default();
    let decide = |id: &str| {
        let app = previous.buildpack(id).unwrap_or(&empty);
        let cached = cache.buildpacks.iter().find(|buildpack| buildpack.id == id).unwrap_or(&empty);
        let store = app.store.as_ref().map(|store| table_of_json(&store.metadata));
        let found = with_metadata(&app.layers, &cached.layers, platform_api);
        let (layers, stale) = with_contents(found, &cached.layers);
        Restored { buildpack: id.to_owned(), store, layers, stale }
    };
    group.into_iter().map(decide).collect()
}

/// Only store.toml: what is left when layers are not to be restored.
pub fn stores_only(restored: Vec<Restored>) -> Vec<Restored> {
    let without_layers = |restored| Restored { layers: Vec::new(), stale: Vec::new(), ..restored };
    restored.into_iter().map(without_layers).collect()
}

type Layers = BTreeMap<String, BuildpackLayerRecord>;
type Found<'a> = BTreeMap<&'a str, (Origin, &'a BuildpackLayerRecord)>;

fn with_metadata<'a>(app: &'a Layers, cached: &'a Layers, platform_api: PlatformApi) -> Found<'a> {
    let in_cache = |name: &str| cached.get(name).is_some_and(|layer| layer.cache);
    let comes_from_image = |name: &str, layer: &BuildpackLayerRecord| {
        // A layer that the build needs must have contents, and an image gives none.
        let contents_lacking = if layer.cache { !in_cache(name) } else { layer.build };
        !contents_lacking
    };
    let comes_from_cache = |name: &str, layer: &BuildpackLayerRecord| {
        let image_decides = app.contains_key(name) || !platform_api.restores_launch_metadata_from_cache();
        layer.cache && !(layer.launch && image_decides)
    };
    let mut found = Found::new();
    for (name, layer) in app.iter().filter(|(name, layer)| comes_from_image(name, layer)) {
        found.insert(name, (Origin::Image, layer));
    }
    for (name, layer) in cached.iter().filter(|(name, layer)| comes_from_cache(name, layer)) {
        found.insert(name, (Origin::Cache, layer));
    }
    found.retain(|name, _| is_file_name(name));
    found
}

/// Contents come back where the cache has those that the metadata was recorded for; a cached layer of
/// other contents is dropped as a whole.
fn with_contents(found: Found<'_>, cached: &Layers) -> (Vec<RestoredLayer>, Vec<String>) {
    let (mut layers, mut stale) = (Vec::new(), Vec::new());
    for (name, (origin, layer)) in found {
        let contents = match cached.get(name).filter(|cached| cached.cache) {
            Some(cached) if cached.sha != layer.sha => {
                stale.push(name.to_owned());
                continue;
            }
            cached => cached.map(|cached| cached.sha.clone()),
        };
        layers.push(RestoredLayer { name: name.to_owned(), origin, metadata: table_of_json(&layer.data), contents });
    }
    (layers, stale)
}

/// Names are from foreign labels and become file names.
fn is_file_name(name: &str) -> bool {
    !name.is_empty() && !matches!(name, "." | "..") && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests;
