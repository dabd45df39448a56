//! Restore: what comes back of the build before (CNB platform specification, "restorer").

use std::path::Path;

use fnpack_core::lifecycle::analyze::Analyzed;
use fnpack_core::lifecycle::buildpacks::escaped;
use fnpack_core::lifecycle::context::Place;
use fnpack_core::lifecycle::exit::ExitCode;
use fnpack_core::lifecycle::files::group::{self, Group};
use fnpack_core::lifecycle::label::LifecycleMetadata;
use fnpack_core::lifecycle::restore::{self, CacheMetadata, Origin, RestoreError, Restored};
use fnpack_core::root::RootError;

use super::detect::no_arguments;
use crate::arguments::Flag;
use crate::cache::Cache;
use crate::documents;
use crate::failure::{Failure, OrFail, Step, with_causes};
use crate::session::Session;
use crate::site::place;

const STEP: Step = Step { code: ExitCode::Restore, action: "restore" };

/// What is to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Everything,
    /// Nothing but what buildpacks keep in store.toml.
    Stores,
}

/// Why nothing can be restored.
#[derive(Debug, thiserror::Error)]
enum RestoreFailure {
    #[error(transparent)]
    Write(#[from] RestoreError),
    #[error("cannot remove what is out of date")]
    Remove(#[source] RootError),
}

/// The restorer.
pub(super) fn alone(session: &Session<'_>) -> Result<(), Failure> {
    no_arguments(session)?;
    let arguments = &session.arguments;
    let group = documents::read(&arguments.path(Flag::Group), group::parse).or_fail(STEP)?;
    check_apis(&group)?;
    let analyzed = documents::read_if_present(&arguments.path(Flag::Analyzed), Analyzed::parse).or_fail(STEP)?;
    if analyzed.is_none() {
        session.log.warn("no usable analyzed metadata found");
    }
    session.identity.prepare(&arguments.path(Flag::Layers)).or_fail(STEP)?;
    let layers = place(&arguments.path(Flag::Layers)).or_fail(STEP)?;
    let cache = Cache::open(session, ExitCode::Restore)?;
    if cache.is_none() {
        session.log.warn("No cached data will be used, no cache specified.");
    }
    let extent = if arguments.is_on(Flag::SkipLayers) { Extent::Stores } else { Extent::Everything };
    restore(session, &layers, (&group, &analyzed.unwrap_or_default().metadata), cache.as_ref(), extent)
}

/// A group from a file may name versions that are not there.
pub(super) fn check_apis(group: &Group) -> Result<(), Failure> {
    for member in &group.group {
        member
            .api
            .parse::<fnpack_core::lifecycle::api::BuildpackApi>()
            .map_err(|error| Failure::new(ExitCode::BuildpackApi, format!("set API for buildpack `{}`", member.module()), error))?;
    }
    Ok(())
}

/// Puts metadata and contents of layers into the layers folder.
pub(super) fn restore(
    session: &Session<'_>,
    layers: &Place,
    (group, previous): (&Group, &LifecycleMetadata),
    cache: Option<&Cache>,
    extent: Extent,
) -> Result<(), Failure> {
    let cached = cache.map(Cache::metadata).unwrap_or_default();
    let ids = group.group.iter().map(|member| member.id.as_str());
    let mut restored = restore::decide(ids, previous, &cached, session.arguments.api);
    if extent == Extent::Stores {
        restored = if session.arguments.api.restores_store_without_layers() { restore::stores_only(restored) } else { Vec::new() };
    }
    let result = match cache.filter(|_| extent == Extent::Everything) {
        Some(cache) => bring_contents(session, layers, &mut restored, cache, &cached),
        None => Ok(()),
    };
    result.and_then(|()| put(session, layers, &restored)).or_fail(STEP)
}

fn put(session: &Session<'_>, layers: &Place, restored: &[Restored]) -> Result<(), RestoreFailure> {
    for (buildpack, layer) in restored.iter().flat_map(|buildpack| buildpack.layers.iter().map(move |layer| (buildpack, layer))) {
        let origin = if layer.origin == Origin::Image { "app image" } else { "cache" };
        session.log.info(&format!("Restoring metadata for \"{}:{}\" from {origin}", buildpack.buildpack, layer.name));
    }
    restore::apply(&layers.root, restored, session.identity.here)?;
    restore::distribute_sboms(&layers.root, restored)?;
    Ok(())
}

/// Layers whose contents do not come back are taken out of `restored`: their metadata would be of something that
/// is not there.
fn bring_contents(
    session: &Session<'_>,
    layers: &Place,
    restored: &mut [Restored],
    cache: &Cache,
    cached: &CacheMetadata,
) -> Result<(), RestoreFailure> {
    for buildpack in restored {
        let folder = escaped(&buildpack.buildpack);
        for stale in &buildpack.stale {
            session.log.info(&format!("Removing \"{}:{stale}\", wrong sha", buildpack.buildpack));
            remove(layers, &folder, stale)?;
        }
        let (found, id) = (std::mem::take(&mut buildpack.layers), &buildpack.buildpack);
        for layer in found {
            let Some(sha) = &layer.contents else {
                buildpack.layers.push(layer);
                continue;
            };
            match cache.restore(session, sha, layers, &Path::new(&folder).join(&layer.name)) {
                Ok(()) => {
                    session.log.info(&format!("Restoring data for \"{id}:{}\" from cache", layer.name));
                    buildpack.layers.push(layer);
                }
                Err(error) => {
                    session.log.warn(&format!("layer \"{id}:{}\" is not restored: {}", layer.name, with_causes(&error)));
                    remove(layers, &folder, &layer.name)?;
                }
            }
        }
    }
    bring_sbom(session, layers, cache, cached);
    Ok(())
}

/// The bills of materials of cached layers; a build goes on without them.
fn bring_sbom(session: &Session<'_>, layers: &Place, cache: &Cache, cached: &CacheMetadata) {
    if cached.sbom.sha.is_empty() {
        return;
    }
    if let Err(error) = cache.restore(session, &cached.sbom.sha, layers, Path::new("sbom/cache")) {
        session.log.warn(&format!("the SBOM of the cache is not restored: {}", with_causes(&error)));
    }
}

fn remove(layers: &Place, folder: &str, layer: &str) -> Result<(), RestoreFailure> {
    let folder = Path::new(folder);
    let paths = [folder.join(layer), folder.join(format!("{layer}.toml"))];
    paths.iter().try_for_each(|path| layers.root.remove_all(path)).map_err(RestoreFailure::Remove)
}
