//! Which variable has which value where (Dockerfile reference, "ARG", "Scope").

use std::collections::BTreeMap;

use super::Plan;
use crate::dockerfile::error::{DockerfileError, Place};
use crate::dockerfile::expand::{Expanded, expand};
use crate::dockerfile::parse::Problem;
use crate::dockerfile::parse::ast::{Argument, Dockerfile, Instruction};
use crate::image::ContainerConfig;
use crate::target::Target;

/// Build arguments that need no `ARG`. They reach `RUN` and neither the history nor the keys of
/// steps, because they say how a network is reached and not what is built.
const PROXIES: [&str; 5] = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];

/// The search path for programs where an image sets none.
pub(super) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether a build argument is one of the predefined proxy settings.
pub(super) fn is_proxy(name: &str) -> bool {
    PROXIES.iter().any(|proxy| name == *proxy || name == proxy.to_uppercase())
}

/// Whether an `ARG` anywhere in the file declares the name.
pub(super) fn declares(dockerfile: &Dockerfile, name: &str) -> bool {
    let inside = dockerfile.stages.iter().flat_map(|stage| &stage.steps).filter_map(|step| match &step.instruction {
        Instruction::Arg(arguments) => Some(arguments),
        _ => None,
    });
    let outside = dockerfile.arguments.iter().map(|step| &step.arguments);
    inside.chain(outside).flatten().any(|argument| argument.name == name)
}

/// The values before the first `FROM`: platforms, and `ARG` there. Only `FROM` sees them; a stage
/// takes one over by an `ARG` without a default.
pub(super) struct Globals {
    values: BTreeMap<String, String>,
    escape: char,
}

impl Globals {
    pub(super) fn new(plan: &Plan) -> Result<Self, DockerfileError> {
        let mut values = BTreeMap::new();
        for (prefix, target) in [("TARGET", &plan.target), ("BUILD", &plan.machine)] {
            insert_target(&mut values, prefix, target);
        }
        values.insert("TARGETSTAGE".to_owned(), plan.stage.clone().unwrap_or_else(|| "default".to_owned()));
        let overridden = values.keys().filter_map(|name| plan.build_args.get_key_value(name));
        let overridden: Vec<(String, String)> = overridden.map(|(name, value)| (name.clone(), value.clone())).collect();
        values.extend(overridden);
        let mut globals = Self { values, escape: plan.dockerfile.directives.escape };
        for step in &plan.dockerfile.arguments {
            for argument in &step.arguments {
                globals.declare(plan, argument, &Place::new(&plan.file, step.position.line))?;
            }
        }
        Ok(globals)
    }

    fn declare(&mut self, plan: &Plan, argument: &Argument, place: &Place) -> Result<(), DockerfileError> {
        let value = match (plan.build_args.get(&argument.name), &argument.default) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(default)) => Some(self.expand(default, place.clone())?.text),
            (None, None) => None,
        };
        if let Some(value) = value {
            self.values.insert(argument.name.clone(), value);
        }
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&String> {
        self.values.get(name)
    }

    pub(super) fn expand(&self, word: &str, place: Place) -> Result<Expanded, DockerfileError> {
        expand(word, self.escape, &|name| self.values.get(name).cloned()).map_err(|error| invalid(error.into(), place))
    }
}

fn insert_target(values: &mut BTreeMap<String, String>, prefix: &str, target: &Target) {
    let variant = target.variant.clone().unwrap_or_default();
    for (name, value) in [("PLATFORM", target.to_string()), ("OS", target.os.clone()), ("ARCH", target.arch.clone()), ("VARIANT", variant)]
    {
        values.insert(format!("{prefix}{name}"), value);
    }
}

pub(super) fn invalid(problem: Problem, place: Place) -> DockerfileError {
    DockerfileError::Invalid { place, problem }
}

/// The arguments that a stage has declared so far, in order. The environment of the image always
/// comes before them.
#[derive(Debug, Clone, Default)]
pub(super) struct Arguments(Vec<(String, Option<String>)>);

impl Arguments {
    pub(super) fn declare(&mut self, name: &str, value: Option<String>) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value));
    }

    pub(super) fn declares(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// What `$name` means: the environment, then the arguments. `PATH` always has a value, because a
    /// command would have one: without it, `ENV PATH=/opt/bin:$PATH` over an imported base without
    /// settings would hide every program.
    pub(super) fn lookup(&self, config: &ContainerConfig, name: &str) -> Option<String> {
        let argument = || self.0.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.clone());
        let path = || (name == "PATH").then(|| DEFAULT_PATH.to_owned());
        config.env_value(name).map(str::to_owned).or_else(argument).or_else(path)
    }

    /// Name and value of each, as the history shows them.
    pub(super) fn shown(&self, config: &ContainerConfig) -> Vec<String> {
        let value = |name: &str| self.lookup(config, name).unwrap_or_default();
        self.0.iter().map(|(name, _)| format!("{name}={}", value(name))).collect()
    }

    /// The environment of a command: arguments with a value, over them the image's environment.
    pub(super) fn environment(&self, config: &ContainerConfig) -> BTreeMap<String, String> {
        let arguments = self.0.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        let mut environment: BTreeMap<String, String> = arguments.collect();
        for entry in &config.env {
            if let Some((name, value)) = entry.split_once('=') {
                environment.insert(name.to_owned(), value.to_owned());
            }
        }
        environment.entry("PATH".to_owned()).or_insert_with(|| DEFAULT_PATH.to_owned());
        environment
    }
}
