//! `fnpack rebase`: another runner under a function image.

use fnpack_core::inspect::Inspection;
use fnpack_core::pipeline::{self, Address, RebaseOptions};
use fnpack_core::rebase::{self, NewBase, Objection};
use fnpack_core::reference::Reference;

use super::Session;
use crate::arguments::RebaseArguments;
use crate::error::{Class, CommandError};

/// Rebases an image where it is.
pub(super) fn run(arguments: &RebaseArguments, session: &Session<'_>) -> Result<(), CommandError> {
    if arguments.publish { in_registry(arguments, session) } else { in_store(arguments, session) }
}

fn in_registry(arguments: &RebaseArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let run_image = match &arguments.run_image {
        None => None,
        Some(Address::Named(name) | Address::Registry(name)) => Some(name),
        Some(place @ (Address::Archive(_) | Address::Engine(_))) => {
            return Err(CommandError::message(Class::Usage, format!("the run image `{place}` is in no registry"))
                .hint(format!("send it to one: `fnpack image copy {place} docker://NAME`")));
        }
    };
    let rebased = pipeline::rebase_in_registry(
        &session.bench,
        &RebaseOptions {
            image: arguments.previous_image.as_ref().unwrap_or(&arguments.name),
            run_image,
            names: names(arguments),
            force: arguments.force,
            dry_run: arguments.dry_run,
        },
    )?;
    session.ui.progress_done();
    for image in &rebased.images {
        overridden(arguments, &image.run_image, &image.overridden, session);
        session.ui.step(&format!("{} layers of the old runner out, {} of `{}` in", image.removed, image.added, image.run_image.familiar()));
    }
    if rebased.left_out > 0 {
        session.ui.warning(&format!("{} entries of the index describe the old images and were left out", rebased.left_out));
    }
    if arguments.load && !arguments.dry_run {
        load_from_registry(names(arguments), session)?;
    }
    for name in names(arguments) {
        session.pinned(name, rebased.digest);
    }
    Ok(())
}

/// The layers of the result never were here: those that the engine lacks come through now.
fn load_from_registry(names: &[Reference], session: &Session<'_>) -> Result<(), CommandError> {
    let Some(name) = names.first() else { return Ok(()) };
    let image = session.bench.look_at(&Address::Registry(name.clone()), &session.bench.target)?;
    let sent = |error| CommandError::from(error).details(["the image is in its registry".to_owned()]);
    session.loaded(&session.bench.load(&image, names).map_err(sent)?);
    Ok(())
}

fn names(arguments: &RebaseArguments) -> &[Reference] {
    if arguments.tags.is_empty() { std::slice::from_ref(&arguments.name) } else { &arguments.tags }
}

fn overridden(arguments: &RebaseArguments, run_image: &Reference, objections: &[Objection], session: &Session<'_>) {
    for objection in objections {
        session.ui.warning(&format!("`{}` may not run on `{}`: {objection}", arguments.name.familiar(), run_image.familiar()));
    }
}

fn in_store(arguments: &RebaseArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let image = session.stored(arguments.previous_image.as_ref().unwrap_or(&arguments.name))?;
    let run_image = match &arguments.run_image {
        Some(address) => session.bench.named(address, &image.target())?,
        None => recorded_run_image(&arguments.name, &Inspection::of(&image))?,
    };
    let base = session.bench.find(&run_image, &image.target())?;
    // Without namespaces nothing can be unpacked; then the labels must do.
    let facts = session.bench.runner_facts(&base).ok();
    let base = NewBase { image: &base, reference: &run_image, facts: facts.as_ref() };
    let rebased = rebase::rebase(&arguments.name, &image, base, arguments.force)?;
    overridden(arguments, &run_image, &rebased.overridden, session);
    session.ui.step(&format!("{} layers of the old runner out, {} of `{}` in", rebased.removed, rebased.added, run_image.familiar()));
    let names = names(arguments);
    if !arguments.dry_run {
        for name in names {
            session.bench.store.put_image(&rebased.image, Some(name))?;
        }
        session.bench.store.publish_index()?;
    }
    if arguments.load && !arguments.dry_run {
        session.load(&rebased.image, names)?;
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
