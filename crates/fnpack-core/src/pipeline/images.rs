//! Where images come from: the store first, then the registry of their name.

use super::report::with_causes;
use super::{ConnectError, Workbench};
use crate::archive::ArchiveError;
use crate::digest::Digest;
use crate::engine::EngineError;
use crate::image::{BlobError, Image, Layer};
use crate::parallel;
use crate::reference::{Reference, ReferenceError};
use crate::registry::{RegistryClient, RegistryError};
use crate::store::{PutOptions, Store, StoreError};
use crate::target::Target;

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

/// Where an image that is made is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Destination {
    /// In the store, whole.
    #[default]
    Store,
    /// In a registry: what other repositories have of it is taken over from there and not brought here.
    Registry,
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
    /// The store knows it and has not all of its layers, and no registry is asked for them.
    #[error("layers of `{name}` are only in a registry, which is not asked for them")]
    LayersElsewhere {
        /// As users write it.
        name: String,
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

    /// The image of a name with all its layers: from the store, else pulled into it, as the pull policy says.
    pub fn find(&self, reference: &Reference, target: &Target) -> Result<Image, FindError> {
        self.find_base(reference, target, Destination::Store)
    }

    /// The image to build on. For what goes to a registry, layers that the store does not have stay where they are until
    /// somebody reads them.
    pub fn find_base(&self, reference: &Reference, target: &Target, destination: Destination) -> Result<Image, FindError> {
        let image = match self.store.image(reference, target)? {
            Some(image) if self.may_be_older(reference) => self.refresh(reference, image, (target, destination))?,
            Some(image) => image,
            None => {
                let failed = |error| self.with_target_in_store(reference, target, error);
                self.pull_for(reference, (target, destination)).map_err(failed)?
            }
        };
        self.complete(&image, &reference.familiar(), destination)?;
        Ok(image)
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
    fn refresh(&self, reference: &Reference, stored: Image, wanted: (&Target, Destination)) -> Result<Image, FindError> {
        let (target, _) = wanted;
        let not_given = |source| FindError::not_given(reference, target, source);
        match self.client_for(reference, target)?.digest(reference).map_err(not_given)? {
            Some(digest) if digest == stored.digest() => Ok(stored),
            Some(_) => self.pull_for(reference, wanted),
            None => {
                self.report.warning(&format!("no registry has {}: the store's is taken", reference.familiar()));
                Ok(stored)
            }
        }
    }

    fn pull_for(&self, reference: &Reference, (target, destination): (&Target, Destination)) -> Result<Image, FindError> {
        match destination {
            Destination::Store => self.pull(reference, target),
            Destination::Registry => self.pull_documents(reference, target),
        }
    }

    /// Gets an image from its registry into the store, whole and verified.
    pub fn pull(&self, reference: &Reference, target: &Target) -> Result<Image, FindError> {
        let image = self.in_registry(reference, target)?;
        self.fetch_missing(&image, &reference.familiar())?;
        self.put(&image, [reference])?;
        Ok(self.store.image(reference, target)?.unwrap_or(image))
    }

    /// The same without its layers: the store records where they are.
    pub(super) fn pull_documents(&self, reference: &Reference, target: &Target) -> Result<Image, FindError> {
        let image = self.in_registry(reference, target)?;
        self.put(&image, [reference])?;
        Ok(self.store.image(reference, target)?.unwrap_or(image))
    }

    /// Gets the layers of an image of a registry that are not here. What comes from elsewhere is copied when it is put.
    pub(super) fn fetch_missing(&self, image: &Image, name: &str) -> Result<(), FindError> {
        let mut missing = self.store.absent_layers(image)?;
        missing.retain(|layer| layer.blob.repository().is_some());
        if missing.is_empty() {
            return Ok(());
        }
        let registry = self.registry.as_ref().filter(|_| self.pull_policy != PullPolicy::Never);
        let registry = registry.ok_or_else(|| FindError::LayersElsewhere { name: name.to_owned() })?;
        let size: u64 = missing.iter().map(|layer| layer.descriptor.size).sum();
        self.report.step(&format!("pulling {name} ({} MB in {} layers)", size / 1_000_000, missing.len()));
        self.fetch_layers(&missing, registry.client()?).map_err(|source| FindError::Layers { name: name.to_owned(), source })
    }

    /// Gets layers, several at a time; each is checked while it comes.
    fn fetch_layers(&self, missing: &[&Layer], client: &RegistryClient) -> Result<(), BlobError> {
        parallel::for_each(missing, |layer| layer.descriptor.size, |layer| fetch_layer(&self.store, layer, client)).map(drop)
    }

    /// Makes sure that an image which is to stay has all its layers here.
    pub fn complete(&self, image: &Image, name: &str, destination: Destination) -> Result<(), FindError> {
        if destination == Destination::Registry || self.store.absent_layers(image)?.is_empty() {
            return Ok(());
        }
        self.fetch_missing(image, name)?;
        Ok(self.store.publish()?)
    }

    /// The image that a build starts from, if there is one: under the name given for it, else under the build's own. Registries
    /// are asked for the former, and for the latter if the result goes there. One that cannot be had only makes the build slower.
    pub(super) fn previous_image(
        &self,
        (own, given): (&Reference, Option<&Reference>),
        target: &Target,
        destination: Destination,
    ) -> Result<Option<Image>, StoreError> {
        let reference = given.unwrap_or(own);
        let stored = self.store.image(reference, target)?;
        if stored.is_some() || given.is_none() && (destination == Destination::Store || self.registry.is_none()) {
            return Ok(stored);
        }
        match self.in_registry(reference, target) {
            Ok(image) => Ok(Some(image)),
            Err(FindError::NotGiven { source, .. }) if given.is_none() && source.is_no_such_image() => Ok(None),
            Err(error) => {
                self.report.warning(&format!("nothing of {} is reused: {}", reference.familiar(), with_causes(&error)));
                Ok(None)
            }
        }
    }

    /// Puts an image into the store under its names, and makes the names visible to other tools. Layers of a registry that
    /// were not fetched before stay there. Names that point to it already cost nothing.
    pub fn put<'r>(&self, image: &Image, references: impl IntoIterator<Item = &'r Reference>) -> Result<Digest, StoreError> {
        let digest = image.digest();
        let mut news = Vec::new();
        for reference in references {
            if self.store.digest_of(reference)? != Some(digest) {
                news.push(reference);
            }
        }
        if news.is_empty() {
            // Its layers may have come only now.
            self.store.publish()?;
            return Ok(digest);
        }
        self.store.put_images(news.into_iter().map(|reference| (image, Some(reference))), PutOptions { sparse: true })?;
        self.store.publish_index()?;
        Ok(digest)
    }
}

fn fetch_layer(store: &Store, layer: &Layer, client: &RegistryClient) -> Result<(), BlobError> {
    let writing = |source: std::io::Error| BlobError::Write { digest: layer.descriptor.digest, source };
    let mut incoming = store.receive().map_err(|source| writing(source.into()))?;
    let verified = client.fetch(layer, &mut incoming)?;
    incoming.commit(&verified).map_err(|source| writing(source.into()))
}
