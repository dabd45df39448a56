//! The keys by which results of steps are found again.

use crate::digest::{ChainId, Digest};

/// Part of every key: a change in what steps do must change it.
const VERSION: &str = "fnpack dockerfile 1";

/// Collects what a step's result depends on. Every part is written with its length, so that no two
/// lists of parts read the same.
pub(super) struct Key {
    bytes: Vec<u8>,
}

impl Key {
    /// A key for a step of this kind.
    pub(super) fn new(kind: &str) -> Self {
        let mut key = Self { bytes: Vec::new() };
        key.add(VERSION).add(kind);
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

/// The files of an image as part of a key.
pub(super) fn name_of_files(chain: Option<ChainId>) -> String {
    chain.map(|chain| chain.to_string()).unwrap_or_default()
}
