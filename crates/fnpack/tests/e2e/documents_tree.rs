//! A tree written by hand as the Function Mesh documentation shows it: bash scripts, old-style
//! `[stack]`, a relative uri.

use super::environment::Environment;

fn write_tree(environment: &Environment) {
    environment.write(
        "builders/golang-builder/builder.toml",
        r#"description = "Builder for Go functions"

[[buildpacks]]
  id = "example/golang"
  version = "0.0.1"
  uri = "../../buildpacks/golang"

[[order]]
  [[order.group]]
  id = "example/golang"
  version = "0.0.1"

[stack]
  id = "org.example.stack"
  build-image = "tree/build"
  run-image = "tree/go-runner"
"#,
    );
    environment.write(
        "buildpacks/golang/buildpack.toml",
        "api = \"0.8\"\n\n[buildpack]\n  id = \"example/golang\"\n  version = \"0.0.1\"\n\n[[stacks]]\n  id = \"org.example.stack\"\n",
    );
    environment.script(
        "buildpacks/golang/bin/detect",
        "#!/usr/bin/env bash\nset -eo pipefail\n[[ -f go.mod ]] || exit 100\nls *.go >/dev/null 2>&1 || exit 100\n",
    );
    environment.script(
        "buildpacks/golang/bin/build",
        r#"#!/usr/bin/env bash
set -eo pipefail
layers=$1
command -v marker > made-by
printf '#!/bin/bash\necho function %s\n' "$(cat version)" > function
chmod +x function
find . -mindepth 1 -not -name function -not -name made-by -delete
cat > "$layers/launch.toml" <<'TOML'
[[processes]]
type = "function"
command = "/pulsar/function/function"
direct = true
default = true
TOML
"#,
    );
    environment.write(
        "stack/stack.build.Dockerfile",
        "FROM test/build\nUSER root\nRUN printf '#!/bin/sh\\necho build only\\n' > /usr/bin/marker && chmod 755 /usr/bin/marker\nUSER 10000:10001\n",
    );
    environment.write(
        "stack/stack.go-runner.run.Dockerfile",
        "FROM test/run\nUSER root\nRUN printf '#!/bin/sh\\necho in the runner\\n' > /usr/bin/runner-marker && chmod 755 /usr/bin/runner-marker\nUSER 10000:10001\n",
    );
    environment.write("function/go.mod", "module example.org/function\n");
    environment.write("function/main.go", "package main\n");
    environment.write("function/version", "1");
}

#[test]
fn tree_makes_builder_and_image() {
    let Some(environment) = Environment::with_base() else { return };
    write_tree(&environment);
    environment.call("image build -t tree/build -f stack/stack.build.Dockerfile stack").success();
    environment.call("image build -t tree/go-runner -f stack/stack.go-runner.run.Dockerfile stack").success();
    environment.call("builder create tree/golang-builder -c builders/golang-builder/builder.toml").success();
    let inspected = environment.call("builder inspect tree/golang-builder").success();
    for expected in ["Builder for Go functions", "example/golang", "tree/go-runner", "org.example.stack"] {
        assert!(inspected.contains(expected), "{expected} in\n{inspected}");
    }
    environment.call("build tree/function function -B tree/golang-builder").success();

    assert_eq!(environment.call("run --raw tree/function").success(), "function 1");
    let listed = environment.call("run --raw tree/function --entrypoint ls -- -A /pulsar/function").success();
    assert_eq!(listed, "function\nmade-by", "no source file is in the image");
    let made_by = environment.call("run --raw tree/function --entrypoint cat -- /pulsar/function/made-by").success();
    assert_eq!(made_by, "/usr/bin/marker", "bin/build sees what the build Dockerfile added");
    let found = environment.call("run --raw tree/function --entrypoint ls -- /usr/bin/runner-marker /usr/bin/marker");
    assert_eq!(found.code, Some(2), "the build image's addition is not in the function image");
    assert_eq!(found.stdout.trim(), "/usr/bin/runner-marker", "the runner's addition is in it");
}

#[test]
fn one_line_change_makes_only_that_layer_anew() {
    let Some(environment) = Environment::with_base() else { return };
    super::environment::bash_builder(
        &environment,
        "line/builder",
        "exit 0",
        "mkdir -p $1/dependency && echo stays > $1/dependency/file && printf '[types]\\nlaunch = true\\n' > $1/dependency.toml\n",
    );
    environment.write("function/own", "one");
    environment.call("build line/function function -B line/builder").success();
    let layers = |environment: &Environment| {
        let json = environment.call("inspect -o json line/function").success();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        value["layers"].as_array().unwrap().iter().map(|layer| layer["diff_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = layers(&environment);
    environment.write("function/own", "two");
    environment.call("build line/function function -B line/builder").success();
    let after = layers(&environment);
    assert_eq!(before.len(), after.len());
    let changed = before.iter().zip(&after).filter(|(left, right)| left != right).count();
    assert_eq!(changed, 1, "{before:?}\n{after:?}");
}
