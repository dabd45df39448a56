//! The layers folder of a build: what is restored of the build before, and what the buildpacks make of it.

use std::path::{Path, PathBuf};

use fnpack_sandbox::{Attached, Overlay, Upper};

use super::cache::LayersPlace;
use super::site::Site;
use super::{PipelineError, Workbench, copies};
use crate::root::Root;
use crate::store::Scratch;

/// A build's layers folder.
pub(super) struct LayersFolder {
    folder: PathBuf,
    /// The overlay of what is restored, if it is one: then `folder` has the changes.
    attached: Option<Attached>,
}

impl LayersFolder {
    /// `restored` are the folders of restored layers: below an overlay where there are sandboxes, else copied.
    pub(super) fn open(bench: &Workbench<'_>, site: &Site, restored: Vec<PathBuf>) -> Result<Self, PipelineError> {
        let folder = site.scratch.path().join("layers");
        if restored.is_empty() {
            return Ok(Self { folder, attached: None });
        }
        if site.has_sandboxes() {
            let (work, merged) = (site.scratch.path().join("layers-work"), site.scratch.path().join("layers-merged"));
            fs_err::create_dir(&work)?;
            fs_err::create_dir(&merged)?;
            let overlay = Overlay { lowers: restored, upper: Some(Upper { folder: folder.clone(), work }), xattr: bench.xattr };
            return Ok(Self { folder, attached: Some(overlay.attach(&merged)?) });
        }
        let root = Root::open(&folder)?;
        for layer in restored {
            copies::copy(&Root::open(layer)?, &root, Path::new(""))?;
        }
        Ok(Self { folder, attached: None })
    }

    /// The folder with everything in it.
    pub(super) fn path(&self) -> &Path {
        self.attached.as_ref().map_or(self.folder.as_path(), Attached::path)
    }

    /// The same, not to be left.
    pub(super) fn root(&self) -> Result<Root, PipelineError> {
        Ok(Root::open(self.path())?)
    }

    /// Ends the mount; gives what the build left. `scratch` is the build's.
    pub(super) fn close(self, scratch: &Scratch) -> LayersPlace<'_> {
        let whole = self.attached.is_none();
        drop(self.attached);
        LayersPlace { folder: self.folder, whole, scratch }
    }
}
