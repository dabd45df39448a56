//! What is in each layer of a builder, as values, and how it becomes a layer.
//!
//! Owners, modes and times are those that `pack` writes: root's, 0755 or 0644, one second past 1980;
//! nothing of the files on this machine but names, contents and x bits counts.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use serde::Serialize;

use super::build_env::BuildEnv;
use super::create::{LifecycleBundle, LifecycleFile, Module};
use super::description::User;
use super::labels::{RunImage, System};
use super::module::{ModuleId, Order};
use crate::digest::DiffId;
use crate::image::{BlobSink, Layer};
use crate::layers::{self, Compression, EntryKind, LayerError, TarWriter};
use crate::root::{Root, RootError};

const ROOT: User = User { uid: 0, gid: 0 };
/// Programs that are made executable if they are not, as `pack` does.
const PROGRAMS: [&str; 3] = ["bin/detect", "bin/build", "bin/generate"];

/// Where the layers go.
pub struct Output<'a> {
    /// Takes the compressed layers.
    pub sink: &'a dyn BlobSink,
    /// The layer of this diff ID if it was made before, so that nothing is compressed twice.
    pub known: &'a dyn Fn(&DiffId) -> Option<Layer>,
}

/// Why a layer cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// A buildpack's files cannot be read.
    #[error("cannot read the files of buildpack `{module}` in `{location}`")]
    Unreadable {
        /// The buildpack.
        module: ModuleId,
        /// Where it is.
        location: String,
        /// Why not.
        #[source]
        source: RootError,
    },
    /// Something that has no place in an image.
    #[error("`{}` of buildpack `{module}` is neither a file nor a folder nor a symlink", path.display())]
    SpecialFile {
        /// The buildpack.
        module: ModuleId,
        /// The path in it.
        path: PathBuf,
    },
    /// A buildpack's files cannot be put where the build sees them.
    #[error("cannot copy the files of buildpack `{module}`")]
    Place {
        /// The buildpack.
        module: ModuleId,
        /// Why not.
        #[source]
        source: RootError,
    },
    /// A layer cannot be made.
    #[error("cannot write the builder's layer `{layer}`")]
    Layer {
        /// Its description.
        layer: String,
        /// Why not.
        #[source]
        source: LayerError,
    },
}

/// What a buildpack's files are, names and x bits included: that of its layer in a builder.
pub fn module_digest(module: &Module) -> Result<DiffId> {
    buildpack(module)?.diff_id()
}

/// Puts a buildpack's folder below `root`, as it would be in a builder made with it.
pub fn place_module(module: &Module, root: &Root) -> Result<()> {
    let id = module.buildpack.module();
    let failed = |source| ContentsError::Place { module: id.clone(), source };
    for entry in &buildpack(module)?.entries {
        let path = entry.path.strip_prefix("/").unwrap_or(&entry.path);
        match &entry.contents {
            Contents::Folder => root.create_dir_all(path, entry.mode).map_err(failed)?,
            Contents::Bytes(bytes) => root.write(path, bytes, entry.mode).map_err(failed)?,
            Contents::Symlink(target) => root.symlink(target, path).map_err(failed)?,
            Contents::File { root: from, path: inside } => {
                let mut file = from.open_file(inside).map_err(failed)?;
                let mut copy = root.create_file(path, entry.mode).map_err(failed)?;
                let copied = std::io::copy(&mut file, &mut copy);
                copied.map_err(|source| failed(RootError { action: "copy", path: inside.clone(), source }))?;
            }
        }
    }
    Ok(())
}

/// The entries of one layer, in the order in which they are written.
#[derive(Debug)]
pub(super) struct LayerPlan<'a> {
    /// What the history says.
    pub(super) description: String,
    entries: Vec<Entry<'a>>,
}

#[derive(Debug)]
struct Entry<'a> {
    path: PathBuf,
    owner: User,
    mode: u32,
    contents: Contents<'a>,
}

#[derive(Debug)]
enum Contents<'a> {
    Folder,
    Bytes(Cow<'a, [u8]>),
    File { root: &'a Root, path: PathBuf },
    Symlink(PathBuf),
}

type Result<T> = std::result::Result<T, ContentsError>;

impl Output<'_> {
    /// Makes a layer, or takes the one made before.
    pub(super) fn write(&self, plan: &LayerPlan<'_>) -> Result<Layer> {
        self.write_as(plan, plan.diff_id()?)
    }

    /// The same for a layer whose diff ID is known already.
    pub(super) fn write_as(&self, plan: &LayerPlan<'_>, diff_id: DiffId) -> Result<Layer> {
        match (self.known)(&diff_id) {
            Some(layer) => Ok(layer),
            None => layers::write(plan, Compression::Gzip, self.sink).map_err(|source| plan.failed(source)),
        }
    }
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Output")
    }
}

