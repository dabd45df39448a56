//! Manifests and indexes with all that they name, as they are in a repository: what is copied byte for
//! byte (OCI distribution specification, "Pulling manifests", "Pushing Manifests").

use std::collections::BTreeSet;

use super::RegistryClient;
use super::error::RegistryError;
use super::pull::{name_of, not_an_image};
use super::push::{Piece, Pushed};
use super::transport::Response;
use super::upload::Destination;
use crate::digest::Digest;
use crate::image::{Blob, Descriptor, ImageError, ManifestTree, TreeSource, media_type};
use crate::parallel;
use crate::reference::Reference;

/// One repository as a source of documents.
struct Repository<'a> {
    client: &'a RegistryClient,
    reference: &'a Reference,
}

impl RegistryClient {
    /// What a name stands for, whole: an image, or an index with all that it names. Blobs are opened later.
    pub fn tree(&self, reference: &Reference) -> Result<ManifestTree, RegistryError> {
        self.0.first_answer(reference, |place| self.tree_at(place))
    }

    fn tree_at(&self, reference: &Reference) -> Result<ManifestTree, RegistryError> {
        self.tree_named(reference, &name_of(reference))
    }

    /// What a tag or digest in the repository of a name stands for.
    pub(super) fn tree_named(&self, reference: &Reference, name: &str) -> Result<ManifestTree, RegistryError> {
        let document = self.0.document(reference, name)?;
        let media_type = media_type_of(&document.bytes, document.is_index);
        let descriptor = Descriptor::of(&media_type, &document.bytes);
        ManifestTree::of_document(&Repository { client: self, reference }, descriptor, document.bytes)
    }

    /// What an entry of an index in the repository of a name stands for.
    pub(super) fn tree_of(&self, reference: &Reference, descriptor: Descriptor) -> Result<ManifestTree, RegistryError> {
        ManifestTree::read(&Repository { client: self, reference }, descriptor)
    }

    /// Sends a manifest or an index as it is: what it names first, itself under the name last.
    pub fn push_tree(&self, tree: &ManifestTree, reference: &Reference) -> Result<Pushed, RegistryError> {
        let place = self.0.registries.place_of(reference)?;
        if (Destination { client: &self.0, reference: &place }).has_manifest(&tree.descriptor.digest)? {
            let mut digests = BTreeSet::new();
            collect_blobs(tree, &mut digests);
            return Ok(Pushed { present: digests.len(), ..Pushed::nothing(reference, tree.descriptor.digest) });
        }
        self.push_answered(tree, reference).map(|(pushed, _)| pushed)
    }

    /// The same, with the registry's last answer.
    pub(super) fn push_answered(&self, tree: &ManifestTree, reference: &Reference) -> Result<(Pushed, Response), RegistryError> {
        let place = self.0.registries.place_of(reference)?;
        let destination = Destination { client: &self.0, reference: &place };
        let mut pushed = Pushed::nothing(reference, tree.descriptor.digest);
        let response = destination.put_tree(tree, &destination.manifest_name(&tree.descriptor.digest), &mut pushed)?;
        Ok((pushed, response))
    }
}

impl Destination<'_> {
    /// Puts all that a document names, then itself.
    fn put_tree(&self, tree: &ManifestTree, name: &str, pushed: &mut Pushed) -> Result<Response, RegistryError> {
        self.put_children(tree, pushed)?;
        let mut seen = BTreeSet::new();
        let once = tree.blobs.iter().filter(|(descriptor, _)| seen.insert(descriptor.digest));
        let pieces: Vec<Piece<'_>> = once.map(|(descriptor, blob)| Piece { descriptor, blob, origin: blob.repository() }).collect();
        parallel::for_each(&pieces, Piece::size, |piece| self.put_blob(piece))?.into_iter().for_each(|way| pushed.count(way));
        let put = || self.put_document(name, &tree.descriptor.media_type, &tree.bytes);
        match self.put_over(&pieces, put, pushed) {
            Err(RegistryError::BlobsUnknown { .. }) if tree.is_index() => {
                self.put_children(tree, &mut Pushed::nothing(&pushed.reference, tree.descriptor.digest))?;
                put()
            }
            result => result,
        }
    }

    fn put_children(&self, tree: &ManifestTree, pushed: &mut Pushed) -> Result<(), RegistryError> {
        tree.children.iter().try_for_each(|child| self.put_tree(child, &child.descriptor.digest.to_string(), pushed).map(drop))
    }
}

fn collect_blobs(tree: &ManifestTree, digests: &mut BTreeSet<Digest>) {
    digests.extend(tree.blobs.iter().map(|(descriptor, _)| descriptor.digest));
    tree.children.iter().for_each(|child| collect_blobs(child, digests));
}

impl TreeSource for Repository<'_> {
    type Error = RegistryError;

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, RegistryError> {
        Ok(self.client.0.document(self.reference, &descriptor.digest.to_string())?.bytes)
    }

    fn blob(&self, descriptor: &Descriptor) -> Blob {
        self.client.blob_of(self.reference, descriptor)
    }

    fn invalid(&self, _descriptor: &Descriptor, source: ImageError) -> RegistryError {
        not_an_image(self.reference, source)
    }
}

/// OCI documents need not say what they are.
fn media_type_of(bytes: &[u8], is_index: bool) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kind {
        media_type: Option<String>,
    }
    let own = serde_json::from_slice::<Kind>(bytes).ok().and_then(|kind| kind.media_type);
    own.unwrap_or_else(|| if is_index { media_type::OCI_INDEX } else { media_type::OCI_MANIFEST }.to_owned())
}

#[cfg(test)]
mod tests;
