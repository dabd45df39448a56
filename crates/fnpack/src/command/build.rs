//! `fnpack build`: function source to a function image.

use std::path::Path;

use fnpack_core::pipeline::{self, BuildOptions, BuilderChoice, Made};
use fnpack_core::reference::Reference;
use fnpack_core::source::Source;
use serde::Serialize;

use super::Session;
use super::default_builder::{self, Chosen, Wanted};
use super::executor::{self, Executor};
use super::variables::{variables, volume};
use super::{host_builder, project};
use crate::arguments::BuildArguments;
use crate::error::{Class, CommandError};

/// Builds and prints the image's name with its digest.
pub(super) fn run(arguments: &BuildArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let path = arguments.source.clone().or_else(|| arguments.path.clone()).unwrap_or_else(|| ".".into());
    let source = Source::open(&path)?;
    let project = project::read(&path, &arguments.buildpacks, session)?;
    let source = source.selecting(project.selection);
    let env = project.env.into_iter().chain(variables(&arguments.env_files, &arguments.env)?).collect();
    let volumes = arguments.volumes.iter().map(|text| volume(text)).collect::<Result<_, _>>()?;
    let created = arguments.creation_time.as_deref().map(creation_time).transpose()?;
    let target = arguments.platform.clone().unwrap_or_else(|| session.bench.target.clone());
    // Buildpacks that are laid out for this build go with it.
    let scratch = session.bench.store.scratch()?;
    let wanted = Wanted {
        builder: arguments.builder.as_ref().or(project.builder.as_ref()),
        run_image: arguments.run_image.as_ref(),
        source: &source,
        target: &target,
    };
    let (builder, run_image) = match (session.executor, &arguments.builder) {
        (Executor::Sandbox, _) => in_sandbox(&wanted, session)?,
        (executor, None) => (outside(executor, &source, scratch.path())?, arguments.run_image.clone()),
        (executor, Some(name)) => return Err(no_builder(executor, name)),
    };
    let (name, executor) = (arguments.name.familiar(), session.executor.described());
    session.ui.step(&format!("building {name} from {} with {}, {executor}", path.display(), builder.name()));
    let options = BuildOptions {
        name: arguments.name.clone(),
        tags: arguments.tags.clone(),
        source,
        builder,
        buildpacks: project.buildpacks,
        run_image,
        env,
        volumes,
        network: arguments.network.into(),
        default_process: arguments.default_process.clone(),
        previous_image: arguments.previous_image.clone(),
        app_dir: arguments.workspace.clone(),
        target,
        created,
        clear_cache: arguments.clear_cache,
    };
    let made = pipeline::build(&session.bench, &options)?;
    session.ui.progress_done();
    report(&made, arguments, session)
}

fn in_sandbox(wanted: &Wanted<'_>, session: &Session<'_>) -> Result<(BuilderChoice, Option<Reference>), CommandError> {
    let Chosen { builder, run_image } = default_builder::choose(wanted, session)?;
    Ok((builder.into(), run_image))
}

/// The builder of an executor that has none as an image; `scratch` is where one may be laid out.
fn outside(executor: Executor, source: &Source, scratch: &Path) -> Result<BuilderChoice, CommandError> {
    match executor {
        Executor::Host => host_builder::lay_out(source, scratch).map(BuilderChoice::Folder),
        Executor::Here | Executor::Sandbox => Ok(BuilderChoice::Folder(executor::container())),
    }
}

fn no_builder(executor: Executor, name: &Reference) -> CommandError {
    let reason = match executor {
        Executor::Host => "with the executor `host` there is no builder, only fnpack's own buildpacks",
        Executor::Here | Executor::Sandbox => "with the executor `here` this container is the builder",
    };
    CommandError::message(Class::Usage, format!("the builder `{}` cannot be used: {reason}", name.familiar()))
        .hint("leave out `--builder`, or build with `--executor sandbox`")
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
