//! The place of one build: folders in the store's scratch, where commands see them, who owns what.
//!
//! In sandboxes all folders are mounted where the image has them. Plain processes see them where they are; what must name
//! their places in the image learns those by `BP_LAUNCH_APP_DIR`.

use std::path::{Path, PathBuf};

use fnpack_sandbox::Mount;

use super::bindings;
use super::build::BuildOptions;
use super::builder_folder::{BuilderChoice, LocalExecutor};
use super::leaks::{self, LeakError};
use super::open_builder::OpenBuilder;
use super::platform::{PLATFORM, Platform};
use super::{PipelineError, Workbench};
use crate::executor::{Changes, Executor, Network, Processes, SandboxExecutor, SandboxRoot, User, new_upper};
use crate::layers::Owner;
use crate::lifecycle::built::Built;
use crate::lifecycle::context::{Context, Place, Places};
use crate::lifecycle::environment::Variables;
use crate::root::Root;
use crate::runner::RunnerFacts;
use crate::store::Scratch;

/// The layers folder's place in the image, as `pack` has it.
pub(super) const LAYERS: &str = "/layers";
const BUILDPACKS: &str = "/cnb/buildpacks";
const BUILD_CONFIG: &str = "/cnb/build-config";
/// Where buildpacks in sandboxes find their plans.
const PLANS: &str = "/run/fnpack/plans";
/// The name that stands for production where the user names no other.
const EXECUTION_ENVIRONMENT: &str = "production";
/// Tells buildpacks where the application will be, if that is not where they see it.
const LAUNCH_APP_DIR: &str = "BP_LAUNCH_APP_DIR";

/// A build's folders.
pub(super) struct Site {
    pub(super) scratch: Scratch,
    /// Who owns what the build's user must be able to write, as this process names it.
    pub(super) owner: Owner,
    /// Who runs buildpacks.
    user: User,
    seen: Seen,
    platform: Platform,
    volumes: Vec<Mount>,
    /// How commands run if not in sandboxes.
    local: Option<LocalExecutor>,
}

/// Folders as commands see them.
struct Seen {
    app: PathBuf,
    layers: PathBuf,
    platform: PathBuf,
    plans: PathBuf,
    /// None where the builder's files say it.
    home: Option<PathBuf>,
}

