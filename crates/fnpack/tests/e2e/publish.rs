//! `--publish`: from source straight to a registry. Layers of the base never come here, each of ours goes once.

use std::path::Path;
use std::time::SystemTime;

use testkit::registry::{Fault, Registry, Seen};

use super::environment::{Environment, bash_builder, user_is_root};

/// Says that it is a function, and where.
const FUNCTION: &str = "echo '#!/bin/sh' > function\nchmod 755 function\ncat > $1/launch.toml <<'TOML'\n\
    [[labels]]\nkey = \"io.fnpack.function.language\"\nvalue = \"go\"\n\
    [[labels]]\nkey = \"io.fnpack.function.artifact\"\nvalue = \"/pulsar/function/function\"\nTOML\n";

/// A runner that says all of itself, in a registry and nowhere else. It has two layers.
fn runner(registry: &Registry) -> String {
    let environment = Environment::empty();
    environment.write("runner/Dockerfile", RUNNER);
    // The store that tests share is kept: what it should not get must never have been there.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    environment.write("runner/shell", &format!("#!/bin/sh\n# {} {now}\n", registry.host()));
    let name = format!("{}/runners/go:1", registry.host());
    environment.fnpack(["image", "build", "-t", &name, "--publish", "runner"]).success();
    name
}

const RUNNER: &str = "\
FROM scratch
COPY --chmod=755 shell /bin/bash
COPY shell /etc/profile
LABEL io.buildpacks.base.runner.language=go io.buildpacks.base.runner.libc='glibc 2.41' \\
      io.buildpacks.base.distro.name=debian io.buildpacks.base.distro.version=13 io.buildpacks.stack.id=org.example.stack
USER 10000:10001
";

fn digests(registry: &Registry, repository: &str, tag: &str) -> Vec<String> {
    let manifest: serde_json::Value = serde_json::from_slice(&registry.manifest(repository, tag).unwrap()).unwrap();
    manifest["layers"].as_array().unwrap().iter().map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
}

/// How many requests were about these layers; in a query the colon of a digest is escaped.
fn about(requests: &[Seen], method: &str, layers: &[String]) -> usize {
    let of_layer = |request: &&Seen| layers.iter().any(|digest| request.target.contains(digest.trim_start_matches("sha256:")));
    requests.iter().filter(|request| request.method == method).filter(of_layer).count()
}

fn has_blob(store: &Path, digest: &str) -> bool {
    store.join("blobs/sha256").join(digest.trim_start_matches("sha256:")).exists()
}

/// Panics unless the base was only read by its documents and each layer above was sent once.
#[track_caller]
fn assert_base_untouched(environment: &Environment, registry: &Registry, repository: &str) {
    let requests = registry.requests();
    let base = digests(registry, "runners/go", "1");
    let all = digests(registry, repository, "1");
    let (below, above) = all.split_at(base.len());
    assert_eq!(below, base);
    assert!(!above.is_empty());
    assert_eq!(about(&requests, "GET", &base), 0, "no layer of the base is read");
    assert_eq!(about(&requests, "PUT", &base), 0, "no layer of the base is sent");
    assert_eq!(about(&requests, "POST", &base), base.len(), "each is mounted");
    for digest in above {
        assert_eq!(about(&requests, "PUT", std::slice::from_ref(digest)), 1, "{digest} is sent once");
    }
    assert!(base.iter().all(|digest| !has_blob(environment.store(), digest)), "none is in the store");
    assert!(above.iter().all(|digest| has_blob(environment.store(), digest)), "ours are");
    environment.call("store check").success();
}

#[test]
fn build_reads_manifest_and_config_of_its_base_alone() {
    let Some(environment) = Environment::with_base() else { return };
    let registry = Registry::new();
    let runner = runner(&registry);
    environment.write("function/file", "1");
    bash_builder(&environment, "publish/builder", "exit 0", FUNCTION);
    registry.forget_requests();
    let name = format!("{}/team/function:1", registry.host());
    let build = ["build", &name, "function", "-B", "publish/builder", "--publish", "--run-image"];
    environment.fnpack(build.iter().chain(&[runner.as_str()])).success();
    assert_base_untouched(&environment, &registry, "team/function");

    // What the store does not have is fetched when somebody needs it.
    let names = environment.call(&format!("run --raw {name} --entrypoint /bin/bash"));
    assert_ne!(names.code, Some(4), "{names:?}");
    assert!(digests(&registry, "runners/go", "1").iter().all(|digest| has_blob(environment.store(), digest)), "{names:?}");
}

