//! Images in and out.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::blobs::copy_blob;
use super::references::ReferenceRecord;
use super::{Keep, Result, Store, StoreError};
use crate::digest::Digest;
use crate::image::{Blob, Descriptor, Image, ImageError, Index, Layer, Manifest, ManifestTree, TreeSource, media_type};
use crate::reference::Reference;
use crate::target::Target;

/// How to put images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// Layers that are not here and come from a registry are recorded, not fetched.
    pub sparse: bool,
}

impl Store {
    /// Puts one image with all its layers, under a name or for this process's lifetime. Gives its digest.
    pub fn put_image(&self, image: &Image, reference: Option<&Reference>) -> Result<Digest> {
        self.put_images([(image, reference)], PutOptions::default())?;
        Ok(image.digest())
    }

    /// Puts many images behind one barrier. Until it returns, none of the names is given.
    pub fn put_images<'a>(&self, images: impl IntoIterator<Item = (&'a Image, Option<&'a Reference>)>, options: PutOptions) -> Result<()> {
        for (image, reference) in images {
            self.stage_image(image, options)?;
            if let Some(reference) = reference {
                self.inner.stage_reference(&ReferenceRecord::of_image(reference, image))?;
            }
        }
        self.inner.publish()
    }

    /// Puts an index under a name. Of its images those may be absent that nobody asks for.
    pub fn put_index(&self, index: &[u8], reference: &Reference) -> Result<Digest> {
        let digest = Digest::of(index);
        let parsed = Index::parse(index).map_err(|source| StoreError::Image { digest, source })?;
        self.inner.protect([Keep::Image(digest)])?;
        self.stage_document(&digest, index)?;
        let media_type = parsed.media_type.as_deref().unwrap_or(media_type::OCI_INDEX);
        let descriptor = Descriptor::of(media_type, index);
        self.inner.stage_reference(&ReferenceRecord { reference: reference.clone(), descriptor, target: None, created: None, size: 0 })?;
        self.inner.publish()?;
        Ok(digest)
    }

    /// The layers of an image that are not here, each once: those that are recorded only, of an image put with
    /// [`PutOptions::sparse`].
    pub fn absent_layers<'i>(&self, image: &'i Image) -> Result<Vec<&'i Layer>> {
        let (mut absent, mut seen) = (Vec::new(), BTreeSet::new());
        for layer in image.layers() {
            if seen.insert(layer.descriptor.digest) && !self.inner.has_blob(&layer.descriptor.digest)? {
                absent.push(layer);
            }
        }
        Ok(absent)
    }

    /// What a name or digest stands for, whole: an image, or an index with all that it names. `None` if it is not here.
    pub fn tree(&self, reference: &Reference) -> Result<Option<ManifestTree>> {
        match self.record_of(reference)? {
            Some(record) => ManifestTree::read(self, record.descriptor).map(Some),
            None => Ok(None),
        }
    }

    /// The image of a name or digest, for a target. `None` if there is none, or none for that target.
    pub fn image(&self, reference: &Reference, target: &Target) -> Result<Option<Image>> {
        let mut record = self.record_of(reference)?;
        loop {
            let Some(found) = record else { return Ok(None) };
            match self.image_of(&found.descriptor, target) {
                // The name may have moved on, and its image been collected, before this process named it.
                Err(StoreError::BlobAbsent { digest }) => {
                    record = self.record_of(reference)?;
                    if record.as_ref() == Some(&found) {
                        return Err(StoreError::BlobAbsent { digest });
                    }
                }
                result => return result,
            }
        }
    }

    /// What the image of a name is for. `None` if there is none, or one for several targets.
    pub fn target_of(&self, reference: &Reference) -> Result<Option<Target>> {
        Ok(self.record_of(reference)?.and_then(|record| record.target))
    }

    /// The image of a digest, be it a manifest or an index, for a target.
    pub fn image_by_digest(&self, digest: &Digest, target: &Target) -> Result<Option<Image>> {
        match self.descriptor_of(digest)? {
            Some(descriptor) => self.image_of(&descriptor, target),
            None => Ok(None),
        }
    }

    fn stage_image(&self, image: &Image, options: PutOptions) -> Result<()> {
        let digest = image.digest();
        let layers = image.layers().iter().map(|layer| Keep::Blob(layer.descriptor.digest));
        self.inner.protect(layers.chain([Keep::Image(digest), Keep::Blob(image.manifest().config.digest), Keep::Blob(digest)]))?;
        for layer in image.layers() {
            self.stage_layer(layer, options)?;
        }
        self.stage_document(&image.manifest().config.digest, image.config_bytes())?;
        self.stage_document(&digest, image.manifest_bytes())
    }

    fn stage_layer(&self, layer: &Layer, options: PutOptions) -> Result<()> {
        let Descriptor { digest, size, .. } = &layer.descriptor;
        let repository = layer.blob.repository();
        if let Some(repository) = &repository {
            self.record_blob_source(digest, repository)?;
        }
        if self.inner.has_blob(digest)? || options.sparse && repository.is_some() {
            return Ok(());
        }
        copy_blob(self, &layer.blob, digest, *size)
    }

    /// The record of a name, or of the digest in it.
    pub(super) fn record_of(&self, reference: &Reference) -> Result<Option<ReferenceRecord>> {
        let record = self.inner.reference_record(reference)?;
        let Some(digest) = reference.digest() else { return Ok(record) };
        if let Some(record) = record.filter(|record| record.descriptor.digest == digest) {
            return Ok(Some(record));
        }
        let Some(descriptor) = self.descriptor_of(&digest)? else { return Ok(None) };
        if is_index(&descriptor.media_type) {
            return Ok(Some(ReferenceRecord { reference: reference.clone(), descriptor, target: None, created: None, size: 0 }));
        }
        Ok(self.manifest_image(&digest)?.map(|image| ReferenceRecord::of_image(reference, &image)))
    }

    /// What a digest names, if it is here and a manifest or an index.
    fn descriptor_of(&self, digest: &Digest) -> Result<Option<Descriptor>> {
        self.inner.protect_for_reading([Keep::Image(*digest)])?;
        if !self.inner.has_blob(digest)? {
            return Ok(None);
        }
        let Some(bytes) = self.read_document(digest)? else { return Ok(None) };
        Ok(Kind::of(&bytes).map(|kind| Descriptor::of(kind.media_type(), &bytes)))
    }

    fn image_of(&self, descriptor: &Descriptor, target: &Target) -> Result<Option<Image>> {
        let digest = descriptor.digest;
        self.inner.protect_for_reading([Keep::Image(digest)])?;
        if !is_index(&descriptor.media_type) {
            let image = self.manifest_image(&digest)?.ok_or(StoreError::BlobAbsent { digest })?;
            return Ok(Some(image).filter(|image| is_for(image, target)));
        }
        let bytes = self.read_document(&digest)?.ok_or(StoreError::BlobAbsent { digest })?;
        let index = Index::parse(&bytes).map_err(|source| StoreError::Image { digest, source })?;
        match index.select(target) {
            Some(entry) => self.manifest_image(&entry.digest),
            None => Ok(None),
        }
    }

    /// The image of a manifest; `None` if the manifest is not here.
    pub(super) fn manifest_image(&self, digest: &Digest) -> Result<Option<Image>> {
        let invalid = |source| StoreError::Image { digest: *digest, source };
        let Some(bytes) = self.read_document(digest)? else { return Ok(None) };
        let config = Manifest::parse(&bytes).map_err(invalid)?.config.digest;
        let config = self.read_document(&config)?.ok_or(StoreError::BlobAbsent { digest: config })?;
        Image::from_bytes(bytes, config, |layer, _| self.lazy_blob(&layer.digest)).map(Some).map_err(invalid)
    }
}

