//! A builder ready to be built in, and the run image that goes with it.

use std::path::{Path, PathBuf};

use fnpack_sandbox::Overlay;

use super::build::BuildOptions;
use super::buildpacks::{ChosenBuildpacks, Host};
use super::{FindError, PipelineError, Workbench};
use crate::builder::BuilderDescription;
use crate::image::Image;
use crate::lifecycle::api::PlatformApi;
use crate::lifecycle::context::{Place, RunTarget};
use crate::lifecycle::environment::Variables;
use crate::lifecycle::files::order::OrderToml;
use crate::lifecycle::label::RunImageNames;
use crate::lifecycle::target::distro_of_os_release;
use crate::project::BuildpackChoice;
use crate::reference::Reference;
use crate::root::{Root, RootError};
use crate::runner::RunnerFacts;
use crate::store::Snapshot;
use crate::target::Target;

/// The largest launcher that is taken from a builder; upstream's has 3 MB.
const LARGEST_LAUNCHER: u64 = 64 << 20;
const LARGEST_OS_RELEASE: u64 = 64 << 10;

/// A builder, unpacked, with the buildpacks that a build adds to it.
#[derive(Debug)]
pub(super) struct OpenBuilder {
    pub(super) image: Image,
    pub(super) description: BuilderDescription,
    pub(super) snapshot: Snapshot,
    pub(super) buildpacks: ChosenBuildpacks,
    /// The newest version that both its launcher and fnpack speak.
    pub(super) api: PlatformApi,
    /// Its root file system, for reading.
    root: Root,
}

impl OpenBuilder {
    pub(super) fn open(bench: &Workbench<'_>, name: &Reference, choice: &BuildpackChoice, target: &Target) -> Result<Self, PipelineError> {
        let image = bench.find(name, target)?;
        let description = BuilderDescription::of(&image, &name.familiar())?;
        let api = common_api(name, &description)?;
        let buildpacks =
            ChosenBuildpacks::open(bench, choice, &Host { name, image: &image, description: &description }).map_err(Box::new)?;
        let snapshot = bench.unpack(&image)?;
        let overlay = Overlay { lowers: lowers(&buildpacks, &snapshot), upper: None, xattr: bench.xattr };
        let root = Root::from_fd(overlay.view()?);
        Ok(Self { image, description, snapshot, buildpacks, api, root })
    }

    /// The folders of its root file system, topmost first.
    pub(super) fn lowers(&self) -> Vec<PathBuf> {
        lowers(&self.buildpacks, &self.snapshot)
    }

    pub(super) fn order(&self) -> OrderToml {
        OrderToml { order: self.buildpacks.order.clone(), ..OrderToml::default() }
    }

    /// A folder of the builder, if it has it.
    pub(super) fn place(&self, path: &str) -> Result<Option<Place>, RootError> {
        if !self.root.is_dir(path) {
            return Ok(None);
        }
        Ok(Some(Place { path: path.into(), root: self.root.sub(path)? }))
    }

    /// The program that starts processes in the image.
    pub(super) fn launcher(&self) -> Result<Vec<u8>, RootError> {
        self.root.read("/cnb/lifecycle/launcher", LARGEST_LAUNCHER)
    }

    /// The environment that the builder's config gives.
    pub(super) fn environment(&self) -> Variables {
        let entries = self.image.config().config.env.iter();
        entries.filter_map(|entry| entry.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
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

fn lowers(buildpacks: &ChosenBuildpacks, snapshot: &Snapshot) -> Vec<PathBuf> {
    buildpacks.folder().into_iter().chain(snapshot.lowers().iter().cloned()).collect()
}

fn common_api(name: &Reference, description: &BuilderDescription) -> Result<PlatformApi, PipelineError> {
    let apis = &description.metadata.lifecycle.apis.platform;
    let spoken = || apis.supported.iter().chain(&apis.deprecated);
    let common = spoken().filter_map(|version| version.parse::<PlatformApi>().ok()).max();
    common
        .ok_or_else(|| PipelineError::NoCommonApi { builder: name.familiar(), versions: spoken().cloned().collect::<Vec<_>>().join(", ") })
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
            return Ok(Self { image: bench.find(reference, &options.target)?, reference: reference.clone(), names });
        }
        let entry = builder.description.run_images().into_iter().next();
        let entry = entry.ok_or_else(|| PipelineError::NoRunImage { builder: options.builder.familiar() })?;
        let candidates =
            std::iter::once(&entry.image).chain(&entry.mirrors).map(|name| name.parse()).collect::<Result<Vec<Reference>, _>>()?;
        let names = RunImageNames { image: entry.image.clone(), mirrors: entry.mirrors.clone() };
        for reference in &candidates {
            if let Some(image) = bench.store.image(reference, &options.target)? {
                return Ok(Self { image, reference: reference.clone(), names });
            }
        }
        let mut first_failure: Option<FindError> = None;
        for reference in candidates {
            match bench.pull(&reference, &options.target) {
                Ok(image) => return Ok(Self { image, reference, names }),
                Err(error) => first_failure = first_failure.or(Some(error)),
            }
        }
        Err(first_failure.map_or_else(|| PipelineError::NoRunImage { builder: options.builder.familiar() }, PipelineError::from))
    }
}
