//! Bringing an image of an engine as the file of `docker save` (`GET /images/NAME/get`).

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::connection::{Answer, encoded};
use super::layers::details;
use super::{Engine, EngineError, EngineImage, Kind};
use crate::digest::Digest;

/// No image of a function comes near.
const LONGEST: u64 = 256 * 1024 * 1024 * 1024;

/// An image that an engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// What the engine calls it by, in a request.
    name: String,
    /// Its Id: the digest of its config, or of its manifest in containerd's store.
    pub id: Option<Digest>,
    /// Whether the Id is the digest of its config.
    pub by_config: bool,
}

impl Engine {
    /// Finds an image.
    pub fn find(&self, image: &EngineImage) -> Result<Exported, EngineError> {
        for name in names(image) {
            if let Some(known) = details(&self.connection, &name)? {
                return Ok(Exported { name, id: known.digest(), by_config: self.kind != Kind::Containerd });
            }
        }
        Err(EngineError::NoSuchImage { name: image.to_string(), place: self.place().to_owned() })
    }

    /// Writes an image to a new file in the folder `scratch`.
    pub fn export(&self, image: &Exported, scratch: &Path) -> Result<PathBuf, EngineError> {
        let path = scratch.join("exported.tar");
        let unwritten = |source| EngineError::Scratch { path: path.clone(), source };
        let mut file = fs_err::File::create_new(&path).map_err(unwritten)?;
        let mut body = self.connection.get_slowly(&format!("/images/{}/get", encoded(&image.name)))?.into_reader().take(LONGEST + 1);
        let mut buffer = vec![0; 128 * 1024];
        let mut length = 0;
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Answer::broken(self.place(), error)),
            };
            length += read as u64;
            if length > LONGEST {
                return Err(EngineError::TooLong { name: image.name.clone(), place: self.place().to_owned(), limit: LONGEST });
            }
            io::Write::write_all(&mut file, buffer.get(..read).unwrap_or_default()).map_err(unwritten)?;
        }
        Ok(path)
    }
}

/// What to ask for. Podman finds `localhost/app` by `app` alone.
fn names(image: &EngineImage) -> Vec<String> {
    match image {
        EngineImage::Id(id) => vec![id.to_string()],
        EngineImage::Named(reference) => vec![reference.to_string(), reference.familiar()],
    }
}
