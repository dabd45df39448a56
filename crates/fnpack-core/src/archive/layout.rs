//! Reading an OCI layout, in a folder or a tar (OCI image specification, `image-layout.md`).

use std::sync::Arc;

use super::files::{self, Files, blob, read_verified};
use super::oci_layout::{CONTAINERD_NAME, INDEX, REF_NAME, blob_name};
use super::{ArchiveError, Named, NamedTree, companions};
use crate::digest::Digest;
use crate::image::{Blob, Descriptor, Image, ImageError, Index, Manifest, ManifestTree, TreeSource, media_type};
use crate::reference::Reference;
use crate::target::Target;

/// For manifests and indexes; the limit of the distribution specification.
const LONGEST_MANIFEST: u64 = 4 * 1024 * 1024;
/// For configs.
pub(super) const LONGEST_CONFIG: u64 = 16 * 1024 * 1024;
/// Indexes in indexes: the layout's own, one of an image for several targets, and one to spare.
const MOST_INDEXES: usize = 3;

/// All images for a target. Entries without a name are taken as one image for several targets.
pub(super) fn read(files: &Arc<dyn Files>, target: &Target) -> Result<Vec<Named>, ArchiveError> {
    let index = companions::without(files, &index(files)?);
    let named: Vec<&Descriptor> = index.manifests.iter().filter(|entry| is_named(entry)).collect();
    if named.is_empty() {
        let entry = choose(files, &index, target)?;
        return Ok(vec![Named { names: Vec::new(), label: None, image: image(files, entry, target)? }]);
    }
    let mut images = Vec::new();
    // One name may stand for several targets in several entries.
    for entry in named.into_iter().filter(|entry| entry.platform.as_ref().is_none_or(|platform| platform.target().satisfies(target))) {
        images.push(Named { names: names(entry), label: entry.annotations.get(REF_NAME).cloned(), image: image(files, entry, target)? });
    }
    if images.is_empty() {
        return Err(no_target(files, &index, target));
    }
    Ok(images)
}

/// The list of all that the layout names.
pub(super) fn index(files: &Arc<dyn Files>) -> Result<Index, ArchiveError> {
    let bytes = files::read(&**files, INDEX, LONGEST_MANIFEST)?;
    Index::parse(&bytes).map_err(|source| failed(files, source))
}

/// A manifest or an index by its digest.
pub(super) fn document(files: &Arc<dyn Files>, digest: Digest) -> Result<Vec<u8>, ArchiveError> {
    read_verified(&**files, &blob_name(digest), digest, LONGEST_MANIFEST)
}

/// Everything that stands for itself in the layout, for all targets. Entries without a name are one image for several targets.
pub(super) fn trees(files: &Arc<dyn Files>) -> Result<Vec<NamedTree>, ArchiveError> {
    let bytes = files::read(&**files, INDEX, LONGEST_MANIFEST)?;
    let index = Index::parse(&bytes).map_err(|source| failed(files, source))?;
    let index = companions::without(files, &index);
    let source = LayoutSource(Arc::clone(files));
    if index.manifests.len() > 1 && !index.manifests.iter().any(is_named) {
        let descriptor = Descriptor::of(media_type::OCI_INDEX, &bytes);
        let tree = ManifestTree::of_document(&source, descriptor, bytes)?;
        return Ok(vec![NamedTree { names: Vec::new(), label: None, tree }]);
    }
    let entries = index.manifests.into_iter().map(|entry| {
        let (names, label) = (names(&entry), entry.annotations.get(REF_NAME).cloned());
        Ok(NamedTree { names, label, tree: ManifestTree::read(&source, entry)? })
    });
    entries.collect()
}

/// A layout as a source of documents.
pub(super) struct LayoutSource(pub(super) Arc<dyn Files>);

impl TreeSource for LayoutSource {
    type Error = ArchiveError;

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ArchiveError> {
        document(&self.0, descriptor.digest)
    }

    fn blob(&self, descriptor: &Descriptor) -> Blob {
        blob(&self.0, &blob_name(descriptor.digest))
    }

    fn invalid(&self, _descriptor: &Descriptor, source: ImageError) -> ArchiveError {
        failed(&self.0, source)
    }
}

fn is_named(entry: &Descriptor) -> bool {
    entry.annotations.contains_key(REF_NAME) || entry.annotations.contains_key(CONTAINERD_NAME)
}

/// Full names: containerd's annotation always is one, the specification's only if it has more than a tag.
fn names(entry: &Descriptor) -> Vec<Reference> {
    let full = entry.annotations.get(CONTAINERD_NAME);
    let name = full.or_else(|| entry.annotations.get(REF_NAME).filter(|name| name.contains(['/', ':'])));
    name.and_then(|name| name.parse().ok()).into_iter().collect()
}

fn image(files: &Arc<dyn Files>, entry: &Descriptor, target: &Target) -> Result<Image, ArchiveError> {
    let manifest_bytes = manifest(files, entry, target)?;
    let manifest = Manifest::parse(&manifest_bytes).map_err(|source| failed(files, source))?;
    let config_bytes = read_verified(&**files, &blob_name(manifest.config.digest), manifest.config.digest, LONGEST_CONFIG)?;
    for layer in &manifest.layers {
        let (name, actual) = (blob_name(layer.digest), files.length(&blob_name(layer.digest))?);
        if actual != layer.size {
            return Err(ArchiveError::WrongLength { name, place: files.place(), expected: layer.size, actual });
        }
    }
    let layer_blob = |layer: &Descriptor, _| blob(files, &blob_name(layer.digest));
    Image::from_bytes(manifest_bytes, config_bytes, layer_blob).map_err(|source| failed(files, source))
}

/// The manifest of an entry, through indexes.
fn manifest(files: &Arc<dyn Files>, entry: &Descriptor, target: &Target) -> Result<Vec<u8>, ArchiveError> {
    let mut entry = entry.clone();
    for _ in 0..MOST_INDEXES {
        let bytes = document(files, entry.digest)?;
        if !matches!(entry.media_type.as_str(), media_type::OCI_INDEX | media_type::DOCKER_INDEX) {
            return Ok(bytes);
        }
        let index = Index::parse(&bytes).map_err(|source| failed(files, source))?;
        entry = choose(files, &index, target)?.clone();
    }
    Err(ArchiveError::TooDeep { place: files.place() })
}

fn choose<'a>(files: &Arc<dyn Files>, index: &'a Index, target: &Target) -> Result<&'a Descriptor, ArchiveError> {
    index.select(target).ok_or_else(|| no_target(files, index, target))
}

fn no_target(files: &Arc<dyn Files>, index: &Index, target: &Target) -> ArchiveError {
    let targets = index.manifests.iter().filter_map(|entry| entry.platform.as_ref()).map(|platform| platform.target().to_string());
    let available = targets.filter(|target| !target.starts_with("unknown/")).collect();
    ArchiveError::NoTarget { place: files.place(), target: target.to_string(), available }
}

fn failed(files: &Arc<dyn Files>, source: ImageError) -> ArchiveError {
    ArchiveError::Image { place: files.place(), source }
}
