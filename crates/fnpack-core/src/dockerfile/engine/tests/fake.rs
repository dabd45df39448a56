//! A host over plain folders: an image is a folder, a workspace a copy of one, a layer the listing of
//! what is different.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rustix::fs::{FileType, Timespec};

use super::super::super::parse::parse;
use super::super::super::{Context, Delta, DockerfileError, Event, Host, HostError, Workspace};
use super::super::{Plan, build};
use crate::digest::{ChainId, DiffId, Digest};
use crate::executor::{Command, ExecutorError, ExitStatus, Network};
use crate::image::{BlobSink, PendingBlob};
use crate::image::{CONSTANT_TIME, Descriptor, History, Image, ImageConfig, Layer, MemoryBlobs, media_type};
use crate::reference::Reference;
use crate::root::Root;
use crate::target::Target;

type Owners = BTreeMap<PathBuf, (u32, u32)>;

/// Times of existing folders in the fake base image.
pub(super) const OLD: Timespec = Timespec { tv_sec: 1_000_000_000, tv_nsec: 0 };

pub(super) struct FakeHost {
    folder: tempfile::TempDir,
    images: BTreeMap<String, Image>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    trees: HashMap<Option<ChainId>, (PathBuf, Owners)>,
    cache: HashMap<Digest, Delta>,
    events: Vec<String>,
    commands: Vec<Command>,
    opened: usize,
    folders: usize,
}

struct FakeWorkspace<'a> {
    host: &'a FakeHost,
    image: Image,
    path: PathBuf,
    root: Root,
    before: String,
    owners: RefCell<Owners>,
}

pub(super) fn target() -> Target {
    "linux/amd64".parse().unwrap()
}

/// A folder to build from, with the files given as path and contents.
pub(super) fn context(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    folder
}

pub(super) fn plan(text: &str, context: &Path) -> Plan {
    Plan {
        file: "Dockerfile".into(),
        dockerfile: parse(text).unwrap_or_else(|error| panic!("{text}: {error}")),
        context: Context::open(context, None).unwrap(),
        target: target(),
        machine: "linux/arm64".parse().unwrap(),
        stage: None,
        build_args: BTreeMap::new(),
        labels: BTreeMap::new(),
        no_cache: false,
        network: Network::Host,
        created: CONSTANT_TIME.to_owned(),
    }
}

