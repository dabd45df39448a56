//! Folders and files to layers: the same input gives the same bytes on every machine.
//!
//! What goes into a layer is a [`Contents`]; it can be written any number of times. [`diff_id`] only
//! names the layer, which is enough to see that one made before can be used again; [`write()`] makes
//! the blob. Archives are written as Go's `archive/tar` writes them ([`TarWriter`]), because layers are
//! reused between implementations by diff ID.
//!
//! Answers the OCI image specification, `layer.md`, and the CNB platform specification, "Layer
//! reproducibility".

pub mod apply;
mod changes;
pub mod decompress;
mod files;
mod folder;
mod gzip;
mod node;
mod pax;
mod tar_writer;
mod xattrs;
mod zstd;

use std::io::{self, Write};
use std::path::PathBuf;
use std::thread::available_parallelism;

pub use changes::Changes;
pub use files::{FilesLayer, Joined};
pub use folder::{FolderLayer, PathsLayer};
pub use gzip::GzipWriter;
pub use node::{Attributes, Owner};
pub use tar_writer::{Entry, EntryKind, TarError, TarWriter};
pub use zstd::zstd_writer;

use crate::digest::{DiffId, Hashing};
use crate::image::{BlobSink, Descriptor, Layer, PendingBlob, media_type};
use crate::root::RootError;

/// What a layer holds.
pub trait Contents {
    /// Writes every entry. Called again, it writes the same.
    fn write_to(&self, tar: &mut TarWriter<&mut dyn Write>) -> Result<(), LayerError>;
}

/// How a layer's blob is packed. The settings of each are fixed, so that a digest depends on nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Level 1, in blocks on all processors. What every tool reads.
    #[default]
    Gzip,
    /// Level 3. Smaller and quicker to unpack, not read by old engines.
    Zstd,
}

/// Why a layer could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// A file to put in could not be read.
    #[error("cannot read what goes into the layer")]
    Read(#[source] RootError),
    /// The archive could not be written.
    #[error("cannot write the layer's archive")]
    Tar(#[source] TarError),
    /// A name in the layer's folder is of a kind that a layer must not hold.
    #[error("`{}` is {kind}, which does not belong in a layer", path.display())]
    Unfit {
        /// The path inside the folder.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// The compressed bytes could not be stored.
    #[error("cannot store the layer")]
    Store(#[source] io::Error),
}

impl From<RootError> for LayerError {
    fn from(source: RootError) -> Self {
        Self::Read(source)
    }
}

impl From<TarError> for LayerError {
    fn from(source: TarError) -> Self {
        Self::Tar(source)
    }
}

impl Compression {
    /// The media type of a layer packed so.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Gzip => media_type::OCI_LAYER_GZIP,
            Self::Zstd => media_type::OCI_LAYER_ZSTD,
        }
    }
}

/// The diff ID of a layer: reads and hashes everything, keeps nothing.
pub fn diff_id(contents: &dyn Contents) -> Result<DiffId, LayerError> {
    write_archive(contents, io::sink()).map(|(_, diff_id)| diff_id)
}

/// Makes a layer: archive, diff ID, compression and digest in one pass, with constant memory.
pub fn write(contents: &dyn Contents, compression: Compression, blobs: &dyn BlobSink) -> Result<Layer, LayerError> {
    let pending = blobs.create().map_err(LayerError::Store)?;
    let (pending, diff_id) = match compression {
        Compression::Gzip => {
            let workers = available_parallelism().map_or(1, usize::from);
            let (gzip, diff_id) = write_archive(contents, GzipWriter::new(pending, workers))?;
            (gzip.finish(), diff_id)
        }
        Compression::Zstd => {
            let (zstd, diff_id) = write_archive(contents, zstd_writer(pending).map_err(LayerError::Store)?)?;
            (zstd.finish(), diff_id)
        }
    };
    commit(pending.map_err(LayerError::Store)?, compression, diff_id)
}

fn commit(pending: Box<dyn PendingBlob>, compression: Compression, diff_id: DiffId) -> Result<Layer, LayerError> {
    let (digest, size, blob) = pending.commit(None).map_err(LayerError::Store)?;
    Ok(Layer { descriptor: Descriptor::new(compression.media_type(), digest, size), diff_id, blob })
}

fn write_archive<W: Write>(contents: &dyn Contents, output: W) -> Result<(W, DiffId), LayerError> {
    let mut hashing = Hashing::new(output);
    let mut tar = TarWriter::new(&mut hashing as &mut dyn Write);
    contents.write_to(&mut tar)?;
    tar.finish()?;
    let (output, hash, _) = hashing.finish();
    Ok((output, DiffId::from_sha256(hash)))
}

#[cfg(test)]
mod tests;
