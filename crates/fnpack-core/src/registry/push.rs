//! To a registry: OCI distribution specification, "Push".

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::auth::Scope;
use super::base::Base;
use super::error::RegistryError;
use super::pull::{ACCEPT, manifest_path, promised_digest};
use super::transport::{Body, Call, Response};
use super::upload::{Destination, Session, confirmed};
use super::{RegistryClient, Step};
use crate::digest::Digest;
use crate::image::{Blob, BlobSource, Descriptor, Image};
use crate::parallel;
use crate::reference::Reference;

/// Whether a blob of at most so many bytes is there is not asked for by itself: a registry that cannot say it while
/// it opens an upload gets the blob once more, which costs less than the answer.
const SMALL: u64 = 64 * 1024;

/// What a push came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The image's name, pinned to its digest.
    pub reference: Reference,
    /// Blobs sent.
    pub sent: usize,
    /// Blobs that the registry took over from another of its repositories.
    pub mounted: usize,
    /// Blobs that were there.
    pub present: usize,
}

/// How a blob got to where it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Present,
    Mounted,
    Sent,
}

/// What came of the wish to take a blob over.
pub(super) enum Mount {
    Done,
    /// It has to be sent, in the session that the registry opened instead.
    Refused(Option<Session>),
}

/// A blob of the image and the repository, of whatever registry, that is known to have it.
pub(super) struct Piece<'a> {
    pub(super) descriptor: &'a Descriptor,
    pub(super) blob: &'a Blob,
    pub(super) origin: Option<String>,
}

impl RegistryClient {
    /// Sends an image under a name. With a tag in the name the tag points to it afterwards; with a
    /// digest it must be the image's.
    pub fn push(&self, image: &Image, reference: &Reference) -> Result<Pushed, RegistryError> {
        let digest = image.digest();
        if let Some(expected) = reference.digest().filter(|expected| *expected != digest) {
            let (what, reference) = ("the manifest", reference.familiar());
            return Err(RegistryError::DigestMismatch { what, reference, expected, actual: digest });
        }
        let place = self.0.registries.place_of(reference)?;
        let destination = Destination { client: &self.0, reference: &place };
        let config = Blob::new(Config(image.clone()));
        let pieces = pieces(image, &config);
        let mut pushed = Pushed::nothing(reference, digest);
        if destination.has_manifest(&digest)? {
            pushed.present = pieces.len();
            return Ok(pushed);
        }
        parallel::for_each(&pieces, Piece::size, |piece| destination.put_blob(piece))?.into_iter().for_each(|way| pushed.count(way));
        let name = destination.manifest_name(&digest);
        let put = || destination.put_document(&name, image.manifest().media_type(), image.manifest_bytes());
        destination.put_over(&pieces, put, &mut pushed)?;
        Ok(pushed)
    }

    /// Asks whether an image could be sent under a name, by opening an upload and closing it again: a long
    /// build is then not lost to a login that may not write.
    pub fn check_push(&self, reference: &Reference) -> Result<(), RegistryError> {
        let place = self.0.registries.place_of(reference)?;
        let destination = Destination { client: &self.0, reference: &place };
        let url = destination.address("blobs/uploads/");
        let call = Call { method: "POST", url: &url, headers: &[], body: Body::Bytes(b"") };
        let response = self.0.ask(&call, &destination.access(), &[202])?;
        destination.cancel(&response);
        Ok(())
    }
}

impl Pushed {
    pub(super) fn nothing(reference: &Reference, digest: Digest) -> Self {
        Self { reference: reference.with_digest(digest), sent: 0, mounted: 0, present: 0 }
    }

    pub(super) fn count(&mut self, way: Way) {
        match way {
            Way::Present => self.present += 1,
            Way::Mounted => self.mounted += 1,
            Way::Sent => self.sent += 1,
        }
    }

    /// So many blobs were sent that had been taken for present.
    fn found_missing(&mut self, blobs: usize) {
        self.present = self.present.saturating_sub(blobs);
        self.sent += blobs;
    }
}

impl Piece<'_> {
    pub(super) fn size(&self) -> u64 {
        self.descriptor.size
    }
}

/// The image's blobs, each once: empty layers are often the same ones. The config is first, since it takes more
/// requests than what is taken over from the run image.
pub(super) fn pieces<'a>(image: &'a Image, config: &'a Blob) -> Vec<Piece<'a>> {
    let base = Base::of(image);
    let layers = image.layers().iter().enumerate().map(|(position, layer)| {
        let origin = layer.blob.repository().or_else(|| base.as_ref()?.repository_of(position));
        Piece { descriptor: &layer.descriptor, blob: &layer.blob, origin }
    });
    let config = Piece { descriptor: &image.manifest().config, blob: config, origin: None };
    let mut seen = BTreeSet::new();
    [config].into_iter().chain(layers).filter(|piece| seen.insert(piece.descriptor.digest)).collect()
}

/// The config of an image as a blob.
pub(super) struct Config(pub(super) Image);

impl BlobSource for Config {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(io::Cursor::new(self.0.config_bytes().to_vec())))
    }

    fn location(&self) -> String {
        "the image's config".to_owned()
    }
}

