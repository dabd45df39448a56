//! Images from anywhere to anywhere, and rebase in a registry.

use testkit::registry::{Access, Fault, Registry};

use super::environment::{Environment, bash_builder};

const START: &str =
    "cat > $1/launch.toml <<'TOML'\n[[processes]]\ntype = \"show\"\ncommand = [\"/bin/cat\", \"/etc/patch\"]\ndefault = true\nTOML\n";

/// A small image of a Dockerfile without `RUN`, so that it can be for any target.
fn image(environment: &Environment, name: &str, platform: &str, text: &str) {
    environment.write("small/Dockerfile", &format!("FROM scratch\nCOPY file /file\nLABEL text={text}\n"));
    environment.write("small/file", text);
    environment.call(&format!("image build -t {name} --platform {platform} small")).success();
}

fn digest(environment: &Environment, image: &str) -> String {
    let json = environment.call(&format!("inspect -o json {image}")).success();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    value["digest"].as_str().unwrap().to_owned()
}

fn has_user_namespaces() -> bool {
    // Images are built in the sandbox.
    super::environment::user_is_root()
}

#[test]
fn image_goes_around_and_keeps_its_digest() {
    if !has_user_namespaces() {
        return;
    }
    let (environment, registry) = (Environment::empty(), Registry::new());
    image(&environment, "app", "linux/amd64", "one");
    let expected = digest(&environment, "app");
    let remote = format!("docker://{}/team/app:1", registry.host());
    let ways = [remote.as_str(), "oci:layout:1", "oci-archive:app.tar:1", "again"];
    let mut from = "app";
    for to in ways {
        environment.fnpack(["image", "copy", "--platform", "linux/amd64", from, to]).success();
        assert_eq!(digest(&environment, to), expected, "{from} to {to}");
        from = to;
    }
    environment.call("image copy app docker-archive:docker.tar --platform linux/amd64").success();
    let other = Environment::empty();
    let tar = environment.path().join("docker.tar");
    other.fnpack(["image", "load", tar.to_str().unwrap()]).success();
    other.call("image inspect app").success();
    other.fnpack(["image", "load", &format!("oci:{}:1", environment.path().join("layout").display()), "-t", "loaded"]).success();
    assert_eq!(digest(&other, "loaded"), expected);
}

#[test]
fn index_is_made_looked_at_sent_and_copied_whole() {
    if !has_user_namespaces() {
        return;
    }
    let (environment, one, other) = (Environment::empty(), Registry::new(), Registry::new());
    image(&environment, "app:amd", "linux/amd64", "amd");
    image(&environment, "app:arm", "linux/arm64", "arm");
    let error = environment.call("index create app:1 app:amd app:amd").failure(2);
    assert!(error.contains("linux/amd64"), "{error}");
    let made = environment.call("index create app:1 app:amd app:arm").success();
    let digest = made.split('@').nth(1).unwrap();
    let table = environment.call("index inspect app:1").success();
    assert!(table.contains("linux/amd64") && table.contains("linux/arm64"), "{table}");
    environment.fnpack(["index", "push", "app:1", &format!("{}/app:1", one.host())]).success();
    let (from, to) = (format!("docker://{}/app:1", one.host()), format!("docker://{}/copy:1", other.host()));
    environment.fnpack(["image", "copy", "--all", &from, &to]).success();
    assert_eq!(one.manifest("app", "1"), other.manifest("copy", "1"));
    for place in ["oci:layout", "oci-archive:all.tar", "again:1"] {
        let copied = environment.fnpack(["image", "copy", "--all", &to, place]).success();
        let table = environment.fnpack(["index", "inspect", place]).success();
        assert!(table.contains("linux/arm64"), "{copied} {table}");
    }
    assert!(environment.call("image copy --all again:1 oci:twice").success().contains("oci:twice"));
    assert!(environment.call("index inspect -o json again:1").success().contains(&one_child(&other)));
    let error = environment.call("image copy --all app:1 docker-archive:x.tar").failure(2);
    assert!(error.contains("one target each"), "{error}");
    assert!(digest.starts_with("sha256:"));
    environment.call("store check --deep").success();
}

