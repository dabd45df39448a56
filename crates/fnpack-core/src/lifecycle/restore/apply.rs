//! Writes what a buildpack gets back into the layers folder.

use std::path::{Path, PathBuf};

use toml::Table;

use super::Restored;
use crate::layers::Owner;
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
        let folder = PathBuf::from(buildpack.buildpack.replace('/', "_"));
        let stores = buildpack.store.iter().map(|store| ("store.toml".to_owned(), store));
        let metadata = buildpack.layers.iter().map(|layer| (format!("{}.toml", layer.name), &layer.metadata));
        for (name, table) in stores.chain(metadata) {
            let path = folder.join(name);
            write(layers, &path, table, owner).map_err(|source| RestoreError { path, source })?;
        }
    }
    Ok(())
}

fn write(layers: &Root, path: &Path, metadata: &Table, owner: Owner) -> Result<(), RootError> {
    let file = Table::from_iter([("metadata".to_owned(), metadata.clone().into())]);
    if let Some(folder) = path.parent().filter(|folder| !layers.is_dir(folder)) {
        layers.create_dir(folder, 0o755)?;
        layers.chown(folder, owner.uid, owner.gid)?;
    }
    layers.write(path, file.to_string().as_bytes(), 0o644)?;
    layers.chown(path, owner.uid, owner.gid)
}
