//! Function source to a function image: the whole flow.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fnpack_artifact::Facts;

use super::builder_folder::{BuilderChoice, LocalExecutor};
use super::cache::{BuildCache, CacheKeys};
use super::cache_image::RemoteCache;
use super::layers_folder::LayersFolder;
use super::open_builder::{ChosenRunImage, OpenBuilder};
use super::report::ReportedOutput;
use super::site::{LAYERS, Site, with_layers};
use super::{Destination, PipelineError, Volume, Workbench};
use crate::check::{self, Finding};
use crate::executor::Network;
use crate::image::Image;
use crate::layers::{Compression, Entry, Owner};
use crate::lifecycle::build;
use crate::lifecycle::built::Built;
use crate::lifecycle::context::{Context, Place};
use crate::lifecycle::detect::{self, Detected};
use crate::lifecycle::export::{ExportInput, Exported, Folder, Launcher, LayerOrigin, RunImage, Sboms};
use crate::lifecycle::label::LifecycleMetadata;
use crate::lifecycle::restore::{self, Restored};
use crate::project::BuildpackChoice;
use crate::reference::Reference;
use crate::root::Root;
use crate::runner::RunnerFacts;
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
    /// The builder, and with it how commands are run.
    pub builder: BuilderChoice,
    /// The buildpacks, where they are not simply the builder's.
    pub buildpacks: BuildpackChoice,
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
    /// Where the image is wanted.
    pub destination: Destination,
    /// Where what builds cached is kept for machines that have nothing of it.
    pub cache_image: Option<Reference>,
}

/// A finished build.
#[derive(Debug)]
pub struct Made {
    /// The image, as it is in the store.
    pub image: Image,
    /// What the build cached, as an image to be sent: if it was told of a place for one.
    pub cache_image: Option<Image>,
    /// Layers that were there before.
    pub reused: usize,
    /// Layers that were made.
    pub added: usize,
    /// Where the time went.
    pub timings: Timings,
    /// What is probably not meant.
    pub findings: Vec<Finding>,
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
    let mut finished = Finished::of(bench, options, Product::Image)?;
    if let (Some(function), Some(run_image)) = (finished.facts(), &finished.flow.run_image) {
        finished.flow.runner.require_fit(&function, &options.name, &run_image.reference)?;
    }
    // What the buildpacks wrote goes to the disk while the layers are made of it.
    let syncing = bench.store.sync_ahead();
    let (exported, cache_image) = finished.export()?;
    bench.complete(&exported.image, &options.name.familiar(), options.destination)?;
    bench.put(&exported.image, std::iter::once(&options.name).chain(&options.tags))?;
    drop(syncing);
    let findings = std::mem::take(&mut finished.findings);
    let timings = finished.keep_caches(|buildpack, layer| diff_id_of(&exported, buildpack, layer))?;
    Ok(Made { cache_image, ..Made::of(exported, timings, findings) })
}

/// What a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    /// It needs a run image to lie on.
    Image,
    /// It needs none; what a run image says is only a help.
    Package,
}

/// Detect and build are over: the application folder holds the function. An image or a package is made of it.
pub(super) struct Finished<'a> {
    flow: Flow<'a>,
    context: Context,
    layers: LayersFolder,
    cache: BuildCache,
    /// The cache image, if there is to be one.
    remote: Option<RemoteCache>,
    keys: CacheKeys,
    timings: Timings,
    /// What of it will have no effect where functions run.
    findings: Vec<Finding>,
    /// What the buildpacks said.
    pub(super) built: Built,
}

impl<'a> Finished<'a> {
    /// Runs detect and build.
    pub(super) fn of(bench: &'a Workbench<'a>, options: &'a BuildOptions, product: Product) -> Result<Self, PipelineError> {
        let flow = Flow::open(bench, options, product)?;
        let context = flow.site.context(bench, options, &flow.builder, &flow.runner)?;

        let detecting = flow.site.detecting(bench, &flow.builder);
        let detected = detect::detect(&context, &flow.builder.order(), detecting.as_ref())?;
        flow.announce(&detected);

        let keys = flow.cache_keys();
        let remote = options.cache_image.as_ref().filter(|_| product == Product::Image);
        let remote = remote.map(|name| RemoteCache::open(bench, name, &options.target));
        let (cache, restored) = flow.restore(&detected, &keys, remote.as_ref());
        let layers = LayersFolder::open(bench, &flow.site, cache.lowers(bench)?)?;
        let context = with_layers(context, layers.root()?);
        restore::apply(&context.places.layers.root, &restored, flow.site.owner)?;

        let building = flow.site.building(bench, options, &flow.builder, layers.path())?;
        let built = build::build(&context, &detected.group, &detected.plan, building.as_ref(), &mut ReportedOutput(bench.report))?;
        let timings = Timings { detect: detecting.busy(), build: building.busy() };
        let findings = check::without_launcher(&built, &context.places.layers.root)?;
        Ok(Self { flow, context, layers, cache, remote, keys, timings, findings, built })
    }