/// An error and its causes, as a user would see them.
pub(super) fn causes(error: &DockerfileError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl FakeHost {
    /// A host with the image `base`: users, a symlinked folder, an environment, a command.
    pub(super) fn new() -> Self {
        let host = Self { folder: tempfile::tempdir().unwrap(), images: BTreeMap::new(), state: Mutex::default() };
        let empty = host.new_folder();
        host.locked(|state| state.trees.insert(None, (empty, Owners::new())));
        host.with_image("base", |root| {
            for folder in ["etc", "usr", "usr/lib", "srv"] {
                root.create_dir(folder, 0o755).unwrap();
            }
            root.write("etc/passwd", b"root:x:0:0::/root:/bin/sh\npulsar:x:10000:10001::/pulsar:/bin/sh\n", 0o644).unwrap();
            root.write("etc/group", b"root:x:0:\npulsar:x:10001:\n", 0o644).unwrap();
            root.symlink("usr/lib", "lib").unwrap();
            root.set_times("usr/lib", OLD).unwrap();
        })
    }

    /// The same host with another image.
    pub(super) fn with_image(mut self, name: &str, fill: impl Fn(&Root)) -> Self {
        let folder = self.new_folder();
        let root = Root::open(&folder).unwrap();
        fill(&root);
        let layer = layer(&listing(&root, &Owners::new()));
        let mut config = ImageConfig::new(&target());
        config.config.set_env("LANG", "C.UTF-8");
        config.config.cmd = Some(vec!["inherited".to_owned()]);
        let image = Image::from_parts(config, vec![layer]);
        let history = History { created_by: Some("base".to_owned()), ..History::default() };
        let image = image.with_config(|config| config.history = vec![history]);
        self.locked(|state| state.trees.insert(image.chain_id(), (folder, Owners::new())));
        self.images.insert(format!("{name}:latest"), image);
        self
    }

    pub(super) fn change_image(&mut self, name: &str, change: impl Fn(&mut ImageConfig)) {
        let image = self.images.get_mut(&format!("{name}:latest")).unwrap();
        *image = image.with_config(change);
    }

    pub(super) fn build(&self, text: &str, context: &Path) -> Result<Image, DockerfileError> {
        build(&plan(text, context), self)
    }

    /// Builds and gives the error as a user would see it, the folder's name left out.
    pub(super) fn fail(&self, text: &str, context: &Path) -> String {
        let error = self.build(text, context).map(|image| image.digest()).expect_err(text);
        causes(&error).replace(context.to_str().unwrap(), "CONTEXT")
    }

    /// The files of an image.
    pub(super) fn files(&self, image: &Image) -> String {
        let (path, owners) = self.tree(image);
        listing(&Root::open(path).unwrap(), &owners)
    }

    /// The files of an image as a folder.
    pub(super) fn root(&self, image: &Image) -> Root {
        Root::open(self.tree(image).0).unwrap()
    }

    pub(super) fn events(&self) -> Vec<String> {
        self.locked(|state| std::mem::take(&mut state.events))
    }

    pub(super) fn commands(&self) -> Vec<Command> {
        self.locked(|state| std::mem::take(&mut state.commands))
    }

    /// How many workspaces were opened since the last question.
    pub(super) fn opened(&self) -> usize {
        self.locked(|state| std::mem::take(&mut state.opened))
    }

    fn tree(&self, image: &Image) -> (PathBuf, Owners) {
        self.locked(|state| state.trees.get(&image.chain_id()).cloned()).unwrap()
    }

    fn new_folder(&self) -> PathBuf {
        let number = self.locked(|state| {
            state.folders += 1;
            state.folders
        });
        let path = self.folder.path().join(number.to_string());
        fs_err::create_dir(&path).unwrap();
        path
    }

    fn locked<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Host for FakeHost {
    fn base(&self, reference: &Reference, target: &Target) -> Result<Image, HostError> {
        let image = self.images.get(&reference.familiar()).ok_or("no such image")?;
        if image.target() == *target { Ok(image.clone()) } else { Err("no such platform".into()) }
    }

    fn open<'a>(&'a self, image: &Image) -> Result<Box<dyn Workspace + 'a>, HostError> {
        let (tree, owners) = self.tree(image);
        let path = self.new_folder();
        let root = Root::open(&path)?;
        duplicate(&Root::open(tree)?, &root, Path::new("/"));
        self.locked(|state| state.opened += 1);
        let before = listing(&root, &owners);
        Ok(Box::new(FakeWorkspace { host: self, image: image.clone(), path, root, before, owners: RefCell::new(owners) }))
    }

    fn cached(&self, key: &Digest) -> Option<Delta> {
        self.locked(|state| state.cache.get(key).cloned())
    }

    fn remember(&self, key: &Digest, delta: &Delta) {
        self.locked(|state| state.cache.insert(*key, delta.clone()));
    }

    fn report(&self, event: &Event<'_>) {
        let text = match event {
            Event::Started(step) => {
                format!("{}/{} {}{}", step.number, step.total, step.stage.map(|name| format!("{name}: ")).unwrap_or_default(), step.text)
            }
            Event::Cached(step) => format!("{} cached", step.number),
            Event::Output(step, bytes) => format!("{} output {}", step.number, String::from_utf8_lossy(bytes)),
            Event::Warning { line, message } => format!("line {line}: {message}"),
        };
        self.locked(|state| state.events.push(text));
    }
}

