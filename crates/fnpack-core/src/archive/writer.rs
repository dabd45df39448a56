//! Writing archive files. The same images give the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

use super::docker::{Entry as DockerEntry, MANIFEST};
use super::oci_layout::{self, Content};
use super::{ArchiveError, Format, Named, NamedTree};
use crate::digest::{DiffId, Digest};
use crate::image::{Descriptor, Index, Layer, VerifiedReader, media_type};
use crate::layers::decompress::decompress;
use crate::layers::{Entry, EntryKind, TarWriter};
use crate::reference::Reference;

/// Writes images as one archive.
pub fn write(images: &[Named], format: Format, output: impl Write) -> Result<(), ArchiveError> {
    match format {
        Format::Oci => write_trees(&images.iter().map(NamedTree::from).collect::<Vec<_>>(), output),
        Format::Docker => {
            let mut tar = TarWriter::new(output);
            write_docker(images, &BTreeSet::new(), &mut tar)?;
            finish(tar)
        }
    }
}

/// Writes an image as `docker save` does, the files of some layers empty: for an engine that has these.
pub fn write_without(image: &Named, left_out: &BTreeSet<DiffId>, output: impl Write) -> Result<(), ArchiveError> {
    let mut tar = TarWriter::new(output);
    write_docker(std::slice::from_ref(image), left_out, &mut tar)?;
    finish(tar)
}

/// Writes images and indexes as one archive, which is an OCI layout.
pub fn write_trees(images: &[NamedTree], output: impl Write) -> Result<(), ArchiveError> {
    let mut tar = TarWriter::new(output);
    write_oci(images, &mut tar)?;
    finish(tar)
}

fn finish<W: Write>(tar: TarWriter<W>) -> Result<(), ArchiveError> {
    tar.finish().map_err(ArchiveError::Write)?.flush().map_err(|source| ArchiveError::Flush { source })
}

fn write_oci<W: Write>(images: &[NamedTree], tar: &mut TarWriter<W>) -> Result<(), ArchiveError> {
    let index = Index::new(images.iter().flat_map(oci_layout::entries).collect());
    add_bytes(tar, oci_layout::MARK, oci_layout::MARK_CONTENT)?;
    add_bytes(tar, oci_layout::INDEX, &index.encode())?;
    let mut written = BTreeSet::new();
    for (descriptor, content) in images.iter().flat_map(|named| oci_layout::blobs(&named.tree)) {
        if !written.insert(descriptor.digest) {
            continue;
        }
        let name = oci_layout::blob_name(descriptor.digest);
        match content {
            Content::Bytes(bytes) => add_bytes(tar, &name, bytes)?,
            Content::Blob(blob) => {
                let mut input =
                    VerifiedReader::open(blob, descriptor).map_err(|source| ArchiveError::Layer { digest: descriptor.digest, source })?;
                add(tar, &name, descriptor.size, &mut input)?;
            }
        }
    }
    Ok(())
}

fn write_docker<W: Write>(images: &[Named], left_out: &BTreeSet<DiffId>, tar: &mut TarWriter<W>) -> Result<(), ArchiveError> {
    let mut written = BTreeSet::new();
    let mut list = Vec::new();
    let mut repositories: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for named in images {
        let config = format!("{}.json", Digest::of(named.image.config_bytes()).hex());
        if written.insert(config.clone()) {
            add_bytes(tar, &config, named.image.config_bytes())?;
        }
        let mut layers = Vec::new();
        for layer in named.image.layers() {
            let name = format!("{}.tar", layer.diff_id.hex());
            if written.insert(name.clone()) {
                if left_out.contains(&layer.diff_id) { add_bytes(tar, &name, b"")? } else { add_layer(tar, &name, layer)? }
            }
            layers.push(name);
        }
        let tagged: Vec<&Reference> = named.names.iter().filter(|name| name.tag().is_some()).collect();
        if let Some(top) = named.image.layers().last() {
            for name in &tagged {
                let tags = repositories.entry(untagged(name)).or_default();
                tags.insert(name.tag().unwrap_or_default().to_owned(), top.diff_id.hex());
            }
        }
        // Names in full mean the same everywhere; short ones are `localhost/…` to Podman.
        let names = tagged.into_iter().map(|name| name.without_digest().to_string()).collect();
        list.push(DockerEntry { config, repo_tags: Some(names), layers: Some(layers) });
    }
    // Lists and maps of texts always have a JSON form.
    add_bytes(tar, MANIFEST, &serde_json::to_vec(&list).expect("a list of images has a JSON form"))?;
    add_bytes(tar, "repositories", &serde_json::to_vec(&repositories).expect("a map of names has a JSON form"))
}

/// The name as `docker images` shows it, without tag and digest.
fn untagged(name: &Reference) -> String {
    let name = name.without_digest().familiar();
    name.rsplit_once(':').map_or(name.clone(), |(name, _)| name.to_owned())
}

/// Engines take plain and gzip layers in this format, but old ones no zstd: that is unpacked, once to
/// learn its length, which a tar says first, and once to write it.
fn add_layer<W: Write>(tar: &mut TarWriter<W>, name: &str, layer: &Layer) -> Result<(), ArchiveError> {
    let failed = |source| ArchiveError::Layer { digest: layer.descriptor.digest, source };
    let open = || VerifiedReader::open(&layer.blob, &layer.descriptor);
    if layer.descriptor.media_type != media_type::OCI_LAYER_ZSTD {
        return add(tar, name, layer.descriptor.size, &mut open().map_err(failed)?);
    }
    let unpacked = || open().and_then(decompress);
    let size = io::copy(&mut unpacked().map_err(failed)?, &mut io::sink()).map_err(failed)?;
    let plain = plain_descriptor(layer.diff_id, size);
    let mut input = VerifiedReader::new(unpacked().map_err(failed)?, &plain, layer.blob.location());
    add(tar, name, size, &mut input)
}

/// The unpacked layer as a blob: its digest is its diff ID.
fn plain_descriptor(diff_id: DiffId, size: u64) -> Descriptor {
    Descriptor::new(media_type::OCI_LAYER, Digest::from(diff_id), size)
}

fn add_bytes<W: Write>(tar: &mut TarWriter<W>, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
    add(tar, name, bytes.len() as u64, &mut &bytes[..])
}

fn add<W: Write>(tar: &mut TarWriter<W>, name: &str, size: u64, input: &mut dyn Read) -> Result<(), ArchiveError> {
    tar.append(&Entry::new(name, EntryKind::File { size }, 0o644), input).map_err(ArchiveError::Write)
}
