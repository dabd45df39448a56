//! OCI layouts in folders: names, and writing into one (OCI image specification, `image-layout.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use super::{ArchiveError, NamedTree};
use crate::digest::Digest;
use crate::image::{Blob, BlobError, Descriptor, Index, ManifestTree, Platform, copy_verified};
use crate::parallel;
use crate::reference::Reference;

/// The list of images.
pub(super) const INDEX: &str = "index.json";
/// The mark of a layout.
pub(super) const MARK: &str = "oci-layout";
/// What the mark says.
pub(super) const MARK_CONTENT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// The name of an entry inside its layout; a tag in most.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The full name, as containerd and Docker write it.
pub(super) const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// Where a blob lies.
pub(super) fn blob_name(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Adds an image to a layout, which is made if it is not there. An entry of the same name is replaced;
/// blobs that are there already stay as they are.
pub fn write(folder: &Path, named: &NamedTree) -> Result<(), ArchiveError> {
    let failed = |source| ArchiveError::File { action: "write", path: folder.to_owned(), source };
    fs_err::create_dir_all(folder.join("blobs/sha256")).map_err(failed)?;
    parallel::for_each(&blobs(&named.tree), |(descriptor, _)| descriptor.size, |blob| write_blob(folder, blob))?;
    let mut index = existing_index(folder)?;
    for entry in entries(named) {
        index.manifests.retain(|known| !same_name(known, &entry));
        index.manifests.push(entry);
    }
    write_file(&folder.join(INDEX), &index.encode())?;
    write_file(&folder.join(MARK), MARK_CONTENT)
}

fn write_blob(folder: &Path, (descriptor, content): &(&Descriptor, Content<'_>)) -> Result<(), ArchiveError> {
    let path = folder.join(blob_name(descriptor.digest));
    if fs_err::metadata(&path).is_ok_and(|metadata| metadata.len() == descriptor.size) {
        return Ok(());
    }
    replace(&path, |file| match content {
        Content::Bytes(bytes) => file.write_all(bytes).map_err(|source| BlobError::Write { digest: descriptor.digest, source }),
        Content::Blob(blob) => copy_verified(blob, descriptor, file, &mut |_| {}).map(drop),
    })
}

/// What a blob of an image consists of.
pub(super) enum Content<'a> {
    Bytes(&'a [u8]),
    Blob(&'a Blob),
}

/// Everything that a layout holds of an image, what is named before what names it, each once.
pub(super) fn blobs(tree: &ManifestTree) -> Vec<(&Descriptor, Content<'_>)> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    collect(tree, &mut all);
    all.retain(|(descriptor, _)| seen.insert(descriptor.digest));
    all
}

fn collect<'a>(tree: &'a ManifestTree, all: &mut Vec<(&'a Descriptor, Content<'a>)>) {
    tree.children.iter().for_each(|child| collect(child, all));
    all.extend(tree.blobs.iter().map(|(descriptor, blob)| (descriptor, Content::Blob(blob))));
    all.push((&tree.descriptor, Content::Bytes(&tree.bytes)));
}

/// The entries of an index for an image: one a name, one without if it has none.
pub(super) fn entries(named: &NamedTree) -> Vec<Descriptor> {
    // What an index elsewhere noted of its entry, a name perhaps, does not go along.
    let bare = Descriptor { annotations: BTreeMap::new(), ..named.tree.descriptor.clone() };
    let annotated = |name: Option<&Reference>| {
        let mut entry = bare.clone();
        if let Some(name) = name {
            entry.annotations.insert(CONTAINERD_NAME.to_owned(), name.to_string());
        }
        let label = named.label.as_deref().or_else(|| name.and_then(Reference::tag));
        entry.annotations.extend(label.map(|label| (REF_NAME.to_owned(), label.to_owned())));
        entry
    };
    if named.names.is_empty() { vec![annotated(None)] } else { named.names.iter().map(|name| annotated(Some(name))).collect() }
}

fn same_name(first: &Descriptor, second: &Descriptor) -> bool {
    let names = |entry: &Descriptor| [CONTAINERD_NAME, REF_NAME].map(|key| entry.annotations.get(key).cloned());
    let targets = || first.platform.as_ref().map(Platform::target) == second.platform.as_ref().map(Platform::target);
    names(first) == names(second) && (first.digest == second.digest || (targets() && names(first) != [None, None]))
}

fn existing_index(folder: &Path) -> Result<Index, ArchiveError> {
    let path = folder.join(INDEX);
    if !path.exists() {
        return Ok(Index::new(Vec::new()));
    }
    let bytes = fs_err::read(&path).map_err(|source| ArchiveError::File { action: "read", path, source })?;
    Index::parse(&bytes).map_err(|source| ArchiveError::Image { place: format!("`{}`", folder.display()), source })
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), ArchiveError> {
    replace(path, |file| file.write_all(bytes).map_err(|source| BlobError::Write { digest: Digest::of(bytes), source }))
}

/// Writes aside and renames, so that a name never has half its bytes.
fn replace(path: &Path, write: impl FnOnce(&mut fs_err::File) -> Result<(), BlobError>) -> Result<(), ArchiveError> {
    let failed = |source| ArchiveError::File { action: "write", path: path.to_owned(), source };
    let aside = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = fs_err::File::create(&aside).map_err(failed)?;
    let result = write(&mut file).map_err(ArchiveError::Blob).and_then(|()| fs_err::rename(&aside, path).map_err(failed));
    if result.is_err() {
        let _ = fs_err::remove_file(&aside);
    }
    result
}
