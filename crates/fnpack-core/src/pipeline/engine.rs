//! Images in the container engine of this machine: into it, out of it, and what of them the store has already.

use std::sync::OnceLock;

use super::{Address, CopyError, FindError, Workbench};
use crate::digest::Digest;
use crate::engine::{Engine, EngineError, EngineImage, EngineSettings, Found, Loaded};
use crate::image::{BlobSink, Image};
use crate::reference::Reference;
use crate::store::{Keep, StoreError};
use crate::target::Target;

/// Records of images by the Id that an engine has for them.
const KIND: &str = "engine-image";

/// An engine that nobody has asked yet: it is looked for when somebody does.
#[derive(Debug, Default)]
pub struct EngineAccess {
    settings: EngineSettings,
    engine: OnceLock<Engine>,
}

impl EngineAccess {
    /// One in the places that the settings name.
    pub fn new(settings: EngineSettings) -> Self {
        Self { settings, engine: OnceLock::new() }
    }

    /// The engine, found now if it was not before.
    pub fn engine(&self) -> Result<&Engine, Box<EngineError>> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine);
        }
        let engine = Engine::connect(&self.settings).map_err(Box::new)?;
        Ok(self.engine.get_or_init(|| engine))
    }
}

impl Workbench<'_> {
    /// Gives the engine an image under each of its names; only what the engine lacks is sent.
    pub fn load(&self, image: &Image, names: &[Reference]) -> Result<Loaded, CopyError> {
        let progress = |done, total| self.report.progress("layers", done, Some(total));
        Ok(self.engine.engine()?.load(image, names, &progress).map_err(Box::new)?)
    }

    /// Gives an image to the engine under the name that an address says.
    pub(super) fn load_as(&self, image: &Image, name: &EngineImage) -> Result<Loaded, CopyError> {
        match name {
            EngineImage::Named(name) if name.digest().is_none() => self.load(image, std::slice::from_ref(name)),
            _ => Err(CopyError::NoNameInEngine { address: Address::Engine(name.clone()).to_string() }),
        }
    }

    /// An image of the engine: what the store has of it, else an export of the whole of it.
    pub(super) fn in_engine(&self, name: &EngineImage, target: &Target) -> Result<Image, FindError> {
        let engine = self.engine.engine()?;
        let found = engine.find(name).map_err(Box::new)?;
        if let Some(image) = self.stored_as(&found, target)? {
            return Ok(image);
        }
        self.report.step(&format!("getting {name} from the engine at {}", engine.place()));
        let scratch = self.store.scratch()?;
        Ok(engine.export(&found, scratch.path(), target).map_err(Box::new)?)
    }

    /// The same with its layers in the store.
    pub(super) fn bring_from_engine(&self, name: &EngineImage, target: &Target) -> Result<Image, FindError> {
        let image = self.in_engine(name, target)?;
        let digest = self.store.put_image(&image, None)?;
        self.store.remember(KIND, &image.manifest().config.digest.hex(), digest.to_string().as_bytes(), &[Keep::Image(digest)])?;
        Ok(self.store.image_by_digest(&digest, target)?.unwrap_or(image))
    }

    /// The image of the store that an engine has found, if all its layers are here.
    fn stored_as(&self, found: &Found, target: &Target) -> Result<Option<Image>, StoreError> {
        let image = match (found.config, found.manifest) {
            (Some(config), _) => self.stored_by_config(config, target)?,
            (None, Some(manifest)) => self.store.image_by_digest(&manifest, target)?,
            (None, None) => None,
        };
        let whole = |image: &Image| image.layers().iter().all(|layer| self.store.existing(&layer.descriptor.digest).is_some());
        Ok(image.filter(whole))
    }

    fn stored_by_config(&self, config: Digest, target: &Target) -> Result<Option<Image>, StoreError> {
        let recorded = self.store.record(KIND, &config.hex()).and_then(|value| String::from_utf8(value).ok()?.parse().ok());
        let named = self.store.references()?.into_iter().filter(|stored| stored.target.is_some()).map(|stored| stored.digest);
        for digest in recorded.into_iter().chain(named) {
            // What cannot be read is not what is looked for.
            let image = self.store.image_by_digest(&digest, target).ok().flatten();
            if let Some(image) = image.filter(|image| image.manifest().config.digest == config) {
                return Ok(Some(image));
            }
        }
        Ok(None)
    }
}
