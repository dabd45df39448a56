//! The barrier: what is written waits in scratch until it is synced, then gets its name.

use std::path::PathBuf;

use fs_err::File;
use rustix::fs::FlockOperation;

use super::{BLOBS, Inner, Keep, REFERENCES, Result, SOURCES, disk, lock};
use crate::digest::Digest;

/// Up to this many files are synced by themselves; the whole file system may have much to write that is not ours.
const FEW: usize = 16;

/// A name to be given. The order is that of giving: what is named before what names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Blob(Digest),
    Source(Digest),
    Reference(String),
}

impl Stage {
    fn folder(&self) -> &'static str {
        match self {
            Self::Blob(_) => BLOBS,
            Self::Source(_) => SOURCES,
            Self::Reference(_) => REFERENCES,
        }
    }

    fn file_name(&self) -> String {
        match self {
            Self::Blob(digest) | Self::Source(digest) => digest.hex(),
            Self::Reference(name) => name.clone(),
        }
    }
}

impl Inner {
    /// The path under which all processes see it.
    pub(super) fn path_of(&self, stage: &Stage) -> PathBuf {
        self.disk.at(stage.folder()).join(stage.file_name())
    }

    /// Lets a finished file in scratch wait for the barrier.
    pub(super) fn stage_file(&self, stage: Stage, file: PathBuf) {
        // One that is replaced may be in the hands of a barrier, so it stays until the lease ends.
        lock(&self.staged).insert(stage, file);
    }

    pub(super) fn stage_bytes(&self, stage: Stage, bytes: &[u8]) -> Result<()> {
        let path = self.scratch_path()?;
        self.disk.write_new(&path, bytes)?;
        self.stage_file(stage, path);
        Ok(())
    }

    /// Where the bytes are now, staged or named. To be tried in turn: a barrier may pass in between.
    pub(super) fn places_of(&self, stage: &Stage) -> impl Iterator<Item = PathBuf> {
        let staged = lock(&self.staged).get(stage).cloned();
        staged.into_iter().chain([self.path_of(stage)])
    }

    pub(super) fn open_stage(&self, stage: &Stage) -> Result<Option<File>> {
        for path in self.places_of(stage) {
            if let Some(file) = disk::open(&path)? {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    pub(super) fn read_stage(&self, stage: &Stage, limit: u64) -> Result<Option<Vec<u8>>> {
        for path in self.places_of(stage) {
            if let Some(bytes) = disk::read(&path, limit)? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    pub(super) fn is_here(&self, stage: &Stage) -> Result<bool> {
        for path in self.places_of(stage) {
            if disk::exists(&path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Syncs and names all that waits.
    pub(super) fn publish(&self) -> Result<()> {
        let _alone = lock(&self.publishing);
        let staged: Vec<(Stage, PathBuf)> = lock(&self.staged).iter().map(|(stage, path)| (stage.clone(), path.clone())).collect();
        if staged.is_empty() {
            return Ok(());
        }
        self.sync_staged(&staged)?;
        self.protect(staged.iter().filter_map(|(stage, _)| match stage {
            Stage::Blob(digest) => Some(Keep::Blob(*digest)),
            Stage::Source(_) | Stage::Reference(_) => None,
        }))?;
        let _gate = self.gate(FlockOperation::LockShared)?;
        // Blobs named before this barrier count too, so that folder is synced even if it gets nothing now.
        let mut folder = BLOBS;
        for (stage, path) in staged {
            if stage.folder() != folder {
                self.disk.sync_folder(&self.disk.at(folder))?;
                folder = stage.folder();
            }
            self.disk.rename(&path, &self.path_of(&stage))?;
            let mut waiting = lock(&self.staged);
            // Another thread may have staged a newer one under the same name meanwhile.
            if waiting.get(&stage) == Some(&path) {
                waiting.remove(&stage);
            }
        }
        self.disk.sync_folder(&self.disk.at(folder))
    }

    fn sync_staged(&self, staged: &[(Stage, PathBuf)]) -> Result<()> {
        if staged.len() > FEW {
            return self.disk.sync_all();
        }
        // At once, as a journal then writes them together.
        std::thread::scope(|scope| {
            let syncing: Vec<_> = staged.iter().map(|(_, path)| scope.spawn(|| self.disk.sync_file(path))).collect();
            syncing.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }
}
