//! Functions answer in a real engine: an image of buildpacks and one of a Dockerfile for each language, loaded into docker,
//! started there with the command, the user and the rights that Function Mesh gives a container, against a real Pulsar.

use std::collections::BTreeMap;
use std::net::TcpListener;

use fnpack_artifact::Facts;
use fnpack_core::function_mesh::{self, Instance, LogLevel, Ports, Resources};
use serde_json::Value;

use super::broker::{self, Broker, topic};
use super::engine::{self, Container, Engine};
use super::environment::Environment;
use super::language::{GO, JAVA, Language, PYTHON, path};
use super::proof::{EXCLAMATION, ORDERS, PRODUCTS, Talk, by_dockerfile};

/// An image in the engine that is to answer.
struct Subject<'a> {
    engine: &'static Engine,
    pulsar: &'static Broker,
    image: &'a str,
    /// Of the Function resource, where the image does not say it.
    class: Option<&'a str>,
}

impl Subject<'_> {
    /// Starts it and compares its answers.
    #[track_caller]
    fn answers(&self, talk: &Talk) {
        let name = self.image.replace('/', "-");
        let facts = self.facts();
        let container = self.start(&name, &facts);
        let answers = self.pulsar.exchange(facts.language.as_str(), &name, talk.inputs);
        let answers = answers.unwrap_or_else(|| panic!("{} does not answer\n{}", self.image, container.log()));
        assert_eq!(answers, talk.answers, "{}", self.image);
    }

    /// What the engine knows of the function by the labels.
    fn facts(&self) -> Facts {
        let labels = self.engine.docker(["image", "inspect", "--format", "{{json .Config.Labels}}", self.image]).success();
        let labels: BTreeMap<String, String> = serde_json::from_str(&labels).unwrap();
        let mut facts = Facts::from_labels(|label| labels.get(label).map(String::as_str)).unwrap();
        facts.class_name = self.class.map(str::to_owned).or(facts.class_name);
        facts
    }

    fn start(&self, name: &str, facts: &Facts) -> Container<'static> {
        let container = instance(name, facts, self.pulsar).container().unwrap();
        let user = function_mesh::user();
        let mut arguments = vec![format!("--user={}:{}", user.uid, user.gid), "--network=host".to_owned()];
        arguments.extend(["--cap-drop=ALL", "--security-opt=no-new-privileges"].map(str::to_owned));
        arguments.extend(container.environment.iter().map(|(variable, value)| format!("--env={variable}={value}")));
        let (program, rest) = container.command.split_first().unwrap();
        arguments.extend([format!("--entrypoint={program}"), self.image.to_owned()]);
        arguments.extend(rest.iter().cloned());
        self.engine.start_container(&arguments)
    }
}

/// As the operator would be told of the function by its resource.
fn instance(name: &str, facts: &Facts, pulsar: &Broker) -> Instance {
    let string = Some("java.lang.String".to_owned());
    Instance {
        language: facts.language,
        artifact: facts.artifact.clone(),
        class_name: facts.class_name.clone(),
        tenant: "public".to_owned(),
        namespace: "default".to_owned(),
        name: name.to_owned(),
        cluster: "standalone".to_owned(),
        uid: "00000000-0000-4000-8000-000000000001".to_owned(),
        inputs: vec![topic(name, "in")],
        output: Some(topic(name, "out")),
        input_type: facts.input_type.clone().or_else(|| string.clone()),
        output_type: facts.output_type.clone().or(string),
        subscription: None,
        user_config: serde_json::Map::new(),
        window: None,
        parallelism: 1,
        shard: 0,
        resources: Resources::default(),
        ports: free_ports(),
        log_level: LogLevel::Unset,
        broker: function_mesh::Broker { service: pulsar.service.clone(), web: pulsar.web.clone(), authentication: None, trust: None },
    }
}