impl Site {
    /// Copies the source and makes the folders.
    pub(super) fn prepare(
        bench: &Workbench<'_>,
        options: &BuildOptions,
        builder: &OpenBuilder,
        runner: &RunnerFacts,
    ) -> Result<Self, PipelineError> {
        let local = match &options.builder {
            BuilderChoice::Image(_) => None,
            BuilderChoice::Folder(folder) => Some(folder.executor),
        };
        local.map(|local| check_isolation(local, options)).transpose()?;
        let scratch = bench.store.scratch()?;
        let seen = if local.is_some() { Seen::as_they_are(&scratch)? } else { Seen::mounted(options) };
        let (owner, user) = if local.is_some() { ourselves() } else { users(bench, builder) };
        let runner = runner.variables().into_iter().map(|(name, value)| (name.to_owned(), value));
        let volumes = options.volumes.iter().map(bindings::mounts).collect::<Result<Vec<_>, _>>()?;
        let site = Self {
            owner,
            user,
            // What the user says is stronger than what the machine and the run image have.
            platform: Platform::new(runner.chain(variables(bench, options, &seen, local.is_none()))),
            volumes: volumes.into_iter().flatten().collect(),
            scratch,
            seen,
            local,
        };
        let root = site.scratch.root()?;
        let own: &[&str] = if local.is_some() { &["home", "tmp"] } else { &[] };
        for name in ["app", "plans", "detect", "layers"].iter().chain(own) {
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

    /// Whether commands run in sandboxes.
    pub(super) fn has_sandboxes(&self) -> bool {
        self.local.is_none()
    }

    /// All that detect and build are given. The layers folder is an empty one until the caches are known.
    pub(super) fn context(
        &self,
        bench: &Workbench<'_>,
        options: &BuildOptions,
        builder: &OpenBuilder,
        runner: &RunnerFacts,
    ) -> Result<Context, PipelineError> {
        Ok(Context {
            api: builder.api,
            places: self.places(builder)?,
            run_target: builder.run_target(runner),
            execution_environment: EXECUTION_ENVIRONMENT.to_owned(),
            environment: self.environment(bench, options, builder),
            user: self.user.clone(),
            network: options.network,
        })
    }

    fn environment(&self, bench: &Workbench<'_>, options: &BuildOptions, builder: &OpenBuilder) -> Variables {
        let mut environment = builder.environment.clone();
        match &self.seen.home {
            Some(home) => {
                environment.insert("HOME".into(), home.into());
            }
            None => {
                if let Some(home) = builder.home() {
                    environment.entry("HOME".into()).or_insert_with(|| home.into());
                }
            }
        }
        environment.extend(bench.surroundings.proxy_variables(options.network).iter().cloned());
        environment
    }

    /// The folders by both their faces.
    fn places(&self, builder: &OpenBuilder) -> Result<Places, PipelineError> {
        let scratch = self.scratch.root()?;
        let place = |path: &Path, root: Root| Place { path: path.to_owned(), root };
        let missing = || PipelineError::NoBuildpacks { folder: BUILDPACKS };
        Ok(Places {
            app: self.seen.app.clone(),
            layers: place(&self.seen.layers, scratch.sub("layers")?),
            platform: place(&self.seen.platform, self.platform_folder(&scratch)?),
            buildpacks: builder.place(BUILDPACKS)?.ok_or_else(missing)?,
            build_config: builder.place(BUILD_CONFIG)?,
            scratch: place(&self.seen.plans, scratch.sub("plans")?),
            owner: self.has_sandboxes().then_some(self.owner),
        })
    }

    /// Plain processes need it as files: nobody else may read them, and they go with the scratch folder.
    fn platform_folder(&self, scratch: &Root) -> Result<Root, PipelineError> {
        if self.has_sandboxes() {
            return Ok(self.platform.folder()?);
        }
        scratch.create_dir("platform", 0o700)?;
        let folder = scratch.sub("platform")?;
        self.platform.write_to(&folder)?;
        Ok(folder)
    }

    /// Runs `bin/detect`: several at once; in sandboxes without network, unable to change the application.
    pub(super) fn detecting(&self, bench: &Workbench<'_>, builder: &OpenBuilder) -> Box<dyn Executor> {
        let Some(snapshot) = &builder.snapshot else { return self.processes() };
        let changes = Changes::Dropped(self.scratch.path().join("detect"));
        let root = SandboxRoot { lowers: builder.lowers(snapshot), changes, xattr: bench.xattr };
        let mut mounts = bench.surroundings.mounts(Network::None);
        mounts.push(Mount::Bind { source: self.app(), target: self.seen.app.clone(), read_only: true });
        self.sandboxes(root, mounts, bench)
    }

    /// Runs `bin/build`: one after the other in the same root file system.
    pub(super) fn building(
        &self,
        bench: &Workbench<'_>,
        options: &BuildOptions,
        builder: &OpenBuilder,
        layers: &Path,
    ) -> Result<Box<dyn Executor>, PipelineError> {
        let Some(snapshot) = &builder.snapshot else { return Ok(self.processes()) };
        let upper = new_upper(&self.scratch.path().join("root"))?;
        snapshot.describe_upper(&upper.folder)?;
        let root = SandboxRoot { lowers: builder.lowers(snapshot), changes: Changes::Kept(upper), xattr: bench.xattr };
        let mut mounts = bench.surroundings.mounts(options.network);
        mounts.push(Mount::Bind { source: self.app(), target: self.seen.app.clone(), read_only: false });
        mounts.push(Mount::Bind { source: layers.to_owned(), target: self.seen.layers.clone(), read_only: false });
        Ok(self.sandboxes(root, mounts, bench))
    }

    fn sandboxes(&self, root: SandboxRoot, mut mounts: Vec<Mount>, bench: &Workbench<'_>) -> Box<dyn Executor> {
        mounts.extend(self.platform.mounts());
        let plans = self.scratch.path().join("plans");
        mounts.push(Mount::Bind { source: plans, target: self.seen.plans.clone(), read_only: false });
        mounts.extend(self.volumes.iter().cloned());
        Box::new(SandboxExecutor::new(root, mounts, bench.surroundings.init.clone()))
    }

    fn processes(&self) -> Box<dyn Executor> {
        let name = self.local.map_or("here", LocalExecutor::name);
        Box::new(Processes::new(name, self.scratch.path().join("tmp")))
    }

    /// Refuses or reports what names folders of this build in what goes into the image.
    pub(super) fn search_for_leaks(&self, bench: &Workbench<'_>, built: &Built, (layers, app): (&Root, &Root)) -> Result<(), LeakError> {
        // The folder of all scratch folders of this process: buildpacks that fnpack laid out are there too.
        let Some(folder) = self.seen.app.ancestors().nth(2).filter(|_| !self.has_sandboxes()) else { return Ok(()) };
        for file in leaks::find(folder, built, layers, app)? {
            bench.report.warning(&format!("{file} names a folder that only this build has: the image will not be the same twice"));
        }
        Ok(())
    }
}

impl Seen {
    fn mounted(options: &BuildOptions) -> Self {
        Self { app: options.app_dir.clone(), layers: LAYERS.into(), platform: PLATFORM.into(), plans: PLANS.into(), home: None }
    }

    /// Commands start elsewhere, so all of it is absolute.
    fn as_they_are(scratch: &Scratch) -> Result<Self, PipelineError> {
        let folder = fs_err::canonicalize(scratch.path())?;
        let path = |name: &str| folder.join(name);
        Ok(Self { app: path("app"), layers: path("layers"), platform: path("platform"), plans: path("plans"), home: Some(path("home")) })
    }
}

/// What plain processes cannot be given is refused, not left out.
fn check_isolation(local: LocalExecutor, options: &BuildOptions) -> Result<(), PipelineError> {
    let refuse = |what: String| Err(PipelineError::NotIsolated { executor: local.name(), what });
    if options.network == Network::None {
        return refuse("keep a build from the network".to_owned());
    }
    match options.volumes.iter().find(|volume| volume.source != volume.target) {
        Some(volume) => refuse(format!("show `{}` as `{}`", volume.source.display(), volume.target.display())),
        None => Ok(()),
    }
}

/// Plain processes run as who we are; owners in the image are another matter.
fn ourselves() -> (Owner, User) {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    (Owner { uid, gid }, User { uid, gid, groups: Vec::new() })
}

fn users(bench: &Workbench<'_>, builder: &OpenBuilder) -> (Owner, User) {
    let user = builder.description.user;
    let owner = if bench.single_id { Owner { uid: 0, gid: 0 } } else { Owner { uid: user.uid, gid: user.gid } };
    (owner, User { uid: user.uid, gid: user.gid, groups: Vec::new() })
}

/// What the platform says to buildpacks; what the user says is stronger.
fn variables(bench: &Workbench<'_>, options: &BuildOptions, seen: &Seen, mounted: bool) -> Vec<(String, String)> {
    let elsewhere = (seen.app != options.app_dir).then(|| (LAUNCH_APP_DIR.to_owned(), options.app_dir.to_string_lossy().into_owned()));
    let certificates = bench.surroundings.certificate_variables(options.network, mounted);
    elsewhere.into_iter().chain(certificates).chain(options.env.iter().cloned()).collect()
}

/// The same with the layers folder that the build works in; the rest stays, the folder of variables too.
pub(super) fn with_layers(context: Context, root: Root) -> Context {
    let Context { places, .. } = context;
    let layers = Place { root, ..places.layers };
    Context { places: Places { layers, ..places }, ..context }
}
