//! Rebase: another run image below an application (CNB platform specification, "rebaser").

use fnpack_core::lifecycle::exit::ExitCode;
use fnpack_core::lifecycle::export::Report;
use fnpack_core::lifecycle::label::{LifecycleMetadata, RunImageNames};
use fnpack_core::rebase::{NewBase, RebaseError, rebase as rebase_image};
use fnpack_core::reference::Reference;

use super::export::tell_images;
use super::run_images::{self, Chosen, RunImageError};
use crate::arguments::Flag;
use crate::documents;
use crate::failure::{Failure, OrFail, Step};
use crate::images::Images;
use crate::session::{Names, Session};

const STEP: Step = Step { code: ExitCode::Rebase, action: "rebase" };

/// The rebaser.
pub(super) fn rebase(session: &Session<'_>) -> Result<(), Failure> {
    let names = Names::listed(&session.arguments)?;
    let images = session.images()?;
    let before = images.get(&names.previous).or_fail(STEP)?;
    let metadata = LifecycleMetadata::of(&before.image);
    let chosen = choose(session, &images, &metadata, names.first().registry()).or_fail(STEP)?;
    let name = chosen.name.parse::<Reference>().or_fail(STEP)?;
    let base = NewBase { image: &chosen.found.image, reference: &name, facts: None };
    let rebased = rebase_image(&names.previous.familiar(), &before.image, base, session.arguments.is_on(Flag::Force)).map_err(refused)?;
    for objection in &rebased.overridden {
        session.log.warn(&objection.to_string());
    }
    for name in &names.all {
        images.put(&rebased.image, name).or_fail(STEP)?;
    }
    tell_images(session, rebased.image.digest(), &names);
    let report = Report::of(&rebased.image, names.all.iter().map(ToString::to_string).collect());
    match session.arguments.given_path(Flag::Report) {
        Some(path) => documents::write(&path, &report.encode(), &session.identity).or_fail(STEP),
        None => Ok(()),
    }
}

/// The one that the platform names, else that of the image's own record.
fn choose(session: &Session<'_>, images: &Images, metadata: &LifecycleMetadata, registry: &str) -> Result<Chosen, RunImageError> {
    if session.arguments.given(Flag::RunImage).is_some() {
        return run_images::choose(&session.arguments, images, registry);
    }
    let recorded = &metadata.run_image.names;
    let older = metadata.stack.as_ref().map(|stack| &stack.run_image);
    let names = std::iter::once(recorded).chain(older).find(|names| !names.image.is_empty());
    let Some(RunImageNames { image, mirrors }) = names else { return Err(RunImageError::NotNamed { source_file: "image" }) };
    run_images::first_accessible(images, &run_images::names_of(image, mirrors), registry)
}

/// What speaks against it belongs into the message.
fn refused(error: RebaseError) -> Failure {
    if let RebaseError::Refused { objections, .. } = &error {
        let reasons: Vec<String> = objections.iter().map(ToString::to_string).collect();
        return Failure::new(ExitCode::Rebase, "rebase", format!("{error}: {}; `-force` rebases all the same", reasons.join(", ")));
    }
    Failure::new(ExitCode::Rebase, "rebase", error)
}
