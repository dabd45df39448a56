//! One blob on its way to a registry: OCI distribution specification, "Pushing Blobs".
//!
//! A blob goes up in one request. If that breaks, the registry is asked how much it has, and the rest
//! follows as a chunk. If it has nothing or cannot say, the upload starts anew.
//!
//! `distribution` up to version 2 cannot say, however the bytes are sent: each address of a session has a signed
//! count of the bytes that were there when it was given, a request that breaks leaves more of them there, and an
//! upload with another count than its address is given up. Chunks would only help where one ends and the next
//! has not begun.

use std::io::{self, Read};
use std::sync::Arc;

use super::auth::{Access, Scope};
use super::error::RegistryError;
use super::pull::promised_digest;
use super::transport::{Body, Call, Response};
use super::url::Url;
use super::{Client, Progress, Step};
use crate::digest::Digest;
use crate::image::{Blob, BlobError, Descriptor, MeasuredReader, copy_verified};
use crate::reference::Reference;

const CONTENT_TYPE: (&str, &str) = ("Content-Type", "application/octet-stream");

/// The repository that is pushed to.
pub(super) struct Destination<'a> {
    pub(super) client: &'a Client,
    pub(super) reference: &'a Reference,
}

/// An upload that the registry has opened, and how much of the blob it has.
pub(super) struct Session {
    url: Url,
    offset: u64,
}

impl Session {
    pub(super) fn new(url: Url) -> Self {
        Self { url, offset: 0 }
    }
}

