//! A builder ready to be built in, and the run image that goes with it.

use std::path::{Path, PathBuf};

use fnpack_sandbox::Overlay;

use super::build::BuildOptions;
use super::builder_folder::{BUILDPACKS, BuilderChoice, BuilderFolder};
use super::buildpacks::{ChosenBuildpacks, Host};
use super::{FindError, PipelineError, Workbench, copies};
use crate::builder::BuilderDescription;
use crate::image::Image;
use crate::lifecycle::api::PlatformApi;
use crate::lifecycle::context::{Place, RunTarget};
use crate::lifecycle::environment::Variables;
use crate::lifecycle::files::order::OrderToml;
use crate::lifecycle::label::RunImageNames;
use crate::lifecycle::target::distro_of_os_release;
use crate::reference::Reference;
use crate::root::{Root, RootError};
use crate::runner::RunnerFacts;
use crate::store::Snapshot;

/// The largest launcher that is taken from a builder; upstream's has 3 MB.
const LARGEST_LAUNCHER: u64 = 64 << 20;
const LARGEST_OS_RELEASE: u64 = 64 << 10;

/// A builder whose files are at hand, with the buildpacks that a build adds to it.
#[derive(Debug)]
pub(super) struct OpenBuilder {
    pub(super) description: BuilderDescription,
    /// Its layers, unpacked; none if it is a folder of this machine.
    pub(super) snapshot: Option<Snapshot>,
    pub(super) buildpacks: ChosenBuildpacks,
    /// Where all buildpacks of this build are, if that is not in its root file system.
    further: Option<PathBuf>,
    /// The newest version that both its launcher and fnpack speak.
    pub(super) api: PlatformApi,
    /// The environment that its config gives.
    pub(super) environment: Variables,
    /// Its root file system, for reading.
    root: Root,
    /// The same as commands see it.
    at: PathBuf,
}

impl OpenBuilder {
    pub(super) fn open(bench: &Workbench<'_>, options: &BuildOptions) -> Result<Self, PipelineError> {
        match &options.builder {
            BuilderChoice::Image(name) => Self::unpack(bench, name, options),
            BuilderChoice::Folder(folder) => Self::of_folder(bench, folder, options),
        }
    }

    fn unpack(bench: &Workbench<'_>, name: &Reference, options: &BuildOptions) -> Result<Self, PipelineError> {
        let image = bench.find(name, &options.target)?;
        let description = BuilderDescription::of(&image, &name.familiar())?;
        let api = common_api(&name.familiar(), &description)?;
        let host = Host { name: &name.familiar(), is_overlaid: true, image: &image, description: &description };
        let buildpacks = ChosenBuildpacks::open(bench, &options.buildpacks, &host).map_err(Box::new)?;
        let snapshot = bench.unpack(&image)?;
        let overlay = Overlay { lowers: lowers(&buildpacks, &snapshot), upper: None, xattr: bench.xattr };
        let root = Root::from_fd(overlay.view()?);
        let entries = image.config().config.env.iter().filter_map(|entry| entry.split_once('='));
        let environment = entries.map(|(name, value)| (name.into(), value.into())).collect();
        Ok(Self { description, snapshot: Some(snapshot), buildpacks, further: None, api, environment, root, at: "/".into() })
    }

    fn of_folder(bench: &Workbench<'_>, folder: &BuilderFolder, options: &BuildOptions) -> Result<Self, PipelineError> {
        let target = &options.target;
        let root = Root::open(&folder.root)?;
        let description = folder.describe(&root)?;
        if (&description.target.os, &description.target.arch) != (&target.os, &target.arch) {
            return Err(PipelineError::BuilderOfOtherTarget { target: Box::new(target.clone()), own: Box::new(description.target) });
        }
        let api = common_api(folder.name(), &description)?;
        let image = BuilderFolder::stand_in(&description);
        let host = Host { name: folder.name(), is_overlaid: false, image: &image, description: &description };
        let buildpacks = ChosenBuildpacks::open(bench, &options.buildpacks, &host).map_err(Box::new)?;
        let further = buildpacks.folder().map(fs_err::canonicalize).transpose()?;
        if let Some(further) = &further {
            complete(&Root::open(further)?, &root)?;
        }
        let (environment, at) = (folder.environment.clone(), folder.root.clone());
        Ok(Self { description, snapshot: None, buildpacks, further, api, environment, root, at })
    }

    /// The folders of its root file system, topmost first.
    pub(super) fn lowers(&self, snapshot: &Snapshot) -> Vec<PathBuf> {
        lowers(&self.buildpacks, snapshot)
    }

    pub(super) fn order(&self) -> OrderToml {
        OrderToml { order: self.buildpacks.order.clone(), ..OrderToml::default() }
    }

    /// A folder of the builder, if it has it.
    pub(super) fn place(&self, path: &str) -> Result<Option<Place>, RootError> {
        let inside = path.trim_start_matches('/');
        if let Some(further) = self.further.as_ref().filter(|_| inside == BUILDPACKS) {
            return Ok(Some(Place { path: further.join(inside), root: Root::open(further)?.sub(inside)? }));
        }
        if !self.root.is_dir(inside) {
            return Ok(None);
        }
        Ok(Some(Place { path: self.at.join(inside), root: self.root.sub(inside)? }))
    }

