//! Which layers of an image an engine has already.
//!
//! Docker's own store knows layers by chain ID and looks there before it opens a layer of a file that it loads: a layer
//! that it has may be empty in the file. Chain IDs are told for whole images only, so images are looked at, those first that
//! are likely to share most.

use super::answers::{Details, Summary};
use super::connection::{Connection, encoded};
use super::{Engine, EngineError, Kind};
use crate::digest::{DiffId, Digest};
use crate::image::Image;
use crate::reference::Reference;

/// Each costs a request of less than a millisecond.
const MOST_IMAGES: usize = 100;

impl Engine {
    /// How many of the image's layers, from the lowest on, need not be sent.
    pub(super) fn present_layers(&self, image: &Image, names: &[Reference]) -> Result<usize, EngineError> {
        if self.kind != Kind::Docker {
            return Ok(0);
        }
        let ours = image.diff_ids();
        let mut most = 0;
        for id in candidates(&self.connection, names)? {
            // It may be gone by now.
            let Some(details) = details(&self.connection, &id)? else { continue };
            most = most.max(common(&ours, &details.diff_ids()));
            if most == ours.len() {
                break;
            }
        }
        Ok(most)
    }
}

/// What the engine knows of an image, by name or Id.
pub(super) fn details(connection: &Connection, name: &str) -> Result<Option<Details>, EngineError> {
    connection.get_if_there(&format!("/images/{}/json", encoded(name)))?.map(super::connection::Answer::json).transpose()
}

/// The Ids of images that may share layers: those that have the name now, then the newest.
fn candidates(connection: &Connection, names: &[Reference]) -> Result<Vec<String>, EngineError> {
    let mut all: Vec<Summary> = connection.get("/images/json")?.json()?;
    all.sort_by_key(|summary| (!summary.is_called(names), std::cmp::Reverse(summary.created)));
    Ok(all.into_iter().take(MOST_IMAGES).map(|summary| summary.id).filter(|id| id.parse::<Digest>().is_ok()).collect())
}

/// How many layers two images have in common, from the lowest on: their chain IDs are the same.
fn common(ours: &[DiffId], theirs: &[DiffId]) -> usize {
    ours.iter().zip(theirs).take_while(|(one, other)| one == other).count()
}
