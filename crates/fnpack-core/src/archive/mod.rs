//! Images in files: OCI layouts (folder or tar) and what `docker save` writes.
//!
//! [`ImageArchive`] reads all of them, packed or not, telling by content what a file is. Only
//! documents are read when it is opened; layers are opened in place, by offset, when somebody needs
//! them. [`oci_layout::write`], [`write()`] make them; [`rootfs::import`] makes an image of a bare root
//! file system.
//!
//! Archives come from elsewhere: names are only looked up, never used as paths, links inside are
//! followed inside, documents are bounded, and whatever a digest names is checked against it.
//!
//! Answers the OCI image specification (`image-layout.md`, `annotations.md`) and Docker's "combined
//! image JSON and filesystem changeset format".

mod companions;
mod docker;
mod files;
mod folder;
mod layout;
pub mod oci_layout;
pub mod rootfs;
mod tar_files;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use files::Files;
use folder::FolderFiles;
use tar_files::TarFiles;
pub use writer::{write, write_trees, write_without};

use crate::digest::Digest;
use crate::image::companion::Companion;
use crate::image::{BlobError, Image, ImageError, ManifestTree};
use crate::layers::TarError;
use crate::layers::apply::ApplyError;
use crate::reference::Reference;
use crate::root::RootError;
use crate::target::Target;

/// An image and what it is called in an archive.
#[derive(Debug, Clone)]
pub struct Named {
    /// Full names; may be empty.
    pub names: Vec<Reference>,
    /// The name inside an OCI layout (`org.opencontainers.image.ref.name`), if it has one.
    pub label: Option<String>,
    /// The image.
    pub image: Image,
}

/// An image or an index and what it is called in an archive.
#[derive(Debug, Clone)]
pub struct NamedTree {
    /// Full names; may be empty.
    pub names: Vec<Reference>,
    /// The name inside an OCI layout (`org.opencontainers.image.ref.name`), if it has one.
    pub label: Option<String>,
    /// The image, for one target or all.
    pub tree: ManifestTree,
}

impl From<&Companion> for NamedTree {
    fn from(companion: &Companion) -> Self {
        Self { names: Vec::new(), label: companion.tag.clone(), tree: companion.tree.clone() }
    }
}

impl From<&Named> for NamedTree {
    fn from(named: &Named) -> Self {
        Self { names: named.names.clone(), label: named.label.clone(), tree: ManifestTree::of(&named.image) }
    }
}

/// How an archive file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A tar of an OCI layout.
    Oci,
    /// What `docker save` writes and every engine loads.
    Docker,
}

/// Images in a folder or a file, ready to be read.
pub struct ImageArchive {
    files: Arc<dyn Files>,
    format: Format,
}

