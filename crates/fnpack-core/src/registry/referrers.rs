//! What refers to an image: signatures, SBOMs, attestations (OCI distribution specification, "Listing
//! Referrers", "Referrers Tag Schema"), and what cosign keeps under tags of its own.

use std::collections::BTreeSet;

use super::RegistryClient;
use super::error::RegistryError;
use super::pull::{not_an_image, pulling};
use super::transport::{Body, Call};
use super::upload::Destination;
use crate::digest::Digest;
use crate::image::companion::{Companion, cosign_tags, referrers_tag};
use crate::image::{ImageError, Index, ManifestTree, media_type};
use crate::parallel;
use crate::reference::Reference;

/// The limit of documents.
const LONGEST_LIST: u64 = 4 * 1024 * 1024;
/// By this header a registry says that it keeps the list of referrers itself.
const SUBJECT_HEADER: &str = "oci-subject";
/// Everybody who ever signs an image, and every scanner.
const MOST_REFERRERS: usize = 1024;
/// Signatures are signed at times; nobody goes on.
const DEEPEST: usize = 3;

impl RegistryClient {
    /// What refers to these manifests in the repository of a name, and what refers to that, with all that it names.
    pub fn companions(&self, reference: &Reference, subjects: &[Digest]) -> Result<Vec<Companion>, RegistryError> {
        self.0.first_answer(reference, |place| self.companions_at(place, subjects))
    }

    fn companions_at(&self, reference: &Reference, subjects: &[Digest]) -> Result<Vec<Companion>, RegistryError> {
        let (mut all, mut asked, mut next) = (Vec::new(), BTreeSet::new(), subjects.to_vec());
        for _ in 0..DEEPEST {
            next.retain(|subject| asked.insert(*subject));
            let found = parallel::for_each(&next, |_| 0, |subject| self.companions_of(reference, subject))?;
            let mut found: Vec<Companion> = found.into_iter().flatten().collect();
            // Transfers end in any order, and a copy is to be the same each time.
            found.sort_by(|one, other| {
                (one.subject, &one.tag, one.tree.descriptor.digest).cmp(&(other.subject, &other.tag, other.tree.descriptor.digest))
            });
            next = found.iter().map(|companion| companion.tree.descriptor.digest).collect();
            all.extend(found);
        }
        Ok(all)
    }

    /// All places at once: most images have nothing in any of them.
    fn companions_of(&self, reference: &Reference, subject: &Digest) -> Result<Vec<Companion>, RegistryError> {
        let places: Vec<Option<String>> = std::iter::once(None).chain(cosign_tags(subject).map(Some)).collect();
        let look = |tag: &Option<String>| match tag {
            None => self.referrers_at(reference, subject),
            Some(tag) => match self.tree_named(reference, tag) {
                Err(RegistryError::NoSuchImage { .. }) => Ok(Vec::new()),
                tree => tree.map(|tree| vec![tree]),
            },
        };
        let companion = |tag: &Option<String>, tree| Companion { subject: *subject, tag: tag.clone(), tree };
        let found = |tag: &Option<String>| look(tag).map(|trees| trees.into_iter().map(|tree| companion(tag, tree)).collect::<Vec<_>>());
        Ok(parallel::for_each(&places, |_| 0, found)?.into_iter().flatten().collect())
    }

    fn referrers_at(&self, reference: &Reference, subject: &Digest) -> Result<Vec<ManifestTree>, RegistryError> {
        let list = match self.listed_referrers(reference, subject)? {
            Some(list) => list,
            None => self.tagged_referrers(reference, subject)?,
        };
        if list.manifests.len() > MOST_REFERRERS {
            return Err(not_an_image(reference, ImageError::TooManyManifests));
        }
        list.manifests.into_iter().map(|entry| self.tree_of(reference, entry)).collect()
    }

    /// Sends what goes along with an image to the repository of a name.
    pub fn push_companions(&self, companions: &[Companion], reference: &Reference) -> Result<(), RegistryError> {
        let mut unlisted: Vec<&Companion> = Vec::new();
        for companion in companions {
            let digest = companion.tree.descriptor.digest;
            let named = companion.tag.as_ref().map_or_else(|| reference.pinned(digest), |tag| reference.tagged(tag));
            let (_, response) = self.push_answered(&companion.tree, &named)?;
            if companion.tag.is_none() && response.header(SUBJECT_HEADER).is_none() {
                unlisted.push(companion);
            }
        }
        let subjects: BTreeSet<Digest> = unlisted.iter().map(|companion| companion.subject).collect();
        let of = |subject| unlisted.iter().filter(move |companion| companion.subject == subject).map(|companion| &companion.tree);
        subjects.into_iter().try_for_each(|subject| self.list(of(subject), reference, &subject))
    }

    /// Lists what refers to a manifest where the registry does not.
    fn list<'a>(
        &self,
        referrers: impl Iterator<Item = &'a ManifestTree>,
        reference: &Reference,
        subject: &Digest,
    ) -> Result<(), RegistryError> {
        let place = self.0.registries.place_of(reference)?;
        let mut index = self.tagged_referrers(&place, subject)?;
        for referrer in referrers {
            if !index.manifests.iter().any(|known| known.digest == referrer.descriptor.digest) {
                index.manifests.push(referrer.descriptor.clone());
            }
        }
        let destination = Destination { client: &self.0, reference: &place };
        destination.put_document(&referrers_tag(subject), media_type::OCI_INDEX, &index.encode()).map(drop)
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
        match self.0.document(reference, &referrers_tag(subject)) {
            Ok(document) => Index::parse(&document.bytes).map_err(|source| not_an_image(reference, source)),
            Err(RegistryError::NoSuchImage { .. }) => Ok(Index::new(Vec::new())),
            Err(error) => Err(error),
        }
    }
}
