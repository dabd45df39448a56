//! The stations of the flow, joined: what a command asks for, from the first call to the last.
//!
//! A [`Workbench`] holds what all of them need (store, registry, surroundings, somebody to report to);
//! each module is one thing that can be made on it.

mod address;
mod artifact;
mod bindings;
mod build;
mod builder_folder;
mod builders;
mod buildpacks;
mod cache;
mod cache_image;
mod copies;
mod copy;
mod dockerfile;
mod engine;
mod images;
mod known_layers;
mod layers_folder;
mod leaks;
mod open_builder;
mod package;
mod places;
mod platform;
mod publish;
mod rebase;
mod registry;
mod report;
mod runner;
mod site;
mod surroundings;

use fnpack_sandbox::OverlayXattr;

pub use address::{Address, AddressError};
pub use artifact::{ArtifactImage, EmbeddedLauncher, build_artifact};
pub use build::{BuildOptions, Made, Timings, build};
pub use builder_folder::{BuilderChoice, BuilderFolder, BuilderFolderError, LocalExecutor};
pub use builders::{BuilderParts, create as create_builder};
pub use buildpacks::ChoiceError;
pub use copy::{Copied, CopyError, Selection, copy, create_index, deliver};
pub use dockerfile::build as build_dockerfile;
pub use engine::EngineAccess;
pub use images::{Destination, FindError, PullPolicy};
pub use leaks::LeakError;
pub use package::{Packaged, package};
pub use platform::PlatformError;
pub use rebase::{RebaseOptions, RebasedImage, RebasedInRegistry, RegistryRebaseError, rebase_in_registry};
pub use registry::{ConnectError, Registry};
pub use report::{Report, one_line, with_causes};
pub use surroundings::{Surroundings, Volume};

use crate::image::Image;
use crate::reference::Reference;
use crate::store::{Snapshot, Store, StoreError};
use crate::target::Target;

/// What every flow needs.
pub struct Workbench<'a> {
    /// Where images are.
    pub store: Store,
    /// Whom to ask for images that are not there; none with `--offline`.
    pub registry: Option<Registry>,
    /// The container engine of this machine, if somebody asks for it.
    pub engine: EngineAccess,
    /// When a registry is asked for an image that has a name.
    pub pull_policy: PullPolicy,
    /// Names that fnpack itself gives to what it makes: no registry is asked for something newer.
    pub made_here: Vec<Reference>,
    /// What of this machine build steps may know.
    pub surroundings: Surroundings,
    /// Where overlayfs keeps its marks.
    pub xattr: OverlayXattr,
    /// Whether only one id is mapped, so that files cannot have several owners.
    pub single_id: bool,
    /// What images are looked for.
    pub target: Target,
    /// Is told how it goes.
    pub report: &'a dyn Report,
}

/// Why a flow ended early: the error of the station it ended in.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant is a station's own error, told as it is")]
pub enum PipelineError {
    #[error(transparent)]
    Source(#[from] crate::source::SourceError),
    #[error(transparent)]
    Find(#[from] FindError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Builder(#[from] crate::builder::DescriptionError),
    #[error(transparent)]
    BuilderFolder(#[from] BuilderFolderError),
    #[error(transparent)]
    Leak(#[from] LeakError),
    #[error(transparent)]
    Choice(#[from] Box<ChoiceError>),
    #[error(transparent)]
    Load(#[from] crate::builder::LoadError),
    #[error(transparent)]
    Create(#[from] Box<crate::builder::CreateError>),
    #[error(transparent)]
    Dockerfile(#[from] Box<crate::dockerfile::DockerfileError>),
    #[error(transparent)]
    Platform(#[from] PlatformError),
    #[error(transparent)]
    Folder(#[from] crate::root::RootError),
    #[error(transparent)]
    Executor(#[from] crate::executor::ExecutorError),
    #[error(transparent)]
    Sandbox(#[from] fnpack_sandbox::SandboxError),
    #[error(transparent)]
    Reference(#[from] crate::reference::ReferenceError),
    #[error(transparent)]
    Detect(#[from] crate::lifecycle::detect::DetectError),
    #[error(transparent)]
    Restore(#[from] crate::lifecycle::restore::RestoreError),
    #[error(transparent)]
    Build(#[from] crate::lifecycle::build::BuildError),
    #[error(transparent)]
    Export(#[from] crate::lifecycle::export::ExportError),
    #[error(transparent)]
    Place(#[from] crate::package::PlaceError),
    #[error(transparent)]
    Take(#[from] crate::package::TakeError),
    #[error("cannot prepare the folders of the build")]
    Prepare(#[from] std::io::Error),
    /// It has no launcher to put into the image.
    #[error("this fnpack carries the launcher for {own}, and `{run_image}` is for {wanted}")]
    LauncherTarget { own: String, run_image: String, wanted: String },
    /// Its lifecycle is of another age.
    #[error("the builder `{builder}` speaks the Platform APIs {versions}, of which fnpack knows none")]
    NoCommonApi { builder: String, versions: String },
    /// Its programs would not run on the target.
    #[error("the builder is made for {own}, not for {target}")]
    BuilderOfOtherTarget { target: Box<Target>, own: Box<Target> },
    /// Without namespaces nothing can be mounted, or kept from a network.
    #[error("the executor `{executor}` cannot {what}")]
    NotIsolated { executor: &'static str, what: String },
    /// It does not say what to build for.
    #[error("the builder `{builder}` names no run image")]
    NoRunImage { builder: String },
    /// Its folders are not those of a builder.
    #[error("the builder has no folder `{folder}`")]
    NoBuildpacks { folder: &'static str },
    /// Facts of both speak against it.
    #[error("`{function}` would not run on `{run_image}`")]
    Misfit { function: String, run_image: String, misfits: Vec<crate::runner::Misfit> },
}

impl Workbench<'_> {
    /// The image's layers unpacked, ready to be mounted.
    pub fn unpack(&self, image: &Image) -> Result<Snapshot, StoreError> {
        self.store.snapshot(image, &|unpacking| self.report.progress("unpacking", unpacking.bytes, Some(unpacking.total)))
    }
}

#[cfg(test)]
mod tests;