impl layers::Contents for LayerPlan<'_> {
    fn write_to(&self, tar: &mut TarWriter<&mut dyn Write>) -> std::result::Result<(), LayerError> {
        self.entries.iter().try_for_each(|entry| entry.write_to(tar))
    }
}

impl Entry<'_> {
    fn write_to(&self, tar: &mut TarWriter<&mut dyn Write>) -> std::result::Result<(), LayerError> {
        match &self.contents {
            Contents::Folder => tar.append_empty(&self.header(EntryKind::Directory))?,
            Contents::Symlink(target) => {
                tar.append_empty(&self.header(EntryKind::Symlink { target: target.as_os_str().as_bytes().to_vec() }))?;
            }
            Contents::Bytes(bytes) => tar.append(&self.header(EntryKind::File { size: bytes.len() as u64 }), &mut &**bytes)?,
            Contents::File { root, path } => {
                let mut file = root.open_file(path)?;
                let metadata = file.metadata().map_err(|source| RootError { action: "examine", path: path.clone(), source })?;
                tar.append(&self.header(EntryKind::File { size: metadata.len() }), &mut file)?;
            }
        }
        Ok(())
    }

    fn header(&self, kind: EntryKind) -> layers::Entry {
        let User { uid, gid } = self.owner;
        layers::Entry { uid, gid, ..layers::Entry::new(self.path.as_os_str().as_bytes(), kind, self.mode) }
    }
}

impl<'a> LayerPlan<'a> {
    /// The diff ID, without making the layer.
    pub(super) fn diff_id(&self) -> Result<DiffId> {
        layers::diff_id(self).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: LayerError) -> ContentsError {
        ContentsError::Layer { layer: self.description.clone(), source }
    }

    fn new(description: impl Into<String>) -> Self {
        Self { description: description.into(), entries: Vec::new() }
    }

    fn folder(mut self, path: impl Into<PathBuf>, owner: User) -> Self {
        self.entries.push(Entry { path: path.into(), owner, mode: 0o755, contents: Contents::Folder });
        self
    }

    fn file(mut self, path: impl Into<PathBuf>, mode: u32, bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        self.entries.push(Entry { path: path.into(), owner: ROOT, mode, contents: Contents::Bytes(bytes.into()) });
        self
    }

    fn symlink(mut self, path: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        self.entries.push(Entry { path: path.into(), owner: ROOT, mode: 0o777, contents: Contents::Symlink(target.into()) });
        self
    }
}

/// The folders that every builder has.
pub(super) fn folders(user: User) -> LayerPlan<'static> {
    let owned = ["/workspace", "/layers"];
    let roots = ["/cnb", "/cnb/buildpacks", "/cnb/extensions", "/platform", "/platform/env", "/cnb/build-config", "/cnb/build-config/env"];
    let plan = owned.into_iter().fold(LayerPlan::new("Builder: folders"), |plan, path| plan.folder(path, user));
    roots.into_iter().fold(plan, |plan, path| plan.folder(path, ROOT))
}

/// The lifecycle and the link under which old platforms look for it.
pub(super) fn lifecycle(bundle: &LifecycleBundle) -> LayerPlan<'_> {
    let plan = LayerPlan::new(format!("Lifecycle: {}", bundle.version)).folder("/cnb/lifecycle", ROOT);
    let mut files: Vec<&(String, LifecycleFile)> = bundle.files.iter().collect();
    files.sort_by(|left, right| left.0.cmp(&right.0));
    let plan = files.into_iter().fold(plan, |plan, (name, file)| {
        let path = Path::new("/cnb/lifecycle").join(name);
        match file {
            LifecycleFile::Program(bytes) => plan.file(path, 0o755, &**bytes),
            LifecycleFile::Link(target) => plan.symlink(path, target),
            LifecycleFile::Document(text) => plan.file(path, 0o644, text.as_bytes()),
        }
    });
    plan.symlink("/lifecycle", "/cnb/lifecycle")
}

