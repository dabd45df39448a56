//! Functions answer: source to image to the command that Function Mesh gives a container, against a real Pulsar, on each of
//! our runners, before and after a rebase; and packages registered with a real functions worker.

use serde_json::Value;
use testkit::registry::Registry;

use super::broker::{self, Answer, Registration};
use super::environment::{Environment, repository};
use super::language::{self, GO, JAVA, Language, PYTHON, path};

/// What an example is asked and what it answers.
pub(crate) struct Talk {
    pub(crate) inputs: &'static [&'static str],
    pub(crate) answers: &'static str,
}

pub(crate) const EXCLAMATION: Talk = Talk { inputs: &["one", "two", "drei"], answers: "one!\ntwo!\ndrei!\n" };
pub(crate) const ORDERS: Talk = Talk {
    inputs: &["4711,\"Coffee, ground\",3,4.25", "4712,Tea,2,2.50"],
    answers: "4711,\"Coffee, ground\",3,4.25,12.75\n4712,Tea,2,2.50,5.00\n",
};
pub(crate) const PRODUCTS: Talk = Talk { inputs: &["expreso machine", "electric ketle"], answers: "espresso machine\nelectric kettle\n" };

/// Runs an image as Function Mesh would and compares its answers.
#[track_caller]
fn answers(environment: &Environment, image: &str, talk: &Talk) {
    answers_as(environment, image, talk, &[]);
}

/// The same, with more arguments.
#[track_caller]
fn answers_as(environment: &Environment, image: &str, talk: &Talk, more: &[&str]) {
    let Some(pulsar) = broker::shared() else { return };
    let expected = environment.write("expected.txt", talk.answers);
    let mut arguments = vec!["run", image, "--under", "function-mesh", "--pulsar", &pulsar.service, "--pulsar-web", &pulsar.web];
    arguments.extend(["--expect", expected.to_str().unwrap()]);
    arguments.extend(talk.inputs.iter().flat_map(|input| ["--input", input]));
    arguments.extend(more);
    let answered = environment.fnpack(arguments).success();
    assert_eq!(format!("{answered}\n"), talk.answers, "{image}");
}

/// The same runner with a later patch: one file of its base differs.
fn patched(environment: &Environment, runner: &str, name: &str) {
    let dockerfile = format!("FROM {runner}\nUSER 0:0\nRUN echo 2 > /etc/patch-level\nUSER 10000:10001\n");
    environment.write("patched/Dockerfile", &dockerfile);
    environment.fnpack(["image", "build", "-t", name, "patched"]).success();
}

/// Source to image, to answers, to another runner, to answers.
fn prove(language: &Language, talk: &Talk) -> Option<Environment> {
    let environment = language.tree()?;
    let image = format!("proof/{}", language.name);
    language.build(&environment, &image, &language.example(), &[]).success();
    answers(&environment, &image, talk);

    let (runner, next) = (format!("stack/{}-runner", language.name), format!("proof/{}-runner:next", language.name));
    patched(&environment, &runner, &next);
    prove_in_registry(&environment, [&image, &runner, &next], talk);
    environment.fnpack(["rebase", &image, "--run-image", &next]).success();
    let patch = environment.fnpack(["run", "--raw", &image, "--entrypoint", "cat", "--", "/etc/patch-level"]).success();
    assert_eq!(patch, "2");
    answers(&environment, &image, talk);
    Some(environment)
}

/// The documents' line on images of a registry: a function, its runner, and the runner with a new tag. Asked of a machine that
/// has nothing, it takes few requests, and the function answers there.
fn prove_in_registry(environment: &Environment, [image, runner, next]: [&str; 3], talk: &Talk) {
    let registry = Registry::new();
    registry.take_single_posts();
    let host = registry.host();
    let function = format!("{host}/functions/{}:1", image.replace('/', "-"));
    for (here, there) in [(runner, format!("{host}/stack/runner:1")), (next, format!("{host}/stack/runner:2")), (image, function.clone())] {
        environment.fnpack(["image", "push", here, &there]).success();
    }
    let layers = |repository: &str, tag: &str| -> Vec<String> {
        let manifest: Value = serde_json::from_slice(&registry.manifest(repository, tag).unwrap()).unwrap();
        manifest["layers"].as_array().unwrap().iter().map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
    };
    let before = layers(function.trim_start_matches(&format!("{host}/")).trim_end_matches(":1"), "1");
    let lacking = layers("stack/runner", "2").iter().filter(|layer| !before.contains(layer)).count();

    registry.forget_requests();
    let there = Environment::empty();
    there.fnpack(["rebase", &function, "--run-image", &format!("{host}/stack/runner:2"), "--publish"]).success();
    assert!(registry.requests().len() <= 6 + lacking, "{lacking} layers: {:#?}", registry.request_lines());
    let patch = there.fnpack(["run", "--raw", &function, "--entrypoint", "cat", "--", "/etc/patch-level"]).success();
    assert_eq!(patch, "2");
    answers(&there, &function, talk);
}

#[test]
fn go_function_answers_before_and_after_a_rebase() {
    prove(&GO, &EXCLAMATION);
}

