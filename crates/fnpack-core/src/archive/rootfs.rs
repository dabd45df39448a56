//! A bare root file system, as `mmdebstrap` or `docker export` make it, as an image of one layer.
//!
//! The tar itself becomes the layer, entry for entry: nothing is unpacked, so nothing in it is
//! followed, and the diff ID is that of the file. It is read through once, checked to be a tar that
//! can be a root file system, and packed anew on the way.

use std::io::{self, Read, Write};
use std::thread::available_parallelism;

use crate::digest::{DiffId, Hashing};
use crate::image::{BlobSink, Descriptor, History, Image, Layer, PendingBlob, media_type};
use crate::layers::GzipWriter;
use crate::layers::apply::ApplyError;
use crate::layers::apply::archive::{Archive, Member};
use crate::layers::decompress::decompress;
use crate::target::Target;

/// A root file system has some hundred thousand.
const MOST_ENTRIES: u64 = 10_000_000;
/// What shells use without any setting, and what images of distributions have.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a root file system does not say about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// What it is for.
    pub target: Target,
    /// What a container runs by itself.
    pub command: Vec<String>,
    /// For the image's history.
    pub description: String,
}

impl ImportOptions {
    /// For this target, with a shell to run.
    pub fn new(target: Target) -> Self {
        Self { target, command: vec!["/bin/sh".to_owned()], description: "import of a root file system".to_owned() }
    }
}

/// Why a root file system could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The input cannot be read or unpacked, or is no tar.
    #[error("cannot read the root file system")]
    Read(#[source] ApplyError),
    /// It is packed in a way that cannot be read.
    #[error("cannot unpack the root file system")]
    Unpack(#[source] io::Error),
    /// There is nothing in it.
    #[error("the root file system is empty")]
    Empty,
    /// It is an image, not a root file system.
    #[error("the file is an image archive (it has `{name}`) and no root file system")]
    ImageArchive {
        /// What gave it away.
        name: &'static str,
    },
    /// A name leads out of the root file system.
    #[error("the root file system has the entry `{name}`, which leads out of it")]
    Outside {
        /// The name, made printable.
        name: String,
    },
    /// The layer could not be stored.
    #[error("cannot store the layer")]
    Store(#[source] io::Error),
}

/// Makes an image of a root file system in a tar, packed with gzip, zstd or not at all.
pub fn import(input: impl Read + Send, options: &ImportOptions, blobs: &dyn BlobSink) -> Result<Image, ImportError> {
    let layer = layer(decompress(input).map_err(ImportError::Unpack)?, blobs)?;
    let history = History {
        created: Some(crate::image::CONSTANT_TIME.to_owned()),
        created_by: Some(options.description.clone()),
        ..History::default()
    };
    let image = Image::empty(&options.target).appended([(layer, history)]);
    Ok(image.with_config(|config| {
        config.config.set_env("PATH", PATH);
        config.config.cmd = (!options.command.is_empty()).then(|| options.command.clone());
    }))
}

fn layer(input: Box<dyn Read + Send + '_>, blobs: &dyn BlobSink) -> Result<Layer, ImportError> {
    let workers = available_parallelism().map_or(1, usize::from);
    let pending = blobs.create().map_err(ImportError::Store)?;
    let tee = Tee { input: Hashing::new(input), output: GzipWriter::new(pending, workers), fault: None };
    let mut tar = Archive::new(tee, MOST_ENTRIES);
    let checked = check(&mut tar);
    let Tee { input, output, fault } = tar.into_inner();
    if let Some(fault) = fault {
        return Err(ImportError::Store(fault));
    }
    checked?;
    let (_, hash, _) = input.finish();
    let pending: Box<dyn PendingBlob> = output.finish().map_err(ImportError::Store)?;
    let (digest, size, blob) = pending.commit(None).map_err(ImportError::Store)?;
    Ok(Layer { descriptor: Descriptor::new(media_type::OCI_LAYER_GZIP, digest, size), diff_id: DiffId::from_sha256(hash), blob })
}

fn check<R: Read>(tar: &mut Archive<R>) -> Result<(), ImportError> {
    let mut entries = 0_u64;
    while let Some(member) = tar.next_member().map_err(ImportError::Read)? {
        entries += 1;
        check_name(&member)?;
    }
    if entries == 0 {
        return Err(ImportError::Empty);
    }
    // The zeros at the end belong to the layer too.
    tar.drain().map_err(ImportError::Read)
}

fn check_name(member: &Member) -> Result<(), ImportError> {
    let name = member.path.strip_prefix(b"./").unwrap_or(&member.path);
    for mark in ["manifest.json", "index.json", "oci-layout"] {
        if name == mark.as_bytes() {
            return Err(ImportError::ImageArchive { name: mark });
        }
    }
    if name.split(|byte| *byte == b'/').any(|part| part == b"..") {
        return Err(ImportError::Outside { name: member.path.escape_ascii().to_string() });
    }
    Ok(())
}

/// Gives on what is read, and writes it to the layer.
struct Tee<R, W> {
    input: Hashing<R>,
    output: W,
    /// Why writing failed, as reading hides it.
    fault: Option<io::Error>,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(bytes)?;
        self.output.write_all(&bytes[..read]).map_err(|error| {
            let kind = error.kind();
            self.fault = Some(error);
            io::Error::from(kind)
        })?;
        Ok(read)
    }
}