    /// The program that starts processes in the image.
    pub(super) fn launcher(&self) -> Result<Vec<u8>, RootError> {
        self.root.read("/cnb/lifecycle/launcher", LARGEST_LAUNCHER)
    }

    /// The home folder of the build's user, as the builder's files say.
    pub(super) fn home(&self) -> Option<String> {
        let user = self.description.user;
        crate::accounts::account(&self.root, &format!("{}:{}", user.uid, user.gid)).ok().map(|account| account.home)
    }

    /// The target of the build: that of the run image, its distribution or else the builder's.
    pub(super) fn run_target(&self, runner: &RunnerFacts) -> RunTarget {
        let own = || distro_of_os_release(&self.root.read_to_string(Path::new("/etc/os-release"), LARGEST_OS_RELEASE).ok()?);
        RunTarget { target: runner.target.clone(), distro: runner.distro.clone().or_else(own) }
    }
}

/// Copies the builder's own buildpacks to those of this build, where nothing can lie over anything.
fn complete(further: &Root, builder: &Root) -> Result<(), RootError> {
    for id in builder.read_dir(BUILDPACKS)? {
        for version in builder.read_dir(Path::new(BUILDPACKS).join(&id.name))? {
            let path = Path::new(BUILDPACKS).join(&id.name).join(version.name);
            if !further.is_dir(&path) {
                further.create_dir_all(&path, 0o755)?;
                copies::copy(builder, further, &path)?;
            }
        }
    }
    Ok(())
}

fn lowers(buildpacks: &ChosenBuildpacks, snapshot: &Snapshot) -> Vec<PathBuf> {
    buildpacks.folder().into_iter().chain(snapshot.lowers().iter().cloned()).collect()
}

fn common_api(name: &str, description: &BuilderDescription) -> Result<PlatformApi, PipelineError> {
    let apis = &description.metadata.lifecycle.apis.platform;
    let spoken = || apis.supported.iter().chain(&apis.deprecated);
    let common = spoken().filter_map(|version| version.parse::<PlatformApi>().ok()).max();
    common
        .ok_or_else(|| PipelineError::NoCommonApi { builder: name.to_owned(), versions: spoken().cloned().collect::<Vec<_>>().join(", ") })
}

/// The run image of a build.
#[derive(Debug)]
pub(super) struct ChosenRunImage {
    pub(super) image: Image,
    /// The name it was found under.
    pub(super) reference: Reference,
    /// The names to record for later rebases.
    pub(super) names: RunImageNames,
}

impl ChosenRunImage {
    /// The one that the user names; else the first of the builder's that the store has under any of its
    /// names; else the first that its registry gives.
    pub(super) fn choose(bench: &Workbench<'_>, options: &BuildOptions, builder: &OpenBuilder) -> Result<Self, PipelineError> {
        if let Some(reference) = &options.run_image {
            let names = RunImageNames { image: reference.familiar(), mirrors: Vec::new() };
            return Ok(Self {
                image: bench.find_base(reference, &options.target, options.destination)?,
                reference: reference.clone(),
                names,
            });
        }
        if let Some(found) = Self::in_store(bench, options, builder)? {
            return Ok(found);
        }
        let (names, candidates) = of_builder(options, builder)?;
        let mut first_failure: Option<FindError> = None;
        for reference in candidates {
            match bench.find_base(&reference, &options.target, options.destination) {
                Ok(image) => return Ok(Self { image, reference, names }),
                Err(error) => first_failure = first_failure.or(Some(error)),
            }
        }
        Err(first_failure.map_or_else(|| PipelineError::NoRunImage { builder: options.builder.name() }, PipelineError::from))
    }

    /// The one that the user names; else the first of the builder's that the store has, if it has one. Nothing is fetched
    /// that nobody named.
    pub(super) fn at_hand(bench: &Workbench<'_>, options: &BuildOptions, builder: &OpenBuilder) -> Result<Option<Self>, PipelineError> {
        if options.run_image.is_some() {
            return Self::choose(bench, options, builder).map(Some);
        }
        Self::in_store(bench, options, builder)
    }

    fn in_store(bench: &Workbench<'_>, options: &BuildOptions, builder: &OpenBuilder) -> Result<Option<Self>, PipelineError> {
        let (names, candidates) = of_builder(options, builder)?;
        for reference in candidates {
            if bench.store.image(&reference, &options.target)?.is_some() {
                return Ok(Some(Self { image: bench.find_base(&reference, &options.target, options.destination)?, reference, names }));
            }
        }
        Ok(None)
    }
}

/// What the builder's first run image is called, and where it may be found.
fn of_builder(options: &BuildOptions, builder: &OpenBuilder) -> Result<(RunImageNames, Vec<Reference>), PipelineError> {
    let entry = builder.description.run_images().into_iter().next();
    let entry = entry.ok_or_else(|| PipelineError::NoRunImage { builder: options.builder.name() })?;
    let candidates = std::iter::once(&entry.image).chain(&entry.mirrors).map(|name| name.parse()).collect::<Result<_, _>>()?;
    Ok((RunImageNames { image: entry.image.clone(), mirrors: entry.mirrors.clone() }, candidates))
}