    /// Makes the image, and the cache image if there is to be one.
    fn export(&self) -> Result<(Exported, Option<Image>), PipelineError> {
        self.flow.export((&self.context.places.layers, &self.built), self.remote.as_ref())
    }

    /// What the buildpacks say of the function; later labels win.
    pub(super) fn facts(&self) -> Option<Facts> {
        let labels = &self.built.labels;
        Facts::from_labels(|key| labels.iter().rev().find(|label| label.key == key).map(|label| label.value.as_str()))
    }

    /// Why the function would not run on the run image, each in a sentence.
    pub(super) fn misfits(&self) -> Vec<String> {
        let Some(run_image) = &self.flow.run_image else { return Vec::new() };
        let run_image = run_image.reference.familiar();
        let misfits = self.facts().map(|function| self.flow.runner.fits(&function)).unwrap_or_default();
        misfits.iter().map(|misfit| format!("the function would not run on `{run_image}`: {misfit}")).collect()
    }

    /// The application folder as the buildpacks left it.
    pub(super) fn app(&self) -> Result<Root, PipelineError> {
        Ok(Root::open(self.flow.site.app())?)
    }

    /// Keeps the cached layers for the next build; `sha` gives the diff ID of one that is also in the image.
    pub(super) fn keep_caches(self, sha: impl Fn(&str, &str) -> Option<String>) -> Result<Timings, PipelineError> {
        let Self { flow, context, layers, cache, keys, timings, built, .. } = self;
        // The folder is held open by the context, and a mount in use does not end.
        drop(context);
        let place = layers.close(&flow.site.scratch);
        cache.after(flow.bench, &built, &place, sha)?.remember(flow.bench, &keys.own)?;
        Ok(timings)
    }
}

/// A build on its way: what it stands on.
struct Flow<'a> {
    bench: &'a Workbench<'a>,
    options: &'a BuildOptions,
    builder: OpenBuilder,
    run_image: Option<ChosenRunImage>,
    runner: RunnerFacts,
    previous: Option<Image>,
    site: Site,
}

impl<'a> Flow<'a> {
    /// All questions about images and source first, so that a build which cannot succeed ends early.
    fn open(bench: &'a Workbench<'a>, options: &'a BuildOptions, product: Product) -> Result<Self, PipelineError> {
        let builder = OpenBuilder::open(bench, options)?;
        let run_image = match (&options.builder, product) {
            // A developer's machine needs no images to make a package.
            (BuilderChoice::Folder(folder), Product::Package) if folder.executor == LocalExecutor::Host => {
                ChosenRunImage::at_hand(bench, options, &builder)?
            }
            _ => Some(ChosenRunImage::choose(bench, options, &builder)?),
        };
        let runner = match (&options.builder, &run_image) {
            (_, None) => {
                bench.report.step("no run image is at hand: what depends on one is chosen for this machine");
                RunnerFacts::unknown(options.target.clone())
            }
            (BuilderChoice::Image(_), Some(run_image)) => bench.runner_facts(&run_image.image)?,
            // Nothing can be mounted where there is no sandbox.
            (BuilderChoice::Folder(_), Some(run_image)) => bench.runner_facts_without_mounts(&run_image.image),
        };
        let names = (&options.name, options.previous_image.as_ref());
        let previous = bench.previous_image(names, &options.target, options.destination)?;
        let site = Site::prepare(bench, options, &builder, &runner)?;
        Ok(Self { bench, options, builder, run_image, runner, previous, site })
    }

    fn announce(&self, detected: &Detected) {
        for member in &detected.group.group {
            self.bench.report.step(&format!("  {} {}", member.id, member.version));
        }
        for result in &detected.results {
            for line in String::from_utf8_lossy(&result.output).lines() {
                self.bench.report.detail(&format!("[{}] {line}", result.module));
            }
        }
    }

