//! Images from anywhere to anywhere, byte for byte: store, registries, layouts, archives.

use std::path::{Path, PathBuf};

use super::{Address, FindError, Workbench};
use crate::archive::{self, ArchiveError, Format, Named, NamedTree, Place, oci_layout};
use crate::digest::Digest;
use crate::engine::{EngineError, Loaded};
use crate::image::companion::Companion;
use crate::image::{Descriptor, Image, ImageError, Index, ManifestTree};
use crate::reference::Reference;
use crate::registry::{Pushed, RegistryError};
use crate::store::{PutOptions, StoreError};
use crate::target::Target;

/// What of an index is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The image for one target.
    One(Target),
    /// The index and all that it names.
    All,
}

/// A copy that was made.
#[derive(Debug)]
pub struct Copied {
    /// The digest at both ends; that of a docker archive is the image's in the store.
    pub digest: Digest,
    /// What went to a registry.
    pub pushed: Option<Pushed>,
    /// What went to an engine.
    pub loaded: Option<Loaded>,
    /// How many signatures, SBOMs and the like went along.
    pub companions: usize,
}

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source cannot be had.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The archive cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The registry does not take it.
    #[error("cannot send `{name}` to its registry")]
    Registry {
        /// As users write it.
        name: String,
        /// What the registry said.
        #[source]
        source: Box<RegistryError>,
    },
    /// The engine does not take it.
    #[error(transparent)]
    Engine(#[from] Box<EngineError>),
    /// Engines are given names, and make Ids and digests themselves.
    #[error("`{address}` is no name to give an image in an engine")]
    NoNameInEngine {
        /// The address.
        address: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A manifest or config on the way is damaged or cannot be had.
    #[error("cannot take `{name}` into the store")]
    Unusable {
        /// As users write it.
        name: String,
        /// What is wrong.
        #[source]
        source: ImageError,
    },
    /// The file cannot be made.
    #[error("cannot write `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// Docker archives and engines have no indexes.
    #[error("`{address}` holds images of one target each, and `{from}` is an index of several")]
    OneTargetOnly {
        /// Where it should go.
        address: String,
        /// What it is.
        from: String,
    },
    /// A docker archive names its images.
    #[error("the image in `{address}` needs a name")]
    Nameless {
        /// The archive.
        address: String,
    },
    /// Two entries of an index are for the same target.
    #[error("`{second}` is for {target}, and so is `{first}`")]
    SameTarget {
        /// The one before.
        first: String,
        /// The one too many.
        second: String,
        /// Their target.
        target: String,
    },
}

/// What is copied: an image, whose config is known, or anything.
enum Parcel {
    One(Image),
    All(Box<ManifestTree>),
}

/// Copies what `from` stands for to `to`.
pub fn copy(bench: &Workbench<'_>, from: &Address, to: &Address, selection: &Selection) -> Result<Copied, CopyError> {
    let parcel = match selection {
        Selection::One(target) => Parcel::One(bench.look_at(from, target)?),
        Selection::All => Parcel::All(Box::new(bench.tree_at(from)?)),
    };
    let mut copied = Copied { digest: parcel.digest(), pushed: None, loaded: None, companions: 0 };
    match to {
        Address::Named(reference) => bench.keep(&parcel, reference)?,
        Address::Registry(reference) => {
            copied.pushed = Some(bench.send(&parcel, reference)?);
            copied.companions = bench.send_companions(from, reference, &parcel)?;
        }
        Address::Archive(place) => {
            let is_docker = matches!(place.place, Place::DockerArchive(_));
            let companions = if is_docker { Vec::new() } else { bench.companions_at(from, &parcel.digests())? };
            write(&parcel, &companions, from, place)?;
            copied.companions = companions.len();
        }
        Address::Engine(name) => copied.loaded = Some(bench.load_as(&one_target(&parcel, from, to)?, name)?),
    }
    Ok(copied)
}

/// Brings an image of the store to where it is wanted. In files it has the name that the address gives, or none.
pub fn deliver(bench: &Workbench<'_>, image: &Image, to: &Address) -> Result<(), CopyError> {
    let parcel = Parcel::One(image.clone());
    match to {
        Address::Named(reference) => bench.keep(&parcel, reference),
        Address::Registry(reference) => bench.send(&parcel, reference).map(drop),
        Address::Archive(place) => write(&parcel, &[], to, place),
        Address::Engine(name) => bench.load_as(image, name).map(drop),
    }
}

/// Makes an index of images that are brought into the store; `name` stands for it there.
pub fn create_index(bench: &Workbench<'_>, name: &Reference, parts: &[Address]) -> Result<Digest, CopyError> {
    let mut entries: Vec<(String, Target, Descriptor)> = Vec::new();
    for part in parts {
        let image = match part.reference().filter(|_| matches!(part, Address::Named(_))) {
            Some(reference) => bench.find_whatever_target(reference)?,
            None => bench.bring(part, &bench.target)?,
        };
        let (target, second) = (image.target(), part.to_string());
        if let Some((first, ..)) = entries.iter().find(|(_, known, _)| *known == target) {
            return Err(CopyError::SameTarget { first: first.clone(), second, target: target.to_string() });
        }
        bench.store.put_image(&image, None)?;
        entries.push((second, target, ManifestTree::of(&image).descriptor));
    }
    let index = Index::new(entries.into_iter().map(|(.., entry)| entry).collect());
    let digest = bench.store.put_index(&index.encode(), name)?;
    bench.store.publish_index()?;
    Ok(digest)
}

impl Parcel {
    fn digest(&self) -> Digest {
        match self {
            Self::One(image) => image.digest(),
            Self::All(tree) => tree.descriptor.digest,
        }
    }

    /// Of everything that may be signed.
    fn digests(&self) -> Vec<Digest> {
        match self {
            Self::One(image) => vec![image.digest()],
            Self::All(tree) => tree.digests(),
        }
    }

    fn tree(&self) -> ManifestTree {
        match self {
            Self::One(image) => ManifestTree::of(image),
            Self::All(tree) => tree.as_ref().clone(),
        }
    }

    fn images(&self) -> Result<Vec<Image>, ImageError> {
        match self {
            Self::One(image) => Ok(vec![image.clone()]),
            Self::All(tree) => tree.images(),
        }
    }
}

impl Workbench<'_> {
    fn send(&self, parcel: &Parcel, reference: &Reference) -> Result<Pushed, CopyError> {
        let client = self.client_to_push(reference)?;
        let pushed = match parcel {
            Parcel::One(image) => client.push(image, reference),
            Parcel::All(tree) => client.push_tree(tree, reference),
        };
        pushed.map_err(|source| not_sent(reference, source))
    }

    fn send_companions(&self, from: &Address, to: &Reference, parcel: &Parcel) -> Result<usize, CopyError> {
        let companions = self.companions_at(from, &parcel.digests())?;
        self.client_to_push(to)?.push_companions(&companions, to).map_err(|source| not_sent(to, source))?;
        Ok(companions.len())
    }

    fn keep(&self, parcel: &Parcel, reference: &Reference) -> Result<(), CopyError> {
        let unusable = |source| CopyError::Unusable { name: reference.familiar(), source };
        let images = parcel.images().map_err(unusable)?;
        for image in &images {
            self.fetch_missing(image, &reference.familiar())?;
        }
        match parcel {
            Parcel::All(tree) if tree.is_index() => {
                self.store.put_images(images.iter().map(|image| (image, None)), PutOptions::default())?;
                self.store.put_index(&tree.bytes, reference)?;
            }
            _ => self.store.put_images(images.iter().map(|image| (image, Some(reference))), PutOptions::default())?,
        }
        Ok(self.store.publish_index()?)
    }

    /// An image of the store that is for one target, whichever it is.
    fn find_whatever_target(&self, reference: &Reference) -> Result<Image, CopyError> {
        let tree = self.store.tree(reference)?.filter(|tree| !tree.is_index());
        match tree.and_then(|tree| tree.image().ok()) {
            Some(image) => Ok(image),
            None => Ok(self.find(reference, &self.target)?),
        }
    }
}

