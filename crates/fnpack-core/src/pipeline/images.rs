//! Where images come from: the store first, then the registry of their name.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{ConnectError, Workbench};
use crate::digest::Digest;
use crate::image::{BlobError, BlobSink, Image, Layer};
use crate::reference::Reference;
use crate::registry::{RegistryClient, RegistryError};
use crate::store::{Store, StoreError};
use crate::target::Target;

/// How many layers are fetched at once: more gain nothing from one registry, and each holds a connection.
const PARALLEL_LAYERS: usize = 4;

/// Why an image is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// It is not in the store, and no registry was asked.
    #[error("there is no image `{name}` for {target} in the store, and `--offline` keeps from asking a registry")]
    Offline {
        /// As users write it.
        name: String,
        /// What it was wanted for.
        target: Target,
    },
    /// It is not in the store, and no registry is asked for this.
    #[error("there is no image `{name}` in the store")]
    NotStored {
        /// As users write it.
        name: String,
    },
    /// It is not in the store, and its registry did not give it.
    #[error("there is no image `{name}` for {target} in the store, and its registry did not give it")]
    NotGiven {
        /// As users write it.
        name: String,
        /// What it was wanted for.
        target: Target,
        /// What the registry said.
        #[source]
        source: Box<RegistryError>,
    },
    /// The store has it for another target, and it could not be had for this one.
    #[error("the image `{name}` in the store is for {present}, not for {target}")]
    OtherTarget {
        /// As users write it.
        name: String,
        /// What it was wanted for.
        target: Target,
        /// What the store has.
        present: Target,
        /// Why it could not be had.
        #[source]
        source: Box<FindError>,
    },
    /// A layer could not be fetched.
    #[error("cannot fetch the layers of `{name}`")]
    Layers {
        /// As users write it.
        name: String,
        /// Which one and why.
        #[source]
        source: BlobError,
    },
    /// No registry can be asked at all.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Workbench<'_> {
    /// The image of a name in the store, without asking anybody else.
    pub fn stored(&self, reference: &Reference) -> Result<Image, FindError> {
        self.store.image(reference, &self.target)?.ok_or_else(|| FindError::NotStored { name: reference.familiar() })
    }

    /// The image of a name: from the store, else pulled into it.
    pub fn find(&self, reference: &Reference, target: &Target) -> Result<Image, FindError> {
        match self.store.image(reference, target)? {
            Some(image) => Ok(image),
            None => self.pull(reference, target).map_err(|error| self.with_target_in_store(reference, target, error)),
        }
    }

    fn with_target_in_store(&self, reference: &Reference, target: &Target, error: FindError) -> FindError {
        match self.store.target_of(reference) {
            Ok(Some(present)) if present != *target => {
                FindError::OtherTarget { name: reference.familiar(), target: target.clone(), present, source: Box::new(error) }
            }
            _ => error,
        }
    }

    /// Gets an image from its registry into the store, whole and verified.
    pub fn pull(&self, reference: &Reference, target: &Target) -> Result<Image, FindError> {
        let name = reference.familiar();
        let Some(registry) = &self.registry else {
            return Err(FindError::Offline { name, target: target.clone() });
        };
        let not_given = |source| FindError::NotGiven { name: name.clone(), target: target.clone(), source: Box::new(source) };
        let image = registry.client()?.pull(reference, target).map_err(not_given)?;
        let size: u64 = image.layers().iter().map(|layer| layer.descriptor.size).sum();
        self.report.step(&format!("pulling {} ({} MB in {} layers)", reference.familiar(), size / 1_000_000, image.layers().len()));
        self.fetch_layers(&image, registry.client()?).map_err(|source| FindError::Layers { name: name.clone(), source })?;
        self.put(&image, [reference])?;
        Ok(self.store.image(reference, target)?.unwrap_or(image))
    }

    /// Gets the layers that are not here, several at a time; each is checked while it comes.
    fn fetch_layers(&self, image: &Image, client: &RegistryClient) -> Result<(), BlobError> {
        let missing: Vec<&Layer> = image.layers().iter().filter(|layer| self.store.existing(&layer.descriptor.digest).is_none()).collect();
        let next = AtomicUsize::new(0);
        let fetch_some = || {
            while let Some(layer) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                fetch_layer(&self.store, layer, client)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..PARALLEL_LAYERS.min(missing.len())).map(|_| scope.spawn(fetch_some)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    /// Puts an image into the store under its names, and makes the names visible to other tools.
    /// Names that point to it already cost nothing.
    pub(super) fn put<'r>(&self, image: &Image, references: impl IntoIterator<Item = &'r Reference>) -> Result<Digest, StoreError> {
        let digest = image.digest();
        let mut news = Vec::new();
        for reference in references {
            if self.store.digest_of(reference)? != Some(digest) {
                news.push(reference);
            }
        }
        if news.is_empty() {
            return Ok(digest);
        }
        self.store.put_images(news.into_iter().map(|reference| (image, Some(reference))), crate::store::PutOptions::default())?;
        self.store.publish_index()?;
        Ok(digest)
    }
}

fn fetch_layer(store: &Store, layer: &Layer, client: &RegistryClient) -> Result<(), BlobError> {
    let writing = |source| BlobError::Write { digest: layer.descriptor.digest, source };
    let mut pending = store.create().map_err(writing)?;
    client.fetch(layer, &mut pending)?;
    pending.commit(Some(&layer.descriptor.digest)).map_err(writing)?;
    Ok(())
}
