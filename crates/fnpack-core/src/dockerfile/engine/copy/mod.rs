//! `COPY`.

mod select;

use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::key::{Key, name_of_files};
use super::stage::{Current, Ground, StageBuild, absolute};
use super::stages::{Source, copy_source};
use super::writer::{WriteError, Writer};
use crate::accounts::{Owner, owner};
use crate::digest::Digest;
use crate::dockerfile::context::Ignore;
use crate::dockerfile::context::glob::GlobError;
use crate::dockerfile::error::{DockerfileError, quoted};
use crate::dockerfile::host::{Delta, Workspace};
use crate::dockerfile::parse::ast::Copy;
use crate::image::Image;
use crate::root::{Root, RootError};
use select::{Entry, Kind, Match, Tree};

pub use select::Origin;

/// Files cannot be copied into an image.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A source is not there, or a pattern fits nothing.
    #[error("`{pattern}` is not in {origin}{}", near_note(near))]
    Missing {
        /// The source as written, variables expanded.
        pattern: String,
        /// Where it was looked for.
        origin: Origin,
        /// Names that are there and could be meant.
        near: Vec<String>,
    },
    /// A source is there and left out.
    #[error("`{pattern}` is left out of {origin} by its ignore file")]
    Ignored {
        /// The source.
        pattern: String,
        /// The context.
        origin: Origin,
    },
    /// A wildcard that is none.
    #[error(transparent)]
    Pattern(#[from] GlobError),
    /// A device, a socket, a fifo.
    #[error("`{}` is a {} and cannot be copied", path.display(), kind_name(*kind))]
    Special {
        /// The path in the source.
        path: PathBuf,
        /// What it is.
        kind: FileType,
    },
    /// Several files to one name.
    #[error("{count} sources need a destination that ends with `/`, and `{destination}` does not")]
    NeedsFolder {
        /// How many.
        count: usize,
        /// The destination.
        destination: String,
    },
    /// Not a number.
    #[error("`{text}` is not a file mode in octal digits")]
    Mode {
        /// What `--chmod` says.
        text: String,
    },
    /// The source cannot be read.
    #[error("cannot read {origin}")]
    Read {
        /// Where.
        origin: Origin,
        /// The cause.
        #[source]
        source: RootError,
    },
    /// A file of the source cannot be read to its end.
    #[error("cannot read `{}`", path.display())]
    Bytes {
        /// The path in the source.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The image cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// A `COPY` with its variables expanded.
struct Request {
    sources: Vec<String>,
    /// Absolute inside the image.
    destination: String,
    /// Whether the destination is written as a folder.
    folder: bool,
    chown: Option<String>,
    mode: Option<u32>,
    ground: Ground,
}

impl StageBuild<'_> {
    pub(super) fn copy(&mut self, copy: &Copy, current: &Current<'_>) -> Result<(), DockerfileError> {
        let request = self.request(copy, current)?;
        let created_by = copy.history(&request.sources, &request.destination);
        let delta = match copy_source(self.build.plan, copy, self.index, &current.place)? {
            None => {
                let context = &self.build.plan.context;
                let origin = Origin::Context(context.path.clone());
                self.copy_tree(&request, &Tree { root: &context.root, ignore: &context.ignore, origin }, current)?
            }
            Some(source) => self.copy_from(&request, copy, &source, current)?,
        };
        self.note_folders(&request);
        self.apply(delta, created_by);
        Ok(())
    }

    /// Keeps count of the folders that layers of this stage have, whatever is below.
    fn note_folders(&mut self, request: &Request) {
        match request.ground {
            Ground::Stage => self.linked.clear(),
            Ground::Nothing => {
                self.linked.retain(|folder| request.folder || !Path::new(folder).starts_with(&request.destination));
                self.linked.extend(request.folders());
            }
        }
    }

    fn request(&self, copy: &Copy, current: &Current<'_>) -> Result<Request, DockerfileError> {
        let expand = |word: &String| self.expand(word, current);
        let sources = copy.sources.iter().map(|source| self.expand_name(source, current)).collect::<Result<Vec<_>, _>>()?;
        let written = self.expand_name(&copy.destination, current)?;
        let destination = absolute(&self.working_folder(), &written);
        let folder = destination == "/" || matches!(written.rsplit('/').next(), Some("" | "." | ".."));
        let chown = copy.chown.as_ref().map(expand).transpose()?;
        let mode = copy.chmod.as_ref().map(expand).transpose()?;
        let fail = |source| copy_failed(&sources, &destination, current)(source);
        let mode = mode.map(|text| mode_of(&text).ok_or(CopyError::Mode { text })).transpose().map_err(fail)?;
        if sources.len() > 1 && !folder {
            return Err(fail(CopyError::NeedsFolder { count: sources.len(), destination: written }));
        }
        let ground = if copy.link { Ground::Nothing } else { Ground::Stage };
        Ok(Request { sources, destination, folder, chown, mode, ground })
    }

    /// Copies from another stage or image. The same images and the same words need no look at the
    /// files; only otherwise the source is opened, and its contents may still be those of another build.
    fn copy_from(&self, request: &Request, copy: &Copy, source: &Source, current: &Current<'_>) -> Result<Delta, DockerfileError> {
        let image = self.build.image(source, &self.target, &current.place)?;
        let key = self.key_of_images(request, &image);
        if let Some(delta) = self.recall(current, &key) {
            return Ok(delta);
        }
        let open = |source| DockerfileError::Open { place: current.place.clone(), source };
        let opened = self.build.host.open(&image).map_err(open)?;
        let from = copy.from.clone().unwrap_or_default();
        let origin = if matches!(source, Source::Stage(_)) { Origin::Stage(from) } else { Origin::Image(from) };
        let delta = self.copy_tree(request, &Tree { root: opened.root(), ignore: &Ignore::default(), origin }, current)?;
        self.build.host.remember(&key, &delta);
        Ok(delta)
    }

    fn copy_tree(&self, request: &Request, tree: &Tree<'_>, current: &Current<'_>) -> Result<Delta, DockerfileError> {
        let fail = |error| copy_failed(&request.sources, &request.destination, current)(error);
        let matches = tree.select(&request.sources, request.mode).map_err(fail)?;
        if matches.len() > 1 && !request.folder {
            return Err(fail(CopyError::NeedsFolder { count: matches.len(), destination: request.destination.clone() }));
        }
        let key = self.key_of_contents(request, &matches);
        self.delta(current, (&key, request.ground), |workspace| {
            let owner = self.owner_of(workspace, request, current)?;
            write(&*workspace, tree.root, &matches, request, owner).map_err(fail)
        })
    }

    fn key_of_contents(&self, request: &Request, matches: &[Match]) -> Digest {
        let mut key = self.key_of_request("COPY", request);
        for Match { name, folder, entries } in matches {
            key.add(name.as_encoded_bytes()).add([u8::from(*folder)]).add(entries.len().to_le_bytes());
            for Entry { below, kind, .. } in entries {
                key.add(below.as_os_str().as_encoded_bytes());
                match kind {
                    Kind::Folder { mode } => key.add("folder").add(mode.to_le_bytes()),
                    Kind::File { mode, digest } => key.add("file").add(mode.to_le_bytes()).add(digest.hex()),
                    Kind::Symlink(target) => key.add("symlink").add(target.as_os_str().as_encoded_bytes()),
                };
            }
        }
        key.digest()
    }

    /// What is below counts only where something of it is looked at.
    fn key_of_request(&self, kind: &str, request: &Request) -> Key {
        let mut key = match request.ground {
            Ground::Stage => self.key(kind),
            Ground::Nothing => Key::new(&format!("{kind} --link")),
        };
        if request.ground == Ground::Nothing && request.chown.as_deref().is_some_and(|owner| !is_numeric(owner)) {
            key.add(name_of_files(self.draft.chain()));
        }
        key.add(&request.destination).add([u8::from(request.folder)]).add(request.chown.as_deref().unwrap_or_default());
        key
    }

    /// Names of users are looked up in the stage even if nothing else of it is.
    fn owner_of(&self, workspace: &dyn Workspace, request: &Request, current: &Current<'_>) -> Result<Owner, DockerfileError> {
        let Some(name) = &request.chown else { return Ok(Owner::ROOT) };
        let fail = |source| DockerfileError::User { place: current.place.clone(), name: name.clone(), source };
        if request.ground == Ground::Stage || is_numeric(name) {
            return owner(workspace.root(), name).map_err(fail);
        }
        let open = |source| DockerfileError::Open { place: current.place.clone(), source };
        let stage = self.build.host.open(&self.draft.image()).map_err(open)?;
        owner(stage.root(), name).map_err(fail)
    }

    fn key_of_images(&self, request: &Request, source: &Image) -> Digest {
        let mut key = self.key_of_request("COPY --from", request);
        key.add_all(request.sources.iter());
        key.add(request.mode.map(|mode| mode.to_string()).unwrap_or_default());
        key.add(name_of_files(source.chain_id())).digest()
    }
}

impl Request {
    /// The folders that the layer has for sure: those above what is copied.
    fn folders(&self) -> Vec<String> {
        let lowest = Path::new(&self.destination).ancestors().skip(usize::from(!self.folder));
        lowest.filter_map(Path::to_str).map(str::to_owned).collect()
    }
}

/// Whether an owner is the same in every image.
fn is_numeric(owner: &str) -> bool {
    owner.split(':').all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn write(workspace: &dyn Workspace, source: &Root, matches: &[Match], request: &Request, owner: Owner) -> Result<(), CopyError> {
    let mut writer = Writer::new(workspace, owner);
    let destination = Path::new(&request.destination);
    let into = request.folder || workspace.root().is_dir(destination);
    for Match { name, folder, entries } in matches {
        let base = if *folder || !into { destination.to_owned() } else { destination.join(name) };
        for Entry { source: from, below, kind } in entries {
            let is_top = below.as_os_str().is_empty();
            let path = if is_top { base.clone() } else { base.join(below) };
            match kind {
                Kind::Folder { mode } => writer.folder(&path, *mode, !is_top)?,
                Kind::Symlink(target) => writer.symlink(&path, target)?,
                Kind::File { mode, digest } => {
                    let mut file = source.open_file(from).map_err(WriteError::Root)?;
                    writer.file(&path, *mode, &mut file, digest)?;
                }
            }
        }
    }
    Ok(writer.finish()?)
}

fn copy_failed(sources: &[String], destination: &str, current: &Current<'_>) -> impl Fn(CopyError) -> DockerfileError {
    let (place, what) = (current.place.clone(), format!("{} to `{destination}`", quoted(sources)));
    move |source| DockerfileError::Copy { place: place.clone(), what: what.clone(), source: Box::new(source) }
}

fn mode_of(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777 && text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn near_note(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", quoted(near)) }
}

fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::CharacterDevice | FileType::BlockDevice => "device",
        _ => "special file",
    }
}
