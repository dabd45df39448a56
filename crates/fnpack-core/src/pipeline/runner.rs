//! Facts of run images over the store: from labels, else from the files, which are read once an image.

use std::collections::BTreeMap;

use fnpack_artifact::Facts;
use fnpack_sandbox::Overlay;

use super::{PipelineError, Workbench};
use crate::image::{BlobError, Image};
use crate::layers::apply::archive::{Archive, Kind};
use crate::layers::apply::{ApplyError, ApplyOptions, apply};
use crate::layers::decompress::decompress;
use crate::reference::Reference;
use crate::root::Root;
use crate::runner::RunnerFacts;
use crate::store::StoreError;

const RECORDS: &str = "runner-facts";
/// By this label an image says that it is made to build on.
const BASE_ID: &str = "io.buildpacks.base.id";
/// Only build images name the user of builds (CNB platform specification, "Build Image").
const BUILD_USER: &str = "CNB_USER_ID";

/// Why a run image could not be unpacked into scratch.
#[derive(Debug, thiserror::Error)]
enum ScratchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error("cannot uncompress a layer")]
    Compressed(#[from] std::io::Error),
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl Workbench<'_> {
    /// What is known of a run image.
    pub fn runner_facts(&self, image: &Image) -> Result<RunnerFacts, PipelineError> {
        let labelled = RunnerFacts::of_labels(image);
        if labelled.is_complete() {
            return Ok(labelled);
        }
        if self.store.absent_layers(image)?.is_empty() {
            return Ok(labelled.or(self.read_runner(image)?));
        }
        Ok(self.runner_facts_without_mounts(image))
    }

    /// What can be known of a run image without unpacking it: from its labels, or from when it was read before.
    pub(super) fn runner_facts_at_hand(&self, image: &Image) -> RunnerFacts {
        let labelled = RunnerFacts::of_labels(image);
        match self.recorded_runner(image) {
            Some(recorded) if !labelled.is_complete() => labelled.or(recorded),
            _ => labelled,
        }
    }

    /// All that is known of a run image where nothing can be mounted, or of which nothing is to stay here: what is not at
    /// hand is read in scratch, once.
    pub(super) fn runner_facts_without_mounts(&self, image: &Image) -> RunnerFacts {
        if !RunnerFacts::of_labels(image).is_complete()
            && self.recorded_runner(image).is_none()
            && let Err(error) = self.read_runner_in_scratch(image)
        {
            self.report.warning(&format!("the run image's files cannot be read, its labels must do: {error}"));
        }
        self.runner_facts_at_hand(image)
    }

    /// Layer upon layer in one folder: nothing of it is kept, and owners do not count.
    fn read_runner_in_scratch(&self, image: &Image) -> Result<(), ScratchError> {
        let scratch = self.store.scratch()?;
        let root = scratch.root()?;
        let options = ApplyOptions { single_id: true, ..ApplyOptions::default() };
        for layer in image.layers() {
            apply(decompress(layer.blob.open()?)?, &root, &options)?;
        }
        let facts = RunnerFacts::read(&root, image);
        Ok(self.store.remember(RECORDS, &image.digest().hex(), &encode(&facts), &[])?)
    }

    fn recorded_runner(&self, image: &Image) -> Option<RunnerFacts> {
        decode(&self.store.record(RECORDS, &image.digest().hex())?, image)
    }

    /// What its files say, now or when they were last read.
    fn read_runner(&self, image: &Image) -> Result<RunnerFacts, PipelineError> {
        if let Some(facts) = self.recorded_runner(image) {
            return Ok(facts);
        }
        let snapshot = self.unpack(image)?;
        let overlay = Overlay { lowers: snapshot.lowers().to_vec(), upper: None, xattr: self.xattr };
        let facts = RunnerFacts::read(&Root::from_fd(overlay.view()?), image);
        self.store.remember(RECORDS, &image.digest().hex(), &encode(&facts), &[])?;
        Ok(facts)
    }

    /// A run image made here, with labels that say what its files show: no Dockerfile can know what a package manager
    /// will have installed. What only puts a function on a base that says all of itself inherits that, and no file is read.
    /// Other images stay as they are.
    pub(super) fn with_runner_labels(&self, image: Image, base: Option<&Image>) -> Result<Image, PipelineError> {
        if image.label(BASE_ID).is_none() || image.env(BUILD_USER).is_some() || image.layers().is_empty() {
            return Ok(image);
        }
        if let Some(base) = base {
            let facts = RunnerFacts::of_labels(base);
            if facts.is_complete() && leaves_runner_alone(&image, base).unwrap_or(false) {
                return Ok(facts.written_to(&image));
            }
        }
        self.fetch_missing(&image, "the layers of the base")?;
        Ok(self.read_runner(&image)?.written_to(&image))
    }
}

/// Whether what an image adds to its base changes nothing that the base says of itself.
fn leaves_runner_alone(image: &Image, base: &Image) -> Result<bool, ScratchError> {
    if image.env("PATH") != base.env("PATH") {
        return Ok(false);
    }
    for layer in image.layers().iter().skip(base.layers().len()) {
        let mut archive = Archive::new(decompress(layer.blob.open()?)?, ApplyOptions::default().max_entries);
        while let Some(member) = archive.next_member()? {
            let name = String::from_utf8_lossy(&member.path);
            if RunnerFacts::are_told_by(&name, member.kind == Kind::Folder, base.env("PATH")) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

impl RunnerFacts {
    /// Refuses a function that would not run here; `name` is the function's image.
    pub(super) fn require_fit(&self, function: &Facts, name: &Reference, run_image: &Reference) -> Result<(), PipelineError> {
        let misfits = self.fits(function);
        if misfits.is_empty() {
            return Ok(());
        }
        Err(PipelineError::Misfit { function: name.familiar(), run_image: run_image.familiar(), misfits })
    }
}

fn encode(facts: &RunnerFacts) -> Vec<u8> {
    let labels: BTreeMap<&str, String> = facts.labels().into_iter().collect();
    serde_json::to_vec(&labels).unwrap_or_default()
}

/// A record that cannot be read counts as none.
fn decode(record: &[u8], image: &Image) -> Option<RunnerFacts> {
    let labels: BTreeMap<String, String> = serde_json::from_slice(record).ok()?;
    Some(RunnerFacts::parse(image.target(), |key| labels.get(key).map(String::as_str)))
}
