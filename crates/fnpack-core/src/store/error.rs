//! What can go wrong in a store.

use std::io;
use std::path::{Path, PathBuf};

use fnpack_sandbox::SandboxError;

use crate::digest::{DiffId, Digest};
use crate::image::ImageError;
use crate::layers::apply::{ApplyError, is_disk_full};
use crate::reference::Reference;
use crate::root::RootError;

/// What could not be done, and with what.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A later fnpack made the store.
    #[error("the store `{}` has format {found}, this fnpack knows format {known} and older ones", path.display())]
    NewerFormat {
        /// The store.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest known here.
        known: u32,
    },
    /// The folder has other things in it, an image layout of another tool perhaps.
    #[error("`{}` is neither a store nor an empty folder", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
    },
    /// Reading works, writing does not.
    #[error("the store cannot be written: `{}`", path.display())]
    ReadOnly {
        /// What was to be written.
        path: PathBuf,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
    /// The disk or the quota is full.
    #[error("the disk is full: cannot write `{}`", path.display())]
    DiskFull {
        /// What was to be written.
        path: PathBuf,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
    /// The file system refused something else.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// The call, as a verb phrase.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
    /// A file of the store is not the JSON it should be.
    #[error("cannot read the {what} `{}`", path.display())]
    Unreadable {
        /// What the file is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The JSON fault.
        #[source]
        source: serde_json::Error,
    },
    /// A blob in the store has other bytes than its name says.
    #[error("the blob {digest} is corrupt in `{}`", path.display())]
    CorruptBlob {
        /// Its name.
        digest: Digest,
        /// The file.
        path: PathBuf,
    },
    /// Bytes from elsewhere are not those that were announced.
    #[error("expected {expected}, received {actual}")]
    WrongDigest {
        /// As announced.
        expected: Digest,
        /// Of the bytes.
        actual: Digest,
    },
    /// A layer's blob is right and its tar is not the one that the config names.
    #[error("the layer {expected} is corrupt: its tar is {actual}")]
    CorruptLayer {
        /// As the config says.
        expected: DiffId,
        /// Of the tar.
        actual: DiffId,
    },
    /// The bytes of a blob could not be read from where they are.
    #[error("cannot read the blob {digest} from {location}")]
    BlobRead {
        /// The blob.
        digest: Digest,
        /// A path, or registry and repository.
        location: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A blob that an image needs is neither here nor recorded to be elsewhere.
    #[error("the blob {digest} is not in the store")]
    BlobAbsent {
        /// The blob.
        digest: Digest,
    },
    /// Bytes that should be an image are not.
    #[error("cannot read the image {digest}")]
    Image {
        /// The manifest.
        digest: Digest,
        /// The reason.
        #[source]
        source: ImageError,
    },
    /// A layer could not be unpacked.
    #[error("cannot unpack the layer {diff_id}")]
    Unpack {
        /// The layer.
        diff_id: DiffId,
        /// The reason.
        #[source]
        source: ApplyError,
    },
    /// The parents of a layer could not be mounted to unpack it over them.
    #[error("cannot unpack the layer {diff_id} over the layers below")]
    View {
        /// The layer.
        diff_id: DiffId,
        /// The reason.
        #[source]
        source: Box<SandboxError>,
    },
    /// Several images begin with these digits.
    #[error("`{prefix}` is the beginning of {} image digests", matches.len())]
    AmbiguousDigest {
        /// As given.
        prefix: String,
        /// All that match.
        matches: Vec<Digest>,
    },
    /// No image has this name here.
    #[error("there is no image `{}` in the store", reference.familiar())]
    UnknownReference {
        /// As asked for.
        reference: Reference,
    },
    /// A name that would not do as a file name.
    #[error("`{text}` is not a valid {what}: it is made of lower-case letters, digits and dashes")]
    InvalidName {
        /// What it should name.
        what: &'static str,
        /// As given.
        text: String,
    },
}

impl StoreError {
    /// Tells the two causes apart that the user can do something about.
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            _ if is_disk_full(&source) => Self::DiskFull { path, source },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly { path, source },
            _ => Self::Io { action, path, source },
        }
    }

    /// The same for something read: no rights to read is no matter of writing.
    pub(super) fn reading(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    pub(super) fn root(below: &Path, error: RootError) -> Self {
        let RootError { action, path, source } = error;
        Self::io(action, &below.join(path.strip_prefix("/").unwrap_or(&path)), source)
    }

    fn kind(&self) -> io::ErrorKind {
        match self {
            Self::ReadOnly { source, .. } | Self::DiskFull { source, .. } | Self::Io { source, .. } | Self::BlobRead { source, .. } => {
                source.kind()
            }
            Self::CorruptBlob { .. } | Self::WrongDigest { .. } | Self::CorruptLayer { .. } => io::ErrorKind::InvalidData,
            Self::BlobAbsent { .. } => io::ErrorKind::NotFound,
            _ => io::ErrorKind::Other,
        }
    }
}

/// For the traits that speak of `io::Error`; the store's own error stays inside.
impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        io::Error::new(error.kind(), error)
    }
}
