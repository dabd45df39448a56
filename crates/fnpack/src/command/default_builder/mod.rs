//! The builder that is taken where none is named: that of the source's language. Those that fnpack carries are made
//! when they are missing.

mod language;
mod stack;

use std::path::Path;

use fnpack_artifact::Language;
use fnpack_core::builder::{BuilderDescription, BuilderToml, BuildpackToml, Module};
use fnpack_core::pipeline::{self, BuilderParts, Destination};
use fnpack_core::reference::Reference;
use fnpack_core::root::Root;
use fnpack_core::source::Source;
use fnpack_core::target::Target;

pub(super) use self::language::builder_of as of_source;

use self::language::Found;
use super::Session;
use super::builder::lifecycle;
use crate::embedded::{self, DEFAULT_BUILDERS, DefaultBuilder, EmbeddedBuildpack, EmbeddedStack, FUNCTION_BUILDER};
use crate::error::{Class, CommandError};

/// What is wanted.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// The builder that the user names, on the command line or in project.toml.
    pub(super) builder: Option<&'a Reference>,
    /// The run image that the user names.
    pub(super) run_image: Option<&'a Reference>,
    /// The function.
    pub(super) source: &'a Source,
    /// What it is built for.
    pub(super) target: &'a Target,
}

/// What is taken.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The builder; in the store, if fnpack can make it.
    pub(super) builder: Reference,
    /// The run image; none if the builder's first is meant.
    pub(super) run_image: Option<Reference>,
}

/// The builder and the run image of a build.
pub(super) fn choose(wanted: &Wanted<'_>, session: &Session<'_>) -> Result<Chosen, CommandError> {
    let builder = match wanted.builder {
        Some(named) => match carried(named) {
            Some(builder) => builder,
            None => return Ok(Chosen { builder: named.clone(), run_image: wanted.run_image.cloned() }),
        },
        None => of_source(wanted.source)?,
    };
    let name: Reference = builder.name.parse()?;
    // A runner that the user names stands for the default one, which is not made then: its base may be a large download.
    let runner = if wanted.run_image.is_none() { runner(builder, wanted.source, session) } else { None };
    let description = match session.bench.store.image(&name, wanted.target)? {
        Some(image) => BuilderDescription::of(&image, &name.familiar())?,
        None => make(builder, runner, wanted.target, session)?,
    };
    if let Some(version) = other_maker(&description) {
        session.ui.warning(&format!(
            "{} was made by fnpack {version}; `fnpack image rm {}` lets this fnpack make its own",
            builder.name, builder.name
        ));
    }
    let runner = match runner {
        Some(runner) if names_run_image(&description, runner.name)? => runner,
        _ => return Ok(Chosen { builder: name, run_image: wanted.run_image.cloned() }),
    };
    stack::ensure(&[runner], wanted.target, session)?;
    Ok(Chosen { builder: name, run_image: Some(runner.name.parse()?).filter(|_| builder.run_stacks.len() > 1) })
}

/// The run image of a finished function: the default runner of its language, if it is in the store, else the published
/// image that it is made from. Nothing is built for it.
pub(super) fn run_image(language: Language, target: &Target, session: &Session<'_>) -> Result<Reference, CommandError> {
    let runner = embedded::runner(language);
    let own: Reference = runner.name.parse()?;
    match session.bench.store.image(&own, target)? {
        Some(_) => Ok(own),
        None => stack::base(runner, target, session),
    }
}

/// The builder of this name among those that fnpack carries.
fn carried(name: &Reference) -> Option<&'static DefaultBuilder> {
    let same = |builder: &&DefaultBuilder| builder.name.parse::<Reference>().is_ok_and(|known| known == *name);
    DEFAULT_BUILDERS.iter().chain([&FUNCTION_BUILDER]).find(same)
}

/// The runner of the builder's language; of several, that of the source's.
fn runner(builder: &'static DefaultBuilder, source: &Source, session: &Session<'_>) -> Option<&'static EmbeddedStack> {
    if builder.run_stacks.len() < 2 {
        return builder.run_stacks.first();
    }
    let found = language::found(source);
    if found.len() > 1 {
        session.ui.warning(&format!(
            "`{}` has the files of several languages ({}): the first group of {} that accepts it builds it; `--builder` names one",
            source.path().display(),
            found.iter().map(Found::to_string).collect::<Vec<_>>().join("; "),
            builder.name,
        ));
    }
    found.first().and_then(|found| found.builder.run_stacks.first()).or(builder.run_stacks.first())
}

/// The version of the fnpack that made the builder, if that was another one.
fn other_maker(builder: &BuilderDescription) -> Option<&str> {
    let maker = &builder.metadata.created_by;
    (maker.name == "fnpack" && maker.version != env!("CARGO_PKG_VERSION")).then_some(maker.version.as_str())
}

/// Whether the builder, which may be the user's own under the default's name, uses this run image.
fn names_run_image(builder: &BuilderDescription, runner: &str) -> Result<bool, CommandError> {
    let runner: Reference = runner.parse()?;
    Ok(builder.run_images().iter().any(|entry| entry.image.parse::<Reference>().is_ok_and(|name| name == runner)))
}

/// Makes a builder of what fnpack carries, and the runner that its build will ask for. Says first what it will take.
fn make(
    builder: &DefaultBuilder,
    runner: Option<&EmbeddedStack>,
    target: &Target,
    session: &Session<'_>,
) -> Result<BuilderDescription, CommandError> {
    session.ui.step(&format!("the builder {} for {} is not in the store; making it, once", builder.name, builder.languages));
    let stacks: Vec<&EmbeddedStack> = std::iter::once(&builder.build_stack).chain(runner).collect();
    stack::ensure(&stacks, target, session)?;
    let scratch = session.bench.store.scratch()?;
    let config = BuilderToml::parse("builder.toml", builder.builder_toml, Path::new("/"))?;
    let modules = builder.buildpacks.iter().map(|buildpack| module(buildpack, scratch.path())).collect::<Result<_, _>>()?;
    let parts = BuilderParts {
        config: &config,
        file: "builder.toml",
        modules: Some(modules),
        lifecycle: &lifecycle(),
        version: env!("CARGO_PKG_VERSION"),
        destination: Destination::Store,
    };
    let image = pipeline::create_builder(&session.bench, parts, &builder.name.parse()?, target)?;
    session.ui.progress_done();
    Ok(BuilderDescription::of(&image, builder.name)?)
}

/// An embedded buildpack, written to a folder below `scratch`.
pub(super) fn module(buildpack: &EmbeddedBuildpack, scratch: &Path) -> Result<Module, CommandError> {
    let folder = scratch.join(buildpack.name);
    fs_err::create_dir_all(&folder).map_err(|error| CommandError::new(Class::Machine, error))?;
    let root = Root::open(&folder)?;
    root.write("buildpack.toml", buildpack.toml.as_bytes(), 0o644)?;
    root.create_dir("bin", 0o755)?;
    root.write("bin/build", buildpack.program, 0o755)?;
    root.symlink("build", "bin/detect")?;
    let buildpack = BuildpackToml::read(&root, "")?;
    Ok(Module { buildpack, root, location: "fnpack itself".to_owned() })
}
