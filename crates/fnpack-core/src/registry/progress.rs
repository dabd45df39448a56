//! How a transfer goes, for whoever shows it.

use std::time::Duration;

use super::error::RegistryError;
use crate::digest::Digest;

/// A step in the life of one blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The registry has it already.
    Present,
    /// The registry took it over from another of its repositories.
    Mounted,
    /// So many bytes will pass; said again when a transfer starts anew.
    Started(u64),
    /// So many bytes more have passed.
    Moved(u64),
    /// All have passed and are right.
    Done,
}

/// Is told of steps, from any thread.
pub trait Progress: Send + Sync {
    /// A blob took a step.
    fn blob(&self, digest: &Digest, step: Step);

    /// A request failed and is tried again after a while.
    fn waiting(&self, reason: &RegistryError, delay: Duration);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn blob(&self, _digest: &Digest, _step: Step) {}

    fn waiting(&self, _reason: &RegistryError, _delay: Duration) {}
}
