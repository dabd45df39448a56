//! Images wherever an address says that they are.

use super::{Address, FindError, PullPolicy, Workbench};
use crate::archive::{self, ImageArchive, Named, NamedTree, Place};
use crate::digest::Digest;
use crate::engine::EngineImage;
use crate::image::companion::Companion;
use crate::image::{Image, ManifestTree};
use crate::reference::Reference;
use crate::registry::RegistryClient;
use crate::store::Scratch;
use crate::target::Target;

/// An archive, open; packed ones are unpacked into the scratch folder, which must stay.
struct OpenArchive {
    archive: ImageArchive,
    _scratch: Scratch,
}

impl Workbench<'_> {
    /// An image to be looked at: of a registry or an archive only the documents are read, and an engine gives
    /// nothing less than all of it.
    pub fn look_at(&self, address: &Address, target: &Target) -> Result<Image, FindError> {
        match address {
            Address::Named(reference) => match self.store.image(reference, target)? {
                Some(image) => Ok(image),
                None => self.in_registry(reference, target),
            },
            Address::Registry(reference) => self.in_registry(reference, target),
            Address::Archive(place) => Ok(self.in_archive(place, target)?.image),
            Address::Engine(image) => self.in_engine(image, target),
        }
    }

    /// The same for everything that an address stands for: an image, or an index with its images.
    pub fn tree_at(&self, address: &Address) -> Result<ManifestTree, FindError> {
        match address {
            Address::Named(reference) => match self.store.tree(reference)? {
                Some(tree) => Ok(tree),
                None => self.tree_in_registry(reference),
            },
            Address::Registry(reference) => self.tree_in_registry(reference),
            Address::Archive(place) => Ok(self.open_archive(place)?.archive.tree(place.name.as_deref())?.tree),
            Address::Engine(image) => Ok(ManifestTree::of(&self.in_engine(image, &self.target)?)),
        }
    }

    /// What goes along with these manifests, where an address says that they are. The store and engines know of none.
    pub fn companions_at(&self, address: &Address, subjects: &[Digest]) -> Result<Vec<Companion>, FindError> {
        let reference = match address {
            Address::Archive(place) => return Ok(self.open_archive(place)?.archive.companions(subjects)?),
            Address::Engine(_) => return Ok(Vec::new()),
            Address::Named(reference) if self.store.digest_of(reference)?.is_some() => return Ok(Vec::new()),
            Address::Named(reference) | Address::Registry(reference) => reference,
        };
        let not_given = |source| FindError::not_given(reference, &self.target, source);
        self.client_for(reference, &self.target)?.companions(reference, subjects).map_err(not_given)
    }

    /// An image with all its layers in the store, until this process ends.
    pub fn bring(&self, address: &Address, target: &Target) -> Result<Image, FindError> {
        match address {
            Address::Named(reference) => self.find(reference, target),
            Address::Registry(reference) => self.pull(reference, target),
            Address::Archive(place) => {
                let image = self.in_archive(place, target)?.image;
                self.store.put_image(&image, None)?;
                Ok(self.store.image_by_digest(&image.digest(), target)?.unwrap_or(image))
            }
            Address::Engine(image) => self.bring_from_engine(image, target),
        }
    }

    /// The name by which the store has what an address stands for. An image of an archive or an engine is put under its
    /// name there.
    pub fn named(&self, address: &Address, target: &Target) -> Result<Reference, FindError> {
        let nameless = || FindError::Nameless { place: address.to_string() };
        let (name, image) = match address {
            Address::Named(reference) => return Ok(reference.clone()),
            // Who needs its layers finds it by that name.
            Address::Registry(reference) => return self.pull_documents(reference, target).map(|_| reference.clone()),
            Address::Archive(place) => {
                let Named { names, image, .. } = self.in_archive(place, target)?;
                (names.into_iter().next().ok_or_else(nameless)?, image)
            }
            Address::Engine(image @ EngineImage::Named(name)) => (name.without_digest(), self.in_engine(image, target)?),
            Address::Engine(EngineImage::Id(_)) => return Err(nameless()),
        };
        self.put(&image, [&name])?;
        Ok(name)
    }

    /// Everything in an archive, under its names there.
    pub fn in_archive_all(&self, place: &archive::Address) -> Result<Vec<NamedTree>, FindError> {
        Ok(self.open_archive(place)?.archive.trees()?)
    }

    /// An image of a registry without its layers.
    pub(super) fn in_registry(&self, reference: &Reference, target: &Target) -> Result<Image, FindError> {
        let not_given = |source| FindError::not_given(reference, target, source);
        self.client_for(reference, target)?.pull(reference, target).map_err(not_given)
    }

    pub(super) fn tree_in_registry(&self, reference: &Reference) -> Result<ManifestTree, FindError> {
        let not_given = |source| FindError::not_given(reference, &self.target, source);
        self.client_for(reference, &self.target)?.tree(reference).map_err(not_given)
    }

    pub(super) fn client_for(&self, reference: &Reference, target: &Target) -> Result<&RegistryClient, FindError> {
        let name = reference.familiar();
        match (&self.registry, self.pull_policy) {
            (_, PullPolicy::Never) => Err(FindError::NotStored { name }),
            (None, _) => Err(FindError::Offline { name, target: target.clone() }),
            (Some(registry), _) => Ok(registry.client()?),
        }
    }

    fn in_archive(&self, place: &archive::Address, target: &Target) -> Result<Named, FindError> {
        Ok(self.open_archive(place)?.archive.image(place.name.as_deref(), target)?)
    }

    fn open_archive(&self, place: &archive::Address) -> Result<OpenArchive, FindError> {
        let (Place::OciLayout(path) | Place::OciArchive(path) | Place::DockerArchive(path)) = &place.place;
        let scratch = self.store.scratch()?;
        // An unpacked archive is a nameless file, which lasts as long as somebody reads it.
        Ok(OpenArchive { archive: ImageArchive::open(path, scratch.path())?, _scratch: scratch })
    }
}