/// The digest of a manifest that the copied index names.
fn one_child(registry: &Registry) -> String {
    let index: serde_json::Value = serde_json::from_slice(&registry.manifest("copy", "1").unwrap()).unwrap();
    index["manifests"][1]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn pull_policy_says_when_a_registry_is_asked() {
    if !has_user_namespaces() {
        return;
    }
    let (environment, registry) = (Environment::empty(), Registry::new());
    let base = format!("{}/base:1", registry.host());
    image(&environment, "first", "linux/amd64", "first");
    image(&environment, "second", "linux/amd64", "second");
    environment.fnpack(["image", "push", "first", &base]).success();
    environment.write("on/Dockerfile", &format!("FROM {base}\nLABEL on=it\n"));
    let build = |policy: &str| environment.call(&format!("image build -t on --platform linux/amd64 --pull-policy {policy} on"));
    let error = build("never").failure(4);
    assert!(error.contains("base:1"), "{error}");
    let layer = |name: &str| {
        let json: serde_json::Value = serde_json::from_str(&environment.call(&format!("inspect -o json {name}")).success()).unwrap();
        json["layers"][0]["digest"].clone()
    };
    build("if-not-present").success();
    assert_eq!(layer("on"), layer("first"));
    environment.fnpack(["image", "push", "second", &base]).success();
    build("if-not-present").success();
    assert_eq!(layer("on"), layer("first"));
    build("always").success();
    assert_eq!(layer("on"), layer("second"));
}

#[test]
fn build_that_could_not_be_published_does_not_begin() {
    let Some(environment) = Environment::with_base() else { return };
    let registry = Registry::with_access(Access::Basic("user".to_owned(), "password".to_owned()));
    bash_builder(&environment, "copy/refused", "exit 0", START);
    environment.write("function/file", "");
    let name = format!("{}/team/refused:1", registry.host());
    let outcome = environment.fnpack(["build", &name, "function", "-B", "copy/refused", "--publish"]);
    assert!(!outcome.stderr.contains("example/bash"), "{}", outcome.stderr);
    let error = outcome.failure(4);
    assert!(error.contains("login"), "{error}");
}

#[test]
fn image_that_a_registry_refuses_stays_in_the_store() {
    let Some(environment) = Environment::with_base() else { return };
    let registry = Registry::new();
    registry.fault(Fault::status("PUT", "/manifests/", 403));
    bash_builder(&environment, "copy/kept", "exit 0", START);
    environment.write("function/file", "");
    let name = format!("{}/team/kept:1", registry.host());
    let error = environment.call(&format!("build {name} function -B copy/kept --publish")).failure(4);
    assert!(error.contains("image push") && error.contains("the image is in the store"), "{error}");
    environment.call(&format!("--offline inspect {name}")).success();
}

#[test]
fn function_is_published_and_rebased_where_it_is() {
    let Some(environment) = Environment::with_base() else { return };
    let registry = Registry::new();
    registry.take_single_posts();
    let host = registry.host();
    for (tag, patch) in [("1", "one"), ("next", "two")] {
        environment.write("runner/Dockerfile", &format!("FROM test/run\nUSER root\nRUN echo {patch} > /etc/patch\nUSER 10000:10001\n"));
        environment.call(&format!("image build -t {host}/copy/runner:{tag} --publish runner")).success();
    }
    environment.write("function/file", "");
    bash_builder(&environment, "copy/builder", "exit 0", START);
    let name = format!("{host}/copy/function:1");
    environment
        .call(&format!("build {name} function -B copy/builder --run-image {host}/copy/runner:1 -t {host}/copy/function:other --publish"))
        .success();
    assert_eq!(registry.manifest("copy/function", "1"), registry.manifest("copy/function", "other"));

    registry.forget_requests();
    let there = Environment::empty();
    let line = format!("rebase {name} --run-image {host}/copy/runner:next --publish -t {host}/copy/function:2");
    let told = there.call(&line).success();
    assert!(told.starts_with(&format!("{host}/copy/function:2@sha256:")), "{told}");
    // The base under both runners is the same; the layer above it is the one that the repository lacks.
    let requests = registry.request_lines();
    assert!(requests.len() <= 6 + 1, "{requests:#?}");
    assert!(!requests.iter().any(|line| line.starts_with("PATCH") || line.starts_with("PUT") && line.contains("/blobs/")), "{requests:#?}");
    assert_ne!(registry.manifest("copy/function", "1"), registry.manifest("copy/function", "2"));
    there.call(&format!("run --raw {host}/copy/function:2")).success();
    assert_eq!(there.call(&format!("run --raw {host}/copy/function:2")).success(), "two");
    assert_eq!(there.call(&format!("run --raw {name}")).success(), "one");

    // From another name, to the name that it has.
    there.call(&format!("rebase {name} --previous-image {host}/copy/function:2 --run-image {host}/copy/runner:next --publish")).success();
    assert_eq!(registry.manifest("copy/function", "1"), registry.manifest("copy/function", "2"));
}

#[test]
fn index_is_rebased_target_by_target() {
    let Some(environment) = Environment::with_base() else { return };
    let registry = Registry::new();
    let host = registry.host();
    environment.write("function/file", "");
    bash_builder(&environment, "copy/of-index", "exit 0", START);
    let name = format!("{host}/copy/indexed:amd");
    environment.call(&format!("build {name} function -B copy/of-index --publish")).success();
    environment.call(&format!("index create {host}/copy/indexed:1 {name}")).success();
    environment.call(&format!("index push {host}/copy/indexed:1")).success();
    environment.write("runner/Dockerfile", "FROM test/run\nLABEL new=one\n");
    environment.write("runner/file", "");
    environment.call(&format!("image build -t {host}/copy/new-runner --publish runner")).success();
    let before: serde_json::Value = serde_json::from_slice(&registry.manifest("copy/indexed", "1").unwrap()).unwrap();
    environment.call(&format!("rebase {host}/copy/indexed:1 --run-image {host}/copy/new-runner --publish")).success();
    let after: serde_json::Value = serde_json::from_slice(&registry.manifest("copy/indexed", "1").unwrap()).unwrap();
    let entry = |index: &serde_json::Value| index["manifests"][0].clone();
    assert_eq!(entry(&before)["platform"], entry(&after)["platform"]);
    assert_ne!(entry(&before)["digest"], entry(&after)["digest"]);
    let child = registry.manifest("copy/indexed", entry(&after)["digest"].as_str().unwrap());
    assert!(child.is_some());
}

/// A manifest of no image, about another; gives its digest.
fn put_about(registry: &Registry, subject: &str, tag: Option<&str>) -> String {
    let config = registry.put_blob("app", b"{}");
    let blob = registry.put_blob("app", subject.as_bytes());
    let mut manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2 },
        "layers": [{ "mediaType": "text/plain", "digest": blob, "size": subject.len() }],
    });
    if tag.is_none() {
        manifest["subject"] =
            serde_json::json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": subject, "size": 1 });
    }
    let bytes = manifest.to_string().into_bytes();
    let digest = testkit::registry::digest(&bytes);
    registry.put_manifest("app", tag.unwrap_or(&digest), "application/vnd.oci.image.manifest.v1+json", &bytes)
}