pub(super) fn not_sent(name: &Reference, source: RegistryError) -> CopyError {
    CopyError::Registry { name: name.familiar(), source: Box::new(source) }
}

fn write(parcel: &Parcel, companions: &[Companion], from: &Address, to: &archive::Address) -> Result<(), CopyError> {
    let kept = |name: &Reference| if name.tag().is_some() { name.without_digest() } else { name.clone() };
    let names: Vec<Reference> = from.reference().map(kept).into_iter().collect();
    // What is called by a label is called by nothing else, so that the next of that label takes its place.
    let in_layout = || match &to.name {
        Some(label) => NamedTree { names: Vec::new(), label: Some(label.clone()), tree: parcel.tree() },
        None => NamedTree { names: names.clone(), label: None, tree: parcel.tree() },
    };
    let in_layout = || -> Vec<NamedTree> { [in_layout()].into_iter().chain(companions.iter().map(NamedTree::from)).collect() };
    match &to.place {
        Place::DockerArchive(path) => {
            let image = named_for_docker(one_target(parcel, from, to)?, to, names)?;
            write_aside(path, |file| archive::write(&[image], Format::Docker, file))
        }
        Place::OciArchive(path) => write_aside(path, |file| archive::write_trees(&in_layout(), file)),
        Place::OciLayout(folder) => Ok(in_layout().iter().try_for_each(|named| oci_layout::write(folder, named))?),
    }
}

/// The image, where an index has no place.
fn one_target(parcel: &Parcel, from: &Address, to: &impl std::fmt::Display) -> Result<Image, CopyError> {
    match parcel {
        Parcel::One(image) => Ok(image.clone()),
        Parcel::All(tree) => match (tree.is_index(), tree.image()) {
            (false, Ok(image)) => Ok(image),
            _ => Err(CopyError::OneTargetOnly { address: to.to_string(), from: from.to_string() }),
        },
    }
}

fn named_for_docker(image: Image, to: &archive::Address, names: Vec<Reference>) -> Result<Named, CopyError> {
    let own = to.name.as_deref().map(str::parse).transpose().map_err(FindError::from)?;
    let names = own.map_or(names, |name| vec![name]);
    if names.is_empty() {
        return Err(CopyError::Nameless { address: to.to_string() });
    }
    Ok(Named { names, label: None, image })
}

/// Writes a file beside its name and renames it, so that nobody ever sees half of it.
fn write_aside(path: &Path, write: impl FnOnce(&mut fs_err::File) -> Result<(), ArchiveError>) -> Result<(), CopyError> {
    let failed = |source| CopyError::File { path: path.to_owned(), source };
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let mut file = fs_err::File::create(&part).map_err(failed)?;
    let result = write(&mut file).map_err(CopyError::from).and_then(|()| fs_err::rename(&part, path).map_err(failed));
    if result.is_err() {
        // The first failure is the one to tell.
        let _ = fs_err::remove_file(&part);
    }
    result
}
