//! Where images come from: the store first, then the registry of their name.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{ConnectError, Workbench};
use crate::archive::ArchiveError;
use crate::digest::Digest;
use crate::engine::EngineError;
use crate::image::{BlobError, BlobSink, Image, Layer};
use crate::reference::{Reference, ReferenceError};
use crate::registry::{RegistryClient, RegistryError};
use crate::store::{Store, StoreError};
use crate::target::Target;

/// How many layers are fetched at once: more gain nothing from one registry, and each holds a connection.
const PARALLEL_LAYERS: usize = 4;

/// When a registry is asked for an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// Even if the store has one of the name: it may be older.
    Always,
    /// If the store has none.
    #[default]
    IfNotPresent,
    /// Not at all.
    Never,
}

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
        target: Box<Target>,
        /// What the store has.
        present: Box<Target>,
        /// Why it could not be had.
        #[source]
        source: Box<FindError>,
    },
    /// Nothing is sent with `--offline`.
    #[error("`--offline` keeps from sending `{name}` to its registry")]
    OfflinePush {
        /// As users write it.
        name: String,
    },
    /// It is needed under a name.
    #[error("the image in `{place}` has no name")]
    Nameless {
        /// The address.
        place: String,
    },
    /// The archive does not give it.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The engine does not give it.
    #[error(transparent)]
    Engine(#[from] Box<EngineError>),
    /// The name inside an archive is none.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
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

impl FindError {
    pub(super) fn not_given(reference: &Reference, target: &Target, source: RegistryError) -> Self {
        Self::NotGiven { name: reference.familiar(), target: target.clone(), source: Box::new(source) }
    }
}

impl Workbench<'_> {
    /// The image of a name in the store, without asking anybody else.
    pub fn stored(&self, reference: &Reference) -> Result<Image, FindError> {
        self.store.image(reference, &self.target)?.ok_or_else(|| FindError::NotStored { name: reference.familiar() })
    }

    /// The image of a name: from the store, else pulled into it, as the pull policy says.
    pub fn find(&self, reference: &Reference, target: &Target) -> Result<Image, FindError> {
        match self.store.image(reference, target)? {
            Some(image) if self.may_be_older(reference) => self.refresh(reference, target, image),
            Some(image) => Ok(image),
            None => self.pull(reference, target).map_err(|error| self.with_target_in_store(reference, target, error)),
        }
    }

    fn with_target_in_store(&self, reference: &Reference, target: &Target, error: FindError) -> FindError {
        match self.store.target_of(reference) {
            Ok(Some(present)) if present != *target => FindError::OtherTarget {
                name: reference.familiar(),
                target: Box::new(target.clone()),
                present: Box::new(present),
                source: Box::new(error),
            },
            _ => error,
        }
    }

    fn may_be_older(&self, reference: &Reference) -> bool {
        self.pull_policy == PullPolicy::Always
            && self.registry.is_some()
            && reference.digest().is_none()
            && !self.made_here.contains(reference)
    }

    /// The image as its registry has it now; one that was only ever here stays as it is.
    fn refresh(&self, reference: &Reference, target: &Target, stored: Image) -> Result<Image, FindError> {
        let not_given = |source| FindError::not_given(reference, target, source);
        match self.client_for(reference, target)?.digest(reference).map_err(not_given)? {
            Some(digest) if digest == stored.digest() => Ok(stored),
            Some(_) => self.pull(reference, target),
            None => {
                self.report.warning(&format!("no registry has {}: the store's is taken", reference.familiar()));
                Ok(stored)
            }
        }
    }

    /// Gets an image from its registry into the store, whole and verified.
    pub fn pull(&self, reference: &Reference, target: &Target) -> Result<Image, FindError> {
        let image = self.in_registry(reference, target)?;
        self.fetch_missing(&image, reference)?;
        self.put(&image, [reference])?;
        Ok(self.store.image(reference, target)?.unwrap_or(image))
    }

    /// Gets the layers of an image of a registry that are not here. What comes from elsewhere is copied when it is put.
    pub(super) fn fetch_missing(&self, image: &Image, reference: &Reference) -> Result<(), FindError> {
        let absent = |layer: &&Layer| layer.blob.repository().is_some() && self.store.existing(&layer.descriptor.digest).is_none();
        let Some(registry) = self.registry.as_ref().filter(|_| image.layers().iter().any(|layer| absent(&layer))) else { return Ok(()) };
        let size: u64 = image.layers().iter().filter(absent).map(|layer| layer.descriptor.size).sum();
        self.report.step(&format!(
            "pulling {} ({} MB in {} layers)",
            reference.familiar(),
            size / 1_000_000,
            image.layers().iter().filter(absent).count()
        ));
        self.fetch_layers(image, registry.client()?).map_err(|source| FindError::Layers { name: reference.familiar(), source })
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
