//! What detect and build are given beside the buildpacks: folders, target, environment, user.
//!
//! A folder has two faces: the path by which buildpacks know it, and the handle by which the lifecycle
//! reaches it, which may be on the other side of a mount. A [`Place`] keeps both together.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::analyze;
use super::api::PlatformApi;
use super::environment::Variables;
use crate::builder::Distro;
use crate::executor::{Network, User};
use crate::layers::Owner;
use crate::root::{Root, RootError};
use crate::target::Target;

/// A folder, as buildpacks and as the lifecycle see it.
#[derive(Debug)]
pub struct Place {
    /// The absolute path that commands see.
    pub path: PathBuf,
    /// The same folder for this process.
    pub root: Root,
}

/// The folders of a build (CNB platform spec; the usual paths are in parentheses).
#[derive(Debug)]
pub struct Places {
    /// The application (`/workspace`); the lifecycle itself does not look into it.
    pub app: PathBuf,
    /// What buildpacks make (`/layers`).
    pub layers: Place,
    /// What the user gives to the build (`/platform`).
    pub platform: Place,
    /// The buildpacks (`/cnb/buildpacks`).
    pub buildpacks: Place,
    /// What the builder gives to the build (`/cnb/build-config`).
    pub build_config: Option<Place>,
    /// An empty folder for plans, of the caller's making and removing; commands must be able to write
    /// below it.
    pub scratch: Place,
    /// Who owns files that commands must be able to write, as this process names them. `None` if
    /// what this process makes is theirs anyway.
    pub owner: Option<Owner>,
}

/// The image that the result will stand on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunTarget {
    /// From its config.
    pub target: Target,
    /// From its labels, or of the build image if it has none.
    pub distro: Option<Distro>,
}

/// What detect and build are given beside the buildpacks.
#[derive(Debug)]
pub struct Context {
    /// The Platform API that the caller speaks.
    pub api: PlatformApi,
    /// The folders.
    pub places: Places,
    /// What the build is for.
    pub run_target: RunTarget,
    /// `production`, if the user names no other.
    pub execution_environment: String,
    /// The environment of the build image; little of it reaches buildpacks.
    pub environment: Variables,
    /// Who runs buildpacks.
    pub user: User,
    /// What `bin/build` sees of the network; `bin/detect` sees nothing.
    pub network: Network,
}

impl From<analyze::RunTarget> for RunTarget {
    fn from(target: analyze::RunTarget) -> Self {
        let analyze::RunTarget { os, arch, arch_variant, distro } = target;
        let variant = (!arch_variant.is_empty()).then_some(arch_variant);
        Self { target: Target { os, arch, variant }, distro: distro.map(|distro| Distro { name: distro.name, version: distro.version }) }
    }
}

impl fmt::Display for RunTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(formatter)?;
        match &self.distro {
            Some(distro) => write!(formatter, ":{}@{}", distro.name, distro.version),
            None => Ok(()),
        }
    }
}

impl Place {
    /// The path of something in this folder, as commands see it.
    pub fn shown(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path.join(path)
    }
}

impl Places {
    /// Makes a folder that commands can write. One that is there is kept; a symlink to one is
    /// refused, as a buildpack may have put it there.
    pub(super) fn make_folder(&self, place: &Place, path: &Path) -> Result<(), RootError> {
        match place.root.try_symlink_metadata(path)? {
            None => {
                place.root.create_dir(path, 0o755)?;
                self.hand_over(place, path)
            }
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => Ok(()),
            Some(_) => Err(RootError { action: "create folder", path: path.to_owned(), source: io::ErrorKind::NotADirectory.into() }),
        }
    }

    /// Writes a file that commands can write.
    pub(super) fn write(&self, place: &Place, path: &Path, contents: &str) -> Result<(), RootError> {
        place.root.write(path, contents.as_bytes(), 0o644)?;
        self.hand_over(place, path)
    }

    /// Gives what this process made to the user of the commands.
    pub(super) fn hand_over(&self, place: &Place, path: &Path) -> Result<(), RootError> {
        match self.owner {
            Some(owner) => place.root.chown(path, owner.uid, owner.gid),
            None => Ok(()),
        }
    }
}
