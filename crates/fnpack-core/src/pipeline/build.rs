//! Function source to a function image: the whole flow.

use std::path::PathBuf;
use std::time::Duration;

use super::cache::{BuildCache, LayersPlace};
use super::open_builder::{ChosenRunImage, OpenBuilder};
use super::report::ReportedOutput;
use super::site::{LayersFolder, Site};
use super::{PipelineError, Volume, Workbench};
use crate::executor::Network;
use crate::image::Image;
use crate::layers::{Compression, Entry, Owner};
use crate::lifecycle::build;
use crate::lifecycle::built::Built;
use crate::lifecycle::context::Context;
use crate::lifecycle::detect::{self, Detected};
use crate::lifecycle::export::{self, Blobs, ExportInput, Exported, Folder, Launcher, LayerOrigin, RunImage, Sboms};
use crate::lifecycle::label::LifecycleMetadata;
use crate::lifecycle::restore;
use crate::reference::Reference;
use crate::root::Root;
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

/// Builds a function image and puts it into the store.
pub fn build(bench: &Workbench<'_>, options: &BuildOptions) -> Result<Made, PipelineError> {
    let builder = OpenBuilder::open(bench, &options.builder, &options.target)?;
    let run_image = ChosenRunImage::choose(bench, options, &builder)?;
    let previous = bench.store.image(options.previous_image.as_ref().unwrap_or(&options.name), &options.target)?;
    let site = Site::prepare(bench, options, &builder)?;
    let context = site.context(bench, options, &builder, &run_image.image)?;

    let detecting = site.detecting(bench, &builder);
    let detected = detect::detect(&context, &builder.order(), &detecting)?;
    announce(bench, &detected);

    let keys = cache_keys(options, &builder);
    let cache = if options.clear_cache { BuildCache::default() } else { BuildCache::load(bench, &keys) };
    let recorded = previous.as_ref().map(LifecycleMetadata::of).unwrap_or_default();
    let restored = restore::decide(detected.group.group.iter().map(|member| member.id.as_str()), &recorded, &cache.metadata, builder.api);
    let layers = LayersFolder::open(bench, &site, cache.lowers(bench, &restored)?)?;
    let context = Context { places: site.places(&builder, layers.root()?)?, ..context };
    restore::apply(&context.places.layers.root, &restored, site.owner)?;

    let building = site.building(bench, options, &builder, layers.path())?;
    let built = build::build(&context, &detected.group, &detected.plan, &building, &mut ReportedOutput(bench.report))?;

    let exported = export(
        bench,
        options,
        &builder,
        &run_image,
        &Finished { site: &site, context: &context, built: &built, previous: previous.as_ref() },
    )?;
    for layer in exported.layers.iter().filter(|layer| layer.origin == LayerOrigin::New) {
        let made = exported.image.layers().iter().find(|candidate| candidate.diff_id == layer.diff_id);
        made.map(|layer| bench.remember_layer(layer)).transpose()?;
    }
    bench.put(&exported.image, std::iter::once(&options.name).chain(&options.tags))?;

    drop(context);
    let sha = |buildpack: &str, layer: &str| {
        let name = format!("{buildpack}:{layer}");
        exported.layers.iter().find(|exported| exported.name == name).map(|exported| exported.diff_id.to_string())
    };
    let place = LayersPlace { upper: &layers.close(), scratch: &site.scratch };
    cache.after(bench, &built, &place, sha)?.remember(bench, &keys)?;

    let added = exported.layers.iter().filter(|layer| layer.origin == LayerOrigin::New).count();
    let timings = Timings { detect: detecting.busy(), build: building.busy() };
    Ok(Made { reused: exported.layers.len() - added, image: exported.image, added, timings })
}

fn announce(bench: &Workbench<'_>, detected: &Detected) {
    for member in &detected.group.group {
        bench.report.step(&format!("  {} {}", member.id, member.version));
    }
    for result in &detected.results {
        for line in String::from_utf8_lossy(&result.output).lines() {
            bench.report.detail(&format!("[{}] {line}", result.module));
        }
    }
}

/// The image's own cache, and for its first build the newest of the same builder.
fn cache_keys(options: &BuildOptions, builder: &OpenBuilder) -> Vec<String> {
    let user = &builder.description.user;
    vec![
        format!("image {} {}:{}", options.name.without_digest(), user.uid, user.gid),
        format!("builder {} {}:{}", options.builder.without_digest(), user.uid, user.gid),
    ]
}

/// What the stations before have left.
struct Finished<'a> {
    site: &'a Site,
    context: &'a Context,
    built: &'a Built,
    previous: Option<&'a Image>,
}

fn export(
    bench: &Workbench<'_>,
    options: &BuildOptions,
    builder: &OpenBuilder,
    run_image: &ChosenRunImage,
    &Finished { site, context, built, previous }: &Finished<'_>,
) -> Result<Exported, PipelineError> {
    let user = builder.description.user;
    let owner = Owner { uid: user.uid, gid: user.gid };
    let app = Root::open(site.app())?;
    let launcher = builder.launcher()?;
    let reference = run_image.reference.with_digest(run_image.image.digest()).to_string();
    let input = ExportInput {
        platform_api: builder.api,
        run_image: RunImage { image: &run_image.image, extended: None, reference: &reference, names: run_image.names.clone() },
        previous,
        built,
        layers: Folder { root: &context.places.layers.root, at: &context.places.layers.path, parents: Vec::new() },
        app: Folder { root: &app, at: &options.app_dir, parents: Entry::parents_of(&options.app_dir, 0o755, owner) },
        owner,
        launcher: Launcher { program: &launcher, version: &builder.description.metadata.lifecycle.version, repository: "", commit: "" },
        sboms: Sboms::default(),
        process_type: options.default_process.as_deref(),
        project_metadata: None,
        execution_environment: None,
        source_date_epoch: options.created,
        compression: Compression::Gzip,
    };
    let known = |diff_id: &_| bench.known_layer(diff_id);
    Ok(export::export(&input, Blobs { sink: &bench.store, known: &known })?)
}
