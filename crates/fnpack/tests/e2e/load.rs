//! Images in the container engine of the machine: an engine of the test kit, and none. `engine_images` has real ones.

use testkit::engine::{Engine, Fault, Kind};
use testkit::registry::Registry;

use super::environment::{Environment, Outcome, bash_builder, user_is_root};

fn with(engine: &Engine, environment: &Environment, arguments: &str) -> Outcome {
    environment.command().env("DOCKER_HOST", engine.host()).args(arguments.split_whitespace()).output().unwrap().into()
}

/// A Dockerfile of one small layer.
fn small(environment: &Environment) {
    environment.write("small/Dockerfile", "FROM scratch\nCOPY file /file\n");
    environment.write("small/file", "small");
}

fn of(environment: &Environment, engine: &Engine, address: &str, key: &str) -> serde_json::Value {
    let json = with(engine, environment, &format!("inspect -o json {address}")).success();
    let mut value: serde_json::Value = serde_json::from_str(&json).unwrap();
    value[key].take()
}

#[test]
fn image_is_loaded_under_every_name_and_read_back() {
    if !user_is_root() {
        return;
    }
    let (environment, engine) = (Environment::empty(), Engine::new(Kind::Docker));
    small(&environment);
    let built = with(&engine, &environment, "image build -t app:1 -t ghcr.io/acme/app:2 --load small");
    assert!(built.stderr.contains("1 layers sent, 0 present"), "{}", built.stderr);
    built.success();
    assert_eq!(engine.id_of("app:1"), engine.id_of("ghcr.io/acme/app:2"));
    let copied = with(&engine, &environment, "image copy app:1 docker-daemon:copied:1");
    assert!(copied.stderr.contains("0 layers sent, 1 present"), "{}", copied.stderr);
    assert_eq!(copied.success(), "docker-daemon:copied:1");
    assert_eq!(of(&environment, &engine, "docker-daemon:copied:1", "digest"), of(&environment, &engine, "app:1", "digest"));

    let other = Environment::empty();
    with(&engine, &other, "image copy docker-daemon:app:1 back").success();
    assert_eq!(of(&other, &engine, "back", "target"), of(&environment, &engine, "app:1", "target"));
    with(&engine, &other, "image load docker-daemon:app:1").success();
    with(&engine, &other, "image save -o saved.tar docker-daemon:ghcr.io/acme/app:2").success();
    other.call("image load saved.tar").success();
    other.call("inspect ghcr.io/acme/app:2").success();
    other.call("store check --deep").success();
}

#[test]
fn function_and_its_rebase_are_loaded_with_what_the_engine_lacks() {
    let Some(environment) = Environment::with_base() else { return };
    let engine = Engine::new(Kind::Docker);
    environment.write("function/file", "");
    bash_builder(&environment, "loaded/builder", "exit 0", "exit 0");
    with(&engine, &environment, "image copy test/run docker-daemon:loaded/run").success();
    let built = with(&engine, &environment, "build loaded/function function -B loaded/builder --run-image test/run --load");
    assert!(!built.stderr.contains(" 0 present"), "{}", built.stderr);
    built.success();
    environment.write("runner/Dockerfile", "FROM test/run\nCOPY patch /etc/patch\n");
    environment.write("runner/patch", "patch");
    environment.call("image build -t loaded/runner:next runner").success();
    let rebased = with(&engine, &environment, "rebase loaded/function --run-image loaded/runner:next -t loaded/function:next --load");
    assert!(!rebased.stderr.contains(" 0 present"), "{}", rebased.stderr);
    rebased.success();
    assert_ne!(engine.id_of("loaded/function:next").unwrap(), engine.id_of("loaded/function:latest").unwrap());
    let dry = with(&engine, &environment, "rebase loaded/function --run-image loaded/runner:next -t loaded/function:dry --load --dry-run");
    dry.success();
    assert_eq!(engine.id_of("loaded/function:dry"), None);
    let builder = with(&engine, &environment, "builder create loaded/builder -c builder.toml --load");
    assert!(builder.stderr.contains(" layers sent, "), "{}", builder.stderr);
    builder.success();
    assert!(engine.id_of("loaded/builder:latest").is_some());
}

