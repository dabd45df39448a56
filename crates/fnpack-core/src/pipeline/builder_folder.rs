//! A builder that is a folder of this machine, not an image: the container we are in, or files that fnpack
//! laid out. What the labels of an image would say is in its files (CNB platform specification, "order.toml", "run.toml",
//! "lifecycle.toml") and its environment.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::builder::labels::{self, BuilderMetadata, LifecycleMetadata, ModuleLayer, ModuleLayers, RunImage, System};
use crate::builder::{BuilderDescription, BuildpackToml, BuildpackTomlError, DescriptionError, Distro, User};
use crate::digest::DiffId;
use crate::image::Image;
use crate::lifecycle::environment::Variables;
use crate::lifecycle::files::{FileError, Source, TomlError, descriptor, order, run, stack};
use crate::lifecycle::target::distro_of_os_release;
use crate::reference::Reference;
use crate::root::{Root, RootError};
use crate::target::Target;

const ORDER: &str = "cnb/order.toml";
pub(super) const BUILDPACKS: &str = "cnb/buildpacks";
const LAUNCHER: &str = "cnb/lifecycle/launcher";
const DESCRIPTOR: &str = "cnb/lifecycle/lifecycle.toml";
const RUN: &str = "cnb/run.toml";
const STACK: &str = "cnb/stack.toml";
const LARGEST_OS_RELEASE: u64 = 64 << 10;

/// Where the builder of a build is. It decides how the build's commands are run.
#[derive(Debug, Clone)]
pub enum BuilderChoice {
    /// An image, by its name: commands run in sandboxes over it.
    Image(Reference),
    /// A folder: commands run as plain processes.
    Folder(BuilderFolder),
}

/// A builder's root file system on this machine.
#[derive(Debug, Clone)]
pub struct BuilderFolder {
    /// How commands run in it.
    pub executor: LocalExecutor,
    /// Where it is, absolute.
    pub root: PathBuf,
    /// The environment that a builder image's config would give.
    pub environment: Variables,
}

/// How commands are run without sandboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalExecutor {
    /// In the builder's container that we are in.
    Here,
    /// On the machine, with its own toolchains.
    Host,
}

/// Why a folder cannot be used as a builder.
#[derive(Debug, thiserror::Error)]
pub enum BuilderFolderError {
    /// It lacks what every builder has.
    #[error("this is not inside of a builder: there is no `/{file}`")]
    Missing {
        /// Without a slash in front.
        file: &'static str,
    },
    /// A file is not what its specification asks for.
    #[error(transparent)]
    File(#[from] FileError),
    /// A buildpack in it cannot be read.
    #[error(transparent)]
    Buildpack(#[from] BuildpackTomlError),
    /// Its folders cannot be read.
    #[error(transparent)]
    Folder(#[from] RootError),
    /// It does not say who owns what is built.
    #[error(transparent)]
    User(#[from] DescriptionError),
}

impl LocalExecutor {
    /// What users call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Host => "host",
        }
    }
}

impl BuilderChoice {
    /// What messages call it.
    pub fn name(&self) -> String {
        match self {
            Self::Image(name) => name.familiar(),
            Self::Folder(folder) => folder.name().to_owned(),
        }
    }

    /// What names of caches begin with: what was made at other paths or with other toolchains is of no use.
    pub(super) fn cache_kind(&self) -> String {
        match self {
            Self::Image(_) => String::new(),
            Self::Folder(folder) => format!("{} ", folder.executor.name()),
        }
    }

    /// What caches of the builder are called by.
    pub(super) fn cache_name(&self) -> String {
        match self {
            Self::Image(name) => name.without_digest().to_string(),
            Self::Folder(folder) => folder.name().to_owned(),
        }
    }
}

impl From<Reference> for BuilderChoice {
    fn from(name: Reference) -> Self {
        Self::Image(name)
    }
}

impl BuilderFolder {
    /// What a builder has and this folder lacks, as paths without a slash in front.
    pub fn missing(root: &Path) -> Vec<&'static str> {
        [ORDER, BUILDPACKS, LAUNCHER, DESCRIPTOR].into_iter().filter(|path| !root.join(path).exists()).collect()
    }

    pub(super) fn name(&self) -> &'static str {
        match self.executor {
            LocalExecutor::Here => "this container",
            LocalExecutor::Host => "fnpack's own buildpacks",
        }
    }

    pub(super) fn describe(&self, root: &Root) -> Result<BuilderDescription, BuilderFolderError> {
        let order = self.required(root, ORDER, order::parse)?.order;
        let descriptor::LifecycleToml { lifecycle, apis } = self.required(root, DESCRIPTOR, descriptor::parse)?;
        let lifecycle = LifecycleMetadata { version: lifecycle.version, apis, ..LifecycleMetadata::default() };
        let variable = |name: &str| self.environment.get(OsStr::new(name)).and_then(|value| value.to_str());
        Ok(BuilderDescription {
            metadata: BuilderMetadata { lifecycle, images: self.run_images(root)?, ..BuilderMetadata::default() },
            order,
            buildpacks: modules(root)?,
            system: System::default(),
            user: User::of_variables(variable, self.name())?,
            stack_id: variable("CNB_STACK_ID").map(str::to_owned),
            target: Target::of_this_program(),
            distro: distro(root),
        })
    }

    /// An image that says the same of itself, for checks against a builder image.
    pub(super) fn stand_in(description: &BuilderDescription) -> Image {
        let distro = description.distro.clone().unwrap_or_default();
        let stack = description.stack_id.clone().unwrap_or_default();
        Image::empty(&description.target).with_config(|config| {
            let labels = [(labels::DISTRO_NAME, distro.name), (labels::DISTRO_VERSION, distro.version), (labels::STACK_ID, stack)];
            config.config.labels.extend(labels.into_iter().map(|(key, value)| (key.to_owned(), value)));
        })
    }

