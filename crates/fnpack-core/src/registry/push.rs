//! To a registry: OCI distribution specification, "Push".

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;

use super::auth::{Access, Scope};
use super::error::RegistryError;
use super::pull::{manifest_path, promised_digest};
use super::transport::{Body, Call};
use super::url::Url;
use super::{Client, Progress, RegistryClient, Step};
use crate::digest::Digest;
use crate::image::{Blob, BlobError, BlobSource, Descriptor, Image, VerifiedReader};
use crate::reference::Reference;

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

impl RegistryClient {
    /// Sends an image under a name. With a tag in the name the tag points to it afterwards; with a
    /// digest it must be the image's.
    pub fn push(&self, image: &Image, reference: &Reference) -> Result<Pushed, RegistryError> {
        let digest = image.digest();
        if let Some(expected) = reference.digest().filter(|expected| *expected != digest) {
            let (what, reference) = ("the manifest", reference.familiar());
            return Err(RegistryError::DigestMismatch { what, reference, expected, actual: digest });
        }
        let target = PushTarget { client: &self.0, reference };
        let mut pushed = Pushed { reference: reference.with_digest(digest), sent: 0, mounted: 0, present: 0 };
        let mut seen = BTreeSet::new();
        let config = Blob::new(Config(image.clone()));
        let layers = image.layers().iter().map(|layer| (&layer.descriptor, &layer.blob));
        for (descriptor, blob) in layers.chain([(&image.manifest().config, &config)]) {
            // Empty layers are often the same ones.
            if !seen.insert(descriptor.digest) {
                continue;
            }
            match target.put_blob(descriptor, blob)? {
                Way::Present => pushed.present += 1,
                Way::Mounted => pushed.mounted += 1,
                Way::Sent => pushed.sent += 1,
            }
        }
        target.put_manifest(image)?;
        Ok(pushed)
    }
}

impl RegistryClient {
    /// Asks whether an image could be sent under a name, by opening an upload and closing it again: a long
    /// build is then not lost to a login that may not write.
    pub fn check_push(&self, reference: &Reference) -> Result<(), RegistryError> {
        let target = PushTarget { client: &self.0, reference };
        let url = target.address("blobs/uploads/");
        let call = Call { method: "POST", url: &url, headers: &[], body: Body::Bytes(b"") };
        let response = self.0.ask(&call, &target.access(), &[202])?;
        target.cancel(&response);
        Ok(())
    }
}

/// The config of an image as a blob.
struct Config(Image);

impl BlobSource for Config {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(io::Cursor::new(self.0.config_bytes().to_vec())))
    }

    fn location(&self) -> String {
        "the image's config".to_owned()
    }
}

/// The repository that is pushed to.
pub(super) struct PushTarget<'a> {
    pub(super) client: &'a Client,
    pub(super) reference: &'a Reference,
}

