//! What a build from source is made of: arguments, project.toml and the builder that fits, put together.

use std::path::Path;

use fnpack_core::pipeline::{BuildOptions, BuilderChoice, Destination};
use fnpack_core::reference::Reference;
use fnpack_core::source::Source;
use fnpack_core::store::Scratch;

use super::Session;
use super::default_builder::{self, Chosen, Wanted};
use super::executor::{self, Executor};
use super::variables::{variables, volume};
use super::{host_builder, project};
use crate::arguments::SourceArguments;
use crate::error::{Class, CommandError};

/// Where functions are in images and in builds.
const APP_DIR: &str = "/pulsar/function";

/// By this variable buildpacks are told which of several functions is meant.
const CLASS_NAME: &str = "BP_FUNCTION_CLASS";

/// By this one, that classes of the runner do not belong into the function's jar.
const STRIP_PROVIDED: &str = "BP_STRIP_PROVIDED";

/// The options of a build of `name`, and the folder of what was laid out for it, which must stay until it is over.
pub(super) fn options(
    arguments: &SourceArguments,
    name: Reference,
    session: &Session<'_>,
) -> Result<(BuildOptions, Scratch), CommandError> {
    let path = arguments.path();
    let source = Source::open(&path)?;
    let project = project::read(&path, &arguments.buildpacks, session)?;
    let source = source.selecting(project.selection);
    let env = project.env.into_iter().chain(of_options(arguments)).chain(variables(&arguments.env_files, &arguments.env)?).collect();
    let volumes = arguments.volumes.iter().map(|text| volume(text)).collect::<Result<_, _>>()?;
    let target = arguments.platform.clone().unwrap_or_else(|| session.bench.target.clone());
    let scratch = session.bench.store.scratch()?;
    let run_image = arguments.run_image.as_ref().map(|address| session.bench.named(address, &target)).transpose()?;
    let wanted = Wanted {
        builder: arguments.builder.as_ref().or(project.builder.as_ref()),
        run_image: run_image.as_ref(),
        source: &source,
        target: &target,
    };
    let (builder, run_image) = match (session.executor, &arguments.builder) {
        (Executor::Sandbox, _) => in_sandbox(&wanted, session)?,
        (executor, None) => (outside(executor, &source, scratch.path())?, run_image.clone()),
        (executor, Some(name)) => return Err(no_builder(executor, name)),
    };
    let executor = session.executor.described();
    session.ui.step(&format!("building {} from {} with {}, {executor}", name.familiar(), path.display(), builder.name()));
    let options = BuildOptions {
        name,
        tags: Vec::new(),
        source,
        builder,
        buildpacks: project.buildpacks,
        run_image,
        env,
        volumes,
        network: arguments.network.into(),
        default_process: None,
        previous_image: None,
        app_dir: APP_DIR.into(),
        target,
        created: None,
        clear_cache: arguments.clear_cache,
        destination: Destination::Store,
        cache_image: None,
    };
    Ok((options, scratch))
}

/// What options say to buildpacks.
fn of_options(arguments: &SourceArguments) -> impl Iterator<Item = (String, String)> {
    let class_name = arguments.class_name.iter().map(|class_name| (CLASS_NAME.to_owned(), class_name.clone()));
    class_name.chain(arguments.strip_provided.then(|| (STRIP_PROVIDED.to_owned(), true.to_string())))
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
