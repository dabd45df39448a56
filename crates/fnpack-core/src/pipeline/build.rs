//! Function source to a function image: the whole flow.

use std::path::PathBuf;
use std::time::Duration;

use super::{PipelineError, Volume, Workbench};
use crate::executor::Network;
use crate::image::Image;
use crate::reference::Reference;
use crate::source::Source;
use crate::target::Target;

/// What is to be built, from what, on what.
#[derive(Debug)]
pub struct BuildOptions {
    /// The image's name.
    pub name: Reference,
    /// Its further names.
    pub tags: Vec<Reference>,
    /// The function.
    pub source: Source,
    /// The builder.
    pub builder: Reference,
    /// The run image, instead of the builder's.
    pub run_image: Option<Reference>,
    /// Variables for the buildpacks.
    pub env: Vec<(String, String)>,
    /// Folders of this machine that the build sees.
    pub volumes: Vec<Volume>,
    /// What of the network `bin/build` sees; `bin/detect` sees none.
    pub network: Network,
    /// The process type to start by default.
    pub default_process: Option<String>,
    /// Whose layers are reused; the image of the same name if none.
    pub previous_image: Option<Reference>,
    /// The application folder, absolute.
    pub app_dir: PathBuf,
    /// What the image is for.
    pub target: Target,
    /// When the image says it was made, in seconds since 1970; a constant if none.
    pub created: Option<i64>,
    /// Whether to forget what earlier builds cached.
    pub clear_cache: bool,
}

/// A finished build.
#[derive(Debug)]
pub struct Made {
    /// The image, as it is in the store.
    pub image: Image,
    /// Layers that were there before.
    pub reused: usize,
    /// Layers that were made.
    pub added: usize,
    /// Where the time went.
    pub timings: Timings,
}

/// How long the buildpacks ran; the rest of a build's time is fnpack's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// All `bin/detect`, one after the other.
    pub detect: Duration,
    /// All `bin/build`.
    pub build: Duration,
}

/// Builds.
pub fn build(_bench: &Workbench<'_>, _options: &BuildOptions) -> Result<Made, PipelineError> {
    unimplemented!()
}
