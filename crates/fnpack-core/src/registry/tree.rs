//! Manifests and indexes with all that they name, as they are in a repository: what is copied byte for
//! byte (OCI distribution specification, "Pulling manifests", "Pushing Manifests").

use super::RegistryClient;
use super::error::RegistryError;
use super::pull::{manifest_path, name_of, not_an_image, promised_digest};
use super::push::{PushTarget, Pushed, Way};
use super::transport::{Body, Call, Response};
use crate::digest::Digest;
use crate::image::{Blob, Descriptor, ImageError, ManifestTree, TreeSource, media_type};
use crate::reference::Reference;

/// One repository as a source of documents.
struct Repository<'a> {
    client: &'a RegistryClient,
    reference: &'a Reference,
}

impl RegistryClient {
    /// What a name stands for, whole: an image, or an index with all that it names. Blobs are opened later.
    pub fn tree(&self, reference: &Reference) -> Result<ManifestTree, RegistryError> {
        let document = self.0.document(reference, &name_of(reference))?;
        let media_type = media_type_of(&document.bytes, document.is_index);
        let descriptor = Descriptor::of(&media_type, &document.bytes);
        ManifestTree::of_document(&Repository { client: self, reference }, descriptor, document.bytes)
    }

    /// What a digest in the repository of a name stands for.
    pub(super) fn tree_of(&self, reference: &Reference, descriptor: Descriptor) -> Result<ManifestTree, RegistryError> {
        ManifestTree::read(&Repository { client: self, reference }, descriptor)
    }

    /// Sends a manifest or an index as it is: what it names first, itself under the name last.
    pub fn push_tree(&self, tree: &ManifestTree, reference: &Reference) -> Result<Pushed, RegistryError> {
        self.push_answered(tree, reference).map(|(pushed, _)| pushed)
    }

    /// The same, with the registry's last answer.
    pub(super) fn push_answered(&self, tree: &ManifestTree, reference: &Reference) -> Result<(Pushed, Response), RegistryError> {
        let digest = tree.descriptor.digest;
        let mut pushed = Pushed { reference: reference.with_digest(digest), sent: 0, mounted: 0, present: 0 };
        self.push_parts(tree, &PushTarget { client: &self.0, reference }, &mut pushed)?;
        let name = reference.tag().map_or_else(|| digest.to_string(), str::to_owned);
        let response = self.put_document(reference, &name, &tree.descriptor.media_type, &tree.bytes)?;
        Ok((pushed, response))
    }

    fn push_parts(&self, tree: &ManifestTree, target: &PushTarget<'_>, pushed: &mut Pushed) -> Result<(), RegistryError> {
        for child in &tree.children {
            self.push_parts(child, target, pushed)?;
            let name = child.descriptor.digest.to_string();
            self.put_document(target.reference, &name, &child.descriptor.media_type, &child.bytes)?;
        }
        for (descriptor, blob) in &tree.blobs {
            match target.put_blob(descriptor, blob)? {
                Way::Present => pushed.present += 1,
                Way::Mounted => pushed.mounted += 1,
                Way::Sent => pushed.sent += 1,
            }
        }
        Ok(())
    }

    /// Puts a manifest or an index under a tag or its digest.
    pub(super) fn put_document(
        &self,
        reference: &Reference,
        name: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Response, RegistryError> {
        let target = PushTarget { client: &self.0, reference };
        let url = self.0.address(reference.registry(), &manifest_path(reference, name));
        let headers = [("Content-Type", media_type)];
        let call = Call { method: "PUT", url: &url, headers: &headers, body: Body::Bytes(bytes) };
        let response = self.0.ask(&call, &target.access(), &[201])?;
        let expected = Digest::of(bytes);
        match promised_digest(&response) {
            Some(actual) if actual != expected => Err(target.mismatch("the manifest", expected, actual)),
            _ => Ok(response),
        }
    }
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
