//! From a registry: OCI distribution specification, "Pull".

use std::io::{self, Read};
use std::sync::Arc;

use super::auth::{Access, Scope};
use super::error::RegistryError;
use super::transport::{Body, Call, Response};
use super::{Client, RegistryClient, Step, refusal};
use crate::digest::Digest;
use crate::image::{
    Blob, BlobError, BlobSource, Descriptor, Image, ImageError, Index, Layer, Manifest, Verified, copy_verified, media_type,
};
use crate::reference::Reference;
use crate::target::Target;

/// The limit that the distribution specification names for manifests.
const LONGEST_MANIFEST: u64 = 4 * 1024 * 1024;
/// Configs grow with history and CNB labels; those of large applications stay below 1 MiB.
const LONGEST_CONFIG: u64 = 16 * 1024 * 1024;
/// Indexes may name indexes; nobody does so deeper.
const MOST_INDEXES: usize = 3;
/// How often a download that breaks is continued where it broke.
const MOST_RESUMPTIONS: u32 = 4;

pub(super) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// The manifest that a name stands for, for one target.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The digest that the name itself has: that of the index if there is one.
    pub digest: Digest,
    /// The digest of the manifest.
    pub manifest_digest: Digest,
    /// The manifest's bytes, as hashed.
    pub manifest_bytes: Vec<u8>,
}

