//! A ready artifact to a function image.
//!
//! Nothing is started and nothing is mounted, and of the run image only manifest and config are read: so it works for
//! any user and in any container. The image is what a build from source makes, with the same owners, labels and launcher,
//! so that everything that works on those works on it.

use std::path::{Path, PathBuf};

use fnpack_artifact::Language;

use super::build::{Made, Timings};
use super::{Destination, PipelineError, Workbench};
use crate::image::Image;
use crate::layers::{Compression, Entry, Owner};
use crate::lifecycle::api::PlatformApi;
use crate::lifecycle::built::Built;
use crate::lifecycle::export::{ExportInput, Folder, Launcher, RunImage, Sboms};
use crate::lifecycle::files::launch::{Label, Process};
use crate::lifecycle::files::metadata::Metadata;
use crate::lifecycle::label::RunImageNames;
use crate::package::{Artifact, Placed, place};
use crate::reference::Reference;
use crate::root::Root;
use crate::store::Scratch;
use crate::target::Target;

/// Who runs functions, and so owns their files: the user of Function Mesh's runners.
const OWNER: Owner = Owner { uid: 10000, gid: 10001 };
/// What the image speaks with its launcher; every launcher of ours knows it.
const PLATFORM_API: PlatformApi = PlatformApi::NEWEST;
const LAYERS: &str = "/layers";

/// What an image is to be made of.
#[derive(Debug)]
pub struct ArtifactImage<'a> {
    /// The image's name.
    pub name: Reference,
    /// Its further names.
    pub tags: Vec<Reference>,
    /// The function.
    pub artifact: Artifact,
    /// The run image.
    pub run_image: Reference,
    /// Whose layers are reused; the image of the same name if none.
    pub previous_image: Option<Reference>,
    /// The application folder, absolute.
    pub app_dir: PathBuf,
    /// What the image is for.
    pub target: Target,
    /// When the image says it was made, in seconds since 1970; a constant if none.
    pub created: Option<i64>,
    /// Where the image is wanted.
    pub destination: Destination,
    /// The program that starts processes.
    pub launcher: EmbeddedLauncher<'a>,
}

/// A launcher that is at hand.
#[derive(Debug, Clone)]
pub struct EmbeddedLauncher<'a> {
    /// The static binary.
    pub program: &'a [u8],
    /// Its version.
    pub version: &'a str,
    /// What it is made for.
    pub target: Target,
}

/// Makes the image and puts it into the store.
pub fn build_artifact(bench: &Workbench<'_>, options: &ArtifactImage<'_>) -> Result<Made, PipelineError> {
    let run_image = bench.find_base(&options.run_image, &options.target, options.destination)?;
    bench.runner_facts_at_hand(&run_image).require_fit(&options.artifact.facts, &options.name, &options.run_image)?;
    require_launcher(options, &run_image)?;
    let names = (&options.name, options.previous_image.as_ref());
    let previous = bench.previous_image(names, &options.target, options.destination)?;

    let folders = Folders::make(bench)?;
    let placed = place(&options.artifact, &folders.app, &options.app_dir, &folders.way)?;
    let built = built(placed);
    folders.layers.create_dir("config", 0o755)?;
    folders.layers.write("config/metadata.toml", Metadata::of(&built, PLATFORM_API).to_toml().as_bytes(), 0o644)?;

    let reference = options.run_image.with_digest(run_image.digest()).to_string();
    let names = RunImageNames { image: options.run_image.familiar(), mirrors: Vec::new() };
    let launcher = &options.launcher;
    let exported = bench.export(&ExportInput {
        platform_api: PLATFORM_API,
        run_image: RunImage { image: &run_image, extended: None, reference: &reference, names },
        previous: previous.as_ref(),
        built: &built,
        layers: Folder { root: &folders.layers, at: Path::new(LAYERS), parents: Vec::new() },
        app: Folder { root: &folders.app, at: &options.app_dir, parents: Entry::parents_of(&options.app_dir, 0o755, OWNER) },
        owner: OWNER,
        launcher: Launcher { program: launcher.program, version: launcher.version, repository: "", commit: "" },
        sboms: Sboms::default(),
        process_type: None,
        project_metadata: None,
        execution_environment: None,
        source_date_epoch: options.created,
        compression: Compression::Gzip,
    })?;
    bench.complete(&exported.image, &options.name.familiar(), options.destination)?;
    bench.put(&exported.image, std::iter::once(&options.name).chain(&options.tags))?;
    Ok(Made::of(exported, Timings::default(), Vec::new()))
}

fn require_launcher(options: &ArtifactImage<'_>, run_image: &Image) -> Result<(), PipelineError> {
    let (own, wanted) = (&options.launcher.target, run_image.target());
    if own.os == wanted.os && own.arch == wanted.arch {
        return Ok(());
    }
    let run_image = options.run_image.familiar();
    Err(PipelineError::LauncherTarget { own: own.to_string(), run_image, wanted: wanted.to_string() })
}

/// What the buildpack of the language would have said.
fn built(placed: Placed) -> Built {
    let Placed { facts, slices } = placed;
    let labels = facts.labels().into_iter().map(|(key, value)| Label { key, value }).collect();
    // Only a Go program starts by itself; the others are started by the runner's instance.
    let process = (facts.language == Language::Go).then(|| Process {
        process_type: "function".to_owned(),
        command: vec![facts.artifact.clone()],
        direct: true,
        ..Process::default()
    });
    let default_process = process.as_ref().map(|process| process.process_type.clone());
    Built { processes: process.into_iter().collect(), default_process, labels, slices, ..Built::default() }
}

/// Empty folders in the store's scratch, gone with the value.
struct Folders {
    app: Root,
    layers: Root,
    /// For what is needed on the way.
    way: Root,
    _scratch: Scratch,
}

impl Folders {
    fn make(bench: &Workbench<'_>) -> Result<Self, PipelineError> {
        let scratch = bench.store.scratch()?;
        let root = scratch.root()?;
        let folder = |name: &str| -> Result<Root, PipelineError> {
            root.create_dir(name, 0o755)?;
            Ok(root.sub(name)?)
        };
        Ok(Self { app: folder("app")?, layers: folder("layers")?, way: folder("way")?, _scratch: scratch })
    }
}
