//! What the image and the command line say of the function.

use fnpack_artifact::Facts;
use fnpack_core::function_mesh::{Broker, Instance, LogLevel, Ports, Resources, Window};
use fnpack_core::image::Image;
use serde_json::{Map, Value};

use crate::arguments::{FunctionArguments, PlatformKind, RunArguments};
use crate::error::{Class, CommandError};

/// What Function Mesh's webhook puts in where a manifest says no type.
const BYTES: &str = "[B";

/// A name that nobody else has; what is made for one run is called by it.
#[derive(Debug, Clone)]
pub(super) struct RunName {
    number: u64,
}

/// The topics of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topics {
    /// What the function reads.
    pub(super) input: Topic,
    /// What it writes.
    pub(super) output: Topic,
}

/// A topic by its whole name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) name: String,
    /// Whether it was made for this run.
    pub(super) is_ours: bool,
}

impl RunName {
    pub(super) fn new() -> Self {
        use std::hash::{BuildHasher, Hasher};
        // The standard library's keys of hash maps are as random as a name needs to be.
        Self { number: std::collections::hash_map::RandomState::new().build_hasher().finish() }
    }

    /// As a name of functions and subscriptions.
    pub(super) fn name(&self) -> String {
        format!("fnpack-run-{:012x}", self.number >> 16)
    }

    /// In the form of Kubernetes' uids.
    pub(super) fn uid(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.number >> 16)
    }
}

impl Topics {
    /// Those that were named, else new ones.
    pub(super) fn of(arguments: &RunArguments, run: &RunName) -> Self {
        // A Pulsar of our own has no other namespace, and functions may be of one that is not there.
        let place = if arguments.standalone {
            "public/default".to_owned()
        } else {
            format!("{}/{}", arguments.function.tenant, arguments.function.namespace)
        };
        let topic = |named: &Option<String>, end: &str| {
            let name = named.clone().unwrap_or_else(|| format!("{}-{end}", run.name()));
            Topic { name: whole(&name, &place), is_ours: named.is_none() }
        };
        Self { input: topic(&arguments.broker.input_topic, "in"), output: topic(&arguments.broker.output_topic, "out") }
    }
}

/// As Pulsar completes the short names of topics, but with a tenant and namespace of ours.
fn whole(name: &str, place: &str) -> String {
    match (name.contains("://"), name.matches('/').count()) {
        (true, _) => name.to_owned(),
        (false, 2) => format!("persistent://{name}"),
        (false, _) => format!("persistent://{place}/{name}"),
    }
}

/// What is known of the function: the image's labels, corrected by the command line.
pub(super) fn facts(name: &str, image: &Image, arguments: &FunctionArguments) -> Result<Facts, CommandError> {
    let labels = &image.config().config.labels;
    let said = Facts::from_labels(|label| labels.get(label).map(String::as_str));
    let mut facts = match (said, arguments.language, &arguments.artifact) {
        (Some(facts), None, _) => facts,
        (Some(facts), Some(language), _) if facts.language == language => facts,
        (_, Some(language), Some(artifact)) => Facts::new(language, artifact),
        _ => {
            return Err(CommandError::message(Class::Configuration, format!("`{name}` does not say what function is in it"))
                .hint("say it with `--language`, `--artifact` and `--class-name`; with `--raw` the image's own process is started"));
        }
    };
    facts.artifact = arguments.artifact.clone().unwrap_or(facts.artifact);
    facts.class_name = arguments.class_name.clone().or(facts.class_name);
    facts.input_type = arguments.input_type.clone().or(facts.input_type);
    facts.output_type = arguments.output_type.clone().or(facts.output_type);
    Ok(facts)
}

/// The JSON object of `--user-config`.
pub(super) fn user_config(text: Option<&str>) -> Result<Map<String, Value>, CommandError> {
    text.map_or_else(|| Ok(Map::new()), serde_json::from_str).map_err(|error| {
        CommandError::new(Class::Usage, error)
            .details(["`--user-config` is no JSON object".to_owned()])
            .hint("write `{\"key\": \"value\"}`")
    })
}

/// How the instance is told of it all.
pub(super) struct Telling<'a> {
    pub(super) facts: &'a Facts,
    pub(super) arguments: &'a FunctionArguments,
    pub(super) run: &'a RunName,
    pub(super) topics: &'a Topics,
    pub(super) broker: &'a Broker,
    pub(super) ports: Ports,
    pub(super) log_level: LogLevel,
}

