//! What is kept from one build to the next, in a folder or in a registry, as the platform names it.

use std::path::Path;

use fnpack_core::image::{Image, Layer};
use fnpack_core::lifecycle::cache_image::CacheImage;
use fnpack_core::lifecycle::cache_volume::CacheVolume;
use fnpack_core::lifecycle::context::Place;
use fnpack_core::lifecycle::exit::ExitCode;
use fnpack_core::lifecycle::export::{Blobs, CacheError, ExportInput, save_cache};
use fnpack_core::lifecycle::restore::{CacheMetadata, CachedLayerError};
use fnpack_core::reference::Reference;
use fnpack_core::registry::RegistryError;

use crate::arguments::Flag;
use crate::blobs::FileBlobs;
use crate::failure::{Failure, OrFail, Step, with_causes};
use crate::images::Images;
use crate::session::Session;

/// A cache, open.
pub(crate) enum Cache {
    /// `-cache-dir`
    Folder(CacheVolume),
    /// `-cache-image`, with what it was before this build.
    Image { name: Reference, found: Option<CacheImage> },
}

/// Why the cache is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error("cannot send it")]
    Send(#[from] RegistryError),
}

impl Cache {
    /// The cache that the platform names; of both, the image. Another image of its name is not used, and stays as it is.
    pub(crate) fn open(session: &Session<'_>, code: ExitCode) -> Result<Option<Self>, Failure> {
        let step = Step { code, action: "open the cache" };
        let arguments = &session.arguments;
        if let Some(name) = arguments.reference(Flag::CacheImage)? {
            let found = session.images()?.find(&name).or_fail(step)?;
            let Some(found) = found else { return Ok(Some(Self::Image { name, found: None })) };
            return match CacheImage::of(found.image) {
                Ok(cache) => Ok(Some(Self::Image { name, found: Some(cache) })),
                Err(error) => {
                    session.log.warn(&format!("`{}` is no cache image and stays as it is: {}", name.familiar(), with_causes(&error)));
                    Ok(None)
                }
            };
        }
        let Some(path) = arguments.given_path(Flag::CacheDir) else { return Ok(None) };
        let folder = session.identity.prepare(&path).or_fail(step)?;
        CacheVolume::open(folder).map(|volume| Some(Self::Folder(volume))).or_fail(step)
    }

    /// What it says that it holds.
    pub(crate) fn metadata(&self) -> CacheMetadata {
        match self {
            Self::Folder(volume) => volume.metadata(),
            Self::Image { found, .. } => found.as_ref().map(CacheImage::metadata).cloned().unwrap_or_default(),
        }
    }

    /// Puts the folder `path` of a layer into the layers folder.
    pub(crate) fn restore(&self, session: &Session<'_>, sha: &str, layers: &Place, path: &Path) -> Result<(), CachedLayerError> {
        let owner = session.identity.heir();
        match self {
            Self::Folder(volume) => volume.restore(sha, layers, path, owner),
            Self::Image { found: Some(cache), .. } => cache.restore(sha, layers, path, owner),
            Self::Image { found: None, .. } => Err(CachedLayerError::Damaged),
        }
    }

    /// Replaces what it held by what this build wants back. Layers that the function's image has, too, are not packed again.
    pub(crate) fn keep(
        &self,
        input: &ExportInput<'_>,
        (images, blobs): (&Images, &FileBlobs),
        function: &Image,
    ) -> Result<CacheMetadata, KeepError> {
        match self {
            Self::Folder(volume) => Ok(save_cache(input, volume)?),
            Self::Image { name, found } => {
                let known = |diff_id: &_| -> Option<Layer> { function.layers().iter().find(|layer| layer.diff_id == *diff_id).cloned() };
                let (image, metadata) = CacheImage::make(input, Blobs { sink: blobs, known: &known }, found.as_ref())?;
                images.put(&image, name)?;
                Ok(metadata)
            }
        }
    }
}