impl RegistryClient {
    /// The digest that a name has at the moment; `None` if there is no such image.
    pub fn digest(&self, reference: &Reference) -> Result<Option<Digest>, RegistryError> {
        match self.0.first_answer(reference, |place| self.digest_at(place)) {
            Ok(digest) => Ok(Some(digest)),
            Err(error) if error.is_no_such_image() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn digest_at(&self, reference: &Reference) -> Result<Digest, RegistryError> {
        let access = pulling(reference);
        let url = self.0.address(reference.registry(), &manifest_path(reference, &name_of(reference)));
        let call = Call { method: "HEAD", url: &url, headers: &[("Accept", ACCEPT)], body: Body::None };
        let response = self.0.ask(&call, &access, &[200]).map_err(|error| error.of_image(&reference.familiar()))?;
        match promised_digest(&response) {
            Some(digest) => Ok(digest),
            // Not all registries name the digest, and then the document has to be hashed.
            None => self.0.document(reference, &name_of(reference)).map(|document| document.digest),
        }
    }

    /// Asks a registry whether it takes the login that there is for it. `false` if it asks nobody for one.
    pub fn check_login(&self, registry: &str) -> Result<bool, RegistryError> {
        let access = Access { registry: registry.to_owned(), scopes: Vec::new() };
        let call = Call { method: "GET", url: &self.0.address(registry, "v2/"), headers: &[], body: Body::None };
        self.0.ask(&call, &access, &[200])?;
        Ok(self.0.authenticator.known(&access).is_some())
    }

    /// Finds the manifest of a name for a target.
    pub fn resolve(&self, reference: &Reference, target: &Target) -> Result<Resolved, RegistryError> {
        self.0.first_answer(reference, |place| self.resolve_at(place, target))
    }

    fn resolve_at(&self, reference: &Reference, target: &Target) -> Result<Resolved, RegistryError> {
        let first = self.0.document(reference, &name_of(reference))?;
        let digest = first.digest;
        let mut document = first;
        for _ in 0..MOST_INDEXES {
            if !document.is_index {
                return Ok(Resolved { digest, manifest_digest: document.digest, manifest_bytes: document.bytes });
            }
            let child = choose(&document.bytes, reference, target)?;
            document = self.0.document(reference, &child.to_string())?;
        }
        Err(not_an_image(reference, ImageError::NotAnImage { media_type: media_type::OCI_INDEX.to_owned() }))
    }

    /// Gets an image: manifest and config now, each layer when it is opened.
    pub fn pull(&self, reference: &Reference, target: &Target) -> Result<Image, RegistryError> {
        self.0.first_answer(reference, |place| self.pull_at(place, target))
    }

    fn pull_at(&self, reference: &Reference, target: &Target) -> Result<Image, RegistryError> {
        let resolved = self.resolve_at(reference, target)?;
        let manifest = Manifest::parse(&resolved.manifest_bytes).map_err(|source| not_an_image(reference, source))?;
        let config = self.config(reference, &manifest.config)?;
        let blob = |descriptor: &Descriptor, _| self.blob_of(reference, descriptor);
        let image = Image::from_bytes(resolved.manifest_bytes, config, blob).map_err(|source| not_an_image(reference, source))?;
        let found = image.target();
        // Configs of artifacts and of hand-made images may name no target at all.
        if !found.os.is_empty() && !found.satisfies(target) {
            return Err(no_target(reference, target, vec![found.to_string()]));
        }
        Ok(image)
    }

    /// Copies the bytes of a layer, wherever they come from, and checks them.
    pub fn fetch(&self, layer: &Layer, output: &mut dyn io::Write) -> Result<Verified, BlobError> {
        let (digest, progress) = (layer.descriptor.digest, &self.0.progress);
        progress.blob(&digest, Step::Started(layer.descriptor.size));
        let verified = copy_verified(&layer.blob, &layer.descriptor, output, &mut |bytes| progress.blob(&digest, Step::Moved(bytes)))?;
        progress.blob(&digest, Step::Done);
        Ok(verified)
    }

    /// A blob of a repository, opened when somebody needs it.
    pub(super) fn blob_of(&self, reference: &Reference, descriptor: &Descriptor) -> Blob {
        let (client, reference) = (Arc::clone(&self.0), reference.clone());
        Blob::new(RegistryBlob { client, reference, descriptor: descriptor.clone() })
    }

    fn config(&self, reference: &Reference, descriptor: &Descriptor) -> Result<Vec<u8>, RegistryError> {
        let too_long = || RegistryError::TooLong { what: "the config", reference: reference.familiar(), limit: LONGEST_CONFIG };
        if descriptor.size > LONGEST_CONFIG {
            return Err(too_long());
        }
        self.0.retrying(|| {
            let response = self.0.blob_once(reference, &descriptor.digest, 0)?;
            let bytes = response.read(LONGEST_CONFIG)?.ok_or_else(too_long)?;
            check("the config", reference, descriptor.digest, Digest::of(&bytes))?;
            Ok(bytes)
        })
    }
}

/// A manifest or an index.
pub(super) struct Document {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
    pub(super) is_index: bool,
}

impl Client {
    /// Asks the mirrors of a name in their order, and at last the registry itself.
    pub(super) fn first_answer<T>(
        &self,
        reference: &Reference,
        ask: impl Fn(&Reference) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let own = self.registries.place_of(reference)?;
        let mut mirrors = Vec::new();
        for mirror in self.registries.mirrors_of(reference) {
            match ask(&mirror) {
                Ok(answer) => return Ok(answer),
                Err(error) => mirrors.push(error.to_string()),
            }
        }
        ask(&own).map_err(|error| {
            if mirrors.is_empty() {
                return error;
            }
            RegistryError::NoPlace { reference: reference.familiar(), mirrors, source: Box::new(error) }
        })
    }

    /// Gets a manifest or index by tag or digest, and checks it against the digest in the name and the
    /// one that the registry promises.
    pub(super) fn document(&self, reference: &Reference, name: &str) -> Result<Document, RegistryError> {
        self.retrying(|| self.document_once(reference, name)).map_err(|error| error.of_image(&reference.familiar()))
    }

    fn document_once(&self, reference: &Reference, name: &str) -> Result<Document, RegistryError> {
        let url = self.address(reference.registry(), &manifest_path(reference, name));
        let call = Call { method: "GET", url: &url, headers: &[("Accept", ACCEPT)], body: Body::None };
        let response = self.ask_once(&call, &pulling(reference), &[200])?;
        let content_type = response.header("content-type").unwrap_or_default().to_owned();
        let promised = promised_digest(&response);
        let too_long = || RegistryError::TooLong { what: "the manifest", reference: reference.familiar(), limit: LONGEST_MANIFEST };
        let (host, request) = (response.host(), response.request());
        let bytes = response.read(LONGEST_MANIFEST)?.ok_or_else(too_long)?;
        if let Some(page) = refusal::html_page(&bytes) {
            return Err(RegistryError::Protocol { host, request, reason: format!("it sends {page}") });
        }
        let digest = Digest::of(&bytes);
        for expected in name.parse().ok().into_iter().chain(promised) {
            check("the manifest", reference, expected, digest)?;
        }
        let is_index = is_index(&bytes, &content_type).map_err(|source| not_an_image(reference, source))?;
        Ok(Document { bytes, digest, is_index })
    }

    /// Starts to read a blob from this byte on; the answer is 206 if the registry did as it was asked.
    pub(super) fn blob(&self, reference: &Reference, digest: &Digest, start: u64) -> Result<Response, RegistryError> {
        self.retrying(|| self.blob_once(reference, digest, start))
    }

    fn blob_once(&self, reference: &Reference, digest: &Digest, start: u64) -> Result<Response, RegistryError> {
        let url = self.address(reference.registry(), &format!("v2/{}/blobs/{digest}", reference.repository()));
        let range = format!("bytes={start}-");
        let headers = [("Range", range.as_str())];
        let headers = if start == 0 { &[][..] } else { &headers };
        let call = Call { method: "GET", url: &url, headers, body: Body::None };
        self.ask_once(&call, &pulling(reference), if start == 0 { &[200] } else { &[200, 206] })
    }
}

pub(super) fn pulling(reference: &Reference) -> Access {
    Access { registry: reference.registry().to_owned(), scopes: vec![Scope::pull(reference.repository())] }
}

/// A digest counts more than a tag.
pub(super) fn name_of(reference: &Reference) -> String {
    match (reference.digest(), reference.tag()) {
        (Some(digest), _) => digest.to_string(),
        (None, tag) => tag.unwrap_or("latest").to_owned(),
    }
}

pub(super) fn manifest_path(reference: &Reference, name: &str) -> String {
    format!("v2/{}/manifests/{name}", reference.repository())
}

/// `Docker-Content-Digest`, if it is one of ours.
pub(super) fn promised_digest(response: &Response) -> Option<Digest> {
    response.header("docker-content-digest").and_then(|text| text.parse().ok())
}

fn check(what: &'static str, reference: &Reference, expected: Digest, actual: Digest) -> Result<(), RegistryError> {
    if expected == actual {
        return Ok(());
    }
    Err(RegistryError::DigestMismatch { what, reference: reference.familiar(), expected, actual })
}

pub(super) fn not_an_image(reference: &Reference, source: ImageError) -> RegistryError {
    RegistryError::Image { reference: reference.familiar(), source }
}

fn no_target(reference: &Reference, target: &Target, available: Vec<String>) -> RegistryError {
    RegistryError::NoTarget { reference: reference.familiar(), target: target.to_string(), available }
}

/// The document says what it is; one that does not is what the answer's header calls it.
fn is_index(bytes: &[u8], content_type: &str) -> Result<bool, ImageError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kind {
        media_type: Option<String>,
    }
    let kind: Kind = serde_json::from_slice(bytes).map_err(|source| ImageError::Unreadable { document: "manifest", source })?;
    let header = content_type.split(';').next().unwrap_or_default().trim().to_owned();
    Ok(matches!(kind.media_type.unwrap_or(header).as_str(), media_type::OCI_INDEX | media_type::DOCKER_INDEX))
}

fn choose(index: &[u8], reference: &Reference, target: &Target) -> Result<Digest, RegistryError> {
    let index = Index::parse(index).map_err(|source| not_an_image(reference, source))?;
    if let Some(entry) = index.select(target) {
        return Ok(entry.digest);
    }
    let targets = index.manifests.iter().filter_map(|entry| entry.platform.as_ref()).map(|platform| platform.target().to_string());
    // Attestations stand in an index under the platform `unknown/unknown`.
    let mut available: Vec<String> = targets.filter(|target| !target.starts_with("unknown/")).collect();
    available.dedup();
    Err(no_target(reference, target, available))
}

/// A layer in a registry.
struct RegistryBlob {
    client: Arc<Client>,
    reference: Reference,
    descriptor: Descriptor,
}

impl BlobSource for RegistryBlob {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let response = self.client.blob(&self.reference, &self.descriptor.digest, 0).map_err(io::Error::other)?;
        Ok(Box::new(ResumingReader::new(&self.client, &self.reference, self.descriptor.clone(), response)))
    }

