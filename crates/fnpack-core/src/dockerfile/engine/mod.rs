//! A parsed Dockerfile into an image.
//!
//! Stages are built in order, those that the wanted stage does not need are not. A step that changes
//! files gets a workspace of its own; its key is made of everything its result depends on, so that the
//! host can give back the layer of an earlier build instead.

mod copy;
mod draft;
mod key;
mod output;
mod run;
mod scope;
mod stage;
pub(super) mod stages;
mod writer;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub use crate::accounts::UserError;
pub use copy::{CopyError, Origin};

use super::context::Context;
use super::error::{DockerfileError, Place};
use super::expand::ExpandError;
use super::host::{Event, Host, StepInfo};
use super::parse::ast::Dockerfile;
use crate::accounts::Owner;
use crate::executor::Network;
use crate::image::Image;
use crate::target::Target;
use scope::Globals;
use stage::StageBuild;
use stages::{Resolved, Source};
pub use writer::WriteError;

/// All that a build depends on beside its host.
#[derive(Debug)]
pub struct Plan {
    /// The file as the user named it, for messages.
    pub file: PathBuf,
    /// The file.
    pub dockerfile: Dockerfile,
    /// Where `COPY` takes files from.
    pub context: Context,
    /// What the image is for.
    pub target: Target,
    /// What the machine that builds is; `BUILDPLATFORM` in the file.
    pub machine: Target,
    /// The stage to build; the last if none.
    pub stage: Option<String>,
    /// Values for `ARG`.
    pub build_args: BTreeMap<String, String>,
    /// Labels for the image beside those of the file.
    pub labels: BTreeMap<String, String>,
    /// Whether to carry out every step, known or not.
    pub no_cache: bool,
    /// What of the network `RUN` sees.
    pub network: Network,
    /// The time of the image and its history, RFC 3339: [`crate::image::CONSTANT_TIME`] or what
    /// `SOURCE_DATE_EPOCH` says.
    pub created: String,
}

/// What all words of a build may be expanded to. Real files come to a few thousand bytes.
const MAXIMUM_EXPANDED: usize = 4 << 20;

/// Builds the image.
pub fn build(plan: &Plan, host: &dyn Host) -> Result<Image, DockerfileError> {
    let globals = Globals::new(plan)?;
    let stages = stages::resolve(plan, &globals)?;
    let wanted = stages::wanted(plan)?;
    let needed = stages::needed(&stages, wanted);
    let total = needed.iter().filter_map(|index| plan.dockerfile.stages.get(*index)).map(|stage| 1 + stage.steps.len()).sum();
    let build = Build { plan, host, globals, built: Vec::new(), number: Cell::new(0), expanded: Cell::new(0), total };
    build.warn();
    build.stages(&stages, &needed, wanted)
}

/// A build in progress.
struct Build<'a> {
    plan: &'a Plan,
    host: &'a dyn Host,
    globals: Globals,
    /// The images of the stages so far; none for those that are not needed.
    built: Vec<Option<Image>>,
    number: Cell<usize>,
    /// The bytes that variables were expanded to so far.
    expanded: Cell<usize>,
    total: usize,
}

impl<'a> Build<'a> {
    fn stages(mut self, stages: &[Resolved], needed: &[usize], wanted: usize) -> Result<Image, DockerfileError> {
        for (index, (resolved, stage)) in stages.iter().zip(&self.plan.dockerfile.stages).enumerate() {
            let image = if needed.contains(&index) {
                let mut build = StageBuild::start(&self, index, stage, resolved)?;
                for step in &stage.steps {
                    build.step(step)?;
                }
                if index == wanted {
                    build.label(&self.plan.labels);
                }
                Some(build.finish())
            } else {
                None
            };
            self.built.push(image);
        }
        // `wanted` is the index of a stage, and is needed by itself.
        let image = self.built.into_iter().nth(wanted).flatten();
        Ok(image.unwrap_or_else(|| Image::empty(&self.plan.target)))
    }

    fn place(&self, line: usize) -> Place {
        Place::new(&self.plan.file, line)
    }

    fn start_step(&self, stage: Option<&'a str>, line: usize, text: &'a str) -> StepInfo<'a> {
        self.number.set(self.number.get() + 1);
        let info = StepInfo { number: self.number.get(), total: self.total, stage, line, text };
        self.host.report(&Event::Started(info));
        info
    }

    /// Values can be put into values, so a short file can ask for more text than there is memory.
    fn count_expanded(&self, bytes: usize) -> Result<(), ExpandError> {
        self.expanded.set(self.expanded.get() + bytes);
        if self.expanded.get() > MAXIMUM_EXPANDED { Err(ExpandError::TooLong) } else { Ok(()) }
    }

    fn remark(&self, line: usize, message: &str) {
        self.host.report(&Event::Warning { line, message });
    }

    /// Says what is wrong with the build as a whole: a misspelled `--build-arg` would be silent
    /// otherwise, and the build go wrong much later.
    fn warn(&self) {
        for warning in &self.plan.dockerfile.warnings {
            self.remark(warning.line, &warning.message);
        }
        for name in self.plan.build_args.keys() {
            if !scope::is_proxy(name) && !scope::declares(&self.plan.dockerfile, name) {
                self.remark(0, &format!("the build argument `{name}` is declared by no `ARG`"));
            }
        }
    }

    /// The image that a source names.
    fn image(&self, source: &Source, target: &Target, place: &Place) -> Result<Image, DockerfileError> {
        let reference = match source {
            Source::Scratch => return Ok(Image::empty(target)),
            // An earlier stage that something takes from is needed, so it is built.
            Source::Stage(index) => return Ok(self.built.get(*index).cloned().flatten().unwrap_or_else(|| Image::empty(target))),
            Source::Image(reference) => reference,
        };
        let fail = |source| DockerfileError::Base {
            place: place.clone(),
            reference: reference.familiar(),
            target: Box::new(target.clone()),
            source,
        };
        self.host.base(reference, target).map_err(fail)
    }
}

#[cfg(test)]
mod tests;
