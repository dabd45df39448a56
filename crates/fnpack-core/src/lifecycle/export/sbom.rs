//! Bills of materials that the lifecycle adds to the buildpacks'.

use std::path::Path;

use super::{ExportError, ExportInput};

/// The folder of what is in the image, below the layers folder.
pub(super) const LAUNCH: &str = "sbom/launch";

/// Bills of materials of the programs that made the image and are in it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sboms<'a> {
    /// Of the lifecycle.
    pub lifecycle: &'a [SbomFile<'a>],
    /// Of the launcher.
    pub launcher: &'a [SbomFile<'a>],
}

/// A bill of materials in one format.
#[derive(Debug, Clone, Copy)]
pub struct SbomFile<'a> {
    /// `sbom.cdx.json`, `sbom.spdx.json` or `sbom.syft.json`.
    pub name: &'a str,
    /// The file.
    pub contents: &'a [u8],
}

/// Puts them beside those of the buildpacks.
pub(super) fn add(input: &ExportInput<'_>) -> Result<(), ExportError> {
    if !input.platform_api.has_lifecycle_sbom() {
        return Ok(());
    }
    for (component, folder, files) in [
        ("lifecycle", "sbom/build/buildpacksio_lifecycle", input.sboms.lifecycle),
        ("launcher", "sbom/launch/buildpacksio_lifecycle/launcher", input.sboms.launcher),
    ] {
        for file in files {
            let write = || {
                input.layers.root.create_dir_all(folder, 0o755)?;
                input.layers.root.write(Path::new(folder).join(file.name), file.contents, 0o644)
            };
            write().map_err(|source| ExportError::Sbom { component, source })?;
        }
    }
    Ok(())
}
