//! The program as a lifecycle calls it: links named `detect` and `build`, folders, variables, exit codes.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use testkit::java::{ClassSource, jar};

const BUILDPACK: &str = "api = \"0.10\"\n[buildpack]\nid = \"fnpack/java\"\nversion = \"1.2.3\"\n";

const POM: (&str, &str) = ("pom.xml", "<project><release>17</release></project>");
const SOURCE: (&str, &str) = ("src/main/java/F.java", "import org.apache.pulsar.functions.api.Function;");

const FAKE_MAVEN: &str = "#!/bin/sh\ncp -r \"$(dirname \"$0\")/../results\" target\necho \"profile is $PROFILE\"\n";

struct Lifecycle {
    folder: tempfile::TempDir,
}

impl Lifecycle {
    fn new(files: &[(&str, &str)]) -> Self {
        let lifecycle = Self { folder: tempfile::tempdir().unwrap() };
        for phase in ["detect", "build"] {
            fs_err::create_dir_all(lifecycle.at("buildpack/bin")).unwrap();
            symlink(env!("CARGO_BIN_EXE_buildpack-java"), lifecycle.at("buildpack/bin").join(phase)).unwrap();
        }
        for folder in ["app", "layers", "platform/env"] {
            fs_err::create_dir_all(lifecycle.at(folder)).unwrap();
        }
        lifecycle.write("buildpack/buildpack.toml", BUILDPACK.as_bytes());
        lifecycle.write("plan.toml", b"");
        lifecycle.write_sources(files);
        lifecycle
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        fs_err::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs_err::write(self.at(path), bytes).unwrap();
    }

    fn write_sources(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            self.write(&format!("app/{path}"), text.as_bytes());
        }
    }

    /// A JDK and Maven, that is written by another program: were it open for writing here, a fork in another test's
    /// thread could keep it busy when it is to be run.
    fn install_tools(&self) {
        let mut install = Command::new("install");
        let mut install = install.args(["-D", "-m", "755", "/dev/stdin"]).arg(self.at("bin/mvn")).stdin(Stdio::piped()).spawn().unwrap();
        install.stdin.take().unwrap().write_all(FAKE_MAVEN.as_bytes()).unwrap();
        assert!(install.wait().unwrap().success());
        self.write("jdk/bin/javac", b"");
        self.write("jdk/release", b"JAVA_VERSION=\"17.0.1\"\n");
        symlink(self.at("jdk/bin/javac"), self.at("bin/javac")).unwrap();
        self.write("results/f.jar", &jar(&[ClassSource::function("x/F").entry()]));
        self.write("results/dependency/org.lib.lib-1.jar", &jar(&[ClassSource::new("lib/L").entry()]));
    }

    /// With no more variables than the spec promises, so that those of the target are filled in.
    fn run(&self, phase: &str, folders: &[&str]) -> Output {
        Command::new(self.at("buildpack/bin").join(phase))
            .args(folders.iter().map(|folder| self.at(folder)))
            .current_dir(self.at("app"))
            .env_clear()
            .env("PATH", format!("{}:/bin", self.at("bin").display()))
            .env("CNB_BUILDPACK_DIR", self.at("buildpack"))
            .output()
            .unwrap()
    }

    fn detect(&self) -> Output {
        self.run("detect", &["platform", "plan.toml"])
    }

    fn build(&self) -> Output {
        self.run("build", &["layers", "platform", "plan.toml"])
    }

    fn toml(&self, path: &str) -> toml::Table {
        fs_err::read_to_string(self.at(path)).unwrap().parse().unwrap()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn detect_says_what_it_looked_for() {
    for (files, code, said) in [
        (&[POM, SOURCE][..], 0, ""),
        (&[("Pom.xml", ""), SOURCE], 100, "looked for pom.xml or build.gradle: not found (found Pom.xml)\n"),
        (&[], 100, "looked for pom.xml or build.gradle: not found\n"),
    ] {
        let output = Lifecycle::new(files).detect();
        assert_eq!((output.status.code(), text(&output.stdout), text(&output.stderr)), (Some(code), said, ""), "{files:?}");
    }
}

#[test]
fn detect_refuses_wrong_settings() {
    let lifecycle = Lifecycle::new(&[]);
    lifecycle.write("platform/env/BP_RUNNER_JAVA", b"newest");
    let output = lifecycle.detect();
    let said = "ERROR: settings of the build: BP_RUNNER_JAVA is `newest`, which is not a Java feature release such as `17`\n";
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), said));
}

#[test]
fn build_records_the_function() {
    let lifecycle = Lifecycle::new(&[POM, SOURCE, (".git/config", "")]);
    lifecycle.install_tools();
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
        let types = &lifecycle.toml(&format!("layers/{layer}.toml"))["types"];
        let kinds = ["launch", "build", "cache"].map(|kind| types.get(kind).and_then(toml::Value::as_bool).unwrap_or_default());
        assert_eq!(kinds, [false, false, true], "{layer}");
    }
}

#[test]
fn build_tells_who_starts_the_image_what_it_holds() {
    let lifecycle = Lifecycle::new(&[POM, SOURCE]);
    lifecycle.install_tools();
    assert!(lifecycle.build().status.success());
    let launch = lifecycle.toml("layers/launch.toml");
    let command: Vec<&str> = launch["processes"][0]["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let output = Command::new(command[0]).args(&command[1..]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).starts_with("This image holds the Pulsar function x.F in "), "{output:?}");
}

#[test]
fn build_again_takes_the_jar_from_the_restored_layer() {
    let lifecycle = Lifecycle::new(&[POM, SOURCE]);
    lifecycle.install_tools();
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
    let lifecycle = Lifecycle::new(&[POM, SOURCE]);
    let output = lifecycle.run("build", &["layers", "platform", "plan.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("ERROR: "), "{output:?}");
    assert_eq!(names(&lifecycle.at("app")), ["pom.xml", "src"]);
}
