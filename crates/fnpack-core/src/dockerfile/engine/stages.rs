//! What each stage starts from, and which stages are needed.

use std::collections::BTreeSet;

use super::Plan;
use super::scope::Globals;
use crate::dockerfile::error::{DockerfileError, Place};
use crate::dockerfile::parse::ast::{Copy, Instruction, Stage};
use crate::reference::Reference;
use crate::target::Target;

/// Where the first layers of a stage, or the files of a `COPY --from`, come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// Nothing.
    Scratch,
    /// An earlier stage.
    Stage(usize),
    /// An image.
    Image(Reference),
}

/// A stage with its `FROM` expanded.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) source: Source,
    pub(super) target: Target,
    /// What its `COPY --from` name, in order.
    pub(super) copies: Vec<usize>,
}

/// Expands every `FROM`. Nothing is fetched.
pub(super) fn resolve(plan: &Plan, globals: &Globals) -> Result<Vec<Resolved>, DockerfileError> {
    let stages = &plan.dockerfile.stages;
    stages.iter().enumerate().map(|(index, stage)| resolve_stage(plan, globals, index, stage)).collect()
}

fn resolve_stage(plan: &Plan, globals: &Globals, index: usize, stage: &Stage) -> Result<Resolved, DockerfileError> {
    let place = || Place::new(&plan.file, stage.position.line);
    let expand = |word: &str| {
        let expanded = globals.expand(word, place())?;
        if expanded.text.is_empty() {
            return Err(DockerfileError::EmptyName { place: place(), written: word.to_owned(), unset: expanded.unset });
        }
        Ok(expanded.text)
    };
    let name = expand(&stage.from.image)?;
    let target = match &stage.from.platform {
        None => plan.target.clone(),
        Some(platform) => expand(platform)?.parse().map_err(|source| DockerfileError::Platform { place: place(), source })?,
    };
    let source = source_of(plan, &name, index, place)?;
    let mut copies = Vec::new();
    for step in &stage.steps {
        if let Instruction::Copy(copy) = &step.instruction
            && let Some(Source::Stage(from)) = copy_source(plan, copy, index, &Place::new(&plan.file, step.position.line))?
        {
            copies.push(from);
        }
    }
    Ok(Resolved { source, target, copies })
}

fn source_of(plan: &Plan, name: &str, before: usize, place: impl Fn() -> Place) -> Result<Source, DockerfileError> {
    if name == "scratch" {
        return Ok(Source::Scratch);
    }
    if let Some(index) = named(&plan.dockerfile.stages, name).filter(|index| *index < before) {
        return Ok(Source::Stage(index));
    }
    name.parse().map(Source::Image).map_err(|source| DockerfileError::Reference { place: place(), source })
}

/// What `--from` of a `COPY` in stage `before` names; none without the flag.
pub(super) fn copy_source(plan: &Plan, copy: &Copy, before: usize, place: &Place) -> Result<Option<Source>, DockerfileError> {
    let Some(from) = &copy.from else { return Ok(None) };
    match stage_of(&plan.dockerfile.stages, from) {
        Some(index) if index < before => Ok(Some(Source::Stage(index))),
        Some(_) => Err(DockerfileError::LaterStage { place: place.clone(), stage: from.clone() }),
        None => source_of(plan, from, 0, || place.clone()).map(Some),
    }
}

/// The stage that `--from` means, whether there is one of this number or not; none for an image.
pub(in crate::dockerfile) fn stage_of(stages: &[Stage], from: &str) -> Option<usize> {
    from.parse().ok().or_else(|| named(stages, from))
}

/// The stage of this name. Case makes no difference.
pub(in crate::dockerfile) fn named(stages: &[Stage], name: &str) -> Option<usize> {
    stages.iter().position(|stage| stage.from.name.as_deref().is_some_and(|stage| stage.eq_ignore_ascii_case(name)))
}

/// The stage to build: by name, by number, or the last.
pub(super) fn wanted(plan: &Plan) -> Result<usize, DockerfileError> {
    let stages = &plan.dockerfile.stages;
    let Some(stage) = &plan.stage else { return Ok(stages.len().saturating_sub(1)) };
    let number = || stage.parse::<usize>().ok().filter(|number| *number < stages.len());
    named(stages, stage).or_else(number).ok_or_else(|| DockerfileError::UnknownTarget {
        file: plan.file.clone(),
        stage: stage.clone(),
        stages: stages.iter().filter_map(|stage| stage.from.name.clone()).collect(),
    })
}

/// The stage itself and all that it takes anything from.
pub(super) fn needed(stages: &[Resolved], wanted: usize) -> Vec<usize> {
    let mut needed = BTreeSet::new();
    let mut open = vec![wanted];
    while let Some(index) = open.pop() {
        if let (true, Some(stage)) = (needed.insert(index), stages.get(index)) {
            open.extend(&stage.copies);
            if let Source::Stage(base) = stage.source {
                open.push(base);
            }
        }
    }
    needed.into_iter().collect()
}
