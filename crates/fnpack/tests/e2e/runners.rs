//! What fnpack knows of run images, and what it does with it: on a look-alike of the published runners, none of whose
//! programs can be started.

use testkit::runner::RunnerImage;

use super::environment::{Environment, bash_builder};

/// `bin/build` that says what it knows of the runner and what labels it is told to write.
const TELL: &str = "echo \"runner: java=$BP_RUNNER_JAVA python=$BP_RUNNER_PYTHON libc=$BP_RUNNER_LIBC on $CNB_TARGET_DISTRO_NAME\"\n\
    while IFS='=' read -r key value; do\n\
        printf '[[labels]]\\nkey = \"io.fnpack.function.%s\"\\nvalue = \"%s\"\\n' \"$key\" \"$value\" >> $1/launch.toml\n\
    done < labels\n";

/// The shared store with the look-alikes under names of this test.
fn environment(test: &str) -> Option<Environment> {
    let environment = Environment::with_base()?;
    for (language, runner) in
        [("go", RunnerImage::published_go()), ("java", RunnerImage::published_java()), ("python", RunnerImage::published_python())]
    {
        let name = format!("{test}/{language}-runner:4.0.5.2");
        let file = environment.path().join("runner.tar");
        fs_err::write(&file, runner.archive(&name)).unwrap();
        environment.call(&format!("image load {}", file.display())).success();
    }
    bash_builder(&environment, &format!("{test}/builder"), "exit 0", TELL);
    Some(environment)
}

fn write_labels(environment: &Environment, labels: &str) {
    environment.write("function/labels", &format!("language=python\nartifact=/pulsar/function/function.py\n{labels}"));
}

#[test]
fn buildpacks_are_told_of_the_published_runner() {
    let Some(environment) = environment("told") else { return };
    environment.write("function/labels", "");
    for (more, expected) in [
        ("--run-image told/java-runner:4.0.5.2", "java=21 python= libc=musl 1.2.5 on alpine"),
        ("--run-image told/python-runner:4.0.5.2", "java= python=3.12 libc=musl 1.2.5 on alpine"),
        ("--run-image told/java-runner:4.0.5.2 -e BP_RUNNER_JAVA=17", "java=17 python= libc=musl 1.2.5 on alpine"),
        ("--run-image debian:trixie-slim", "java= python= libc=glibc 2.41 on debian"),
    ] {
        let outcome = environment.call(&format!("build told/function function -B told/builder {more}"));
        assert!(outcome.stderr.contains(expected), "{more}: {}", outcome.stderr);
        outcome.success();
    }
}

#[test]
fn function_that_does_not_fit_is_refused_before_an_image_is_made() {
    let Some(environment) = environment("fit") else { return };
    for (labels, runner, expected) in [
        ("", "go", "it is a Python function, the run image is for Go"),
        ("libc=glibc\nlibc.version=2.28\n", "python", "it is bound to glibc, the run image has musl 1.2.5"),
        ("python.version=3.13\n", "python", "its packages are bound to Python 3.13, the run image has Python 3.12"),
    ] {
        write_labels(&environment, labels);
        let error =
            environment.call(&format!("build fit/refused function -B fit/builder --run-image fit/{runner}-runner:4.0.5.2")).failure(3);
        assert!(error.contains(expected) && error.contains("--run-image"), "{error}");
        assert_ne!(environment.call("inspect fit/refused").code, Some(0));
    }
    write_labels(&environment, "libc=musl\nlibc.version=1.2\npython.version=3.12\n");
    environment.call("build fit/function function -B fit/builder --run-image fit/python-runner:4.0.5.2").success();
    let inspected: serde_json::Value = serde_json::from_str(&environment.call("inspect -o json fit/function").success()).unwrap();
    assert_eq!(inspected["function"]["python.version"], "3.12");
    assert_eq!(inspected["base"]["image"], "fit/python-runner:4.0.5.2");
}

#[test]
fn rebase_asks_what_the_function_needs() {
    let Some(environment) = environment("swap") else { return };
    write_labels(&environment, "python.version=3.12\n");
    environment.call("build swap/function function -B swap/builder --run-image swap/python-runner:4.0.5.2").success();
    for (runner, reason) in [("swap/go-runner:4.0.5.2", "it is a Python function"), ("debian:trixie-slim", "it is a Python function")] {
        let error = environment.call(&format!("rebase swap/function --run-image {runner}")).failure(7);
        assert!(error.contains(reason) && error.contains("--force"), "{error}");
    }
    environment.write(
        "next/Dockerfile",
        "FROM swap/python-runner:4.0.5.2\nLABEL org.example.patch=1 io.buildpacks.base.id=swap\nCOPY patch /etc/patch\n",
    );
    environment.write("next/patch", "1");
    environment.call("image build -t swap/python-runner:next next").success();
    environment.call("rebase swap/function --run-image swap/python-runner:next").success();
    let runner = |name: &str| {
        let inspected: serde_json::Value = serde_json::from_str(&environment.call(&format!("inspect -o json {name}")).success()).unwrap();
        inspected["runner"].clone()
    };
    let expected = serde_json::json!({ "language": "go python", "libc": "musl 1.2.5", "python": "3.12" });
    for name in ["swap/python-runner:next", "swap/function"] {
        assert_eq!(runner(name), expected, "{name}");
    }
    // A runner that says nothing of itself is read again where it is needed, and images on it are compared by their needs.
    environment.call("rebase swap/function --run-image swap/python-runner:4.0.5.2").success();
    assert!(runner("swap/function").is_null(), "facts go with their base");
    environment.call("rebase swap/function --run-image swap/python-runner:next").success();
}