impl Workspace for FakeWorkspace<'_> {
    fn root(&self) -> &Root {
        &self.root
    }

    /// Knows three commands: `write PATH TEXT`, `print TEXT` and `exit CODE`. Anything else does nothing.
    fn run(&mut self, command: &Command, output: &mut (dyn Write + Send)) -> Result<ExitStatus, ExecutorError> {
        self.host.locked(|state| state.commands.push(command.clone()));
        let line = command.arguments.last().unwrap().to_str().unwrap().to_owned();
        let mut words = line.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("write"), Some(path), text) => self.root.write(path, text.unwrap_or_default().as_bytes(), 0o644).unwrap(),
            (Some("print"), Some(first), rest) => {
                let text = format!("{first} {}", rest.unwrap_or_default());
                output.write_all(text.replace('|', "\n").as_bytes()).unwrap();
            }
            (Some("exit"), Some(code), _) => return Ok(ExitStatus::Code(code.parse().unwrap())),
            (Some("vanish"), None, None) => return Err(ExecutorError::Interrupted),
            _ => {}
        }
        Ok(ExitStatus::Code(0))
    }

    fn set_owner(&self, path: &Path, uid: u32, gid: u32) -> Result<(), HostError> {
        self.root.symlink_metadata(path)?;
        self.owners.borrow_mut().insert(path.to_owned(), (uid, gid));
        Ok(())
    }

    fn commit(self: Box<Self>, _since: SystemTime) -> Result<Delta, HostError> {
        let owners = self.owners.borrow().clone();
        let after = listing(&self.root, &owners);
        if after == self.before {
            return Ok(Delta::Nothing);
        }
        let layer = layer(&after);
        let chain = self.image.appended([(layer.clone(), History::default())]).chain_id();
        self.host.locked(|state| state.trees.insert(chain, (self.path.clone(), owners)));
        Ok(Delta::Layer(Box::new(layer)))
    }
}

fn layer(text: &str) -> Layer {
    let mut pending: Box<dyn PendingBlob> = MemoryBlobs::default().create().unwrap();
    pending.write_all(text.as_bytes()).unwrap();
    let (digest, size, blob) = pending.commit(None).unwrap();
    Layer { descriptor: Descriptor::new(media_type::OCI_LAYER, digest, size), diff_id: DiffId::of(text), blob }
}

/// Every name with its mode, contents and, where it was set, owner; a line each.
fn listing(root: &Root, owners: &Owners) -> String {
    let mut text = String::new();
    list(root, Path::new("/"), owners, &mut text);
    text
}

fn list(root: &Root, folder: &Path, owners: &Owners, text: &mut String) {
    for entry in root.read_dir(folder).unwrap() {
        let path = folder.join(&entry.name);
        let owner = owners.get(&path).filter(|owner| **owner != (0, 0)).map(|(uid, gid)| format!(" {uid}:{gid}")).unwrap_or_default();
        let mode = root.symlink_metadata(&path).unwrap().st_mode & 0o7777;
        let line = match entry.kind {
            FileType::Directory => format!("{}/ {mode:o}{owner}\n", path.display()),
            FileType::Symlink => format!("{} -> {}{owner}\n", path.display(), root.read_link(&path).unwrap().display()),
            _ => format!("{} {mode:o}{owner} {}\n", path.display(), root.read_to_string(&path, 1 << 20).unwrap()),
        };
        text.push_str(&line);
        if entry.kind == FileType::Directory {
            list(root, &path, owners, text);
        }
    }
}

fn duplicate(from: &Root, to: &Root, folder: &Path) {
    for entry in from.read_dir(folder).unwrap() {
        let path = folder.join(&entry.name);
        let stat = from.symlink_metadata(&path).unwrap();
        match entry.kind {
            FileType::Directory => {
                to.create_dir(&path, stat.st_mode).unwrap();
                duplicate(from, to, &path);
            }
            FileType::Symlink => to.symlink(from.read_link(&path).unwrap(), &path).unwrap(),
            _ => to.write(&path, &from.read(&path, 1 << 20).unwrap(), stat.st_mode).unwrap(),
        }
        to.set_times(&path, super::super::writer::modified(&stat)).unwrap();
    }
}
