//! The program as a lifecycle calls it: links named `detect` and `build`, folders, variables, exit codes.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::os::unix::fs::symlink;
use std::process::Command;

use testkit::buildpack::{Lifecycle, Program, names, text};
use testkit::java::{ClassSource, jar};

const PROGRAM: Program = Program { path: env!("CARGO_BIN_EXE_buildpack-java"), id: "fnpack/java", search_path: "/bin" };

const POM: (&str, &str) = ("pom.xml", "<project><release>17</release></project>");
const SOURCE: (&str, &str) = ("src/main/java/F.java", "import org.apache.pulsar.functions.api.Function;");

const FAKE_MAVEN: &str = "#!/bin/sh\ncp -r \"$(dirname \"$0\")/../results\" target\necho \"profile is $PROFILE\"\n";

/// A JDK and Maven.
fn install_tools(lifecycle: &Lifecycle) {
    lifecycle.install("mvn", FAKE_MAVEN);
    lifecycle.write("jdk/bin/javac", "");
    lifecycle.write("jdk/release", "JAVA_VERSION=\"17.0.1\"\n");
    symlink(lifecycle.at("jdk/bin/javac"), lifecycle.at("bin/javac")).unwrap();
    lifecycle.write("results/f.jar", jar(&[ClassSource::function("x/F").entry()]));
    lifecycle.write("results/dependency/org.lib.lib-1.jar", jar(&[ClassSource::new("lib/L").entry()]));
}

#[test]
fn detect_says_what_it_looked_for() {
    for (files, code, said) in [
        (&[POM, SOURCE][..], 0, ""),
        (&[("Pom.xml", ""), SOURCE], 100, "looked for pom.xml or build.gradle: not found (found Pom.xml)\n"),
        (&[], 100, "looked for pom.xml or build.gradle: not found\n"),
    ] {
        let output = Lifecycle::new(PROGRAM, files).detect();
        assert_eq!((output.status.code(), text(&output.stdout), text(&output.stderr)), (Some(code), said, ""), "{files:?}");
    }
}

#[test]
fn detect_refuses_wrong_settings() {
    let lifecycle = Lifecycle::new(PROGRAM, &[]);
    lifecycle.write("platform/env/BP_RUNNER_JAVA", b"newest");
    let output = lifecycle.detect();
    let said = "ERROR: settings of the build: BP_RUNNER_JAVA is `newest`, which is not a Java feature release such as `17`\n";
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), said));
}

#[test]
fn build_records_the_function() {
    let lifecycle = Lifecycle::new(PROGRAM, &[POM, SOURCE, (".git/config", "")]);
    install_tools(&lifecycle);
    lifecycle.write("platform/env/PROFILE", b"fast\n");
    lifecycle.write("platform/env/BP_FUNCTION_NAME", b"orders");
    lifecycle.write("platform/env/BP_LAUNCH_APP_DIR", b"/pulsar/function");
    let output = lifecycle.build();
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).contains("profile is fast\n"), "{output:?}");
    assert_eq!(names(&lifecycle.at("app")), ["lib", "orders.jar"]);
    assert_eq!(names(&lifecycle.at("app/lib")), ["org.lib.lib-1.jar"]);

    let launch = lifecycle.toml("layers/launch.toml");
    let process = launch["processes"][0].as_table().unwrap();
    assert_eq!((process["type"].as_str(), process["default"].as_bool()), (Some("function"), Some(true)));
    assert_eq!(launch["slices"][0]["paths"][0].as_str(), Some("lib/*"));
    let label = |label: &toml::Value| format!("{}={}", label["key"].as_str().unwrap(), label["value"].as_str().unwrap());
    let labels: Vec<String> = launch["labels"].as_array().unwrap().iter().map(label).collect();
    let expected = [
        "io.fnpack.function.language=java",
        "io.fnpack.function.artifact=/pulsar/function/orders.jar",
        "io.fnpack.function.class=x.F",
        "io.fnpack.function.input-type=java.lang.String",
        "io.fnpack.function.output-type=java.lang.String",
        "io.fnpack.function.window=false",
        "io.fnpack.function.java.release=17",
    ];
    assert_eq!(labels, expected);
    for layer in ["repository", "function"] {
        assert_eq!(lifecycle.layer_types(layer), [false, false, true], "{layer}");
    }
}

#[test]
fn build_tells_who_starts_the_image_what_it_holds() {
    let lifecycle = Lifecycle::new(PROGRAM, &[POM, SOURCE]);
    install_tools(&lifecycle);
    assert!(lifecycle.build().status.success());
    let launch = lifecycle.toml("layers/launch.toml");
    let command: Vec<&str> = launch["processes"][0]["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let output = Command::new(command[0]).args(&command[1..]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).starts_with("This image holds the Pulsar function x.F in "), "{output:?}");
}

#[test]
fn build_again_takes_the_jar_from_the_restored_layer() {
    let lifecycle = Lifecycle::new(PROGRAM, &[POM, SOURCE]);
    install_tools(&lifecycle);
    assert!(lifecycle.build().status.success());
    fs_err::remove_dir_all(lifecycle.at("app")).unwrap();
    lifecycle.write_sources(&[POM, SOURCE]);
    // A restorer leaves out the types.
    let mut restored = lifecycle.toml("layers/function.toml");
    restored.remove("types");
    lifecycle.write("layers/function.toml", restored.to_string().as_bytes());
    let output = lifecycle.build();
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).ends_with("nothing has changed since the last build: taking its jar\n"), "{output:?}");
    assert_eq!(names(&lifecycle.at("app")), ["function.jar", "lib"]);
}

#[test]
fn build_failure_leaves_the_source() {
    let lifecycle = Lifecycle::new(PROGRAM, &[POM, SOURCE]);
    let output = lifecycle.run("build", &["layers", "platform", "plan.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("ERROR: "), "{output:?}");
    assert_eq!(names(&lifecycle.at("app")), ["pom.xml", "src"]);
}
