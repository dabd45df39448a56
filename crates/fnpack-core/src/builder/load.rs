//! Gets the buildpacks that a `builder.toml` names: folders, archives and buildpack packages (`.cnb`).
//!
//! Answers the CNB distribution spec ("Buildpackage"): a package is an image with a layer for each
//! buildpack, in a file it is an OCI image layout in a tar.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::{Path, PathBuf};

use super::builder_toml::ModuleSource;
use super::buildpack_toml::{self, BuildpackToml, BuildpackTomlError};
use super::create::Module;
use super::labels::{BUILDPACK_LAYERS, BUILDPACKAGE_METADATA, ModuleInfo, ModuleLayers};
use super::module::ModuleId;
use super::unpack::{UnpackError, unpack};
use crate::digest::{DiffId, Digest};
use crate::image::{Image, ImageConfig, ImageError, Index, Manifest};
use crate::root::{Root, RootError};

const LONGEST_MANIFEST: u64 = 4 * 1024 * 1024;

/// Why a buildpack cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nothing is there.
    #[error("there is no buildpack at `{location}`: it names no file and no folder")]
    NotThere {
        /// The path.
        location: String,
    },
    /// The file or folder cannot be opened.
    #[error("cannot open the buildpack at `{location}`")]
    Open {
        /// The path.
        location: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The folder, or the one that an archive is unpacked to, cannot be used.
    #[error("cannot read the buildpack at `{location}`")]
    Folder {
        /// The path.
        location: String,
        /// Why not.
        #[source]
        source: RootError,
    },
    /// The archive cannot be unpacked.
    #[error("cannot unpack the buildpack at `{location}`")]
    Unpack {
        /// The path.
        location: String,
        /// Why not.
        #[source]
        source: UnpackError,
    },
    /// Its `buildpack.toml` cannot be used.
    #[error(transparent)]
    BuildpackToml(#[from] BuildpackTomlError),
    /// The package's image cannot be read.
    #[error("cannot read the image of the buildpack package `{location}`")]
    Image {
        /// The path or image name.
        location: String,
        /// Why not.
        #[source]
        source: ImageError,
    },
    /// A label of the package is missing.
    #[error("`{location}` is not a buildpack package: label `{label}` is missing")]
    NotAPackage {
        /// The path or image name.
        location: String,
        /// The label.
        label: &'static str,
    },
    /// A label of the package is not what the format asks for.
    #[error("cannot read label `{label}` of the buildpack package `{location}`")]
    Label {
        /// The path or image name.
        location: String,
        /// The label.
        label: &'static str,
        /// The JSON fault, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// The package is incomplete.
    #[error("the buildpack package `{location}` names {missing}, which is not in it")]
    Incomplete {
        /// The path or image name.
        location: String,
        /// A layer or a blob.
        missing: String,
    },
    /// It is another buildpack than `builder.toml` says.
    #[error("`{location}` is buildpack `{found}`, but `{file}` says `{wanted}`")]
    Differs {
        /// The path.
        location: String,
        /// What it is.
        found: ModuleId,
        /// The `builder.toml`.
        file: String,
        /// What it says.
        wanted: Box<ModuleId>,
    },
}

type Result<T> = std::result::Result<T, LoadError>;

/// Loads what `builder.toml` (`file` in messages) lists. Archives are unpacked below `scratch`, which must live as long as the modules.
pub fn load(sources: &[ModuleSource], file: &str, scratch: &Root) -> Result<Vec<Module>> {
    let mut modules = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        modules.extend(load_file(source, file, scratch, number)?.1);
    }
    Ok(modules)
}

/// Loads one of them; the first value is the buildpack that it stands for. `number` is its own among all that share `scratch`.
pub fn load_file(source: &ModuleSource, file: &str, scratch: &Root, number: usize) -> Result<(ModuleId, Vec<Module>)> {
    let location = source.path.display().to_string();
    let (main, found) = Loader { location: &location, scratch, number }.load(&source.path)?;
    check_declared(source, &main, &location, file)?;
    Ok((main, found))
}

fn check_declared(source: &ModuleSource, found: &ModuleId, location: &str, file: &str) -> Result<()> {
    let differs = |wanted: &Option<String>, found: &String| wanted.as_ref().is_some_and(|wanted| wanted != found);
    if !differs(&source.id, &found.id) && !differs(&source.version, &found.version) {
        return Ok(());
    }
    let wanted = ModuleId::new(source.id.clone().unwrap_or_else(|| found.id.clone()), source.version.clone().unwrap_or_default());
    Err(LoadError::Differs { location: location.to_owned(), found: found.clone(), file: file.to_owned(), wanted: Box::new(wanted) })
}

/// The buildpacks of a package that is an image; the first value is the package's own. `number` as for [`load_file`].
pub fn load_package(image: &Image, name: &str, scratch: &Root, number: usize) -> Result<(ModuleId, Vec<Module>)> {
    let loader = Loader { location: name, scratch, number };
    loader.package(image.config(), |diff_id, root| {
        let layer = image.layers().iter().find(|layer| layer.diff_id == diff_id);
        let layer = layer.ok_or_else(|| loader.incomplete(&format!("layer `{diff_id}`")))?;
        let opened = layer.blob.open().map_err(|source| LoadError::Open { location: layer.blob.location(), source })?;
        unpack(opened, root).map_err(|source| loader.unpack_failed(source))
    })
}

/// Loads from one place.
struct Loader<'a> {
    location: &'a str,
    scratch: &'a Root,
    /// Of the place in the list, so that no two unpack to the same folder.
    number: usize,
}

