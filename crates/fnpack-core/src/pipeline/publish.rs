//! What was made here to its registries: asked for before the work, sent after it.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::copy::not_sent;
use super::{CopyError, FindError, Workbench};
use crate::digest::Digest;
use crate::image::{Blob, BlobSource, Image};
use crate::reference::Reference;
use crate::registry::{Pushed, RegistryClient};

impl Workbench<'_> {
    /// Asks every registry whether it would take an image under these names, so that no build is lost to one that would not.
    pub fn prove_push(&self, names: &[&Reference]) -> Result<(), CopyError> {
        let mut asked: Vec<String> = Vec::new();
        for name in names {
            if !asked.contains(&name.name()) {
                asked.push(name.name());
                self.client_to_push(name)?.check_push(name).map_err(|source| not_sent(name, source))?;
            }
        }
        Ok(())
    }

    /// Sends an image of the store under each of its names. Nothing is sent twice: further names in a repository are one
    /// request each, and another repository of the registry takes all from the first.
    pub fn publish(&self, image: &Image, names: &[&Reference]) -> Result<Vec<Pushed>, CopyError> {
        let all: BTreeSet<Digest> = image.blobs().collect();
        let mut pushed: Vec<Pushed> = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let client = self.client_to_push(name)?;
            let earlier = names.get(..index).unwrap_or_default();
            let sent = if earlier.iter().any(|earlier| earlier.name() == name.name()) {
                client.push_beside(image, name, &all)
            } else if let Some(first) = earlier.iter().find(|earlier| earlier.registry() == name.registry()) {
                client.push(&image.with_blobs(|layer| Blob::new(Sent { blob: layer.blob.clone(), repository: first.name() })), name)
            } else {
                client.push(image, name)
            };
            pushed.push(sent.map_err(|source| not_sent(name, source))?);
        }
        Ok(pushed)
    }

    /// Sends a cache image. Layers that the image of the function has, too, are taken over from there once that is sent.
    pub fn publish_cache(&self, cache: &Image, name: &Reference, function: Option<(&Image, &Reference)>) -> Result<Pushed, CopyError> {
        let beside = function.filter(|(_, sent)| sent.registry() == name.registry() && sent.name() != name.name());
        let repository = |digest: Digest| beside.filter(|(image, _)| image.blobs().any(|blob| blob == digest)).map(|(_, sent)| sent.name());
        let located = cache.with_blobs(|layer| match repository(layer.descriptor.digest) {
            Some(repository) => Blob::new(Sent { blob: layer.blob.clone(), repository }),
            None => layer.blob.clone(),
        });
        self.client_to_push(name)?.push(&located, name).map_err(|source| not_sent(name, source))
    }

    pub(super) fn client_to_push(&self, name: &Reference) -> Result<&RegistryClient, FindError> {
        match &self.registry {
            Some(registry) => Ok(registry.client()?),
            None => Err(FindError::OfflinePush { name: name.familiar() }),
        }
    }
}

/// A blob that a repository has since it was sent there.
struct Sent {
    blob: Blob,
    repository: String,
}

impl BlobSource for Sent {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        self.blob.open()
    }

    fn location(&self) -> String {
        self.blob.location()
    }

    fn repository(&self) -> Option<String> {
        Some(self.repository.clone())
    }
}
