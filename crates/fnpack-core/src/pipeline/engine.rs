//! Images in the container engine of this machine: into it, out of it, and what of them the store has already.

use std::sync::OnceLock;

use super::{CopyError, FindError, Workbench};
use crate::archive::ImageArchive;
use crate::digest::Digest;
use crate::engine::{Engine, EngineError, EngineImage, EngineSettings, Exported, Loaded};
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
    pub fn engine(&self) -> Result<&Engine, EngineError> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine);
        }
        let engine = Engine::connect(&self.settings)?;
        Ok(self.engine.get_or_init(|| engine))
    }
}

impl Workbench<'_> {
    /// Gives the engine an image under each of its names; only what the engine lacks is sent.
    pub fn load(&self, image: &Image, names: &[Reference]) -> Result<Loaded, CopyError> {
        let progress = |done, total| self.report.progress("layers", done, Some(total));
        let loaded = self.engine.engine().and_then(|engine| engine.load(image, names, &progress));
        loaded.map_err(|source| CopyError::Engine(Box::new(source)))
    }

    /// An image of the engine: what the store has of it, else an export of the whole of it.
    pub(super) fn in_engine(&self, name: &EngineImage, target: &Target) -> Result<Image, FindError> {
        let engine = self.engine.engine()?;
        let known = engine.find(name)?;
        match self.stored_by_id(&known, target)? {
            Some(image) => Ok(image),
            None => self.exported(engine, name, &known, target),
        }
    }

    /// The same with its layers in the store.
    pub(super) fn bring_from_engine(&self, name: &EngineImage, target: &Target) -> Result<Image, FindError> {
        let image = self.in_engine(name, target)?;
        let digest = self.store.put_image(&image, None)?;
        self.store.remember(KIND, &image.manifest().config.digest.hex(), digest.to_string().as_bytes(), &[Keep::Image(digest)])?;
        Ok(self.store.image_by_digest(&digest, target)?.unwrap_or(image))
    }

    fn exported(&self, engine: &Engine, name: &EngineImage, known: &Exported, target: &Target) -> Result<Image, FindError> {
        let scratch = self.store.scratch()?;
        self.report.step(&format!("getting {name} from the engine at {}", engine.place()));
        let path = engine.export(known, scratch.path())?;
        let unusable = |source| FindError::NotExported { name: name.to_string(), place: engine.place().to_owned(), source };
        // The file loses its name with the scratch folder, and lasts as long as somebody reads it.
        let image = ImageArchive::open(&path, scratch.path()).and_then(|archive| archive.image(None, target)).map_err(unusable)?.image;
        let actual = image.manifest().config.digest;
        match known.id.filter(|id| known.by_config && *id != actual) {
            None => Ok(image),
            Some(expected) => Err(EngineError::OtherImage {
                name: name.to_string(),
                place: engine.place().to_owned(),
                expected: expected.to_string(),
                actual: actual.to_string(),
            }
            .into()),
        }
    }

    /// The image of the store that an engine has under this Id, if all its layers are here.
    fn stored_by_id(&self, known: &Exported, target: &Target) -> Result<Option<Image>, StoreError> {
        let Some(id) = known.id else { return Ok(None) };
        let image = if known.by_config { self.stored_by_config(id, target)? } else { self.store.image_by_digest(&id, target)? };
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
