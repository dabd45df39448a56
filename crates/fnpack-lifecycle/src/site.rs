//! The place of one build in this container: the folders, and a scratch folder for what nobody needs afterwards.

use std::ffi::OsString;
use std::path::Path;

use fnpack_core::executor::Network;
use fnpack_core::lifecycle::analyze;
use fnpack_core::lifecycle::api::PlatformApi;
use fnpack_core::lifecycle::context::{Context, Place, Places, RunTarget};
use fnpack_core::lifecycle::environment::Variables;
use fnpack_core::lifecycle::target::distro_of_os_release;
use fnpack_core::root::{Root, RootError};
use fnpack_core::target::Target;
use tempfile::TempDir;

use crate::arguments::{Arguments, Flag};
use crate::ownership::Identity;

/// The name that stands for production where the platform names no other.
const PRODUCTION: &str = "production";
const LARGEST_OS_RELEASE: u64 = 64 << 10;

/// A build's scratch folder, removed at the end.
#[derive(Debug)]
pub(crate) struct Site {
    scratch: TempDir,
}

impl Site {
    /// Makes the scratch folder.
    pub(crate) fn new() -> Result<Self, RootError> {
        let failed = |source| RootError { action: "make a scratch folder in", path: std::env::temp_dir(), source };
        let scratch = tempfile::Builder::new().prefix("lifecycle-").tempdir().map_err(failed)?;
        let root = Root::open(scratch.path())?;
        // Buildpacks run as somebody else and must reach their plans.
        root.chmod("", 0o755)?;
        root.create_dir("plans", 0o755)?;
        root.create_dir("blobs", 0o700)?;
        Ok(Self { scratch })
    }

    /// Where new layers go.
    pub(crate) fn blobs(&self) -> std::path::PathBuf {
        self.scratch.path().join("blobs")
    }

    /// All that detect and build are given.
    pub(crate) fn context(&self, arguments: &Arguments, identity: &Identity, run_target: RunTarget) -> Result<Context, RootError> {
        let (app, build_config) = (arguments.path(Flag::App), arguments.path(Flag::BuildConfig));
        // Else every buildpack would fail to start, and nobody would see why.
        Root::open(&app)?;
        Ok(Context {
            api: arguments.api,
            places: Places {
                app,
                layers: place(&arguments.path(Flag::Layers))?,
                platform: place(&arguments.path(Flag::Platform))?,
                buildpacks: place(&arguments.path(Flag::Buildpacks))?,
                build_config: if build_config.is_dir() { Some(place(&build_config)?) } else { None },
                scratch: place(&self.scratch.path().join("plans"))?,
                owner: identity.is_root.then_some(identity.owner),
            },
            run_target,
            execution_environment: execution_environment(),
            environment: environment(identity),
            user: identity.user(),
            network: Network::Host,
        })
    }
}

/// A folder that commands and this process see alike.
pub(crate) fn place(path: &Path) -> Result<Place, RootError> {
    Ok(Place { path: path.to_owned(), root: Root::open(path)? })
}

/// `CNB_EXEC_ENV`.
pub(crate) fn execution_environment() -> String {
    std::env::var("CNB_EXEC_ENV").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| PRODUCTION.to_owned())
}

/// Ours; as root with the home folder of the build's user.
fn environment(identity: &Identity) -> Variables {
    let mut variables: Variables = std::env::vars_os().collect();
    if identity.is_root
        && let Ok(root) = Root::open("/")
        && let Ok(account) = fnpack_core::accounts::account(&root, &format!("{}:{}", identity.owner.uid, identity.owner.gid))
    {
        variables.insert("HOME".into(), OsString::from(account.home));
    }
    variables
}

/// What the result will stand on: as the run image says, its distribution or else that of this container.
pub(crate) fn run_target(api: PlatformApi, run_image: Option<analyze::RunTarget>) -> RunTarget {
    let found = run_image.filter(|_| api.has_targets()).map(RunTarget::from);
    let mut target = found.unwrap_or_else(|| RunTarget { target: Target::of_this_program(), distro: None });
    let own = || distro_of_os_release(&Root::open("/").ok()?.read_to_string("/etc/os-release", LARGEST_OS_RELEASE).ok()?);
    target.distro = target.distro.or_else(own);
    target
}
