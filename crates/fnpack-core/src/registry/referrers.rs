//! What refers to an image: signatures, SBOMs, attestations (OCI distribution specification, "Listing
//! Referrers", "Referrers Tag Schema").

use super::RegistryClient;
use super::error::RegistryError;
use super::pull::{not_an_image, pulling};
use super::transport::{Body, Call};
use super::upload::Destination;
use crate::digest::Digest;
use crate::image::{Index, ManifestTree, media_type};
use crate::reference::Reference;

/// The limit of documents.
const LONGEST_LIST: u64 = 4 * 1024 * 1024;
/// By this header a registry says that it keeps the list of referrers itself.
const SUBJECT_HEADER: &str = "oci-subject";

impl RegistryClient {
    /// What refers to a manifest in the repository of a name, with all that it names.
    pub fn referrers(&self, reference: &Reference, subject: &Digest) -> Result<Vec<ManifestTree>, RegistryError> {
        self.0.first_answer(reference, |place| self.referrers_at(place, subject))
    }

    fn referrers_at(&self, reference: &Reference, subject: &Digest) -> Result<Vec<ManifestTree>, RegistryError> {
        let list = match self.listed_referrers(reference, subject)? {
            Some(list) => list,
            None => self.tagged_referrers(reference, subject)?,
        };
        list.manifests.into_iter().map(|entry| self.tree_of(reference, entry)).collect()
    }

    /// Sends what refers to a manifest, and lists it where the registry does not.
    pub fn push_referrers(&self, referrers: &[ManifestTree], reference: &Reference, subject: &Digest) -> Result<(), RegistryError> {
        let place = self.0.registries.place_of(reference)?;
        let mut unlisted = Vec::new();
        for referrer in referrers {
            let named = reference.pinned(referrer.descriptor.digest);
            let (_, response) = self.push_answered(referrer, &named)?;
            if response.header(SUBJECT_HEADER).is_none() {
                unlisted.push(referrer.descriptor.clone());
            }
        }
        if unlisted.is_empty() {
            return Ok(());
        }
        let mut index = self.tagged_referrers(&place, subject)?;
        unlisted.retain(|entry| !index.manifests.iter().any(|known| known.digest == entry.digest));
        index.manifests.extend(unlisted);
        let destination = Destination { client: &self.0, reference: &place };
        destination.put_document(&tag_of(subject), media_type::OCI_INDEX, &index.encode()).map(drop)
    }

    /// The registry's own list; `None` if it keeps none.
    fn listed_referrers(&self, reference: &Reference, subject: &Digest) -> Result<Option<Index>, RegistryError> {
        let url = self.0.address(reference.registry(), &format!("v2/{}/referrers/{subject}", reference.repository()));
        let call = Call { method: "GET", url: &url, headers: &[("Accept", media_type::OCI_INDEX)], body: Body::None };
        // Registries without this endpoint answer in all these ways.
        let response = self.0.ask(&call, &pulling(reference), &[200, 400, 404, 405, 406])?;
        if response.status != 200 || !response.header("content-type").is_some_and(|kind| kind.starts_with(media_type::OCI_INDEX)) {
            return Ok(None);
        }
        let too_long = || RegistryError::TooLong { what: "the list of referrers", reference: reference.familiar(), limit: LONGEST_LIST };
        let bytes = response.read(LONGEST_LIST)?.ok_or_else(too_long)?;
        Index::parse(&bytes).map(Some).map_err(|source| not_an_image(reference, source))
    }

    /// The list that clients keep under a tag.
    fn tagged_referrers(&self, reference: &Reference, subject: &Digest) -> Result<Index, RegistryError> {
        match self.0.document(reference, &tag_of(subject)) {
            Ok(document) => Index::parse(&document.bytes).map_err(|source| not_an_image(reference, source)),
            Err(RegistryError::NoSuchImage { .. }) => Ok(Index::new(Vec::new())),
            Err(error) => Err(error),
        }
    }
}

fn tag_of(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}