impl Loader<'_> {
    fn load(&self, path: &Path) -> Result<(ModuleId, Vec<Module>)> {
        let open_failed = |source| LoadError::Open { location: self.location.to_owned(), source };
        let metadata = match fs_err::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LoadError::NotThere { location: self.location.to_owned() });
            }
            Err(source) => return Err(open_failed(source)),
        };
        if metadata.is_dir() {
            return self.single(Root::open(path).map_err(|source| self.folder_failed(source))?);
        }
        let root = self.folder("archive")?;
        let archive = fs_err::File::open(path).map_err(open_failed)?;
        unpack(io::BufReader::new(archive), &root).map_err(|source| self.unpack_failed(source))?;
        if root.is_file("index.json") && !root.is_file(buildpack_toml::FILE_NAME) {
            return self.layout(&root);
        }
        self.single(root)
    }

    fn single(&self, root: Root) -> Result<(ModuleId, Vec<Module>)> {
        let buildpack = BuildpackToml::read(&root, self.location)?;
        Ok((buildpack.module(), vec![Module { buildpack, root, location: self.location.to_owned() }]))
    }

    /// A package that is an unpacked OCI image layout.
    fn layout(&self, layout: &Root) -> Result<(ModuleId, Vec<Module>)> {
        let read = |path: PathBuf| layout.read(path, LONGEST_MANIFEST).map_err(|source| self.folder_failed(source));
        let image_failed = |source| LoadError::Image { location: self.location.to_owned(), source };
        let index = Index::parse(&read("index.json".into())?).map_err(image_failed)?;
        let entry = index.manifests.first().ok_or_else(|| self.incomplete("a manifest"))?;
        let manifest = Manifest::parse(&read(blob_path(&entry.digest))?).map_err(image_failed)?;
        let config = ImageConfig::parse(&read(blob_path(&manifest.config.digest))?).map_err(image_failed)?;
        self.package(&config, |diff_id, root| {
            let mut layers = config.rootfs.diff_ids.iter().zip(&manifest.layers);
            let layer = layers.find(|(known, _)| **known == diff_id).map(|(_, layer)| layer);
            let layer = layer.ok_or_else(|| self.incomplete(&format!("layer `{diff_id}`")))?;
            let opened = layout.open_file(blob_path(&layer.digest)).map_err(|source| self.folder_failed(source))?;
            unpack(io::BufReader::new(opened), root).map_err(|source| self.unpack_failed(source))
        })
    }

    /// The buildpacks that a package's labels list; `unpack_layer` unpacks a layer into a folder.
    fn package(&self, config: &ImageConfig, unpack_layer: impl Fn(DiffId, &Root) -> Result<()>) -> Result<(ModuleId, Vec<Module>)> {
        let main: ModuleInfo = self.label(config, BUILDPACKAGE_METADATA)?;
        let layers: ModuleLayers = self.label(config, BUILDPACK_LAYERS)?;
        let mut unpacked: BTreeMap<DiffId, Root> = BTreeMap::new();
        let mut modules = Vec::new();
        for (id, versions) in &layers {
            for (version, layer) in versions {
                if let Entry::Vacant(place) = unpacked.entry(layer.layer_diff_id) {
                    let root = self.folder(&layer.layer_diff_id.hex())?;
                    unpack_layer(layer.layer_diff_id, &root)?;
                    place.insert(root);
                }
                if let Some(root) = unpacked.get(&layer.layer_diff_id) {
                    modules.push(self.module(root, &ModuleId::new(id, version))?);
                }
            }
        }
        Ok((main.module(), modules))
    }

    fn module(&self, root: &Root, id: &ModuleId) -> Result<Module> {
        let folder = id.folder();
        if !root.is_dir(&folder) {
            return Err(self.incomplete(&format!("buildpack `{id}`")));
        }
        let root = root.sub(&folder).map_err(|source| self.folder_failed(source))?;
        let location = format!("{} ({id})", self.location);
        Ok(Module { buildpack: BuildpackToml::read(&root, &location)?, root, location })
    }

    fn label<T: serde::de::DeserializeOwned>(&self, config: &ImageConfig, label: &'static str) -> Result<T> {
        let location = || self.location.to_owned();
        let text = config.config.labels.get(label).ok_or_else(|| LoadError::NotAPackage { location: location(), label })?;
        serde_json::from_str(text).map_err(|source| LoadError::Label { location: location(), label, source })
    }

    /// A new folder for something unpacked.
    fn folder(&self, name: &str) -> Result<Root> {
        let path = format!("{}/{name}", self.number);
        let made = self.scratch.create_dir_all(&path, 0o755).and_then(|()| self.scratch.sub(&path));
        made.map_err(|source| self.folder_failed(source))
    }

    fn folder_failed(&self, source: RootError) -> LoadError {
        LoadError::Folder { location: self.location.to_owned(), source }
    }

    fn unpack_failed(&self, source: UnpackError) -> LoadError {
        LoadError::Unpack { location: self.location.to_owned(), source }
    }

    fn incomplete(&self, missing: &str) -> LoadError {
        LoadError::Incomplete { location: self.location.to_owned(), missing: missing.to_owned() }
    }
}

fn blob_path(digest: &Digest) -> PathBuf {
    Path::new("blobs/sha256").join(digest.hex())
}
