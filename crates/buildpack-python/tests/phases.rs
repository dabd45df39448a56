//! The program as a lifecycle calls it: links named `detect` and `build`, folders, variables, exit codes.

use testkit::buildpack::{Lifecycle, Program, names, text};

const PROGRAM: Program = Program { path: env!("CARGO_BIN_EXE_buildpack-python"), id: "fnpack/python", search_path: "/nowhere" };

const FUNCTION: &str = "from pulsar import Function\nclass A(Function):\n    def process(self, input, context): return input\n";

const LOOKED: &str = "looked for a Python function, a class with process(self, input, context) or a module with process(input): not found";

#[test]
fn detect_says_what_it_looked_for() {
    let requirements = ("requirements.txt", "six\n");
    for (name, files, code, said) in [
        ("source only", &[("a.py", FUNCTION)][..], 0, ""),
        ("one module", &[("a.py", "def process(input): pass\n")], 0, ""),
        ("configuration only", &[requirements], 100, " (no .py file)"),
        ("both", &[("a.py", FUNCTION), requirements], 0, ""),
        ("neither", &[], 100, " (no .py file)"),
        ("several", &[("a.py", FUNCTION), ("b.py", FUNCTION)], 0, ""),
        ("in a subfolder", &[("services/orders/a.py", FUNCTION)], 0, ""),
        ("src layout", &[("src/orders/a.py", FUNCTION), ("pyproject.toml", "[project]\nname = 'x'\n")], 0, ""),
        ("ending in wrong case", &[("a.PY", FUNCTION)], 100, " (no .py file)"),
        ("function in wrong case", &[("a.py", "class A:\n    def Process(self, input, context): pass\n")], 100, " (in 1 Python file)"),
        ("empty file", &[("a.py", "")], 100, " (in 1 Python file)"),
        ("in tests only", &[("tests/a.py", FUNCTION)], 100, " (no .py file)"),
        ("a Go module with a script", &[("go.mod", ""), ("tool.py", "print('hello')\n")], 100, " (in 1 Python file)"),
        ("syntax error", &[("a.py", "// process\n")], 100, " (a.py:1:1: not Python)"),
    ] {
        let output = Lifecycle::new(PROGRAM, files).detect();
        let said = if code == 0 { String::new() } else { format!("{LOOKED}{said}\n") };
        assert_eq!((output.status.code(), text(&output.stdout), text(&output.stderr)), (Some(code), said.as_str(), ""), "{name}");
    }
}

#[test]
fn detect_goes_by_the_class_that_is_named() {
    for (class, code, said) in [
        ("a.A", 0, ""),
        ("org.example.Orders", 100, "there is no `org.example.Orders` (found a.A)\n"),
        ("a.handle", 100, "a.py:4: `a.handle` is a function, and Pulsar calls a class, or a bare module with process(input)\n"),
    ] {
        let lifecycle = Lifecycle::new(PROGRAM, &[("a.py", &format!("{FUNCTION}def handle(input): pass\n"))]);
        lifecycle.write("platform/env/BP_FUNCTION_CLASS", class);
        let output = lifecycle.detect();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), said), "{class}");
    }
}

#[test]
fn detect_refuses_wrong_settings() {
    let lifecycle = Lifecycle::new(PROGRAM, &[]);
    lifecycle.write("platform/env/BP_RUNNER_PYTHON", "snake");
    let output = lifecycle.detect();
    let said = "ERROR: settings of the build: BP_RUNNER_PYTHON is `snake`, which is not a Python release such as `3.13`\n";
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), said));
}

#[test]
fn build_records_the_function() {
    let lifecycle = Lifecycle::new(PROGRAM, &[("orders.py", FUNCTION), (".git/config", ""), ("README.md", "")]);
    lifecycle.write("platform/env/BP_FUNCTION_NAME", "fn\n");
    lifecycle.write("platform/env/BP_LAUNCH_APP_DIR", "/pulsar/function");
    let output = lifecycle.build();
    assert!(output.status.success(), "{output:?}");
    let said = "function orders.A in orders.py\n`orders.A` was not imported: the build image has no python3\n";
    assert_eq!((text(&output.stdout), text(&output.stderr)), (said, ""));
    let launch = lifecycle.toml("layers/launch.toml");
    let labels: Vec<&str> = launch["labels"].as_array().unwrap().iter().map(|label| label["value"].as_str().unwrap()).collect();
    assert_eq!(labels, ["python", "/pulsar/function/fn.py", "orders.A"]);
    assert_eq!(launch["processes"][0]["command"][3].as_str(), Some("/pulsar/function/fn.py"));
    assert_eq!(launch.get("slices"), None);
    assert_eq!(names(&lifecycle.at("app")), ["fn.py", "orders.py"]);
    for layer in ["uv-cache", "dependencies"] {
        assert_eq!(lifecycle.layer_types(layer), [false, false, true], "{layer}");
    }
}

#[test]
fn build_failure_leaves_the_source() {
    let lifecycle = Lifecycle::new(PROGRAM, &[("a.py", FUNCTION), ("requirements.txt", "six\n")]);
    let output = lifecycle.build();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "ERROR: there is no `python3` in the PATH of the build\nhint: use a build image with Python 3\n");
    assert!(lifecycle.at("app/requirements.txt").exists());
}