/// A pod has a network of its own; here the instances of all tests share one.
fn free_ports() -> Ports {
    let listeners = [(); 2].map(|()| TcpListener::bind("0.0.0.0:0").unwrap());
    let [control, metrics] = listeners.map(|listener| listener.local_addr().unwrap().port());
    Ports { control, metrics }
}

/// The image of the language's builder answers.
fn image_of_buildpacks_answers(engine: Option<&'static Engine>, language: &Language, talk: &Talk) -> Option<Environment> {
    let (environment, engine) = (language.tree()?, engine?);
    let image = format!("{}/{}", engine.name, language.name);
    let build = language.arguments(&["build", &image, path(&language.example())], &["--load"]);
    engine.fnpack(&environment, build).success();
    Subject { engine, pulsar: broker::shared()?, image: &image, class: None }.answers(talk);
    Some(environment)
}

/// The image of the example Dockerfile answers; `file` is the package as the Dockerfile calls it.
fn image_of_a_dockerfile_answers(language: &Language, file: &str, class: Option<&str>, talk: &Talk) -> Option<()> {
    let (environment, engine) = (language.tree()?, engine::docker()?);
    let image = format!("engine/{}-dockerfile", language.name);
    let package = environment.write(&format!("context/{file}"), "");
    language.package(&environment, &language.example(), &package, &[]).success();
    let mut build = by_dockerfile(&environment, language, &image);
    build.push("--load".to_owned());
    engine.fnpack(&environment, build).success();
    Subject { engine, pulsar: broker::shared()?, image: &image, class }.answers(talk);
    Some(())
}

/// The function with another mark goes to the engine without the runner, and answers with it.
fn changed_function_is_loaded_and_answers(environment: &Environment) -> Option<()> {
    let (engine, image) = (engine::docker()?, "engine/go-changed");
    for file in ["go.mod", "go.sum", "main.go"] {
        let text = fs_err::read_to_string(GO.example().join(file)).unwrap();
        environment.write(&format!("changed/{file}"), &text.replace("return \"!\"", "return \"?\""));
    }
    let source = environment.path().join("changed");
    let built = engine.fnpack(environment, GO.arguments(&["build", image, path(&source)], &["--load"]));
    let inspected: Value = serde_json::from_str(&environment.fnpack(["inspect", "-o", "json", image]).success()).unwrap();
    let present = built.stderr.split("layers sent, ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    assert!(present.unwrap() >= inspected["base"]["layers"].as_u64().unwrap(), "{}", built.stderr);
    built.success();
    Subject { engine, pulsar: broker::shared()?, image, class: None }.answers(&Talk { inputs: &["why"], answers: "why?\n" });
    Some(())
}

#[test]
fn go_image_of_buildpacks_answers_in_docker() {
    let environment = image_of_buildpacks_answers(engine::docker(), &GO, &EXCLAMATION);
    environment.and_then(|environment| changed_function_is_loaded_and_answers(&environment));
}

#[test]
fn go_image_of_buildpacks_answers_in_podman() {
    image_of_buildpacks_answers(engine::podman(), &GO, &EXCLAMATION);
}

#[test]
fn java_image_of_buildpacks_answers_in_docker() {
    image_of_buildpacks_answers(engine::docker(), &JAVA, &ORDERS);
}

#[test]
fn python_image_of_buildpacks_answers_in_docker() {
    image_of_buildpacks_answers(engine::docker(), &PYTHON, &PRODUCTS);
}

#[test]
fn go_image_of_a_dockerfile_answers_in_docker() {
    image_of_a_dockerfile_answers(&GO, "function", None, &EXCLAMATION);
}

#[test]
fn java_image_of_a_dockerfile_answers_in_docker() {
    image_of_a_dockerfile_answers(&JAVA, "function.jar", Some("io.fnpack.examples.OrderEnricher"), &ORDERS);
}

#[test]
fn python_image_of_a_dockerfile_answers_in_docker() {
    image_of_a_dockerfile_answers(&PYTHON, "function.zip", Some("product_match.function.ProductMatch"), &PRODUCTS);
}
