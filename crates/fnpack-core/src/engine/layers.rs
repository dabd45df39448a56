//! Which layers of an image an engine has already, so that their files may be empty in the archive that it is sent.
//!
//! Docker's own store looks for a layer by its chain ID before it opens its file, Podman by its diff ID; both check the
//! bytes of a file that they do open, so a layer that is gone by then is missed and not lost. Which layers there are is told
//! for whole images only, so images are looked at, those first that are likely to share most. Over containerd's store every
//! file is read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::answers::{Details, Summary};
use super::connection::{Answer, Connection, encoded};
use super::{Engine, EngineError, Kind};
use crate::digest::DiffId;
use crate::image::Image;
use crate::reference::Reference;

/// Each costs a request of a few milliseconds.
const MOST_IMAGES: usize = 100;

impl Engine {
    /// The layers of the image whose bytes need not be sent.
    pub(super) fn present_layers(&self, image: &Image, names: &[Reference]) -> Result<BTreeSet<DiffId>, EngineError> {
        if self.kind == Kind::Containerd {
            return Ok(BTreeSet::new());
        }
        let ours = image.diff_ids();
        let mut present = BTreeSet::new();
        let (mut lowest, mut anywhere) = (0, BTreeSet::new());
        for id in candidates(&self.connection, names, &image.config().config.labels)? {
            // It may be gone by now.
            let Some(details) = details(&self.connection, &id)? else { continue };
            let theirs = details.diff_ids();
            lowest = lowest.max(common(&ours, &theirs));
            anywhere.extend(theirs);
            present = if self.kind == Kind::Docker { of_chain(&ours, lowest) } else { of_any(&ours, &anywhere) };
            if ours.iter().all(|id| present.contains(id)) {
                break;
            }
        }
        Ok(present)
    }
}

/// What the engine knows of an image, by name or Id.
pub(super) fn details(connection: &Connection, name: &str) -> Result<Option<Details>, EngineError> {
    connection.get_if_there(&format!("/images/{}/json", encoded(name)))?.map(Answer::json).transpose()
}

/// The Ids of images that may share layers: those that have one of the names now, then those that inherited the same labels, then
/// the newest.
fn candidates(connection: &Connection, names: &[Reference], labels: &BTreeMap<String, String>) -> Result<Vec<String>, EngineError> {
    let mut all: Vec<Summary> = connection.get("/images/json")?.json()?;
    all.sort_by_cached_key(|summary| (!summary.is_called(names), Reverse(summary.shared_labels(labels)), Reverse(summary.created)));
    Ok(all.into_iter().take(MOST_IMAGES).map(|summary| summary.id).collect())
}

/// How many layers two images have in common, from the lowest on: their chain IDs are the same.
fn common(ours: &[DiffId], theirs: &[DiffId]) -> usize {
    ours.iter().zip(theirs).take_while(|(one, other)| one == other).count()
}

/// Of the lowest layers those that are not needed a second time above them.
fn of_chain(ours: &[DiffId], lowest: usize) -> BTreeSet<DiffId> {
    let (present, needed) = ours.split_at(lowest.min(ours.len()));
    present.iter().filter(|id| !needed.contains(id)).copied().collect()
}

fn of_any(ours: &[DiffId], theirs: &BTreeSet<DiffId>) -> BTreeSet<DiffId> {
    ours.iter().filter(|id| theirs.contains(id)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_of_a_chain_is_left_out_only_where_all_its_places_are_there() {
        let ids = ["a", "b", "a", "c"].map(DiffId::of);
        for (lowest, expected) in [(0, ""), (1, ""), (2, "b"), (3, "ab"), (4, "abc"), (9, "abc")] {
            let expected: BTreeSet<DiffId> = expected.chars().map(|name| DiffId::of(name.to_string())).collect();
            assert_eq!(of_chain(&ids, lowest), expected, "{lowest}");
        }
    }
}