#[test]
fn java_function_answers_on_both_runners() {
    let Some(environment) = prove(&JAVA, &ORDERS) else { return };
    language::runner(&environment, "java-small");
    environment.call("rebase proof/java --run-image runner/java-small").success();
    answers(&environment, "proof/java", &ORDERS);
}

#[test]
fn python_function_answers_before_and_after_a_rebase() {
    prove(&PYTHON, &PRODUCTS);
}

#[test]
fn go_function_answers_by_its_configuration() {
    let Some(environment) = GO.tree() else { return };
    let Some(pulsar) = broker::shared() else { return };
    GO.build(&environment, "proof/configured", &GO.example(), &[]).success();
    let arguments = ["run", "proof/configured", "--pulsar", &pulsar.service, "--pulsar-web", &pulsar.web, "--input", "why"];
    let answer = environment.fnpack(arguments.iter().chain(&["--user-config", "{\"mark\": \"?\"}"])).success();
    assert_eq!(answer, "why?");
}

#[test]
fn go_function_reads_what_a_buildpack_of_the_users_wrote() {
    let Some(environment) = GO.tree() else { return };
    GO.build(&environment, "proof/custom", &repository().join("examples/custom/function"), &[]).success();
    answers(&environment, "proof/custom", &Talk { inputs: &["Ada"], answers: "Good morning, Ada\n" });
}

/// An image of the package alone, and one by the example Dockerfile; both answer. `base` is the package's file name, which
/// for zips is the name of the folder in it.
fn prove_package(language: &Language, file: &str, class: Option<&str>, talk: &Talk) {
    let Some(environment) = language.tree() else { return };
    let (name, runner) = (language.name, format!("stack/{}-runner", language.name));
    let package = environment.write(&format!("context/{file}"), "");
    language.package(&environment, &language.example(), &package, &[]).success();
    let ready = format!("proof/{name}-ready");
    environment.fnpack(["build", &ready, path(&package), "--run-image", &runner]).success();
    answers(&environment, &ready, talk);

    let image = format!("proof/{name}-dockerfile");
    environment.fnpack(by_dockerfile(&environment, language, &image)).success();
    // What fnpack labels its own images with; a manifest of Function Mesh says the same.
    let strings = ["--input-type", "java.lang.String", "--output-type", "java.lang.String"];
    let types = if name == "java" { &strings[..] } else { &[] };
    let class: Vec<&str> = class.iter().flat_map(|class| ["--class-name", class]).collect();
    answers_as(&environment, &image, talk, &[&class, types].concat());
}

/// What makes an image of the package in the folder `context` by the language's example Dockerfile.
pub(crate) fn by_dockerfile(environment: &Environment, language: &Language, image: &str) -> Vec<String> {
    let recipe = repository().join("examples/dockerfile").join(language.name).join("Dockerfile");
    let argument = format!("RUNNER_IMAGE=stack/{}-runner", language.name);
    let context = environment.path().join("context");
    ["image", "build", "-t", image, "-f", path(&recipe), "--build-arg", &argument, path(&context)].map(str::to_owned).into()
}

#[test]
fn go_program_answers_as_a_ready_file() {
    prove_package(&GO, "function", None, &EXCLAMATION);
}

#[test]
fn java_package_answers_as_a_ready_file() {
    prove_package(&JAVA, "function.jar", Some("io.fnpack.examples.OrderEnricher"), &ORDERS);
}

#[test]
fn python_package_answers_as_a_ready_file() {
    prove_package(&PYTHON, "function.zip", Some("product_match.function.ProductMatch"), &PRODUCTS);
}

/// Makes a package of the example and gives it to a functions worker; the same package twice is the same bytes.
fn registered(language: &Language, file: &str, class: Option<&str>, talk: &Talk) {
    let Some(environment) = language.tree() else { return };
    let Some(pulsar) = broker::shared() else { return };
    let (package, again) = (environment.path().join(file), environment.path().join("again").join(file));
    let worker = broker::worker();
    let worker: Vec<&str> = worker.iter().flat_map(|variable| ["-e", variable]).collect();
    language.package(&environment, &language.example(), &package, &worker).success();
    fs_err::create_dir(environment.path().join("again")).unwrap();
    language.package(&environment, &language.example(), &again, &[&worker[..], &["--clear-cache"]].concat()).success();
    assert_eq!(fs_err::read(&package).unwrap(), fs_err::read(&again).unwrap(), "{file} made twice");
    let name = format!("registered-{}", language.name);
    let found = pulsar.register(&Registration { name: &name, language: language.name, class, package: &package }, talk.inputs);
    assert_eq!(found, Answer::Lines(talk.answers.to_owned()), "{file}");
}

#[test]
fn go_package_answers_at_a_worker() {
    registered(&GO, "exclamation", None, &EXCLAMATION);
}

#[test]
fn java_package_answers_at_a_worker() {
    registered(&JAVA, "orders.jar", Some("io.fnpack.examples.OrderEnricher"), &ORDERS);
}

#[test]
fn python_package_answers_at_a_worker() {
    registered(&PYTHON, "products.zip", Some("product_match.function.ProductMatch"), &PRODUCTS);
}
