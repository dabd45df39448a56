//! Stack images of Dockerfiles that fnpack carries, made when they are missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fnpack_core::dockerfile::parse::ast::{Argument, Dockerfile};
use fnpack_core::dockerfile::{Context, Plan, parse};
use fnpack_core::executor::Network;
use fnpack_core::image::CONSTANT_TIME;
use fnpack_core::pipeline::{self, Destination};
use fnpack_core::reference::{DOCKER_HUB, Reference};
use fnpack_core::target::Target;

use crate::command::{Session, doctor};
use crate::embedded::EmbeddedStack;
use crate::error::{Class, CommandError};

/// Makes those that are not in the store. What is fetched is said before any work, and what cannot be had too.
pub(super) fn ensure(stacks: &[&EmbeddedStack], target: &Target, session: &Session<'_>) -> Result<(), CommandError> {
    let mut missing = Vec::new();
    for stack in stacks {
        if !is_stored(&stack.name.parse()?, target, session)? {
            let file = PathBuf::from(stack.file);
            let dockerfile = parse::parse(stack.dockerfile).map_err(|error| error.in_file(&file))?;
            missing.push((*stack, file, dockerfile));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    require_sandbox()?;
    for (stack, _, dockerfile) in &missing {
        for base in bases(dockerfile) {
            require_base(&base.parse()?, stack, target, session)?;
        }
        if !stack.fetches.is_empty() {
            session.ui.step(&format!("  to be fetched for {}: {}", stack.name, stack.fetches));
        }
    }
    for (stack, file, dockerfile) in missing {
        session.ui.step(&format!("  {} from {}", stack.name, stack.file));
        build(stack, file, dockerfile, target, session)?;
    }
    Ok(())
}

/// The image that a stack image is made from, in the store for sure.
pub(super) fn base(stack: &EmbeddedStack, target: &Target, session: &Session<'_>) -> Result<Reference, CommandError> {
    let dockerfile = parse::parse(stack.dockerfile).map_err(|error| error.in_file(Path::new(stack.file)))?;
    let base: Reference = bases(&dockerfile).first().map_or(stack.name, String::as_str).parse()?;
    require_base(&base, stack, target, session)?;
    Ok(base)
}

fn is_stored(name: &Reference, target: &Target, session: &Session<'_>) -> Result<bool, CommandError> {
    Ok(session.bench.store.image(name, target)?.is_some())
}

/// The images that a Dockerfile begins from, as its own defaults have them.
fn bases(dockerfile: &Dockerfile) -> Vec<String> {
    let arguments: Vec<&Argument> = dockerfile.arguments.iter().flat_map(|step| &step.arguments).collect();
    let mut stages: Vec<&str> = vec!["scratch"];
    let mut bases: Vec<String> = Vec::new();
    for stage in &dockerfile.stages {
        let written = stage.from.image.as_str();
        let variable = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let default = |name: &str| arguments.iter().find(|argument| argument.name == name)?.default.clone();
        let base = variable.and_then(default).unwrap_or_else(|| written.to_owned());
        if !stages.contains(&base.as_str()) && !bases.contains(&base) {
            bases.push(base);
        }
        stages.extend(stage.from.name.as_deref());
    }
    bases
}

/// Without the base nothing can be made.
fn require_base(base: &Reference, stack: &EmbeddedStack, target: &Target, session: &Session<'_>) -> Result<(), CommandError> {
    if is_stored(base, target, session)? {
        return Ok(());
    }
    let registry = if base.registry() == DOCKER_HUB { "Docker Hub" } else { base.registry() };
    session.ui.step(&format!("  to be fetched for {}: the image {} from {registry}", stack.name, base.familiar()));
    match session.bench.find(base, target) {
        Ok(_) => Ok(()),
        Err(error) => Err(CommandError::from(error).hint(ways_on(base, stack))),
    }
}

/// What to do without the registry of the base.
fn ways_on(base: &Reference, stack: &EmbeddedStack) -> String {
    let base = base.familiar();
    if stack.is_runner {
        let language = stack.name.trim_start_matches("stack/").trim_end_matches("-runner");
        return format!(
            "name a runner that you have with `--run-image`; or get {base} where its registry is in reach and bring it here: `fnpack image save`, \
             `fnpack image load`; or make one of packages, with fnpack's sources at hand: `fnpack image build -t runner/{language} --target {language} stack/runner \
             && fnpack image build -t {} -f {} --build-arg RUNNER_IMAGE=runner/{language} stack`",
            stack.name, stack.file
        );
    }
    format!(
        "make the base where packages are in reach and import it: `mmdebstrap --variant=minbase --include=ca-certificates trixie rootfs.tar && fnpack image import rootfs.tar {base}`; \
         or load a builder made elsewhere with `fnpack image load`"
    )
}

/// Stacks need isolated RUN steps; where there are none, that is said before anything is fetched.
fn require_sandbox() -> Result<(), CommandError> {
    let facts = fnpack_sandbox::probe(Path::new("/proc/self/exe"));
    match doctor::obstacle(&facts) {
        None => Ok(()),
        Some(fact) => Err(CommandError::message(Class::Machine, format!("the stack cannot be built here: {}", fact.name))
            .hint(format!("{}; or load a builder made elsewhere with `fnpack image load`", fact.remedy))),
    }
}

fn build(stack: &EmbeddedStack, file: PathBuf, dockerfile: Dockerfile, target: &Target, session: &Session<'_>) -> Result<(), CommandError> {
    let scratch = session.bench.store.scratch()?;
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let plan = Plan {
        file,
        dockerfile,
        context: Context::open(scratch.path(), None)?,
        target: target.clone(),
        machine: session.bench.target.clone(),
        stage: None,
        build_args: stack.arguments.iter().map(owned).collect::<BTreeMap<_, _>>(),
        labels: BTreeMap::new(),
        no_cache: false,
        network: Network::Host,
        created: CONSTANT_TIME.to_owned(),
    };
    pipeline::build_dockerfile(&session.bench, &plan, &[stack.name.parse()?], Destination::Store)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::{DEFAULT_BUILDERS, FUNCTION_BUILDER};

    #[test]
    fn bases_are_those_of_the_defaults() {
        for (text, expected) in [
            ("FROM debian:trixie-slim\n", &["debian:trixie-slim"][..]),
            ("ARG BASE=a:1\nFROM ${BASE}\n", &["a:1"]),
            ("ARG BASE=a:1\nFROM ${BASE} AS first\nFROM first\nFROM scratch\nFROM ${BASE}\nFROM b\n", &["a:1", "b"]),
        ] {
            assert_eq!(bases(&parse::parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn carried_stacks_say_their_bases() {
        for builder in DEFAULT_BUILDERS.iter().chain([&FUNCTION_BUILDER]) {
            for stack in builder.run_stacks.iter().chain([&builder.build_stack]) {
                let bases = bases(&parse::parse(stack.dockerfile).unwrap());
                assert!(!bases.is_empty(), "{}", stack.name);
                for base in bases {
                    assert!(base.parse::<Reference>().is_ok(), "{}: {base}", stack.name);
                }
            }
        }
    }
}