/// Why images could not be read from files or written to them.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file of the host could not be read or made.
    #[error("cannot {action} the archive `{}`", path.display())]
    File {
        /// A verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// A folder of the host could not be read.
    #[error("cannot read the image layout `{}`", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The reason.
        #[source]
        source: RootError,
    },
    /// The file is not a tar.
    #[error("cannot list the archive `{}`", path.display())]
    Tar {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: ApplyError,
    },
    /// Neither kind of archive.
    #[error("there is no image in {place}: it has neither `index.json` nor `manifest.json`")]
    NoImage {
        /// The folder or file.
        place: String,
    },
    /// Something that the documents name is absent.
    #[error("`{name}` is missing in {place}")]
    Missing {
        /// What.
        name: String,
        /// The folder or file.
        place: String,
    },
    /// A document is longer than any honest one.
    #[error("`{name}` in {place} is longer than {limit} bytes")]
    TooLong {
        /// Which.
        name: String,
        /// The folder or file.
        place: String,
        /// The limit.
        limit: u64,
    },
    /// A document is not what the specification asks for.
    #[error("cannot read `{name}` in {place}")]
    Unreadable {
        /// Which.
        name: String,
        /// The folder or file.
        place: String,
        /// The fault, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// The bytes are not those that the name promises.
    #[error("`{name}` in {place} is {actual}")]
    DigestMismatch {
        /// Which.
        name: String,
        /// The folder or file.
        place: String,
        /// Digest of the bytes.
        actual: Digest,
    },
    /// A blob is not as long as the manifest says.
    #[error("`{name}` in {place} is {actual} bytes long and not {expected}")]
    WrongLength {
        /// Which.
        name: String,
        /// The folder or file.
        place: String,
        /// By the manifest.
        expected: u64,
        /// As it is.
        actual: u64,
    },
    /// Manifest and config do not make an image.
    #[error("an image in {place} cannot be used")]
    Image {
        /// The folder or file.
        place: String,
        /// The reason.
        #[source]
        source: ImageError,
    },
    /// Indexes name indexes without end.
    #[error("the indexes in {place} are nested too deep")]
    TooDeep {
        /// The folder or file.
        place: String,
    },
    /// Nothing there for the target.
    #[error("there is no image for {target} in {place}, only for {}", available.join(", "))]
    NoTarget {
        /// The folder or file.
        place: String,
        /// The target asked for.
        target: String,
        /// Those that there are.
        available: Vec<String>,
    },
    /// No image of the name, or more than one where one was asked for.
    #[error("{place} has {} images{}, and not one{}", names.len(), listed(names), called(wanted.as_deref()))]
    NotOne {
        /// The folder or file.
        place: String,
        /// The name asked for.
        wanted: Option<String>,
        /// The names that there are.
        names: Vec<String>,
    },
    /// A layer could not be copied.
    #[error("cannot copy a layer")]
    Blob(#[source] BlobError),
    /// The archive could not be written.
    #[error("cannot write the archive")]
    Write(#[source] TarError),
    /// The end of the archive could not be written.
    #[error("cannot write the end of the archive")]
    Flush {
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// A layer could not be read to be packed.
    #[error("cannot read the layer {digest}")]
    Layer {
        /// Which.
        digest: Digest,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// Not an address of an archive.
    #[error("`{text}` is not `oci:FOLDER`, `oci-archive:FILE` or `docker-archive:FILE`, each with `:NAME` if there are several images")]
    Address {
        /// The text as given.
        text: String,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

fn called(wanted: Option<&str>) -> String {
    wanted.map_or(String::new(), |name| format!(" called `{name}`"))
}

impl ImageArchive {
    /// Opens a folder or file. A packed file is unpacked into a nameless file in the folder `scratch`.
    pub fn open(path: &Path, scratch: &Path) -> Result<Self, ArchiveError> {
        let metadata = fs_err::metadata(path).map_err(|source| ArchiveError::File { action: "open", path: path.to_owned(), source })?;
        let files: Arc<dyn Files> =
            if metadata.is_dir() { Arc::new(FolderFiles::open(path)?) } else { Arc::new(TarFiles::open(path, scratch)?) };
        let format = match (files.length(oci_layout::INDEX).is_ok(), files.length(docker::MANIFEST).is_ok()) {
            // Docker writes both since version 25.
            (true, _) => Format::Oci,
            (false, true) => Format::Docker,
            (false, false) => return Err(ArchiveError::NoImage { place: files.place() }),
        };
        Ok(Self { files, format })
    }

    /// The layout that was found.
    pub fn format(&self) -> Format {
        self.format
    }

    /// All images for a target.
    pub fn images(&self, target: &Target) -> Result<Vec<Named>, ArchiveError> {
        match self.format {
            Format::Oci => layout::read(&self.files, target),
            Format::Docker => docker::read(&self.files, target),
        }
    }

    /// All that is there, for all targets.
    pub fn trees(&self) -> Result<Vec<NamedTree>, ArchiveError> {
        match self.format {
            Format::Oci => layout::trees(&self.files),
            Format::Docker => Ok(docker::read_all(&self.files)?.iter().map(NamedTree::from).collect()),
        }
    }

    /// Signatures, SBOMs and the like that go along with these manifests. Docker's archives have none.
    pub fn companions(&self, subjects: &[Digest]) -> Result<Vec<Companion>, ArchiveError> {
        match self.format {
            Format::Oci => companions::read(&self.files, subjects),
            Format::Docker => Ok(Vec::new()),
        }
    }

    /// The one of this name, for all targets; without a name, the only one there is.
    pub fn tree(&self, wanted: Option<&str>) -> Result<NamedTree, ArchiveError> {
        let all = self.trees()?;
        let names = all.iter().map(|named| shown(&named.names, named.label.as_deref(), named.tree.descriptor.digest)).collect();
        let fits = |named: &NamedTree| wanted.is_none_or(|wanted| is_called(&named.names, named.label.as_deref(), wanted));
        self.only(all.into_iter().filter(fits).collect(), wanted, names)
    }

    fn only<T>(&self, mut fitting: Vec<T>, wanted: Option<&str>, names: Vec<String>) -> Result<T, ArchiveError> {
        match (fitting.pop(), fitting.is_empty()) {
            (Some(only), true) => Ok(only),
            _ => Err(ArchiveError::NotOne { place: self.files.place(), wanted: wanted.map(str::to_owned), names }),
        }
    }

    /// The one image of this name; without a name, the only one there is.
    pub fn image(&self, wanted: Option<&str>, target: &Target) -> Result<Named, ArchiveError> {
        let all = self.images(target)?;
        let names = all.iter().map(|named| shown(&named.names, named.label.as_deref(), named.image.digest())).collect();
        let fits = |named: &Named| wanted.is_none_or(|wanted| is_called(&named.names, named.label.as_deref(), wanted));
        self.only(all.into_iter().filter(fits).collect(), wanted, names)
    }
}

fn is_called(names: &[Reference], label: Option<&str>, wanted: &str) -> bool {
    label == Some(wanted) || wanted.parse::<Reference>().is_ok_and(|reference| names.contains(&reference))
}

fn shown(names: &[Reference], label: Option<&str>, digest: Digest) -> String {
    let name = names.first().map(Reference::familiar);
    name.or_else(|| label.map(str::to_owned)).unwrap_or_else(|| digest.to_string())
}

/// Where an image is or shall be, in the words of `skopeo`: `oci:FOLDER[:NAME]` and its kin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// What kind of place.
    pub place: Place,
    /// The name inside.
    pub name: Option<String>,
}

/// A kind of place and its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `oci:`
    OciLayout(PathBuf),
    /// `oci-archive:`
    OciArchive(PathBuf),
    /// `docker-archive:`
    DockerArchive(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, path) = match &self.place {
            Place::OciLayout(path) => ("oci", path),
            Place::OciArchive(path) => ("oci-archive", path),
            Place::DockerArchive(path) => ("docker-archive", path),
        };
        write!(formatter, "{kind}:{}", path.display())?;
        self.name.iter().try_for_each(|name| write!(formatter, ":{name}"))
    }
}

impl FromStr for Address {
    type Err = ArchiveError;

    /// The path ends at the first colon, as in `skopeo`.
    fn from_str(text: &str) -> Result<Self, ArchiveError> {
        let fail = || ArchiveError::Address { text: text.to_owned() };
        let (kind, rest) = text.split_once(':').ok_or_else(fail)?;
        let (path, name) = rest.split_once(':').map_or((rest, None), |(path, name)| (path, Some(name)));
        if path.is_empty() || name == Some("") {
            return Err(fail());
        }
        let path = PathBuf::from(path);
        let place = match kind {
            "oci" => Place::OciLayout(path),
            "oci-archive" => Place::OciArchive(path),
            "docker-archive" => Place::DockerArchive(path),
            _ => return Err(fail()),
        };
        Ok(Self { place, name: name.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests;