impl Destination<'_> {
    pub(super) fn manifest_name(&self, digest: &Digest) -> String {
        self.reference.tag().map_or_else(|| digest.to_string(), str::to_owned)
    }

    /// Whether the name points to this manifest already: then the registry has all that it names.
    pub(super) fn has_manifest(&self, digest: &Digest) -> Result<bool, RegistryError> {
        let url = self.client.address(self.reference.registry(), &manifest_path(self.reference, &self.manifest_name(digest)));
        let call = Call { method: "HEAD", url: &url, headers: &[("Accept", ACCEPT)], body: Body::None };
        let response = self.client.ask(&call, &self.access(), &[200, 404])?;
        Ok(response.status == 200 && promised_digest(&response) == Some(*digest))
    }

    pub(super) fn put_blob(&self, piece: &Piece<'_>) -> Result<Way, RegistryError> {
        let (digest, progress) = (&piece.descriptor.digest, &self.client.progress);
        let small = piece.descriptor.size <= SMALL;
        if !small && self.has_blob(digest)? {
            progress.blob(digest, Step::Present);
            return Ok(Way::Present);
        }
        let session = match self.mount(digest, piece.origin.as_deref())? {
            Mount::Done => {
                progress.blob(digest, Step::Mounted);
                return Ok(Way::Mounted);
            }
            Mount::Refused(None) if small => match self.mount_from(digest, self.reference.repository())? {
                Mount::Done => {
                    progress.blob(digest, Step::Present);
                    return Ok(Way::Present);
                }
                Mount::Refused(session) => session,
            },
            Mount::Refused(session) => session,
        };
        self.send(piece.descriptor, piece.blob, session)?;
        progress.blob(digest, Step::Done);
        Ok(Way::Sent)
    }

    fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        self.head_blob(digest).map(|response| response.status == 200)
    }

    /// Puts a manifest over its blobs. If the registry then misses some that it said it has, as in the middle of a
    /// garbage collection, those are sent, and the manifest once more.
    pub(super) fn put_over(
        &self,
        pieces: &[Piece<'_>],
        put: impl Fn() -> Result<Response, RegistryError>,
        pushed: &mut Pushed,
    ) -> Result<Response, RegistryError> {
        let refusal = match put() {
            Err(RegistryError::BlobsUnknown { source, .. }) => source,
            result => return result,
        };
        let missing = |piece: &Piece<'_>| {
            // What it says of those that it names is not to be relied on.
            let is_named = refusal.unknown_blobs.contains(&piece.descriptor.digest);
            if is_named { self.send_whole(piece) } else { self.put_blob(piece) }
        };
        let ways = parallel::for_each(pieces, Piece::size, missing)?;
        pushed.found_missing(ways.into_iter().filter(|way| *way == Way::Sent).count());
        put()
    }

    fn send_whole(&self, piece: &Piece<'_>) -> Result<Way, RegistryError> {
        self.send(piece.descriptor, piece.blob, None)?;
        self.client.progress.blob(&piece.descriptor.digest, Step::Done);
        Ok(Way::Sent)
    }

    /// Asks the registry to take a blob over from its other repository. Whatever it answers but yes
    /// means that the blob has to be sent.
    pub(super) fn mount(&self, digest: &Digest, origin: Option<&str>) -> Result<Mount, RegistryError> {
        let from = origin.and_then(|name| name.strip_prefix(self.reference.registry())?.strip_prefix('/'));
        match from.filter(|from| *from != self.reference.repository()) {
            Some(from) => self.mount_from(digest, from),
            None => Ok(Mount::Refused(None)),
        }
    }

    /// The same for a repository of the same registry. Taking a blob over from where it goes to asks whether it is
    /// there and opens an upload if it is not, in one request.
    fn mount_from(&self, digest: &Digest, from: &str) -> Result<Mount, RegistryError> {
        let url = self.address("blobs/uploads/").with_query("mount", &digest.to_string()).with_query("from", from);
        let mut access = self.access();
        if from != self.reference.repository() {
            access.scopes.push(Scope::pull(from));
        }
        let call = Call { method: "POST", url: &url, headers: &[], body: Body::Bytes(b"") };
        match self.client.ask(&call, &access, &[201, 202]) {
            Ok(response) if response.status == 201 => Ok(Mount::Done),
            Ok(response) => Ok(Mount::Refused(self.client.location(&response).ok().map(Session::new))),
            Err(error) if error.refusal().is_some() => Ok(Mount::Refused(None)),
            Err(error) => Err(error),
        }
    }

    /// Puts a manifest or an index under a tag or its digest.
    pub(super) fn put_document(&self, name: &str, media_type: &str, bytes: &[u8]) -> Result<Response, RegistryError> {
        let url = self.client.address(self.reference.registry(), &manifest_path(self.reference, name));
        let headers = [("Content-Type", media_type)];
        let call = Call { method: "PUT", url: &url, headers: &headers, body: Body::Bytes(bytes) };
        let response = self.client.ask(&call, &self.access(), &[201])?;
        confirmed(&response, "the manifest", Digest::of(bytes))?;
        Ok(response)
    }
}
