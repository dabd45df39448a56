//! The place of one build: folders in the store's scratch, what is mounted from where, who owns what.

use std::path::{Path, PathBuf};

use fnpack_sandbox::{Attached, Mount, Overlay, Upper};

use super::build::BuildOptions;
use super::open_builder::OpenBuilder;
use super::platform::{PLATFORM, Platform};
use super::{PipelineError, Workbench};
use crate::executor::{Changes, Network, SandboxExecutor, SandboxRoot, User, new_upper};
use crate::layers::Owner;
use crate::lifecycle::context::{Context, Place, Places};
use crate::root::Root;
use crate::runner::RunnerFacts;
use crate::store::Scratch;

/// The layers folder's place inside, as `pack` has it.
const LAYERS: &str = "/layers";
const BUILDPACKS: &str = "/cnb/buildpacks";
const BUILD_CONFIG: &str = "/cnb/build-config";
/// Where buildpacks find their plans.
const PLANS: &str = "/run/fnpack/plans";
/// The name that stands for production where the user names no other.
const EXECUTION_ENVIRONMENT: &str = "production";

/// A build's folders.
pub(super) struct Site {
    pub(super) scratch: Scratch,
    /// Who owns what the build's user must be able to write.
    pub(super) owner: Owner,
    app_dir: PathBuf,
    platform: Platform,
    volumes: Vec<Mount>,
}

impl Site {
    /// Copies the source and makes the folders.
    pub(super) fn prepare(
        bench: &Workbench<'_>,
        options: &BuildOptions,
        builder: &OpenBuilder,
        runner: &RunnerFacts,
    ) -> Result<Self, PipelineError> {
        let user = builder.description.user;
        let owner = if bench.single_id { Owner { uid: 0, gid: 0 } } else { Owner { uid: user.uid, gid: user.gid } };
        let certificates = bench.surroundings.certificate_variables(options.network);
        let runner = runner.variables().into_iter().map(|(name, value)| (name.to_owned(), value));
        let site = Self {
            scratch: bench.store.scratch()?,
            owner,
            app_dir: options.app_dir.clone(),
            // What the user says is stronger than what the machine and the run image have.
            platform: Platform::new(certificates.into_iter().chain(runner).chain(options.env.iter().cloned())),
            volumes: options.volumes.iter().map(Mount::from).collect(),
        };
        let root = site.scratch.root()?;
        for name in ["app", "plans", "detect", "layers"] {
            root.create_dir(name, 0o755)?;
            root.chown(name, owner.uid, owner.gid)?;
        }
        options.source.copy(&root.sub("app")?, (owner.uid, owner.gid))?;
        Ok(site)
    }

    /// The application folder on this machine.
    pub(super) fn app(&self) -> PathBuf {
        self.scratch.path().join("app")
    }

    /// All that detect and build are given. The layers folder is an empty one until the caches are known.
    pub(super) fn context(
        &self,
        bench: &Workbench<'_>,
        options: &BuildOptions,
        builder: &OpenBuilder,
        runner: &RunnerFacts,
    ) -> Result<Context, PipelineError> {
        let user = builder.description.user;
        let mut environment = builder.environment();
        if let Some(home) = builder.home() {
            environment.entry("HOME".into()).or_insert_with(|| home.into());
        }
        environment.extend(bench.surroundings.proxy_variables(options.network).iter().cloned());
        Ok(Context {
            api: builder.api,
            places: self.places(builder, self.scratch.root()?.sub("layers")?)?,
            run_target: builder.run_target(runner),
            execution_environment: EXECUTION_ENVIRONMENT.to_owned(),
            environment,
            user: User { uid: user.uid, gid: user.gid, groups: Vec::new() },
            network: options.network,
        })
    }

