//! Blobs of which only digest and repository are known: those that a store records and does not have.

use std::io::Read;

use super::pull::ResumingReader;
use super::{RegistryClient, RegistryError};
use crate::digest::Digest;
use crate::image::Descriptor;
use crate::reference::Reference;

impl RegistryClient {
    /// Starts to read a blob of a repository. Who stores the bytes checks the digest.
    pub fn open_blob(&self, repository: &Reference, digest: &Digest) -> Result<Box<dyn Read + Send>, RegistryError> {
        let response = self.0.blob(repository, digest, 0)?;
        // Without a length nobody can tell whether the download broke; then the digest will.
        let size = response.header("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
        let descriptor = Descriptor::new("", *digest, size);
        Ok(Box::new(ResumingReader::new(&self.0, repository, descriptor, response)))
    }
}
