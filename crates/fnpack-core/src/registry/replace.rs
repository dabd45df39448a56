//! An image put in place of another in few requests: what the repository has is known beforehand, so
//! nothing is asked that an answer is known to.

use std::collections::BTreeSet;

use super::error::RegistryError;
use super::push::{Config, Mount, Piece, Pushed, Way, pieces};
use super::transport::{Body, Call};
use super::upload::{Destination, confirmed};
use super::{RegistryClient, Step};
use crate::digest::Digest;
use crate::image::{Blob, Image};
use crate::parallel;
use crate::reference::Reference;

impl RegistryClient {
    /// Sends an image to a repository that has the blobs `present`. Those that the registry has in another
    /// repository are mounted without asking first; the config goes in one request where the registry
    /// takes it so. If the repository lacks what it should have, all is sent as [`RegistryClient::push`] does.
    pub fn push_beside(&self, image: &Image, reference: &Reference, present: &BTreeSet<Digest>) -> Result<Pushed, RegistryError> {
        match self.push_unasked(image, reference, present) {
            Err(
                RegistryError::Rejected { .. }
                | RegistryError::Garbled { .. }
                | RegistryError::NotFound { .. }
                | RegistryError::BlobsUnknown { .. },
            ) if !present.is_empty() => self.push(image, reference),
            result => result,
        }
    }

    fn push_unasked(&self, image: &Image, reference: &Reference, present: &BTreeSet<Digest>) -> Result<Pushed, RegistryError> {
        let place = self.0.registries.place_of(reference)?;
        let destination = Destination { client: &self.0, reference: &place };
        let config = Blob::new(Config(image.clone()));
        let mut pushed = Pushed::nothing(reference, image.digest());
        let put = |piece: &Piece<'_>| {
            let digest = &piece.descriptor.digest;
            if present.contains(digest) {
                self.0.progress.blob(digest, Step::Present);
                Ok(Way::Present)
            } else if *digest == image.manifest().config.digest {
                destination.put_small(digest, image.config_bytes())
            } else {
                destination.put_mounted(piece)
            }
        };
        parallel::for_each(&pieces(image, &config), Piece::size, put)?.into_iter().for_each(|way| pushed.count(way));
        let name = destination.manifest_name(&image.digest());
        destination.put_document(&name, image.manifest().media_type(), image.manifest_bytes())?;
        Ok(pushed)
    }
}

impl Destination<'_> {
    /// A blob that the registry probably has in another repository.
    fn put_mounted(&self, piece: &Piece<'_>) -> Result<Way, RegistryError> {
        let digest = &piece.descriptor.digest;
        match self.mount(digest, piece.origin.as_deref())? {
            Mount::Done => {
                self.client.progress.blob(digest, Step::Mounted);
                Ok(Way::Mounted)
            }
            Mount::Refused(Some(session)) => {
                self.send(piece.descriptor, piece.blob, Some(session))?;
                self.client.progress.blob(digest, Step::Done);
                Ok(Way::Sent)
            }
            Mount::Refused(None) => self.put_blob(piece),
        }
    }

    /// A blob in one request; registries that do not take it so open an upload, which it is sent to.
    fn put_small(&self, digest: &Digest, bytes: &[u8]) -> Result<Way, RegistryError> {
        let url = self.address("blobs/uploads/").with_query("digest", &digest.to_string());
        let headers = [("Content-Type", "application/octet-stream")];
        let call = Call { method: "POST", url: &url, headers: &headers, body: Body::Bytes(bytes) };
        let mut response = self.client.ask(&call, &self.access(), &[201, 202])?;
        if response.status == 202 {
            let url = self.client.location(&response)?.with_query("digest", &digest.to_string());
            let call = Call { method: "PUT", url: &url, headers: &headers, body: Body::Bytes(bytes) };
            response = self.client.ask(&call, &self.access_at(&url), &[201])?;
        }
        confirmed(&response, "the config", *digest)?;
        Ok(Way::Sent)
    }
}