    fn location(&self) -> String {
        self.reference.name()
    }

    fn repository(&self) -> Option<String> {
        Some(self.reference.name())
    }
}

/// Continues a download that breaks.
pub(super) struct ResumingReader {
    client: Arc<Client>,
    reference: Reference,
    descriptor: Descriptor,
    body: Box<dyn Read + Send>,
    position: u64,
    resumptions: u32,
}

impl ResumingReader {
    pub(super) fn new(client: &Arc<Client>, reference: &Reference, descriptor: Descriptor, response: Response) -> Self {
        let (client, reference) = (Arc::clone(client), reference.clone());
        Self { client, reference, descriptor, body: response.into_reader(), position: 0, resumptions: 0 }
    }

    fn resume(&mut self) -> io::Result<()> {
        self.resumptions += 1;
        let response = self.client.blob(&self.reference, &self.descriptor.digest, self.position).map_err(io::Error::other)?;
        let continues = response.header("content-range").is_some_and(|range| range.starts_with(&format!("bytes {}-", self.position)));
        if response.status == 206 && !continues {
            return Err(io::Error::other(response.unexpected("it sends another range than was asked for")));
        }
        let from_the_start = response.status == 200;
        self.body = response.into_reader();
        if from_the_start {
            io::copy(&mut self.body.by_ref().take(self.position), &mut io::sink())?;
        }
        Ok(())
    }
}

impl Read for ResumingReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let result = self.body.read(bytes);
            let resumable = self.resumptions < MOST_RESUMPTIONS;
            match result {
                Ok(0) if self.position < self.descriptor.size && resumable && !bytes.is_empty() => self.resume()?,
                Err(error) if error.kind() != io::ErrorKind::Interrupted && resumable => self.resume()?,
                // An answer that ends too early is told by its length, whichever way it ends.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
                Ok(read) => {
                    self.position += read as u64;
                    return Ok(read);
                }
            }
        }
    }
}
