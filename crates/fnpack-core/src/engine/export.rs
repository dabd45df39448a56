//! Bringing an image of an engine: what `docker save` writes (`GET /images/NAME/get`), read where it lies.

use std::io::{self, Read, Write};
use std::path::Path;

use super::connection::{Answer, encoded};
use super::layers::details;
use super::{Engine, EngineError, EngineImage, Kind};
use crate::archive::ImageArchive;
use crate::digest::Digest;
use crate::image::Image;
use crate::target::Target;

/// No image of a function comes near.
const LONGEST: u64 = 256 * 1024 * 1024 * 1024;

/// An image that an engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What to ask the engine for.
    name: String,
    /// The digest of its config, if the engine knows it by that.
    pub config: Option<Digest>,
    /// The digest of its manifest or index, if the engine knows it by that.
    pub manifest: Option<Digest>,
}

impl Engine {
    /// Finds an image.
    pub fn find(&self, image: &EngineImage) -> Result<Found, EngineError> {
        for name in names(image) {
            if let Some(known) = details(&self.connection, &name)? {
                let id = known.digest();
                let (config, manifest) = if self.kind == Kind::Containerd { (None, id) } else { (id, None) };
                return Ok(Found { name, config, manifest });
            }
        }
        Err(EngineError::NoSuchImage { name: image.to_string(), place: self.place().to_owned() })
    }

    /// Brings an image through a file in the folder `scratch`, which may go away before the image does.
    pub fn export(&self, found: &Found, scratch: &Path, target: &Target) -> Result<Image, EngineError> {
        let path = scratch.join("exported.tar");
        self.save(found, &path)?;
        let image = ImageArchive::open(&path, scratch).and_then(|archive| archive.image(None, target));
        let unusable =
            |source| EngineError::NotExported { name: found.name.clone(), place: self.place().to_owned(), source: Box::new(source) };
        let image = image.map_err(unusable)?.image;
        let actual = image.manifest().config.digest;
        match found.config.filter(|expected| *expected != actual) {
            None => Ok(image),
            Some(expected) => Err(EngineError::OtherImage {
                name: found.name.clone(),
                place: self.place().to_owned(),
                expected: expected.to_string(),
                actual: actual.to_string(),
            }),
        }
    }

    fn save(&self, found: &Found, path: &Path) -> Result<(), EngineError> {
        let unwritten = |source| EngineError::Scratch { path: path.to_owned(), source };
        let mut file = fs_err::File::create_new(path).map_err(unwritten)?;
        let mut body = self.connection.get_slowly(&format!("/images/{}/get", encoded(&found.name)))?.into_reader();
        let mut buffer = vec![0; 128 * 1024];
        let mut length = 0;
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Answer::broken(self.place(), error)),
            };
            length += read as u64;
            if length > LONGEST {
                return Err(EngineError::TooLong { name: found.name.clone(), place: self.place().to_owned(), limit: LONGEST });
            }
            file.write_all(buffer.get(..read).unwrap_or_default()).map_err(unwritten)?;
        }
    }
}

/// What to ask for. Podman finds `localhost/app` by `app` alone.
fn names(image: &EngineImage) -> Vec<String> {
    match image {
        EngineImage::Id(id) => vec![id.to_string()],
        EngineImage::Named(reference) => vec![reference.to_string(), reference.familiar()],
    }
}