impl Telling<'_> {
    /// The instance.
    pub(super) fn instance(&self) -> Result<Instance, CommandError> {
        let Self { facts, arguments, .. } = *self;
        let window = match (arguments.window, facts.window) {
            (None, Some(true)) => Some(Window { length: 1, slide: 1 }),
            (window, _) => window,
        };
        Ok(Instance {
            language: facts.language,
            artifact: facts.artifact.clone(),
            class_name: facts.class_name.clone(),
            tenant: arguments.tenant.clone(),
            namespace: arguments.namespace.clone(),
            name: arguments.name.clone().unwrap_or_else(|| self.run.name()),
            cluster: "standalone".to_owned(),
            uid: self.run.uid(),
            inputs: vec![self.topics.input.name.clone()],
            output: Some(self.topics.output.name.clone()),
            input_type: self.type_of(facts.input_type.as_ref()),
            output_type: self.type_of(facts.output_type.as_ref()),
            subscription: None,
            user_config: user_config(arguments.user_config.as_deref())?,
            window,
            parallelism: 1,
            shard: 0,
            resources: Resources::default(),
            ports: self.ports,
            log_level: self.log_level,
            broker: self.broker.clone(),
        })
    }

    fn type_of(&self, known: Option<&String>) -> Option<String> {
        known.cloned().or_else(|| (self.arguments.under == Some(PlatformKind::FunctionMesh)).then(|| BYTES.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use fnpack_artifact::Language;
    use fnpack_core::target::Target;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn arguments(more: &[&str]) -> RunArguments {
        let all = ["fnpack", "run", "image", "--pulsar", "pulsar://localhost:6650"].iter().chain(more);
        match Arguments::try_parse_from(all).unwrap().command {
            Command::Run(arguments) => *arguments,
            other => panic!("{other:?}"),
        }
    }

    fn image(labels: &[(&str, &str)]) -> Image {
        let image = Image::empty(&Target::of_this_program());
        let mut config = image.config().clone();
        config.config.labels = labels.iter().map(|(key, value)| (format!("io.fnpack.function.{key}"), (*value).to_owned())).collect();
        Image::from_parts(config, Vec::new())
    }

    fn facts_of(labels: &[(&str, &str)], more: &[&str]) -> Result<Facts, CommandError> {
        facts("image", &image(labels), &arguments(more).function)
    }

    const JAVA: [(&str, &str); 3] = [("language", "java"), ("artifact", "/f.jar"), ("class", "org.example.F")];

    #[test]
    fn facts_are_the_labels_corrected_by_the_command_line() {
        let said = facts_of(&JAVA, &[]).unwrap();
        assert_eq!((said.language, said.artifact.as_str(), said.class_name.as_deref()), (Language::Java, "/f.jar", Some("org.example.F")));
        let corrected = facts_of(&JAVA, &["--class-name", "G", "--input-type", "I", "--artifact", "/g.jar"]).unwrap();
        assert_eq!(
            (corrected.class_name.as_deref(), corrected.input_type.as_deref(), corrected.artifact.as_str()),
            (Some("G"), Some("I"), "/g.jar")
        );
        let other = facts_of(&JAVA, &["--language", "go", "--artifact", "/go"]).unwrap();
        assert_eq!((other.language, other.class_name), (Language::Go, None));
    }

    #[test]
    fn image_that_says_nothing_needs_language_and_artifact() {
        assert!(facts_of(&[], &["--language", "python", "--artifact", "/f.py"]).is_ok());
        for more in [&[][..], &["--language", "python"], &["--artifact", "/f.py"]] {
            let error = facts_of(&[], more).unwrap_err();
            assert_eq!(error.code(), 3);
            assert!(error.render().contains("--language"), "{}", error.render());
        }
    }

    #[test]
    fn topics_are_new_unless_named() {
        let run = RunName::new();
        let of = |more: &[&str]| Topics::of(&arguments(more), &run);
        let new = of(&["--tenant", "acme"]);
        assert_eq!(new.input.name, format!("persistent://acme/default/{}-in", run.name()));
        assert!(new.input.is_ours && new.output.is_ours && new.output.name.ends_with("-out"));
        for (named, whole) in [
            ("orders", "persistent://public/default/orders"),
            ("acme/prod/orders", "persistent://acme/prod/orders"),
            ("non-persistent://acme/prod/orders", "non-persistent://acme/prod/orders"),
        ] {
            let topic = of(&["--input-topic", named]).input;
            assert_eq!((topic.name.as_str(), topic.is_ours), (whole, false));
        }
        assert_ne!(RunName::new().name(), run.name());
    }

    #[test]
    fn function_mesh_fills_types_that_nobody_says() {
        let types = |more: &[&str]| {
            let (arguments, run) = (arguments(more), RunName::new());
            let topics = Topics::of(&arguments, &run);
            let broker = Broker {
                service: "pulsar://localhost:6650".into(),
                web: "http://localhost:8080".into(),
                authentication: None,
                trust: None,
            };
            let facts = facts_of(&JAVA, more).unwrap();
            let telling = Telling {
                facts: &facts,
                arguments: &arguments.function,
                run: &run,
                topics: &topics,
                broker: &broker,
                ports: Ports::default(),
                log_level: LogLevel::Unset,
            };
            let instance = telling.instance().unwrap();
            instance.container().unwrap();
            (instance.input_type, instance.output_type)
        };
        assert_eq!(types(&[]), (None, None));
        assert_eq!(
            types(&["--under", "function-mesh", "--output-type", "java.lang.String"]),
            (Some(BYTES.into()), Some("java.lang.String".into()))
        );
    }

    #[test]
    fn user_config_is_an_object() {
        assert_eq!(user_config(Some(r#"{"a": 1}"#)).unwrap().len(), 1);
        for bad in ["", "[]", "1", "{a: 1}"] {
            assert_eq!(user_config(Some(bad)).unwrap_err().code(), 2, "{bad}");
        }
    }
}
