//! `fnpack rebase` in the store.

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