impl Destination<'_> {
    pub(super) fn access(&self) -> Access {
        Access { registry: self.reference.registry().to_owned(), scopes: vec![Scope::push(self.reference.repository())] }
    }

    pub(super) fn address(&self, path: &str) -> Url {
        self.client.address(self.reference.registry(), &format!("v2/{}/{path}", self.reference.repository()))
    }

    /// Sends a blob, in a session that is open already if there is one.
    pub(super) fn send(&self, descriptor: &Descriptor, blob: &Blob, opened: Option<Session>) -> Result<(), RegistryError> {
        let (mut opened, mut broken) = (opened, None::<Session>);
        self.client.retrying(|| {
            // Only now, after the wait: a registry needs a while to notice that nothing comes any more.
            let resumed = broken.take().and_then(|session| self.resumed(&session, descriptor.size));
            let session = resumed.or_else(|| opened.take()).map_or_else(|| self.open_session(), Ok)?;
            let sent = self.finish(&session, descriptor, blob).map_err(|error| self.traced(error, descriptor, blob));
            broken = sent.as_ref().is_err_and(RegistryError::retryable).then_some(session);
            sent
        })
    }

    /// Finds out whether bytes that a registry finds wrong were wrong before they were sent.
    fn traced(&self, error: RegistryError, descriptor: &Descriptor, blob: &Blob) -> RegistryError {
        if !matches!(error, RegistryError::Garbled { .. }) {
            return error;
        }
        match copy_verified(blob, descriptor, &mut io::sink(), &mut |_| {}) {
            Ok(_) => error,
            Err(source) => RegistryError::Blob { reference: self.reference.familiar(), source: Box::new(source) },
        }
    }

    fn open_session(&self) -> Result<Session, RegistryError> {
        let url = self.address("blobs/uploads/");
        let call = Call { method: "POST", url: &url, headers: &[], body: Body::Bytes(b"") };
        let response = self.client.ask_once(&call, &self.access(), &[202])?;
        self.client.location(&response).map(Session::new)
    }

    /// Asks how much of a broken upload has arrived. `None` if it has to start anew.
    fn resumed(&self, session: &Session, size: u64) -> Option<Session> {
        let call = Call { method: "GET", url: &session.url, headers: &[], body: Body::None };
        let response = self.client.ask_once(&call, &self.access_at(&session.url), &[204, 202]).ok()?;
        let last: u64 = response.header("range")?.trim_start_matches("bytes=").strip_prefix("0-")?.trim().parse().ok()?;
        // `0-0` is also what registries say that have nothing.
        let offset = last.checked_add(1).filter(|offset| *offset > 1 && *offset <= size)?;
        let url = if response.header("location").is_some() { self.client.location(&response).ok()? } else { session.url.clone() };
        Some(Session { url, offset })
    }

    fn finish(&self, session: &Session, descriptor: &Descriptor, blob: &Blob) -> Result<(), RegistryError> {
        if session.offset == 0 {
            let open = || self.open(descriptor, blob, 0);
            return self.close(&session.url, descriptor, Body::Stream { length: descriptor.size, open: &open }, blob);
        }
        let url = if session.offset == descriptor.size { session.url.clone() } else { self.send_rest(session, descriptor, blob)? };
        self.close(&url, descriptor, Body::Bytes(b""), blob)
    }

    /// Sends what is missing as one chunk; gives where to go on.
    fn send_rest(&self, session: &Session, descriptor: &Descriptor, blob: &Blob) -> Result<Url, RegistryError> {
        let open = || self.open(descriptor, blob, session.offset);
        let range = format!("{}-{}", session.offset, descriptor.size.saturating_sub(1));
        let headers = [CONTENT_TYPE, ("Content-Range", range.as_str())];
        let body = Body::Stream { length: descriptor.size.saturating_sub(session.offset), open: &open };
        let call = Call { method: "PATCH", url: &session.url, headers: &headers, body };
        let response = self.client.ask_once(&call, &self.access_at(&session.url), &[202, 204]);
        self.client.location(&response.map_err(|error| self.of_blob(error, descriptor, blob))?)
    }

    fn close(&self, url: &Url, descriptor: &Descriptor, body: Body<'_>, blob: &Blob) -> Result<(), RegistryError> {
        let url = url.with_query("digest", &descriptor.digest.to_string());
        let call = Call { method: "PUT", url: &url, headers: &[CONTENT_TYPE], body };
        let response = self.client.ask_once(&call, &self.access_at(&url), &[201]).map_err(|error| self.of_blob(error, descriptor, blob))?;
        confirmed(&response, "the blob", descriptor.digest)?;
        if promised_digest(&response).is_none() { self.check_arrived(descriptor) } else { Ok(()) }
    }

    /// Asks for a blob whose digest the registry did not name when it took it: manifests are only sent when all
    /// that they name is there.
    fn check_arrived(&self, descriptor: &Descriptor) -> Result<(), RegistryError> {
        let response = self.head_blob(&descriptor.digest)?;
        let length: Option<u64> = response.header("content-length").and_then(|length| length.parse().ok());
        match (response.status, length) {
            (200, None) => confirmed(&response, "the blob", descriptor.digest),
            (200, Some(length)) if length == descriptor.size => confirmed(&response, "the blob", descriptor.digest),
            (200, Some(length)) => Err(response.unexpected(format!("it keeps {length} of the {} bytes that it took", descriptor.size))),
            _ => Err(response.unexpected("it does not have the blob that it took")),
        }
    }

    pub(super) fn head_blob(&self, digest: &Digest) -> Result<Response, RegistryError> {
        let url = self.address(&format!("blobs/{digest}"));
        let call = Call { method: "HEAD", url: &url, headers: &[], body: Body::None };
        self.client.ask(&call, &self.access(), &[200, 404])
    }

    /// Opens a blob at an offset. Its digest is computed where it goes to.
    fn open(&self, descriptor: &Descriptor, blob: &Blob, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let progress = Arc::clone(&self.client.progress);
        progress.blob(&descriptor.digest, Step::Started(descriptor.size));
        let reader = MeasuredReader::open(blob, descriptor)?;
        let mut counted = Counted { reader, progress, digest: descriptor.digest };
        io::copy(&mut counted.by_ref().take(offset), &mut io::sink())?;
        Ok(Box::new(counted))
    }

    /// Closes an upload session that is not needed; if that fails, it times out by itself.
    pub(super) fn cancel(&self, response: &Response) {
        if let Ok(url) = self.client.location(response) {
            let call = Call { method: "DELETE", url: &url, headers: &[], body: Body::None };
            let _ = self.client.ask_once(&call, &self.access_at(&url), &[204]);
        }
    }

    /// A registry that has uploads go to another host does without our login there.
    pub(super) fn access_at(&self, url: &Url) -> Access {
        if url.same_origin(&self.address("")) {
            return self.access();
        }
        Access { registry: url.authority().to_owned(), scopes: Vec::new() }
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

/// Whether a registry took what was sent to it for the same, where it says so.
pub(super) fn confirmed(response: &Response, what: &'static str, expected: Digest) -> Result<(), RegistryError> {
    match promised_digest(response) {
        Some(actual) if actual != expected => Err(RegistryError::NotWhatWasSent { host: response.host(), what, expected, actual }),
        _ => Ok(()),
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