impl TreeSource for Store {
    type Error = StoreError;

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let digest = descriptor.digest;
        self.inner.protect_for_reading([Keep::Image(digest)])?;
        self.read_document(&digest)?.ok_or(StoreError::BlobAbsent { digest })
    }

    fn blob(&self, descriptor: &Descriptor) -> Blob {
        self.lazy_blob(&descriptor.digest)
    }

    fn invalid(&self, descriptor: &Descriptor, source: ImageError) -> StoreError {
        StoreError::Image { digest: descriptor.digest, source }
    }
}

/// A config without a target, as some old tools wrote, is for any.
fn is_for(image: &Image, target: &Target) -> bool {
    let own = image.target();
    own.os.is_empty() || own.arch.is_empty() || own.satisfies(target)
}

pub(super) fn is_index(media_type: &str) -> bool {
    matches!(media_type, media_type::OCI_INDEX | media_type::DOCKER_INDEX)
}

/// What a document is, by the keys it has: `mediaType` is optional in OCI's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kind {
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    layers: Option<serde::de::IgnoredAny>,
}

impl Kind {
    /// `None` for anything that is neither manifest nor index.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|kind| kind.manifests.is_some() || kind.layers.is_some())
    }

    pub(super) fn media_type(&self) -> &str {
        let default = if self.manifests.is_some() { media_type::OCI_INDEX } else { media_type::OCI_MANIFEST };
        self.media_type.as_deref().unwrap_or(default)
    }
}
