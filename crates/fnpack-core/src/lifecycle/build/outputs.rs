//! What a buildpack left in its folder below the layers folder (CNB buildpack spec, "Build").
//!
//! Later code takes the paths of layers for folders of this buildpack; so a symlink in such a place is
//! refused here. Symlinks inside of layers are content and none of the lifecycle's business.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use toml::Table;

use super::sbom::SbomError;
use crate::lifecycle::buildpacks::Buildpack;
use crate::lifecycle::built::BuiltLayer;
use crate::lifecycle::context::Place;
use crate::lifecycle::environment::{EnvFolder, EnvironmentError, Variables, add_layer_folders};
use crate::lifecycle::files::{FileError, Source, TomlError, build, launch, layer, store};
use crate::root::RootError;

/// Files in a buildpack's folder that are not about a layer.
const OWN_FILES: [&str; 3] = ["build.toml", "launch.toml", "store.toml"];

/// What a buildpack left that the specification does not allow.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// A TOML file is wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// The environment that a layer adds is wrong.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A bill of materials is wrong.
    #[error(transparent)]
    Sbom(#[from] SbomError),
    /// A layer's place leads somewhere else.
    #[error("layer `{layer}` is a symlink to `{}`: a layer must be a folder", target.display())]
    Symlink {
        /// The layer.
        layer: String,
        /// What the symlink says.
        target: PathBuf,
    },
    /// A layer's place is taken by something else.
    #[error("layer `{layer}` is not a folder")]
    NotAFolder {
        /// The layer.
        layer: String,
    },
    /// The name of `<layer>.toml` gives none for the layer.
    #[error("`{}` cannot describe a layer: its name is empty or not UTF-8", file.display())]
    Name {
        /// The file as the buildpack sees it.
        file: PathBuf,
    },
    /// The buildpack's folder is not what it was before it ran.
    #[error("`{}` was replaced by something that is not a folder", folder.display())]
    FolderReplaced {
        /// The folder as the buildpack sees it.
        folder: PathBuf,
    },
    /// build.toml tells of a dependency that is none of its business.
    #[error("build.toml leaves `{name}` unmet, which the buildpack was not asked for")]
    UnmetUnknown {
        /// The dependency.
        name: String,
    },
    /// A file or folder cannot be reached.
    #[error("cannot read what is in the layers folder")]
    Folder(#[source] RootError),
}

/// What one buildpack left.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Outputs {
    /// Those with a type, sorted by name.
    pub(super) layers: Vec<BuiltLayer>,
    pub(super) launch: launch::Launch,
    pub(super) build: build::Build,
    pub(super) store: Option<Table>,
}

impl Outputs {
    /// Reads and checks the folder. A layer without any type is moved out of the way of export.
    pub(super) fn read(place: &Place, folder: &Path, buildpack: &Buildpack) -> Result<Self, OutputError> {
        let launch = |text: &str| launch::parse(text, buildpack.api, &buildpack.module.id);
        Ok(Self {
            layers: layers(place, folder)?,
            launch: file(place, folder.join("launch.toml"), launch)?.unwrap_or_default(),
            build: file(place, folder.join("build.toml"), build::parse)?.unwrap_or_default(),
            store: store(place, folder)?,
        })
    }

    /// Lets the layers for build have their effect on the environment, layer by layer.
    pub(super) fn add_to_environment(&self, place: &Place, folder: &Path, variables: &mut Variables) -> Result<(), EnvironmentError> {
        for layer in self.layers.iter().filter(|layer| layer.build && layer.present) {
            let path = folder.join(&layer.name);
            add_layer_folders(variables, &place.shown(&path), |name| leads_to_folder(place, &path.join(name)));
            for name in ["env", "env.build"] {
                let path = path.join(name);
                EnvFolder::read(&place.root, &path, &place.shown(&path))?.apply_as_layer(variables);
            }
        }
        Ok(())
    }
}

/// Whether a search path is worth having. Where an absolute symlink leads depends on the whole file
/// system that commands see; it is taken to lead to a folder, as a search path to nowhere does no harm.
fn leads_to_folder(place: &Place, path: &Path) -> bool {
    place.root.is_dir(path) || place.root.read_link(path).is_ok_and(|target| target.is_absolute())
}

/// `[metadata]` of store.toml.
pub(super) fn store(place: &Place, folder: &Path) -> Result<Option<Table>, FileError> {
    Ok(file(place, folder.join("store.toml"), store::parse)?.map(|store| store.metadata))
}

/// The layers in a buildpack's folder that have a type, sorted by name.
pub(super) fn layers(place: &Place, folder: &Path) -> Result<Vec<BuiltLayer>, OutputError> {
    if kind(place, folder)? != Some(FileType::Directory) {
        return Err(OutputError::FolderReplaced { folder: place.shown(folder) });
    }
    let mut layers = Vec::new();
    for entry in place.root.read_dir(folder).map_err(OutputError::Folder)? {
        if let Some(name) = layer_name(&place.shown(folder), &entry.name)? {
            layers.extend(read_layer(place, folder, name)?);
        }
    }
    layers.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(layers)
}

/// The layer that a file describes, if it does.
fn layer_name(folder: &Path, file: &OsString) -> Result<Option<String>, OutputError> {
    let path = Path::new(file);
    if file == ".toml" {
        return Err(OutputError::Name { file: folder.join(file) });
    }
    if path.extension().is_none_or(|extension| extension != "toml") || OWN_FILES.iter().any(|own| file == own) {
        return Ok(None);
    }
    match path.file_stem().and_then(|stem| stem.to_str()) {
        Some(name) => Ok(Some(name.to_owned())),
        None => Err(OutputError::Name { file: folder.join(file) }),
    }
}

/// A layer, or `None` if it is for nothing.
fn read_layer(place: &Place, folder: &Path, name: String) -> Result<Option<BuiltLayer>, OutputError> {
    let toml = file(place, folder.join(format!("{name}.toml")), layer::parse)?.unwrap_or_default();
    let path = folder.join(&name);
    let present = match kind(place, &path)? {
        None => false,
        Some(FileType::Directory) => true,
        Some(FileType::Symlink) => {
            let target = place.root.read_link(&path).map_err(OutputError::Folder)?;
            return Err(OutputError::Symlink { layer: name, target });
        }
        Some(_) => return Err(OutputError::NotAFolder { layer: name }),
    };
    let types = toml.types.unwrap_or_default();
    if types.any() {
        let layer::LayerTypes { launch, build, cache } = types;
        return Ok(Some(BuiltLayer { name, launch, build, cache, metadata: toml.metadata, present }));
    }
    if present {
        set_aside(place, &path).map_err(OutputError::Folder)?;
    }
    Ok(None)
}

/// Renames a layer without a type, so that whoever looks for layers by their folders does not take it.
fn set_aside(place: &Place, path: &Path) -> Result<(), RootError> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".ignore");
    place.root.remove_all(&aside)?;
    place.root.rename(path, &aside)
}

pub(super) fn file<T>(place: &Place, path: PathBuf, parse: impl FnOnce(&str) -> Result<T, TomlError>) -> Result<Option<T>, FileError> {
    let shown = place.shown(&path);
    Source { root: &place.root, path, shown }.read_if_present(parse)
}

fn kind(place: &Place, path: &Path) -> Result<Option<FileType>, OutputError> {
    let stat = place.root.try_symlink_metadata(path).map_err(OutputError::Folder)?;
    Ok(stat.map(|stat| FileType::from_raw_mode(stat.st_mode)))
}