    fn run_images(&self, root: &Root) -> Result<Vec<RunImage>, FileError> {
        let images = match self.file(root, RUN, run::parse)? {
            Some(run) => run.images,
            None => self.file(root, STACK, stack::parse)?.and_then(|stack| stack.run_image).into_iter().collect(),
        };
        Ok(images.into_iter().map(|run::RunImage { image, mirrors }| RunImage { image, mirrors }).collect())
    }

    fn required<T>(
        &self,
        root: &Root,
        file: &'static str,
        parse: impl FnOnce(&str) -> Result<T, TomlError>,
    ) -> Result<T, BuilderFolderError> {
        self.file(root, file, parse)?.ok_or(BuilderFolderError::Missing { file })
    }

    fn file<T>(&self, root: &Root, file: &str, parse: impl FnOnce(&str) -> Result<T, TomlError>) -> Result<Option<T>, FileError> {
        Source { root, path: file.into(), shown: self.root.join(file) }.read_if_present(parse)
    }
}

fn distro(root: &Root) -> Option<Distro> {
    distro_of_os_release(&root.read_to_string("etc/os-release", LARGEST_OS_RELEASE).ok()?)
}

/// The buildpacks by id and version.
fn modules(root: &Root) -> Result<ModuleLayers, BuilderFolderError> {
    let mut modules = ModuleLayers::new();
    if !root.is_dir(BUILDPACKS) {
        return Ok(modules);
    }
    for id in root.read_dir(BUILDPACKS)? {
        let folder = Path::new(BUILDPACKS).join(id.name);
        for version in root.read_dir(&folder)? {
            let path = folder.join(version.name);
            let buildpack = BuildpackToml::read(&root.sub(&path)?, &path.display().to_string())?;
            let (module, layer) = (buildpack.module(), layer(buildpack));
            modules.entry(module.id).or_default().insert(module.version, layer);
        }
    }
    Ok(modules)
}

/// What a label would say, less the layer: there is none.
fn layer(buildpack: BuildpackToml) -> ModuleLayer {
    ModuleLayer {
        api: buildpack.api,
        stacks: buildpack.stacks,
        targets: buildpack.targets,
        order: buildpack.order,
        layer_diff_id: DiffId::of(""),
        homepage: buildpack.homepage.unwrap_or_default(),
        name: buildpack.name.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTION: &str = "[lifecycle]\nversion = '1.2'\n[apis.platform]\nsupported = ['0.12']\n";
    const ORDER_TEXT: &str = "[[order]]\n[[order.group]]\nid = 'a'\nversion = '1'\n";

    fn folder(files: &[(&str, &str)], variables: &[(&str, &str)]) -> (tempfile::TempDir, Result<BuilderDescription, String>) {
        let temporary = tempfile::tempdir().unwrap();
        let root = Root::open(temporary.path()).unwrap();
        for (path, text) in files {
            root.create_dir_all(Path::new(path).parent().unwrap(), 0o755).unwrap();
            root.write(path, text.as_bytes(), 0o644).unwrap();
        }
        let environment = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let builder = BuilderFolder { executor: LocalExecutor::Here, root: temporary.path().to_owned(), environment };
        let described = builder.describe(&root).map_err(|error| error.to_string());
        (temporary, described)
    }

    #[test]
    fn files_and_environment_say_what_labels_would() {
        let files = [(ORDER, ORDER_TEXT), (DESCRIPTOR, DESCRIPTION), (RUN, "[[images]]\nimage = 'run'\nmirrors = ['m/run']\n")];
        let (_folder, described) = folder(&files, &[("CNB_USER_ID", "10000"), ("CNB_GROUP_ID", "10001")]);
        let described = described.unwrap();
        assert_eq!((described.user, described.order.len()), (User { uid: 10_000, gid: 10_001 }, 1));
        assert_eq!(described.run_images(), [RunImage { image: "run".to_owned(), mirrors: vec!["m/run".to_owned()] }]);
        assert_eq!(described.metadata.lifecycle.version, "1.2");
        assert_eq!(described.metadata.lifecycle.apis.platform.supported, ["0.12"]);
    }

    #[test]
    fn old_builders_have_one_run_image() {
        let files = [(ORDER, ORDER_TEXT), (DESCRIPTOR, DESCRIPTION), (STACK, "[run-image]\nimage = 'old'\n")];
        let (_folder, described) = folder(&files, &[("CNB_USER_ID", "1"), ("CNB_GROUP_ID", "2")]);
        assert_eq!(described.unwrap().run_images()[0].image, "old");
    }

    #[test]
    fn what_is_missing_is_said() {
        let user = [("CNB_USER_ID", "1"), ("CNB_GROUP_ID", "2")];
        for (files, variables, message) in [
            (vec![], &user[..], "this is not inside of a builder: there is no `/cnb/order.toml`"),
            (vec![(ORDER, ORDER_TEXT)], &user, "this is not inside of a builder: there is no `/cnb/lifecycle/lifecycle.toml`"),
            (
                vec![(ORDER, ORDER_TEXT), (DESCRIPTOR, DESCRIPTION)],
                &[],
                "`this container` does not say who buildpacks run as: put `ENV CNB_USER_ID=…` with a number into its Dockerfile",
            ),
        ] {
            assert_eq!(folder(&files, variables).1.unwrap_err(), message);
        }
        let (temporary, _) = folder(&[(ORDER, ORDER_TEXT), (LAUNCHER, "")], &[]);
        assert_eq!(BuilderFolder::missing(temporary.path()), [BUILDPACKS, DESCRIPTOR]);
    }
}
