//! The keys by which results of steps are found again.

use crate::digest::Digest;
use crate::image::Image;

/// Part of every key: a change in what steps do must change it.
const VERSION: &str = "fnpack dockerfile 1";

/// Collects what a step's result depends on. Every part is written with its length, so that no two
/// lists of parts read the same.
pub(super) struct Key {
    bytes: Vec<u8>,
}

impl Key {
    /// A key for a step of this kind over an image. Of the image only its files count; what of its
    /// config matters to a step is added by the step.
    pub(super) fn new(kind: &str, parent: &Image) -> Self {
        let mut key = Self { bytes: Vec::new() };
        key.add(VERSION).add(kind).add(parent.target().to_string());
        key.add(parent.chain_id().map(|chain| chain.to_string()).unwrap_or_default());
        key
    }

    pub(super) fn add(&mut self, part: impl AsRef<[u8]>) -> &mut Self {
        let part = part.as_ref();
        self.bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(part);
        self
    }

    /// Several parts of one meaning.
    pub(super) fn add_all<T: AsRef<[u8]>>(&mut self, parts: impl ExactSizeIterator<Item = T>) -> &mut Self {
        self.bytes.extend_from_slice(&(parts.len() as u64).to_le_bytes());
        for part in parts {
            self.add(part);
        }
        self
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}