#[test]
fn artifact_is_published_on_a_base_that_stays_where_it_is() {
    if !user_is_root() {
        return;
    }
    let (environment, registry) = (Environment::empty(), Registry::new());
    let runner = runner(&registry);
    fs_err::write(environment.path().join("function"), testkit::golang::function()).unwrap();
    registry.forget_requests();
    let name = format!("{}/team/ready:1", registry.host());
    environment.fnpack(["build", &name, "function", "--publish", "--run-image", &runner]).success();
    assert_base_untouched(&environment, &registry, "team/ready");
}

#[test]
fn dockerfile_without_run_needs_no_layer_of_its_base() {
    if !user_is_root() {
        return;
    }
    let (environment, registry) = (Environment::empty(), Registry::new());
    let runner = runner(&registry);
    environment.write("context/function", "#!/bin/sh\n");
    let steps = "ENV A=1\nLABEL b=2\nCOPY --link --chown=10000:10001 --chmod=755 function /pulsar/function/function\n\
        WORKDIR /pulsar/function\nUSER 10000:10001\nCMD [\"./function\"]\n";
    environment.write("context/Dockerfile", &format!("FROM {runner}\n{steps}"));
    registry.forget_requests();
    let name = format!("{}/team/by-dockerfile:1", registry.host());
    environment.fnpack(["image", "build", "-t", &name, "--publish", "context"]).success();
    assert_base_untouched(&environment, &registry, "team/by-dockerfile");

    // Labels alone add no layer at all.
    environment.write("labels/Dockerfile", &format!("FROM {runner}\nLABEL c=3\nUSER 1:1\n"));
    registry.forget_requests();
    let name = format!("{}/team/labels:1", registry.host());
    environment.fnpack(["image", "build", "-t", &name, "--publish", "labels"]).success();
    let base = digests(&registry, "runners/go", "1");
    assert_eq!(digests(&registry, "team/labels", "1"), base);
    assert_eq!(about(&registry.requests(), "GET", &base) + about(&registry.requests(), "PUT", &base), 0);
}

#[test]
fn builder_is_made_on_a_build_image_that_stays_where_it_is() {
    let Some(base) = Environment::with_base() else { return };
    let registry = Registry::new();
    let host = registry.host();
    base.fnpack(["image", "push", "test/build", &format!("{host}/runners/go:1")]).success();
    let environment = Environment::empty();
    environment.write("bp/buildpack.toml", "api = \"0.10\"\n[buildpack]\nid = \"a/b\"\nversion = \"1\"\n[[targets]]\nos = \"linux\"\n");
    environment.script("bp/bin/detect", "#!/bin/sh\n");
    environment.script("bp/bin/build", "#!/bin/sh\n");
    let order = "[[order]]\n[[order.group]]\nid = \"a/b\"\nversion = \"1\"\n";
    let images = format!("[build]\nimage = \"{host}/runners/go:1\"\n[[run.images]]\nimage = \"test/run\"\n");
    environment.write("builder.toml", &format!("[[buildpacks]]\nid = \"a/b\"\nversion = \"1\"\nuri = \"bp\"\n{order}{images}"));
    registry.forget_requests();
    let name = format!("{host}/team/builder:1");
    environment.fnpack(["builder", "create", &name, "-c", "builder.toml", "--publish"]).success();
    assert_base_untouched(&environment, &registry, "team/builder");
}

#[test]
fn base_of_another_registry_is_streamed_and_never_stored() {
    let Some(environment) = Environment::with_base() else { return };
    let (there, here) = (Registry::new(), Registry::new());
    let runner = runner(&there);
    environment.write("function/file", "2");
    bash_builder(&environment, "publish/streamed", "exit 0", FUNCTION);
    let base = digests(&there, "runners/go", "1");
    there.forget_requests();
    let name = format!("{}/team/function:1", here.host());
    // The image stays in the store when its registry fails, and the same layers are streamed by the next command.
    here.fault(Fault::status("PUT", "/manifests/", 403).times(1));
    let build = ["build", &name, "function", "-B", "publish/streamed", "--publish", "--run-image", &runner];
    let error = environment.fnpack(build).failure(4);
    let again = format!("fnpack image push {name}");
    assert!(error.contains("the image is in the store") && error.contains(&again), "{error}");
    environment.fnpack(again.split(' ').skip(1)).success();
    assert_eq!(digests(&here, "team/function", "1")[..base.len()], base);
    assert_eq!(about(&there.requests(), "GET", &base), base.len(), "each is read once");
    for digest in &base {
        assert_eq!(about(&here.requests(), "PUT", std::slice::from_ref(digest)), 1);
        assert!(!has_blob(environment.store(), digest));
    }
}