#[test]
fn signatures_go_along_through_layouts_and_archives() {
    if !has_user_namespaces() {
        return;
    }
    let (environment, one, other) = (Environment::empty(), Registry::new(), Registry::new());
    image(&environment, "app", "linux/amd64", "one");
    let subject = digest(&environment, "app");
    let (from, to) = (format!("docker://{}/app:1", one.host()), format!("docker://{}/copy:1", other.host()));
    environment.fnpack(["image", "copy", "app", &from]).success();
    let sbom = put_about(&one, &subject, None);
    let tag = format!("{}.sig", subject.replace(':', "-"));
    let signature = put_about(&one, &subject, Some(&tag));
    for (from, to) in [(from.as_str(), "oci:layout"), ("oci:layout", "oci-archive:app.tar"), ("oci-archive:app.tar", to.as_str())] {
        let outcome = environment.fnpack(["image", "copy", "--platform", "linux/amd64", from, to]);
        assert!(outcome.stderr.contains("2 signatures, SBOMs or the like went along"), "{from} {to}: {}", outcome.stderr);
        outcome.success();
    }
    assert!(other.manifest("copy", &sbom).is_some());
    assert_eq!(other.manifest("copy", &tag), one.manifest("app", &signature));
    let outcome = environment.fnpack(["image", "load", "oci:layout", "-t", "loaded"]);
    outcome.success();
}
