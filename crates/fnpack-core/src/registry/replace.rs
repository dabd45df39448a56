//! An image put in place of another in few requests: what the repository has is known beforehand, so
//! nothing is asked that an answer is known to.

use std::collections::BTreeSet;

use super::error::RegistryError;
use super::push::{PushTarget, Pushed, Way};
use super::transport::{Body, Call};
use super::{RegistryClient, Step};
use crate::digest::Digest;
use crate::image::Image;
use crate::reference::Reference;

impl RegistryClient {
    /// Sends an image to a repository that has the blobs `present`. Those that the registry has in another
    /// repository are mounted without asking first; the config goes in one request where the registry
    /// takes it so. If the repository lacks what it should have, all is sent as [`RegistryClient::push`] does.
    pub fn push_beside(&self, image: &Image, reference: &Reference, present: &BTreeSet<Digest>) -> Result<Pushed, RegistryError> {
        match self.push_unasked(image, reference, present) {
            Err(RegistryError::Rejected { .. } | RegistryError::NotFound { .. }) if !present.is_empty() => self.push(image, reference),
            result => result,
        }
    }

    fn push_unasked(&self, image: &Image, reference: &Reference, present: &BTreeSet<Digest>) -> Result<Pushed, RegistryError> {
        let digest = image.digest();
        let target = PushTarget { client: &self.0, reference };
        let mut pushed = Pushed { reference: reference.with_digest(digest), sent: 0, mounted: 0, present: 0 };
        let mut seen = BTreeSet::new();
        for layer in image.layers().iter().filter(|layer| seen.insert(layer.descriptor.digest)) {
            let digest = &layer.descriptor.digest;
            if present.contains(digest) {
                self.0.progress.blob(digest, Step::Present);
                pushed.present += 1;
            } else if target.mount(digest, &layer.blob)? {
                self.0.progress.blob(digest, Step::Mounted);
                pushed.mounted += 1;
            } else {
                match target.put_blob(&layer.descriptor, &layer.blob)? {
                    Way::Present => pushed.present += 1,
                    Way::Mounted => pushed.mounted += 1,
                    Way::Sent => pushed.sent += 1,
                }
            }
        }
        let config = image.manifest().config.digest;
        if present.contains(&config) {
            pushed.present += 1;
        } else {
            target.put_small(&config, image.config_bytes())?;
            pushed.sent += 1;
        }
        let name = reference.tag().map_or_else(|| digest.to_string(), str::to_owned);
        self.put_document(reference, &name, image.manifest().media_type(), image.manifest_bytes())?;
        Ok(pushed)
    }
}

impl PushTarget<'_> {
    /// A blob in one request; registries that do not take it so open an upload, which it is sent to.
    fn put_small(&self, digest: &Digest, bytes: &[u8]) -> Result<(), RegistryError> {
        let url = self.address("blobs/uploads/").with_query("digest", &digest.to_string());
        let headers = [("Content-Type", "application/octet-stream")];
        let call = Call { method: "POST", url: &url, headers: &headers, body: Body::Bytes(bytes) };
        let response = self.client.ask(&call, &self.access(), &[201, 202])?;
        if response.status == 201 {
            return Ok(());
        }
        let url = self.client.location(&response)?.with_query("digest", &digest.to_string());
        let call = Call { method: "PUT", url: &url, headers: &headers, body: Body::Bytes(bytes) };
        self.client.ask(&call, &self.access_at(&url), &[201]).map(drop)
    }
}
