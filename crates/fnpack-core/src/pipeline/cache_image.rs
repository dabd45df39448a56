//! The cache of a build in a registry: brought here where this machine has none, and put together anew after the build.

use std::path::Path;

use super::cache::{BuildCache, new_folder};
use super::report::with_causes;
use super::site::{LAYERS, Site};
use super::{FindError, PipelineError, Workbench};
use crate::image::Image;
use crate::layers::Owner;
use crate::lifecycle::buildpacks::escaped;
use crate::lifecycle::cache_image::CacheImage;
use crate::lifecycle::context::Place;
use crate::lifecycle::export::{Blobs, ExportInput, Exported};
use crate::lifecycle::restore::{CachedLayerError, Restored};
use crate::reference::Reference;
use crate::root::RootError;
use crate::store::FolderId;
use crate::target::Target;

/// The cache image that a build was told of. A build goes on without one, and one that is not as it should be is told.
pub(super) struct RemoteCache {
    found: Option<CacheImage>,
    /// Whether the name is another image's, which is not ours to replace.
    foreign: bool,
}

/// Why one layer is not restored.
#[derive(Debug, thiserror::Error)]
enum LayerError {
    #[error(transparent)]
    Cached(#[from] CachedLayerError),
    #[error(transparent)]
    Folder(#[from] RootError),
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

impl RemoteCache {
    /// Reads manifest and config of the cache.
    pub(super) fn open(bench: &Workbench<'_>, name: &Reference, target: &Target) -> Self {
        let familiar = name.familiar();
        match bench.in_registry(name, target) {
            Ok(image) => match CacheImage::of(image) {
                Ok(cache) => Self { found: Some(cache), foreign: false },
                Err(error) => {
                    let reason = with_causes(&error);
                    bench.report.warning(&format!("`{familiar}` is no cache image and stays as it is: {reason}"));
                    Self { found: None, foreign: true }
                }
            },
            Err(FindError::NotGiven { source, .. }) if source.is_no_such_image() => {
                bench.report.step(&format!("there is no cache image {familiar} yet"));
                Self { found: None, foreign: false }
            }
            Err(error) => {
                bench.report.warning(&format!("the cache image `{familiar}` is not used: {}", with_causes(&error)));
                Self { found: None, foreign: false }
            }
        }
    }

    /// What it says that it holds, as a cache without contents.
    pub(super) fn cache(&self) -> Option<BuildCache> {
        self.found.as_ref().map(|found| BuildCache::of_metadata(found.metadata().clone()))
    }

    /// Brings the contents that are to be restored into the store. Layers that cannot be had are taken out of `restored`.
    pub(super) fn bring(&self, bench: &Workbench<'_>, site: &Site, cache: &mut BuildCache, restored: &mut [Restored]) {
        let Some(found) = &self.found else { return };
        for buildpack in restored {
            buildpack.layers.retain(|layer| {
                let Some(sha) = &layer.contents else { return true };
                let inside = Path::new(&escaped(&buildpack.buildpack)).join(&layer.name);
                match bring(bench, site, (found, sha), &inside) {
                    Ok(folder) => {
                        bench.report.step(&format!("restoring {}:{} from the cache image", buildpack.buildpack, layer.name));
                        cache.add(&buildpack.buildpack, &layer.name, folder);
                        true
                    }
                    Err(error) => {
                        let name = format!("{}:{}", buildpack.buildpack, layer.name);
                        bench.report.warning(&format!("`{name}` is not restored from the cache image: {}", with_causes(&error)));
                        false
                    }
                }
            });
        }
    }

    /// The next cache image. The image of the function is made already, so a fault only makes the next build slower.
    pub(super) fn next(&self, bench: &Workbench<'_>, input: &ExportInput<'_>, exported: &Exported) -> Option<Image> {
        if self.foreign {
            return None;
        }
        let in_image = |diff_id: &_| exported.image.layers().iter().find(|layer| layer.diff_id == *diff_id).cloned();
        let known = |diff_id: &_| in_image(diff_id).or_else(|| bench.known_layer(diff_id));
        match CacheImage::make(input, Blobs { sink: &bench.store, known: &known }, self.found.as_ref()) {
            Ok((image, _)) => Some(image),
            Err(error) => {
                bench.report.warning(&format!("there will be no cache image: {}", with_causes(&error)));
                None
            }
        }
    }
}

/// Unpacks one layer, and keeps its folder as a cached layer is kept.
fn bring(bench: &Workbench<'_>, site: &Site, (found, sha): (&CacheImage, &str), inside: &Path) -> Result<FolderId, LayerError> {
    let (name, root) = new_folder(&site.scratch)?;
    let owner: Option<Owner> = (!bench.single_id && site.has_sandboxes()).then_some(site.owner);
    let place = Place { path: LAYERS.into(), root };
    found.restore(sha, &place, inside, owner)?;
    Ok(bench.store.commit_folder(&site.scratch, name).map_err(PipelineError::from)?)
}
