//! `fnpack rebase`: another runner under a function image.

use fnpack_core::inspect::Inspection;
use fnpack_core::rebase::{self, NewBase};
use fnpack_core::reference::Reference;

use super::Session;
use crate::arguments::RebaseArguments;
use crate::error::{Class, CommandError};

/// Rebases an image of the store.
pub(super) fn run(arguments: &RebaseArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let image = session.stored(&arguments.name)?;
    let run_image = match &arguments.run_image {
        Some(name) => name.clone(),
        None => recorded_run_image(&arguments.name, &Inspection::of(&image))?,
    };
    let base = session.bench.find(&run_image, &image.target())?;
    // Without namespaces nothing can be unpacked; then the labels must do.
    let facts = session.bench.runner_facts(&base).ok();
    let base = NewBase { image: &base, reference: &run_image, facts: facts.as_ref() };
    let rebased = rebase::rebase(&arguments.name, &image, base, arguments.force)?;
    for objection in &rebased.overridden {
        session.ui.warning(&format!("`{}` may not run on `{}`: {objection}", arguments.name.familiar(), run_image.familiar()));
    }
    session.ui.step(&format!("{} layers of the old runner out, {} of `{}` in", rebased.removed, rebased.added, run_image.familiar()));
    let names = if arguments.tags.is_empty() { std::slice::from_ref(&arguments.name) } else { &arguments.tags };
    if !arguments.dry_run {
        for name in names {
            session.bench.store.put_image(&rebased.image, Some(name))?;
        }
        session.bench.store.publish_index()?;
    }
    for name in names {
        session.pinned(name, rebased.image.digest());
    }
    Ok(())
}

fn recorded_run_image(name: &Reference, inspection: &Inspection) -> Result<Reference, CommandError> {
    let recorded = inspection.base.as_ref().and_then(|base| base.image.as_deref()).and_then(|image| image.parse().ok());
    recorded.ok_or_else(|| {
        CommandError::message(Class::Refused, format!("`{}` does not say which run image it was built on", name.familiar()))
            .hint("name the new one with `--run-image`")
    })
}
