//! `fnpack build`: function source to a function image.

use fnpack_core::image::Image;
use fnpack_core::pipeline::{self, BuildOptions, Made, with_causes};
use fnpack_core::reference::Reference;
use serde::Serialize;

use super::{Session, destination};
use super::{artifact, source};
use crate::arguments::BuildArguments;
use crate::error::{Class, CommandError};

/// Builds and prints the image's name with its digest.
pub(super) fn run(arguments: &BuildArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let names: Vec<Reference> = names(arguments).cloned().collect();
    if arguments.publish {
        session.bench.prove_push(&names.iter().collect::<Vec<_>>())?;
    }
    let created = arguments.creation_time.as_deref().map(creation_time).transpose()?;
    let made = if artifact::is_named(arguments) {
        artifact::build(arguments, created, session)?
    } else {
        let (options, _folders) = source::options(&arguments.from, arguments.name.clone(), session)?;
        let options = BuildOptions {
            tags: arguments.tags.clone(),
            default_process: arguments.default_process.clone(),
            previous_image: arguments.previous_image.clone(),
            app_dir: arguments.workspace.clone(),
            created,
            destination: destination(arguments.publish),
            cache_image: arguments.cache_image.clone(),
            ..options
        };
        pipeline::build(&session.bench, &options)?
    };
    session.ui.progress_done();
    session.deliver(&made.image, &names, arguments.publish, arguments.load)?;
    if let (Some(name), Some(cache)) = (&arguments.cache_image, &made.cache_image) {
        keep_cache(cache, name, &made.image, arguments, session);
    }
    report(&made, arguments, session)
}

/// The image is there: a cache that cannot be sent makes the next build slower, no more.
fn keep_cache(cache: &Image, name: &Reference, function: &Image, arguments: &BuildArguments, session: &Session<'_>) {
    session.ui.step(&format!("keeping what was cached in {}", name.familiar()));
    let sent = arguments.publish.then_some((function, &arguments.name));
    match session.bench.publish_cache(cache, name, sent) {
        Ok(pushed) => session.pushed(&pushed),
        Err(error) => session.ui.warning(&format!("the cache image `{}` is not kept: {}", name.familiar(), with_causes(&error))),
    }
}

fn report(made: &Made, arguments: &BuildArguments, session: &Session<'_>) -> Result<(), CommandError> {
    session.ui.step(&format!("{} layers reused, {} made", made.reused, made.added));
    for finding in &made.findings {
        session.ui.warning(&finding.to_string());
    }
    let machine = |error| CommandError::new(Class::Machine, error);
    if let Some(file) = &arguments.digest_file {
        fs_err::write(file, made.image.digest().to_string()).map_err(machine)?;
    }
    if let Some(file) = &arguments.timings_file {
        let timings = Phases { detect_seconds: made.timings.detect.as_secs_f64(), build_seconds: made.timings.build.as_secs_f64() };
        fs_err::write(file, serde_json::to_vec(&timings).unwrap_or_default()).map_err(machine)?;
    }
    for name in names(arguments) {
        session.pinned(name, made.image.digest());
    }
    Ok(())
}

fn names(arguments: &BuildArguments) -> impl Iterator<Item = &Reference> {
    std::iter::once(&arguments.name).chain(&arguments.tags)
}

/// What the buildpacks took of the time.
#[derive(Serialize)]
struct Phases {
    detect_seconds: f64,
    build_seconds: f64,
}

/// `now` or seconds since 1970.
fn creation_time(text: &str) -> Result<i64, CommandError> {
    if text == "now" {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        return Ok(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    }
    text.parse()
        .map_err(|_| CommandError::message(Class::Usage, format!("`{text}` is not a time")).hint("write seconds since 1970, or `now`"))
}