    /// The folders by both their faces.
    fn places(&self, builder: &OpenBuilder, layers: Root) -> Result<Places, PipelineError> {
        let place = |path: &str, root: Root| Place { path: path.into(), root };
        let missing = || PipelineError::NoBuildpacks { folder: BUILDPACKS };
        Ok(Places {
            app: self.app_dir.clone(),
            layers: place(LAYERS, layers),
            platform: place(PLATFORM, self.platform.folder()?),
            buildpacks: builder.place(BUILDPACKS)?.ok_or_else(missing)?,
            build_config: builder.place(BUILD_CONFIG)?,
            scratch: place(PLANS, self.scratch.root()?.sub("plans")?),
            owner: Some(self.owner),
        })
    }

    /// Runs `bin/detect`: several at once, without network, unable to change the application.
    pub(super) fn detecting(&self, bench: &Workbench<'_>, builder: &OpenBuilder) -> SandboxExecutor {
        let root =
            SandboxRoot { lowers: builder.lowers(), changes: Changes::Dropped(self.scratch.path().join("detect")), xattr: bench.xattr };
        let mut mounts = bench.surroundings.mounts(Network::None);
        mounts.push(Mount::Bind { source: self.app(), target: self.app_dir.clone(), read_only: true });
        self.executor(root, mounts, bench)
    }

    /// Runs `bin/build`: one after the other in the same root file system.
    pub(super) fn building(
        &self,
        bench: &Workbench<'_>,
        options: &BuildOptions,
        builder: &OpenBuilder,
        layers: &Path,
    ) -> Result<SandboxExecutor, PipelineError> {
        let upper = new_upper(&self.scratch.path().join("root"))?;
        builder.snapshot.describe_upper(&upper.folder)?;
        let root = SandboxRoot { lowers: builder.lowers(), changes: Changes::Kept(upper), xattr: bench.xattr };
        let mut mounts = bench.surroundings.mounts(options.network);
        mounts.push(Mount::Bind { source: self.app(), target: self.app_dir.clone(), read_only: false });
        mounts.push(Mount::Bind { source: layers.to_owned(), target: LAYERS.into(), read_only: false });
        Ok(self.executor(root, mounts, bench))
    }

    fn executor(&self, root: SandboxRoot, mut mounts: Vec<Mount>, bench: &Workbench<'_>) -> SandboxExecutor {
        mounts.extend(self.platform.mounts());
        mounts.push(Mount::Bind { source: self.scratch.path().join("plans"), target: PLANS.into(), read_only: false });
        mounts.extend(self.volumes.iter().cloned());
        SandboxExecutor::new(root, mounts, bench.surroundings.init.clone())
    }
}

/// The same with the layers folder that the build works in; the rest stays, the folder of variables too.
pub(super) fn with_layers(context: Context, root: Root) -> Context {
    let Context { places, .. } = context;
    let layers = Place { root, ..places.layers };
    Context { places: Places { layers, ..places }, ..context }
}

/// The layers folder of a build: restored caches below, changes above.
pub(super) struct LayersFolder {
    upper: PathBuf,
    /// None where nothing is restored: then the upper folder is all there is.
    attached: Option<Attached>,
}

impl LayersFolder {
    /// `lowers` are the folders of restored layers.
    pub(super) fn open(bench: &Workbench<'_>, site: &Site, lowers: Vec<PathBuf>) -> Result<Self, PipelineError> {
        let upper = site.scratch.path().join("layers");
        if lowers.is_empty() {
            return Ok(Self { upper, attached: None });
        }
        let (work, merged) = (site.scratch.path().join("layers-work"), site.scratch.path().join("layers-merged"));
        fs_err::create_dir(&work)?;
        fs_err::create_dir(&merged)?;
        let overlay = Overlay { lowers, upper: Some(Upper { folder: upper.clone(), work }), xattr: bench.xattr };
        Ok(Self { upper, attached: Some(overlay.attach(&merged)?) })
    }

    /// The folder with everything in it.
    pub(super) fn path(&self) -> &Path {
        self.attached.as_ref().map_or(self.upper.as_path(), Attached::path)
    }

    /// The same, not to be left.
    pub(super) fn root(&self) -> Result<Root, PipelineError> {
        Ok(Root::open(self.path())?)
    }

    /// Ends the mount; gives the folder with what changed.
    pub(super) fn close(self) -> PathBuf {
        drop(self.attached);
        self.upper
    }
}
