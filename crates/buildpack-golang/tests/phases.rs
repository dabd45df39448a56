//! The program as a lifecycle calls it: links named `detect` and `build`, folders, variables, exit codes.

use testkit::buildpack::{Lifecycle, Program, names, text};

const PROGRAM: Program = Program { path: env!("CARGO_BIN_EXE_buildpack-golang"), id: "fnpack/golang", search_path: "/usr/bin:/bin" };

const FUNCTION: &str = "package main\nimport \"github.com/apache/pulsar/pulsar-function-go/pf\"\nfunc main() { pf.Start(f) }\n";

const FAKE_GO: &str = r#"#!/bin/sh
case "$1" in
  env) echo go1.24.4; echo /nowhere/go ;;
  build) echo "GOPROXY is $GOPROXY" >&2; while [ "$1" != -o ]; do shift; done; cp "$(dirname "$0")/program" "$2" ;;
esac
"#;

fn install_go(lifecycle: &Lifecycle) {
    lifecycle.install("go", FAKE_GO);
    lifecycle.write("bin/program", testkit::golang::function());
}

#[test]
fn detect_says_what_it_looked_for() {
    let module = ("go.mod", "module x\n");
    for (files, code, said) in [
        (&[module, ("main.go", FUNCTION)][..], 0, ""),
        (&[("go.mo", ""), ("main.go", FUNCTION)], 100, "looked for go.mod: not found (found go.mo)\n"),
        (&[], 100, "looked for go.mod: not found\n"),
    ] {
        let output = Lifecycle::new(PROGRAM, files).detect();
        assert_eq!((output.status.code(), text(&output.stdout), text(&output.stderr)), (Some(code), said, ""), "{files:?}");
    }
}

#[test]
fn detect_refuses_wrong_settings() {
    let lifecycle = Lifecycle::new(PROGRAM, &[]);
    lifecycle.write("platform/env/BP_GO_TARGETS", "../other");
    let output = lifecycle.detect();
    let said = "ERROR: settings of the build: BP_GO_TARGETS is `../other`, which is not a folder inside the source folder\n";
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), said));
}

#[test]
fn build_records_the_function() {
    let lifecycle = Lifecycle::new(PROGRAM, &[("go.mod", "module x\n"), ("main.go", FUNCTION), (".git/config", "")]);
    install_go(&lifecycle);
    lifecycle.write("platform/env/GOPROXY", "file:///goproxy\n");
    lifecycle.write("platform/env/BP_FUNCTION_NAME", "orders");
    let output = lifecycle.build();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stderr), "GOPROXY is file:///goproxy\n");
    assert_eq!(names(&lifecycle.at("app")), ["orders"]);

    let artifact = fs_err::canonicalize(lifecycle.at("app/orders")).unwrap().display().to_string();
    let launch = lifecycle.toml("layers/launch.toml");
    let process = launch["processes"][0].as_table().unwrap();
    assert_eq!((process["type"].as_str(), process["default"].as_bool()), (Some("function"), Some(true)));
    assert_eq!(process["command"][0].as_str(), Some(artifact.as_str()));
    let labels: Vec<(&str, &str)> = launch["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| (label["key"].as_str().unwrap(), label["value"].as_str().unwrap()))
        .collect();
    assert_eq!(
        labels,
        [
            ("io.fnpack.function.language", "go"),
            ("io.fnpack.function.artifact", artifact.as_str()),
            ("io.fnpack.function.arch", "amd64"),
            ("io.fnpack.function.static", "true"),
            ("io.fnpack.function.go.version", "1.25.0"),
            ("io.fnpack.function.pf.version", "v0.1.0"),
        ]
    );
    for layer in ["toolchain", "modules", "build-cache", "function"] {
        assert_eq!(lifecycle.layer_types(layer), [false, false, true], "{layer}");
    }
}

#[test]
fn build_again_takes_the_binary_from_the_restored_layer() {
    let lifecycle = Lifecycle::new(PROGRAM, &[("go.mod", "module x\n"), ("main.go", FUNCTION)]);
    install_go(&lifecycle);
    assert!(lifecycle.build().status.success());
    fs_err::remove_file(lifecycle.at("app/function")).unwrap();
    lifecycle.write("app/go.mod", "module x\n");
    lifecycle.write("app/main.go", FUNCTION);
    // A restorer leaves out the types.
    let mut restored = lifecycle.toml("layers/function.toml");
    restored.remove("types");
    lifecycle.write("layers/function.toml", restored.to_string());
    let output = lifecycle.build();
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).ends_with("nothing has changed since the last build: taking its binary\n"), "{output:?}");
    assert_eq!(text(&output.stderr), "");
    assert_eq!(names(&lifecycle.at("app")), ["function"]);
}

#[test]
fn build_failure_leaves_the_source() {
    let lifecycle = Lifecycle::new(PROGRAM, &[("go.mod", "module x\n"), ("main.go", FUNCTION)]);
    let output = lifecycle.build();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "ERROR: there is no `go` in the PATH of the build\nhint: use a build image with Go 1.21 or newer\n");
    assert_eq!(names(&lifecycle.at("app")), ["go.mod", "main.go"]);
}
