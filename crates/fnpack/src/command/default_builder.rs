//! The builder that is taken where none is named: that of the source's language, made if it is missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fnpack_core::builder::{BuilderToml, BuildpackToml, Module};
use fnpack_core::dockerfile::{Context, Plan, parse};
use fnpack_core::executor::Network;
use fnpack_core::image::CONSTANT_TIME;
use fnpack_core::pipeline::{self, BuilderParts};
use fnpack_core::reference::Reference;
use fnpack_core::root::Root;
use fnpack_core::source::Source;
use fnpack_core::target::Target;

use super::Session;
use super::builder::lifecycle;
use crate::embedded::{DEFAULT_BUILDERS, DefaultBuilder, EmbeddedStack};
use crate::error::{Class, CommandError};

/// The base that the embedded stack Dockerfiles name.
const BASE: &str = "debian:trixie-slim";

/// The default builder for this source, in the store for sure.
pub(super) fn ensure(source: &Source, target: &Target, session: &Session<'_>) -> Result<Reference, CommandError> {
    let builder = choose(source)?;
    let name: Reference = builder.name.parse()?;
    if session.bench.store.image(&name, target)?.is_none() {
        make(builder, &name, target, session)?;
    }
    Ok(name)
}

/// By the files that the source has; the buildpack itself decides whether it is a function.
pub(super) fn choose(source: &Source) -> Result<&'static DefaultBuilder, CommandError> {
    let found = DEFAULT_BUILDERS.iter().find(|builder| source.has_file(builder.marker));
    found.ok_or_else(|| {
        let looked = DEFAULT_BUILDERS
            .iter()
            .map(|builder| format!("{}: looked for {}: not found{}", builder.language, builder.marker, near(source, builder)));
        CommandError::message(Class::YourCode, format!("no buildpack accepted `{}`", source.path().display()))
            .details(looked)
            .hint("name the folder that has the function's source, or a builder with `--builder`")
    })
}

/// A file whose name is almost the one looked for.
fn near(source: &Source, builder: &DefaultBuilder) -> String {
    let names = source.root().read_dir("").unwrap_or_default().into_iter().filter_map(|entry| entry.name.into_string().ok());
    let near = names.filter(|name| strsim::jaro_winkler(&name.to_lowercase(), builder.marker) > 0.85).max();
    near.map(|name| format!(" (found {name})")).unwrap_or_default()
}

/// Makes stack and builder from what fnpack carries. Says first what it will take.
fn make(builder: &DefaultBuilder, name: &Reference, target: &Target, session: &Session<'_>) -> Result<(), CommandError> {
    let stacks = [&builder.build_stack, &builder.run_stack];
    let missing: Vec<&EmbeddedStack> = stacks.into_iter().filter(|stack| !is_stored(stack.name, target, session)).collect();
    session.ui.step(&format!("the builder {} for {} is not in the store; making it, once", builder.name, builder.language));
    if !missing.is_empty() {
        require_base(target, session)?;
        session.ui.step(&format!("  to be fetched: {}", builder.fetches));
        require_sandbox()?;
    }
    for stack in missing {
        session.ui.step(&format!("  {} from {}", stack.name, stack.file));
        build_stack(stack, target, session)?;
    }
    let scratch = session.bench.store.scratch()?;
    let config = BuilderToml::parse("builder.toml", builder.builder_toml, Path::new("/"))?;
    let parts = BuilderParts {
        config: &config,
        file: "builder.toml",
        modules: Some(vec![module(builder, scratch.path())?]),
        lifecycle: &lifecycle(),
        version: env!("CARGO_PKG_VERSION"),
    };
    pipeline::create_builder(&session.bench, parts, name, target)?;
    session.ui.progress_done();
    Ok(())
}

fn is_stored(name: &str, target: &Target, session: &Session<'_>) -> bool {
    let reference = name.parse::<Reference>().ok();
    reference.is_some_and(|reference| session.bench.store.image(&reference, target).is_ok_and(|image| image.is_some()))
}

/// Without the base nothing can be made: that is said before any work, with the ways on.
fn require_base(target: &Target, session: &Session<'_>) -> Result<(), CommandError> {
    if is_stored(BASE, target, session) {
        return Ok(());
    }
    session.ui.step(&format!("  to be fetched: {BASE} (about 30 MB) from Docker Hub"));
    let reference: Reference = BASE.parse()?;
    match session.bench.pull(&reference, target) {
        Ok(_) => Ok(()),
        Err(error) => Err(CommandError::from(error).hint(format!(
            "make the base where packages are in reach and import it: `mmdebstrap --variant=minbase --include=ca-certificates trixie rootfs.tar && fnpack image import rootfs.tar {BASE}`; \
             or load a builder made elsewhere with `fnpack image load`"
        ))),
    }
}

/// Stacks need isolated RUN steps; where there are none, that is said before anything is fetched.
fn require_sandbox() -> Result<(), CommandError> {
    let facts = fnpack_sandbox::probe(Path::new("/proc/self/exe"));
    match super::doctor::obstacle(&facts) {
        None => Ok(()),
        Some(fact) => Err(CommandError::message(Class::Machine, format!("the stack cannot be built here: {}", fact.name))
            .hint(format!("{}; or load a builder made elsewhere with `fnpack image load`", fact.remedy))),
    }
}

fn build_stack(stack: &EmbeddedStack, target: &Target, session: &Session<'_>) -> Result<(), CommandError> {
    let file = PathBuf::from(stack.file);
    let dockerfile = parse::parse(stack.dockerfile).map_err(|error| error.in_file(&file))?;
    let scratch = session.bench.store.scratch()?;
    let plan = Plan {
        file,
        dockerfile,
        context: Context::open(scratch.path(), None)?,
        target: target.clone(),
        machine: session.bench.target.clone(),
        stage: None,
        build_args: BTreeMap::new(),
        labels: BTreeMap::new(),
        no_cache: false,
        network: Network::Host,
        created: CONSTANT_TIME.to_owned(),
    };
    pipeline::build_dockerfile(&session.bench, &plan, &[stack.name.parse()?])?;
    Ok(())
}

/// The embedded buildpack, written where the builder's maker can read it.
pub(super) fn module(builder: &DefaultBuilder, scratch: &Path) -> Result<Module, CommandError> {
    let folder = scratch.join("buildpack");
    fs_err::create_dir_all(&folder).map_err(|error| CommandError::new(Class::Machine, error))?;
    let root = Root::open(&folder)?;
    root.write("buildpack.toml", builder.buildpack.toml.as_bytes(), 0o644)?;
    root.create_dir("bin", 0o755)?;
    root.write("bin/build", builder.buildpack.program, 0o755)?;
    root.symlink("build", "bin/detect")?;
    let buildpack = BuildpackToml::read(&root, "")?;
    Ok(Module { buildpack, root, location: "fnpack itself".to_owned() })
}