#[test]
fn what_a_lost_registry_did_not_take_can_be_sent_later() {
    let Some(environment) = Environment::with_base() else { return };
    let registry = Registry::new();
    let host = registry.host();
    bash_builder(&environment, "publish/kept", "exit 0", FUNCTION);
    environment.write("function/file", "3");
    environment.write("small/Dockerfile", "FROM scratch\nCOPY file /\n");
    environment.write("small/file", "4");
    for (name, command) in [
        ("function", "build NAME function -B publish/kept --publish"),
        ("image", "image build -t NAME --publish small"),
        ("builder", "builder create NAME -c builder.toml --publish"),
    ] {
        let name = format!("{host}/kept/{name}:1");
        registry.fault(Fault::status("PUT", "/blobs/uploads/", 507).times(1));
        let error = environment.call(&command.replace("NAME", &name)).failure(4);
        let again = format!("fnpack image push {name}");
        assert!(error.contains("the image is in the store") && error.contains(&again), "{error}");
        environment.call(again.trim_start_matches("fnpack ")).success();
    }
}

#[test]
fn further_names_cost_one_request_or_mounts() {
    let Some(environment) = Environment::with_base() else { return };
    let registry = Registry::new();
    registry.take_single_posts();
    let host = registry.host();
    bash_builder(&environment, "publish/names", "exit 0", FUNCTION);
    environment.write("function/file", "5");
    let (first, tag, other) = (format!("{host}/many/a:1"), format!("{host}/many/a:2"), format!("{host}/many/b:1"));
    environment.fnpack(["build", &first, "function", "-B", "publish/names", "--publish", "-t", &tag, "-t", &other]).success();
    let expected = registry.manifest("many/a", "1");
    assert_eq!((registry.manifest("many/a", "2"), registry.manifest("many/b", "1")), (expected.clone(), expected));
    let requests = registry.requests();
    let to_tag = requests.iter().filter(|request| request.target.ends_with("/v2/many/a/manifests/2"));
    assert_eq!(to_tag.map(|request| request.method.as_str()).collect::<Vec<_>>(), ["PUT"]);
    let sent = requests.iter().filter(|request| request.target.starts_with("/v2/many/b/blobs/") && request.method == "PUT");
    assert_eq!(sent.count(), 1, "the config alone is sent to the second repository");
}

#[test]
fn layers_of_a_previous_image_in_a_registry_are_reused() {
    let Some(environment) = Environment::with_base() else { return };
    let registry = Registry::new();
    let host = registry.host();
    environment.write("function/file", "6");
    // Makes its layer only where there is none of before.
    let build = "test -e $1/lib.toml && echo reused || { mkdir -p $1/lib; echo once > $1/lib/file; }\n\
        printf '[types]\\nlaunch = true\\n' > $1/lib.toml\n";
    bash_builder(&environment, "publish/previous", "exit 0", build);
    let (one, two) = (format!("{host}/before/a:1"), format!("{host}/before/b:2"));
    let command = |name: &str, more: &[&str]| {
        let fixed = ["build", name, "function", "-B", "publish/previous", "--publish"];
        environment.fnpack(fixed.iter().chain(more))
    };
    command(&one, &[]).success();
    environment.call(&format!("image rm {one}")).success();
    let outcome = command(&one, &[]);
    assert!(outcome.stderr.contains("reused"), "the registry's own image of the name: {}", outcome.stderr);
    outcome.success();
    environment.call(&format!("image rm {one}")).success();
    let outcome = command(&two, &["--previous-image", &one]);
    assert!(outcome.stderr.contains("reused"), "{}", outcome.stderr);
    outcome.success();
    assert_eq!(digests(&registry, "before/a", "1"), digests(&registry, "before/b", "2"));
    let outcome = command(&two, &["--previous-image", &format!("{host}/before/missing:1")]);
    assert!(outcome.stderr.contains("warning: nothing of") && outcome.stderr.contains("missing:1 is reused"), "{}", outcome.stderr);
    outcome.success();
}
