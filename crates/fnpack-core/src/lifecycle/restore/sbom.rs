//! Bills of materials that come back with layers.

use std::path::Path;

use super::{RestoreError, Restored};
use crate::lifecycle::label::layers_folder;
use crate::root::{Root, RootError};

const SBOM: &str = "sbom";

/// Moves `sbom/{cache,launch}/<buildpack>/<layer>/sbom.*`, as unpacked from the previous image and the
/// cache, to `<buildpack>/<layer>.sbom.*` of the layers that came back, and removes the rest.
pub fn distribute_sboms(layers: &Root, restored: &[Restored]) -> Result<(), RestoreError> {
    for buildpack in restored {
        let folder = layers_folder(&buildpack.buildpack);
        for layer in &buildpack.layers {
            for origin in ["launch", "cache"] {
                let from = Path::new(SBOM).join(origin).join(&folder).join(&layer.name);
                let to = folder.join(&layer.name);
                move_files(layers, &from, &to).map_err(|source| RestoreError { path: to, source })?;
            }
        }
    }
    layers.remove_all(SBOM).map_err(|source| RestoreError { path: SBOM.into(), source })
}

fn move_files(layers: &Root, from: &Path, to: &Path) -> Result<(), RootError> {
    if !layers.is_dir(from) {
        return Ok(());
    }
    for entry in layers.read_dir(from)? {
        if entry.name.as_encoded_bytes().starts_with(b"sbom.") {
            let mut name = to.as_os_str().to_owned();
            name.push(".");
            name.push(&entry.name);
            layers.rename(from.join(&entry.name), Path::new(&name))?;
        }
    }
    Ok(())
}