    /// The image's own cache, and for its first build the newest of the same builder.
    fn cache_keys(&self) -> CacheKeys {
        let (user, buildpacks) = (&self.builder.description.user, &self.builder.buildpacks);
        let key = |what: &str, name: &str| format!("{what} {name} {}:{}", user.uid, user.gid);
        let kind = self.options.builder.cache_kind();
        let image = key(&format!("{kind}image"), &self.options.name.without_digest().to_string());
        let builder = key(&format!("{kind}builder"), &self.options.builder.cache_name());
        if buildpacks.identity.is_empty() {
            return CacheKeys { own: vec![image, builder], lent: None };
        }
        let lent = (!buildpacks.replaces).then(|| builder.clone());
        CacheKeys { own: vec![image, format!("{builder} with {}", buildpacks.identity.join(", "))], lent }
    }

    /// What comes back of earlier builds: of the image's own cache here, else of the cache image, else of another build's.
    fn restore(&self, detected: &Detected, keys: &CacheKeys, remote: Option<&RemoteCache>) -> (BuildCache, Vec<Restored>) {
        let (own, mut others) = keys.own_and_others();
        let load = |key: &String| BuildCache::load(self.bench, [key]).filter(|_| !self.options.clear_cache);
        if let Some(cache) = own.and_then(load) {
            let restored = self.decide_restore(detected, &cache);
            return (cache.only(&restored), restored);
        }
        if let Some((remote, mut cache)) = remote.filter(|_| !self.options.clear_cache).and_then(|remote| Some((remote, remote.cache()?))) {
            let mut restored = self.decide_restore(detected, &cache);
            remote.bring(self.bench, &self.site, &mut cache, &mut restored);
            return (cache, restored);
        }
        let cache = others.find_map(load).unwrap_or_default();
        let restored = self.decide_restore(detected, &cache);
        (cache.only(&restored), restored)
    }

    fn decide_restore(&self, detected: &Detected, cache: &BuildCache) -> Vec<Restored> {
        let recorded = self.previous.as_ref().map(LifecycleMetadata::of).unwrap_or_default();
        restore::decide(detected.group.group.iter().map(|member| member.id.as_str()), &recorded, &cache.metadata, self.builder.api)
    }

    fn export(&self, (layers, built): (&Place, &Built), remote: Option<&RemoteCache>) -> Result<(Exported, Option<Image>), PipelineError> {
        let user = self.builder.description.user;
        let owner = Owner { uid: user.uid, gid: user.gid };
        let app = Root::open(self.site.app())?;
        self.site.search_for_leaks(self.bench, built, (&layers.root, &app))?;
        let app_dir = &self.options.app_dir;
        let program = self.builder.launcher()?;
        let missing = || PipelineError::NoRunImage { builder: self.options.builder.name() };
        let run_image = self.run_image.as_ref().ok_or_else(missing)?;
        let reference = run_image.reference.with_digest(run_image.image.digest()).to_string();
        let input = ExportInput {
            platform_api: self.builder.api,
            run_image: RunImage { image: &run_image.image, extended: None, reference: &reference, names: run_image.names.clone() },
            previous: self.previous.as_ref(),
            built,
            layers: Folder { root: &layers.root, at: Path::new(LAYERS), parents: Vec::new() },
            // The folders above are the build's too: its runners have them so, and a layer must not take them away.
            app: Folder { root: &app, at: app_dir, parents: Entry::parents_of(app_dir, 0o755, owner) },
            owner,
            launcher: Launcher {
                program: &program,
                version: &self.builder.description.metadata.lifecycle.version,
                repository: "",
                commit: "",
            },
            sboms: Sboms::default(),
            process_type: self.options.default_process.as_deref(),
            project_metadata: None,
            execution_environment: None,
            source_date_epoch: self.options.created,
            compression: Compression::Gzip,
        };
        let exported = self.bench.export(&input)?;
        let cache = remote.and_then(|remote| remote.next(self.bench, &input, &exported));
        Ok((exported, cache))
    }
}

impl Made {
    pub(super) fn of(exported: Exported, timings: Timings, findings: Vec<Finding>) -> Self {
        let added = exported.layers.iter().filter(|layer| layer.origin == LayerOrigin::New).count();
        Self { reused: exported.layers.len() - added, added, image: exported.image, cache_image: None, timings, findings }
    }
}

/// The diff ID of a buildpack's layer, if it is in the image.
fn diff_id_of(exported: &Exported, buildpack: &str, layer: &str) -> Option<String> {
    let name = format!("{buildpack}:{layer}");
    exported.layers.iter().find(|exported| exported.name == name).map(|exported| exported.diff_id.to_string())
}