#[test]
fn function_that_is_rebased_in_its_registry_is_loaded_from_there() {
    let Some(environment) = Environment::with_base() else { return };
    let (engine, registry) = (Engine::new(Kind::Docker), Registry::new());
    let host = registry.host();
    environment.write("function/file", "");
    bash_builder(&environment, "moved/builder", "exit 0", "exit 0");
    environment.write("runner/Dockerfile", "FROM test/run\nCOPY patch /etc/patch\n");
    environment.write("runner/patch", "patch");
    environment.call(&format!("image build -t {host}/runner:next --publish runner")).success();
    let build = format!("build {host}/function:1 function -B moved/builder --run-image test/run --publish --load");
    with(&engine, &environment, &build).success();
    assert!(registry.manifest("function", "1").is_some() && engine.id_of(&format!("{host}/function:1")).is_some());

    let there = Environment::empty();
    let rebase = format!("rebase {host}/function:1 --run-image {host}/runner:next -t {host}/function:2 --publish --load");
    let rebased = with(&engine, &there, &rebase);
    // The base under both runners is there; the layers above it are on another parent now.
    assert!(rebased.stderr.contains(" layers sent, ") && !rebased.stderr.contains(" 0 present"), "{}", rebased.stderr);
    rebased.success();
    let image = of(&there, &engine, &format!("docker-daemon:{host}/function:2"), "layers");
    assert_eq!(
        image.as_array().unwrap().len(),
        of(&there, &engine, &format!("docker://{host}/function:2"), "layers").as_array().unwrap().len()
    );
}

#[test]
fn image_that_is_not_loaded_stays_in_the_store() {
    if !user_is_root() {
        return;
    }
    let (environment, engine) = (Environment::empty(), Engine::new(Kind::Docker));
    small(&environment);
    engine.fault("POST /images/load", 1, Fault::Answer(500, r#"{"message":"no space left on device"}"#));
    let error = with(&engine, &environment, "image build -t app:1 --load small").failure(4);
    assert!(error.contains("no space left") && error.contains("fnpack image copy app:1 docker-daemon:app:1"), "{error}");
    assert!(error.contains("hint:"), "{error}");
    with(&engine, &environment, "image copy app:1 docker-daemon:app:1").success();
    assert!(engine.id_of("app:1").is_some());
}

#[test]
fn engine_that_cannot_be_asked_is_told_with_what_to_do() {
    let environment = Environment::empty();
    let call = |variable: &str, value: &str, address: &str| -> Outcome {
        environment.command().env(variable, value).args(["inspect", address]).output().unwrap().into()
    };
    let web = Engine::new(Kind::Docker);
    web.fault("GET /_ping", 1, Fault::Answer(200, "<html>"));
    for (variable, value, code, told) in [
        ("DOCKER_HOST", "unix:///nowhere/docker.sock", 4, "`/nowhere/docker.sock`"),
        ("CONTAINER_HOST", "unix:///nowhere/podman.sock", 4, "`/nowhere/podman.sock`"),
        ("DOCKER_HOST", web.host().as_str(), 4, "is not a docker or podman engine"),
        ("DOCKER_HOST", "ssh://me@host", 3, "ssh -nNT"),
        ("DOCKER_HOST", "/run/docker.sock", 3, "`unix:///run/docker.sock`"),
        ("DOCKER_CONTEXT", "gone", 3, "docker context ls"),
    ] {
        let error = call(variable, value, "docker-daemon:app").failure(code);
        assert!(error.contains(told) && error.contains("hint:"), "{variable}={value}: {error}");
    }
    let storage = call("HOME", "/nowhere", "containers-storage:app").stderr;
    assert!(storage.contains("`docker-daemon:NAME`") && storage.contains("podman.socket"), "{storage}");
}