/// A buildpack's folder.
pub(super) fn buildpack(module: &Module) -> Result<LayerPlan<'_>> {
    let id = module.buildpack.module();
    let folder = PathBuf::from(id.folder());
    let mut plan = LayerPlan::new(format!("Buildpack: {id}"));
    if let Some(parent) = folder.parent() {
        plan = plan.folder(parent, ROOT);
    }
    plan = plan.folder(&folder, ROOT);
    let mut walk = Walk { module, id, folder, entries: plan.entries };
    walk.folder(Path::new(""))?;
    Ok(LayerPlan { description: plan.description, entries: walk.entries })
}

/// Takes a buildpack of a lower layer away.
pub(super) fn whiteout(id: &ModuleId) -> LayerPlan<'static> {
    let path = format!("/cnb/buildpacks/{}/.wh.{}", id.escaped_id(), id.version);
    LayerPlan::new(format!("Buildpack: {id} replaced")).file(path, 0o644, &b""[..])
}

/// `order.toml`.
pub(super) fn order(order: &Order) -> LayerPlan<'static> {
    #[derive(Serialize)]
    struct Document<'a> {
        order: &'a Order,
    }
    document("order.toml", &Document { order })
}

/// `system.toml`.
pub(super) fn system(system: &System) -> LayerPlan<'static> {
    #[derive(Serialize)]
    struct Document<'a> {
        system: &'a System,
    }
    document("system.toml", &Document { system })
}

/// `stack.toml`, for lifecycles before Platform API 0.12.
pub(super) fn stack(run_image: &RunImage) -> LayerPlan<'static> {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Document<'a> {
        run_image: &'a RunImage,
    }
    document("stack.toml", &Document { run_image })
}

/// `run.toml`.
pub(super) fn run(images: &[RunImage]) -> LayerPlan<'static> {
    #[derive(Serialize)]
    struct Document<'a> {
        images: &'a [RunImage],
    }
    document("run.toml", &Document { images })
}

fn document(name: &str, contents: &impl Serialize) -> LayerPlan<'static> {
    // Structs of strings, flags and lists always have a TOML form.
    let text = toml::to_string(contents).expect("a document of a builder has a TOML form");
    LayerPlan::new(format!("Builder: {name}")).file(format!("/cnb/{name}"), 0o644, text.into_bytes())
}

/// The variables for every build.
pub(super) fn build_env(variables: &[BuildEnv]) -> LayerPlan<'static> {
    let mut files: Vec<(String, &str)> = variables.iter().flat_map(BuildEnv::files).collect();
    files.sort();
    files.dedup();
    let plan = LayerPlan::new("Builder: build-config").folder("/cnb/build-config/env", ROOT);
    files
        .into_iter()
        .fold(plan, |plan, (name, value)| plan.file(Path::new("/cnb/build-config/env").join(name), 0o644, value.as_bytes().to_vec()))
}

/// The folder for the user's variables.
pub(super) fn platform_env() -> LayerPlan<'static> {
    LayerPlan::new("Builder: platform environment").folder("/platform/env", ROOT)
}

/// Lists a buildpack's files, folders before what is in them, names sorted.
struct Walk<'a> {
    module: &'a Module,
    id: ModuleId,
    folder: PathBuf,
    entries: Vec<Entry<'a>>,
}

impl Walk<'_> {
    fn folder(&mut self, inside: &Path) -> Result<()> {
        for entry in self.module.root.read_dir(inside).map_err(|source| self.unreadable(source))? {
            let path = inside.join(&entry.name);
            let (mode, contents) = match entry.kind {
                FileType::Directory => (0o755, Contents::Folder),
                FileType::RegularFile => (self.mode(&path)?, Contents::File { root: &self.module.root, path: path.clone() }),
                FileType::Symlink => {
                    let target = self.module.root.read_link(&path).map_err(|source| self.unreadable(source))?;
                    (0o777, Contents::Symlink(target))
                }
                _ => return Err(ContentsError::SpecialFile { module: self.id.clone(), path }),
            };
            let is_folder = matches!(contents, Contents::Folder);
            self.entries.push(Entry { path: self.folder.join(&path), owner: ROOT, mode, contents });
            if is_folder {
                self.folder(&path)?;
            }
        }
        Ok(())
    }

    fn mode(&self, path: &Path) -> Result<u32> {
        let stat = self.module.root.symlink_metadata(path).map_err(|source| self.unreadable(source))?;
        let program = stat.st_mode & 0o111 != 0 || PROGRAMS.iter().any(|program| path.as_os_str() == OsStr::new(program));
        Ok(if program { 0o755 } else { 0o644 })
    }

    fn unreadable(&self, source: RootError) -> ContentsError {
        ContentsError::Unreadable { module: self.id.clone(), location: self.module.location.clone(), source }
    }
}
