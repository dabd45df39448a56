//! `fnpack rebase` in the store.

use testkit::registry::Registry;

use super::environment::{Environment, bash_builder};

const START: &str =
    "cat > $1/launch.toml <<'TOML'\n[[processes]]\ntype = \"show\"\ncommand = [\"/bin/cat\", \"/etc/patch\"]\ndefault = true\nTOML\n";

fn runner(environment: &Environment, name: &str, patch: &str, labels: &str) {
    environment.write("runner/Dockerfile", &format!("FROM test/run\nUSER root\nRUN echo {patch} > /etc/patch\n{labels}USER 10000:10001\n"));
    environment.call(&format!("image build -t {name} runner")).success();
}

#[test]
fn function_runs_on_the_new_runner_and_keeps_its_layers() {
    let Some(environment) = Environment::with_base() else { return };
    runner(&environment, "rebase/runner:1", "one", "");
    runner(&environment, "rebase/runner:next", "two", "");
    environment.write("function/file", "");
    bash_builder(&environment, "rebase/builder", "exit 0", START);
    environment.call("build rebase/function function -B rebase/builder --run-image rebase/runner:1").success();
    assert_eq!(environment.call("run --raw rebase/function").success(), "one");
    let layers = |environment: &Environment| {
        let json: serde_json::Value = serde_json::from_str(&environment.call("inspect -o json rebase/function").success()).unwrap();
        let base = usize::try_from(json["base"]["layers"].as_u64().unwrap()).unwrap();
        json["layers"].as_array().unwrap()[base..].iter().map(|layer| layer["digest"].clone()).collect::<Vec<_>>()
    };
    let before = layers(&environment);
    let dry = environment.call("rebase rebase/function --run-image rebase/runner:next --dry-run");
    assert_eq!((dry.code, environment.call("run --raw rebase/function").success()), (Some(0), "one".to_owned()));
    environment.call("rebase rebase/function --run-image rebase/runner:next").success();
    assert_eq!(environment.call("run --raw rebase/function").success(), "two");
    assert_eq!(layers(&environment), before);
    let inspected = environment.call("inspect rebase/function").success();
    assert!(inspected.contains("rebase/runner:next"), "{inspected}");
}

#[test]
fn runner_of_another_distribution_is_refused_with_the_reason() {
    let Some(environment) = Environment::with_base() else { return };
    runner(&environment, "refuse/runner:1", "one", "LABEL io.buildpacks.base.distro.name=debian io.buildpacks.base.distro.version=13\n");
    runner(&environment, "refuse/runner:2", "two", "LABEL io.buildpacks.base.distro.name=alpine io.buildpacks.base.distro.version=3.24\n");
    environment.write("function/file", "");
    bash_builder(&environment, "refuse/builder", "exit 0", START);
    environment.call("build refuse/function function -B refuse/builder --run-image refuse/runner:1").success();
    let error = environment.call("rebase refuse/function --run-image refuse/runner:2").failure(7);
    assert!(error.contains("debian 13") && error.contains("alpine 3.24") && error.contains("--force"), "{error}");
    let forced = environment.call("rebase refuse/function --run-image refuse/runner:2 --force");
    assert!(forced.stderr.contains("warning:") && forced.stderr.contains("alpine 3.24"), "{}", forced.stderr);
    forced.success();
}

#[test]
fn image_that_buildpacks_did_not_make_is_refused() {
    let Some(environment) = Environment::with_base() else { return };
    let error = environment.call("rebase test/run --run-image test/build").failure(7);
    assert!(error.contains("io.buildpacks.lifecycle.metadata"), "{error}");
}

#[test]
fn images_in_files_and_registries_are_rebased_to_other_places() {
    let Some(environment) = Environment::with_base() else { return };
    let registry = Registry::new();
    runner(&environment, "places/runner:1", "one", "");
    runner(&environment, "places/runner:next", "two", "");
    environment.write("function/file", "");
    bash_builder(&environment, "places/builder", "exit 0", START);
    environment.call("build places/function function -B places/builder --run-image places/runner:1").success();
    let remote = format!("docker://{}/places/function:1", registry.host());
    let sources = ["oci:layout:1", "oci-archive:function.tar", "docker-archive:docker.tar:places/function", remote.as_str()];
    for place in sources {
        environment.fnpack(["image", "copy", "places/function", place]).success();
    }
    let sent = format!("docker://{}/places/function:2", registry.host());
    for (index, from) in sources.into_iter().enumerate() {
        let kept = format!("places/from-{index}");
        let targets =
            [kept.as_str(), "oci:layout:2", "oci-archive:two.tar", "docker-archive:two-docker.tar:places/function:2", sent.as_str()];
        let tags = targets.iter().flat_map(|place| ["-t", place]);
        let told = environment.fnpack(["rebase", from, "--run-image", "places/runner:next"].into_iter().chain(tags)).success();
        assert_eq!(told.lines().count(), targets.len(), "{told}");
        assert_eq!(environment.call(&format!("run --raw {kept}")).success(), "two", "{from}");
        for place in targets {
            let inspected = environment.fnpack(["inspect", place]).success();
            assert!(inspected.contains("places/runner:next"), "{from} to {place}: {inspected}");
        }
        let unchanged = environment.fnpack(["inspect", from]).success();
        assert!(unchanged.contains("places/runner:1"), "{from}: {unchanged}");
        let error = environment.fnpack(["rebase", from, "--run-image", "places/runner:next"]).failure(2);
        assert!(error.contains("needs a name or a place") && error.contains("`-t`"), "{error}");
    }
    let error = environment.call("rebase oci:layout:1 --run-image places/runner:next --publish").failure(2);
    assert!(error.contains("is in no registry") && error.contains("image copy"), "{error}");

    // A name that only its registry has is taken from there, into the store.
    let name = format!("{}/places/function:1", registry.host());
    environment.fnpack(["rebase", &name, "--run-image", "places/runner:next"]).success();
    assert_eq!(environment.fnpack(["run", "--raw", &name]).success(), "two");
}

#[test]
fn builder_is_inspected_wherever_it_is() {
    let Some(environment) = Environment::with_base() else { return };
    let registry = Registry::new();
    bash_builder(&environment, "places/inspected", "exit 0", "");
    let remote = format!("docker://{}/places/builder:1", registry.host());
    for place in ["oci:builder:1", "oci-archive:builder.tar", "docker-archive:docker.tar:builder", remote.as_str()] {
        environment.fnpack(["image", "copy", "places/inspected", place]).success();
        let shown = environment.fnpack(["builder", "inspect", place]).success();
        assert!(shown.contains("example/bash") && shown.contains(place), "{shown}");
    }
    let error = environment.call("builder inspect test/run").failure(3);
    assert!(error.contains("test/run"), "{error}");
}
