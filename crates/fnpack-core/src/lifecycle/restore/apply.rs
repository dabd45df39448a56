//! Writes what a buildpack gets back into the layers folder.

use std::path::{Path, PathBuf};

use super::Restored;
use crate::layers::Owner;
use crate::lifecycle::files::layer::LayerToml;
use crate::lifecycle::files::store::Store;
use crate::lifecycle::label::layers_folder;
use crate::root::{Root, RootError};

/// A file could not be written into the layers folder.
#[derive(Debug, thiserror::Error)]
#[error("cannot restore `{}`", path.display())]
pub struct RestoreError {
    /// The path below the layers folder.
    pub path: PathBuf,
    /// What failed.
    #[source]
    pub source: RootError,
}

/// Writes `<buildpack>/store.toml` and `<buildpack>/<layer>.toml`, owned by who runs the build.
pub fn apply(layers: &Root, restored: &[Restored], owner: Owner) -> Result<(), RestoreError> {
    for buildpack in restored {
        let store = buildpack.store.iter().map(|metadata| ("store.toml".to_owned(), Store { metadata: metadata.clone() }.to_toml()));
        let files = buildpack.layers.iter().map(|layer| {
            let content = LayerToml { types: None, metadata: layer.metadata.clone() };
            (format!("{}.toml", layer.name), content.to_toml())
        });
        let folder = layers_folder(&buildpack.buildpack);
        for (name, text) in store.chain(files) {
            let path = folder.join(name);
            write(layers, &path, &text, owner).map_err(|source| RestoreError { path, source })?;
        }
    }
    Ok(())
}

fn write(layers: &Root, path: &Path, text: &str, owner: Owner) -> Result<(), RootError> {
    if let Some(folder) = path.parent().filter(|folder| !layers.is_dir(folder)) {
        layers.create_dir(folder, 0o755)?;
        layers.chown(folder, owner.uid, owner.gid)?;
    }
    layers.write(path, text.as_bytes(), 0o644)?;
    layers.chown(path, owner.uid, owner.gid)
}
