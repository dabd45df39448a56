//! `fnpack rebase`: another runner under a function image.

use fnpack_core::digest::Digest;
use fnpack_core::image::Image;
use fnpack_core::inspect::Inspection;
use fnpack_core::pipeline::{self, Address, Destination, RebaseOptions};
use fnpack_core::rebase::{self, NewBase, Objection};
use fnpack_core::reference::Reference;

use super::Session;
use crate::arguments::RebaseArguments;
use crate::error::{Class, CommandError};

/// Rebases an image where it is, or from one place to others.
pub(super) fn run(arguments: &RebaseArguments, session: &Session<'_>) -> Result<(), CommandError> {
    if arguments.publish { in_registry(arguments, session) } else { here(arguments, session) }
}

fn in_registry(arguments: &RebaseArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let image = in_a_registry(&arguments.name, "image")?;
    let run_image = arguments.run_image.as_ref().map(|address| in_a_registry(address, "run image")).transpose()?;
    let tags = arguments.tags.iter().map(|tag| in_a_registry(tag, "result").cloned()).collect::<Result<Vec<_>, _>>()?;
    let names = if tags.is_empty() { std::slice::from_ref(image) } else { &tags };
    let rebased = pipeline::rebase_in_registry(
        &session.bench,
        &RebaseOptions {
            image: arguments.previous_image.as_ref().unwrap_or(image),
            run_image,
            names,
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
        load_from_registry(names, session)?;
    }
    for name in names {
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

/// With `--publish` nothing comes through here, so all of it has to be in registries.
fn in_a_registry<'a>(address: &'a Address, what: &str) -> Result<&'a Reference, CommandError> {
    address.reference().ok_or_else(|| {
        CommandError::message(Class::Usage, format!("the {what} `{address}` is in no registry"))
            .hint(format!("send it to one: `fnpack image copy {address} docker://NAME`; or leave out `--publish`"))
    })
}

fn overridden(arguments: &RebaseArguments, run_image: &Reference, objections: &[Objection], session: &Session<'_>) {
    for objection in objections {
        session.ui.warning(&format!("`{}` may not run on `{}`: {objection}", arguments.name, run_image.familiar()));
    }
}

fn here(arguments: &RebaseArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let places = places(arguments)?;
    let image = source(arguments, session)?;
    let run_image = match &arguments.run_image {
        Some(address) => session.bench.named(address, &image.target())?,
        None => recorded_run_image(&arguments.name, &Inspection::of(&image))?,
    };
    let base = session.bench.find(&run_image, &image.target())?;
    // Without namespaces nothing can be unpacked; then the labels must do.
    let facts = session.bench.runner_facts(&base).ok();
    let base = NewBase { image: &base, reference: &run_image, facts: facts.as_ref() };
    let rebased = rebase::rebase(&arguments.name.to_string(), &image, base, arguments.force)?;
    overridden(arguments, &run_image, &rebased.overridden, session);
    session.ui.step(&format!("{} layers of the old runner out, {} of `{}` in", rebased.removed, rebased.added, run_image.familiar()));
    if !arguments.dry_run {
        deliver(&rebased.image, places, session)?;
        if arguments.load {
            load(&rebased.image, places, session)?;
        }
    }
    for place in places {
        tell(place, rebased.image.digest(), session);
    }
    Ok(())
}

/// Where the result goes. Only a name in the store is changed in place: a file may hold other images, and a registry is changed
/// by `--publish`.
fn places(arguments: &RebaseArguments) -> Result<&[Address], CommandError> {
    match (&arguments.name, arguments.tags.as_slice()) {
        (Address::Named(_), []) => Ok(std::slice::from_ref(&arguments.name)),
        (name, []) => Err(CommandError::message(Class::Usage, format!("the result of `{name}` needs a name or a place"))
            .hint("give it one with `-t`: a name in the store, `oci:DIR:REF`, `oci-archive:FILE`, `docker-archive:FILE:NAME`")),
        (_, tags) => Ok(tags),
    }
}

fn source(arguments: &RebaseArguments, session: &Session<'_>) -> Result<Image, CommandError> {
    match (&arguments.previous_image, &arguments.name) {
        // What the old runner had is not needed, so nothing is fetched yet.
        (Some(name), _) | (None, Address::Named(name)) => {
            Ok(session.bench.find_base(name, &session.bench.target, Destination::Registry)?)
        }
        (None, address) => Ok(session.bench.bring(address, &session.bench.target)?),
    }
}

/// Names in the store are given behind one barrier.
fn deliver(image: &Image, places: &[Address], session: &Session<'_>) -> Result<(), CommandError> {
    session.bench.complete(image, "the function", Destination::Store)?;
    let (named, others): (Vec<&Address>, Vec<&Address>) = places.iter().partition(|place| matches!(place, Address::Named(_)));
    session.bench.put(image, named.iter().filter_map(|place| place.reference()))?;
    for place in others {
        pipeline::deliver(&session.bench, image, place)?;
    }
    session.ui.progress_done();
    Ok(())
}

/// Only names in the store mean the same in an engine.
fn load(image: &Image, places: &[Address], session: &Session<'_>) -> Result<(), CommandError> {
    let names: Vec<Reference> =
        places.iter().filter(|place| matches!(place, Address::Named(_))).filter_map(Address::reference).cloned().collect();
    if names.is_empty() {
        return Err(CommandError::message(Class::Usage, "an engine knows images by names, and the result has none")
            .hint("give it one with `-t NAME`, or with `-t docker-daemon:NAME` in the engine alone"));
    }
    session.load(image, &names)
}

fn tell(place: &Address, digest: Digest, session: &Session<'_>) {
    match place {
        Address::Named(name) | Address::Registry(name) => session.pinned(name, digest),
        Address::Archive(_) | Address::Engine(_) => session.ui.result(&place.to_string()),
    }
}

fn recorded_run_image(name: &Address, inspection: &Inspection) -> Result<Reference, CommandError> {
    let recorded = inspection.base.as_ref().and_then(|base| base.image.as_deref()).and_then(|image| image.parse().ok());
    recorded.ok_or_else(|| {
        CommandError::message(Class::Refused, format!("`{name}` does not say which run image it was built on"))
            .hint("name the new one with `--run-image`")
    })
}
