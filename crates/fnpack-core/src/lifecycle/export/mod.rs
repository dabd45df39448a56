//! Puts what the buildpacks left on a run image.
//!
//! Values in, an [`Image`] out: nothing here knows registries. A layer is hashed first, and only made
//! if neither the previous image nor this machine has it. The same input gives the same image on every
//! machine.
//!
//! Answers the CNB platform specification, "exporter" and "Labels".

mod assembly;
mod cache;
mod config;
mod glob;
mod launcher;
mod metadata;
mod report;
mod sbom;
mod slices;

use std::path::Path;

use serde_json::Value;

pub use cache::{CacheError, CacheSink, keep_layers, save_cache};
pub use report::{Report, ReportedImage};
pub use sbom::{SbomFile, Sboms};

use super::api::PlatformApi;
use super::built::Built;
use super::files::run;
use super::label::RunImageNames;
use crate::digest::DiffId;
use crate::image::{BlobSink, Image, Layer};
use crate::layers::{Compression, Entry, LayerError, Owner};
use crate::root::{Root, RootError};

/// Everything that an export depends on.
#[derive(Debug)]
pub struct ExportInput<'a> {
    /// The version that the platform speaks.
    pub platform_api: PlatformApi,
    /// The image below.
    pub run_image: RunImage<'a>,
    /// The image made by the build before.
    pub previous: Option<&'a Image>,
    /// What the buildpacks said.
    pub built: &'a Built,
    /// The layers folder.
    pub layers: Folder<'a>,
    /// The application folder.
    pub app: Folder<'a>,
    /// Who owns what buildpacks and application put into the image.
    pub owner: Owner,
    /// The launcher.
    pub launcher: Launcher<'a>,
    /// Bills of materials of lifecycle and launcher.
    pub sboms: Sboms<'a>,
    /// The type that the user wants to be started by default.
    pub process_type: Option<&'a str>,
    /// The content of the project metadata label.
    pub project_metadata: Option<&'a Value>,
    /// The execution environment.
    pub execution_environment: Option<&'a str>,
    /// When the image says it was created, in seconds since 1970; else the constant time.
    pub source_date_epoch: Option<i64>,
    /// How new layers are packed.
    pub compression: Compression,
}

/// The run image and how it is called.
#[derive(Debug)]
pub struct RunImage<'a> {
    /// As it is.
    pub image: &'a Image,
    /// As image extensions made it, if any did.
    pub extended: Option<&'a Image>,
    /// Name and digest.
    pub reference: &'a str,
    /// The names to look for a newer one under.
    pub names: RunImageNames,
}

/// A folder and where it is in the image.
#[derive(Debug)]
pub struct Folder<'a> {
    /// The folder.
    pub root: &'a Root,
    /// Its absolute path in the image.
    pub at: &'a Path,
    /// Entries for the folders above, highest first: [`Entry::parents_of`].
    pub parents: Vec<Entry>,
}

/// The program that starts processes.
#[derive(Debug, Clone, Copy)]
pub struct Launcher<'a> {
    /// The static binary.
    pub program: &'a [u8],
    /// Its version.
    pub version: &'a str,
    /// Where its source is.
    pub repository: &'a str,
    /// The commit it was built from.
    pub commit: &'a str,
}

/// Where layers go to and may already be.
#[derive(Clone, Copy)]
pub struct Blobs<'a> {
    /// Takes the bytes of new layers.
    pub sink: &'a dyn BlobSink,
    /// A layer that was made before with the same [`Compression`].
    pub known: &'a dyn Fn(&DiffId) -> Option<Layer>,
}

/// An exported image.
#[derive(Debug, Clone)]
pub struct Exported {
    /// The image.
    pub image: Image,
    /// What was put on the run image, lowest first.
    pub layers: Vec<ExportedLayer>,
    /// The type that is started by default.
    pub default_process: Option<String>,
}

/// A layer of an exported image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedLayer {
    /// What users know it by: `<buildpack>:<layer>`, `slice-1`, `launcher`.
    pub name: String,
    /// Its diff ID.
    pub diff_id: DiffId,
    /// Whether it had to be made.
    pub origin: LayerOrigin,
}

/// Where the blob of a layer is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerOrigin {
    /// The previous image has it.
    PreviousImage,
    /// This machine made it before.
    Known,
    /// It was made now.
    New,
}

/// Why an image could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A layer could not be made.
    #[error("cannot make layer `{layer}`")]
    Layer {
        /// Its name.
        layer: String,
        /// The reason.
        #[source]
        source: LayerError,
    },
    /// Files changed between hashing and packing.
    #[error("layer `{layer}` changed while it was exported")]
    Changed {
        /// Its name.
        layer: String,
    },
    /// The layers folder could not be read.
    #[error("cannot read the layers folder")]
    Layers(#[source] RootError),
    /// The application folder could not be read.
    #[error("cannot read the application folder")]
    App(#[source] RootError),
    /// A bill of materials could not be put into the layers folder.
    #[error("cannot add the bill of materials of the {component}")]
    Sbom {
        /// `lifecycle` or `launcher`.
        component: &'static str,
        /// The reason.
        #[source]
        source: RootError,
    },
    /// A layer to be kept in the cache has no contents to keep.
    #[error("layer `{layer}` has `cache = true` and no contents")]
    CachedWithoutContents {
        /// Its name.
        layer: String,
    },
    /// A layer without contents asks for the one before, and there is none.
    #[error("cannot reuse layer `{layer}`: the previous image has no such layer")]
    NothingToReuse {
        /// Its name.
        layer: String,
    },
    /// A pattern of launch.toml.
    #[error("slice pattern `{pattern}` is not a glob pattern")]
    SlicePattern {
        /// As written.
        pattern: String,
    },
    /// The name of a process type cannot be a file name.
    #[error(r"process type `{process_type}` is no file name without any of `/ > < : | & \`")]
    ProcessType {
        /// As written.
        process_type: String,
    },
    /// The process to start by default is not there.
    #[error("there is no process type `{process_type}`, only {known}")]
    UnknownProcess {
        /// As asked for.
        process_type: String,
        /// All that there are, in a sentence.
        known: String,
    },
}

/// Makes the image.
pub fn export(input: &ExportInput<'_>, blobs: Blobs<'_>) -> Result<Exported, ExportError> {
    let default_process = config::default_process(input)?;
    sbom::add(input)?;
    let mut assembly = assembly::Assembly::new(input, blobs);
    let metadata = metadata::with_layers(input, &mut assembly)?;
    let (additions, layers) = assembly.finish();
    let image = config::image(input, &metadata, additions, default_process.as_deref());
    Ok(Exported { image, layers, default_process })
}

/// The names to record of a run image: those of the entry of run.toml that lists it; for an extended
/// image its own; else the first entry's.
pub fn run_image_names(entries: &[run::RunImage], image: &str, extended: bool) -> RunImageNames {
    let same = |name: &String| repository(name) == repository(image);
    let listed = entries.iter().find(|entry| same(&entry.image) || entry.mirrors.iter().any(same));
    match listed {
        Some(entry) => entry.into(),
        None if extended => RunImageNames { image: image.to_owned(), mirrors: Vec::new() },
        None => entries.first().map(RunImageNames::from).unwrap_or_default(),
    }
}

/// The name without tag and digest, where it can be told.
fn repository(name: &str) -> String {
    name.parse::<crate::reference::Reference>().map_or_else(|_| name.to_owned(), |reference| reference.name())
}

#[cfg(test)]
mod tests;