impl PushTarget<'_> {
    pub(super) fn access(&self) -> Access {
        Access { registry: self.reference.registry().to_owned(), scopes: vec![Scope::push(self.reference.repository())] }
    }

    pub(super) fn address(&self, path: &str) -> Url {
        self.client.address(self.reference.registry(), &format!("v2/{}/{path}", self.reference.repository()))
    }

    pub(super) fn put_blob(&self, descriptor: &Descriptor, blob: &Blob) -> Result<Way, RegistryError> {
        let (digest, progress) = (&descriptor.digest, &self.client.progress);
        if self.has_blob(digest)? {
            progress.blob(digest, Step::Present);
            return Ok(Way::Present);
        }
        if self.mount(digest, blob)? {
            progress.blob(digest, Step::Mounted);
            return Ok(Way::Mounted);
        }
        // An upload that broke cannot be told from one that is still being written: the next starts anew.
        self.client.retrying(|| self.upload(descriptor, blob))?;
        progress.blob(digest, Step::Done);
        Ok(Way::Sent)
    }

    fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        let url = self.address(&format!("blobs/{digest}"));
        let call = Call { method: "HEAD", url: &url, headers: &[], body: Body::None };
        self.client.ask(&call, &self.access(), &[200, 404]).map(|response| response.status == 200)
    }

    /// Asks the registry to take a blob over from its other repository. Whatever it answers but yes
    /// means that the blob has to be sent.
    pub(super) fn mount(&self, digest: &Digest, blob: &Blob) -> Result<bool, RegistryError> {
        let repository = blob.repository();
        let from = repository.as_deref().and_then(|name| name.strip_prefix(self.reference.registry())?.strip_prefix('/'));
        let Some(from) = from.filter(|from| *from != self.reference.repository()) else { return Ok(false) };
        let url = self.address("blobs/uploads/").with_query("mount", &digest.to_string()).with_query("from", from);
        let mut access = self.access();
        access.scopes.push(Scope::pull(from));
        let call = Call { method: "POST", url: &url, headers: &[], body: Body::Bytes(b"") };
        match self.client.ask(&call, &access, &[201, 202]) {
            Ok(response) if response.status == 201 => Ok(true),
            Ok(response) => {
                self.cancel(&response);
                Ok(false)
            }
            Err(error) if error.refusal().is_some() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Closes the upload session that a registry opened in place of a mount; if that fails, it times out by itself.
    fn cancel(&self, response: &super::transport::Response) {
        if let Ok(url) = self.client.location(response) {
            let call = Call { method: "DELETE", url: &url, headers: &[], body: Body::None };
            let _ = self.client.ask_once(&call, &self.access_at(&url), &[204]);
        }
    }

    pub(super) fn upload(&self, descriptor: &Descriptor, blob: &Blob) -> Result<(), RegistryError> {
        let url = self.address("blobs/uploads/");
        let call = Call { method: "POST", url: &url, headers: &[], body: Body::Bytes(b"") };
        let response = self.client.ask_once(&call, &self.access(), &[202])?;
        let url = self.client.location(&response)?.with_query("digest", &descriptor.digest.to_string());
        let open = || self.open(descriptor, blob);
        let headers = [("Content-Type", "application/octet-stream")];
        let call = Call { method: "PUT", url: &url, headers: &headers, body: Body::Stream { length: descriptor.size, open: &open } };
        let response = self.client.ask_once(&call, &self.access_at(&url), &[201]).map_err(|error| self.of_blob(error, descriptor, blob))?;
        match promised_digest(&response) {
            Some(actual) if actual != descriptor.digest => Err(self.mismatch("the blob", descriptor.digest, actual)),
            _ => Ok(()),
        }
    }

    fn open(&self, descriptor: &Descriptor, blob: &Blob) -> io::Result<Box<dyn Read + Send>> {
        self.client.progress.blob(&descriptor.digest, Step::Started(descriptor.size));
        let reader = VerifiedReader::new(blob.open()?, descriptor, blob.location());
        Ok(Box::new(Counted { reader, progress: Arc::clone(&self.client.progress), digest: descriptor.digest }))
    }

    /// A registry that has uploads go to another host does without our login there.
    pub(super) fn access_at(&self, url: &Url) -> Access {
        if url.same_origin(&self.address("")) {
            return self.access();
        }
        Access { registry: url.authority().to_owned(), scopes: Vec::new() }
    }

    fn put_manifest(&self, image: &Image) -> Result<(), RegistryError> {
        let digest = image.digest();
        let name = self.reference.tag().map_or_else(|| digest.to_string(), str::to_owned);
        let url = self.client.address(self.reference.registry(), &manifest_path(self.reference, &name));
        let headers = [("Content-Type", image.manifest().media_type())];
        let call = Call { method: "PUT", url: &url, headers: &headers, body: Body::Bytes(image.manifest_bytes()) };
        let response = self.client.ask(&call, &self.access(), &[201])?;
        match promised_digest(&response) {
            Some(actual) if actual != digest => Err(self.mismatch("the manifest", digest, actual)),
            _ => Ok(()),
        }
    }

    pub(super) fn mismatch(&self, what: &'static str, expected: Digest, actual: Digest) -> RegistryError {
        RegistryError::DigestMismatch { what, reference: self.reference.familiar(), expected, actual }
    }

    /// A blob that could not be read is no fault of the registry.
    fn of_blob(&self, error: RegistryError, descriptor: &Descriptor, blob: &Blob) -> RegistryError {
        let RegistryError::Unreadable { source, .. } = error else { return error };
        let source = source.downcast::<BlobError>().unwrap_or_else(|source| BlobError::Read {
            digest: descriptor.digest,
            location: blob.location(),
            source,
        });
        RegistryError::Blob { reference: self.reference.familiar(), source: Box::new(source) }
    }
}

/// Tells of the bytes that pass.
struct Counted<R> {
    reader: R,
    progress: Arc<dyn Progress>,
    digest: Digest,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(bytes)?;
        self.progress.blob(&self.digest, Step::Moved(read as u64));
        Ok(read)
    }
}
