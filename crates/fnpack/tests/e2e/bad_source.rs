//! Sources that cannot become functions, with the real builders: one error that says what and where, and the fix.

use super::environment::Environment;
use super::language::{GO, JAVA, Language, PYTHON};

/// A mistake and what is said of it.
struct Mistake {
    /// Files over those that all of the language have.
    files: Vec<(&'static str, String)>,
    arguments: Vec<&'static str>,
    /// The exit code.
    code: i32,
    said: &'static [&'static str],
}

fn mistake(files: &[(&'static str, &str)], arguments: &[&'static str], code: i32, said: &'static [&'static str]) -> Mistake {
    let files = files.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
    Mistake { files, arguments: arguments.to_vec(), code, said }
}

/// Builds each in a folder of its own, under one name, so that what one fetched is there for the next.
fn try_all(language: &Language, environment: &Environment, common: &[(&str, &str)], mistakes: &[Mistake]) {
    let name = format!("bad/{}", language.name);
    for (number, mistake) in mistakes.iter().enumerate() {
        let folder = format!("{}-{number}", language.name);
        for (file, text) in common.iter().copied().chain(mistake.files.iter().map(|(file, text)| (*file, text.as_str()))) {
            environment.write(&format!("{folder}/{file}"), text);
        }
        let outcome = language.build(environment, &name, &environment.path().join(&folder), &mistake.arguments);
        assert_eq!(outcome.code, Some(mistake.code), "{:?} {:?}\n{}", mistake.files, mistake.arguments, outcome.stderr);
        for part in mistake.said {
            assert!(outcome.stderr.contains(part), "`{part}` is not in the answer to {:?}:\n{}", mistake.arguments, outcome.stderr);
        }
    }
}

/// A certificate of nobody: valid in form, and nobody's issuer.
const FOREIGN_CERTIFICATE: &str = include_str!("../fixtures/foreign-ca.pem");

/// The same build with no certificates but a foreign one.
fn distrusting(language: &Language, environment: &Environment, folder: &str) -> String {
    let bundle = environment.write("foreign.pem", FOREIGN_CERTIFICATE);
    let name = format!("bad/{}", language.name);
    let mut command = environment.command();
    command.args(["build", name.as_str(), folder]).env("SSL_CERT_FILE", bundle);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn pom(dependency: &str) -> String {
    format!(
        r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>f</artifactId><version>1</version>
  <properties><maven.compiler.release>17</maven.compiler.release><project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>
  <dependencies>{dependency}</dependencies>
  <build><plugins>
    <plugin><artifactId>maven-compiler-plugin</artifactId><version>3.13.0</version></plugin>
    <plugin><artifactId>maven-surefire-plugin</artifactId><version>3.5.2</version></plugin>
  </plugins></build>
</project>"#
    )
}

/// A class that is a function by Java's own interface, so that nothing is to be fetched.
fn class(modifiers: &str, name: &str) -> String {
    format!(
        "package x; {modifiers} class {name} implements java.util.function.Function<String, String> \
         {{ public String apply(String input) {{ return input; }} }}"
    )
}

const A: &str = "src/main/java/x/A.java";
const B: &str = "src/main/java/x/B.java";
/// Takes half a second from each start of Maven.
const QUICK: [&str; 2] = ["-e", "MAVEN_OPTS=-XX:TieredStopAtLevel=1"];

#[test]
fn java_mistakes_are_told_with_the_fix() {
    let Some(environment) = JAVA.tree() else { return };
    let (a, b, pom, dependency) = (
        class("public", "A"),
        class("public", "B"),
        pom(""),
        "<dependency><groupId>org.example.fnpack</groupId><artifactId>nosuch</artifactId><version>1</version></dependency>",
    );
    let missing = self::pom(dependency);
    let helper = "package x; public class B { java.util.function.Function<String, String> f; }";
    // The first succeeds, so that later ones find what Maven fetched.
    let mistakes = [
        mistake(
            &[(A, &a), ("src/main/java/org/slf4j/Logger.java", "package org.slf4j; public class Logger {}")],
            &[],
            0,
            &["warning: the jar has packages in it that every runner has", "org.slf4j", "BP_STRIP_PROVIDED=true takes them out"],
        ),
        mistake(
            &[(A, &a), ("src/main/java/org/slf4j/Logger.java", "package org.slf4j; public class Logger {}")],
            &["--strip-provided"],
            0,
            &["taken out, as every runner has them: org.slf4j"],
        ),
        mistake(
            &[(B, helper)],
            &[],
            1,
            &["ERROR: there is no function among the classes of `f-1.jar` (1)", "hint: a function is a public class"],
        ),
        mistake(
            &[(A, &class("", "A"))],
            &[],
            1,
            &["ERROR: there is no function", "class `x.A` is not public", "hint: a function is a public class"],
        ),
        mistake(
            &[(A, &a), (B, &b)],
            &[],
            1,
            &["`f-1.jar` has several functions: x.A, x.B", "hint: name one of them: BP_FUNCTION_CLASS=x.A"],
        ),
        mistake(
            &[(A, &a), (B, helper)],
            &["--class-name", "x.B"],
            1,
            &["class `x.B` implements none of the interfaces that Pulsar runs", "hint: name one that is a function: x.A"],
        ),
        mistake(
            &[(A, &a)],
            &["-e", "BP_RUNNER_JAVA=11"],
            1,
            &["class `x.A` is for Java 17, but the runner has Java 11", "hint: compile for Java 11"],
        ),
        mistake(
            &[(A, &a)],
            &["--run-image", "runner/go"],
            3,
            &["it is a Java function, the run image is for Go", "hint: name a runner of Java functions"],
        ),
        mistake(&[(A, &a), ("pom.xml", "<project>")], &[], 1, &["pom.xml", "hint: correct the pom.xml at the line that Maven names"]),
        mistake(&[(A, &a), ("pom.xml", &missing)], &[], 1, &["org.example.fnpack:nosuch", "hint: no repository has that dependency"]),
        mistake(
            &[(A, &a), ("pom.xml", &missing)],
            &["--network", "none"],
            1,
            &["hint: a repository's host is not known here: is there a network in the build"],
        ),
        mistake(&[("pom.xml", &pom)], &[], 1, &["no buildpack accepted", "fnpack/java", "declined: found pom.xml, but no source of Java"]),
    ];
    let mistakes = mistakes.map(|mistake| Mistake { arguments: [&mistake.arguments[..], &QUICK].concat(), ..mistake });
    try_all(&JAVA, &environment, &[("pom.xml", &pom)], &mistakes);

    environment.write("distrusting/pom.xml", &missing);
    environment.write(&format!("distrusting/{A}"), &a);
    let said = distrusting(&JAVA, &environment, "distrusting");
    assert!(said.contains("PKIX") && said.contains("hint: the certificate of a repository or proxy is not trusted"), "{said}");
}

const FUNCTION: &str = "class F:\n    def process(self, input, context):\n        return input\n";
const NO_SUCH: &str = "fnpack-no-such-project==1.0\n";

#[test]
fn python_mistakes_are_told_with_the_fix() {
    let Some(environment) = PYTHON.tree() else { return };
    let requirements = |text: &str| vec![("f.py", FUNCTION.to_owned()), ("requirements.txt", text.to_owned())];
    let of = |text: &str, arguments: &[&'static str], said: &'static [&'static str]| Mistake {
        files: requirements(text),
        arguments: arguments.to_vec(),
        code: 1,
        said,
    };
    let foreign_hash = format!("rapidfuzz==3.14.6 --hash=sha256:{}\n", "0".repeat(64));
    let mistakes = [
        mistake(
            &[("f.py", "class F:\n    def process(self, input, context)\n        return input\n")],
            &[],
            1,
            &["f.py:2: expected ':'", "hint: correct"],
        ),
        mistake(
            &[("f.py", "class F:\n    def process(self, input, context):\n        return input +\n")],
            &[],
            1,
            &["f.py:3: SyntaxError: invalid syntax", "hint: correct the file at that line"],
        ),
        mistake(
            &[("f.py", "def handle(input):\n    return input\n")],
            &["--class-name", "f.handle"],
            1,
            &["f.py:1: `f.handle` is a function, and Pulsar calls a class, or a bare module with process(input)"],
        ),
        mistake(
            &[("f.py", FUNCTION), ("g.py", &FUNCTION.replace('F', "G"))],
            &[],
            1,
            &["several Python functions: f.F, g.G", "hint: name one of them: BP_FUNCTION_CLASS=f.F"],
        ),
        mistake(
            &[("f.py", &format!("import nosuch\n{FUNCTION}"))],
            &[],
            1,
            &["f.py:1: ModuleNotFoundError: No module named 'nosuch'", "hint: add the project that has `nosuch`"],
        ),
        // No wheel for so old a musl, and none at all for that of another processor.
        of(
            "rapidfuzz==3.14.6\n",
            &["-e", "BP_RUNNER_LIBC=musl 1.0"],
            &["does not run on the runner (Python 3.13, musl 1.0, amd64)", "hint: take a version of it that has a wheel"],
        ),
        of("netifaces==0.11.0\n", &[], &["must be compiled, but the build image has no compiler", "take a version with a wheel"]),
        of(&foreign_hash, &[], &["Hash mismatch for `rapidfuzz==3.14.6`", "hint: a package is not the one whose hash is pinned"]),
        of(NO_SUCH, &[], &["fnpack-no-such-project was not found", "hint: the index https://pypi.org/simple does not have it"]),
        of("rapidfuzz==999\n", &[], &["hint: the index https://pypi.org/simple does not have that version"]),
        of(
            NO_SUCH,
            &["--network", "none", "-e", "UV_HTTP_RETRIES=0"],
            &["dns error", "hint: the host of the index https://pypi.org/simple cannot be found: is there a network in the build"],
        ),
    ];
    try_all(&PYTHON, &environment, &[], &mistakes);

    environment.write("distrusting/f.py", FUNCTION);
    environment.write("distrusting/requirements.txt", NO_SUCH);
    let said = distrusting(&PYTHON, &environment, "distrusting");
    assert!(said.contains("hint: the certificate of the index https://pypi.org/simple is not trusted"), "{said}");
}

#[test]
fn go_mistakes_are_told_with_the_fix() {
    let Some(environment) = GO.tree() else { return };
    let example = |name: &str| fs_err::read_to_string(GO.example().join(name)).unwrap();
    let (module, sums, main) = (example("go.mod"), example("go.sum"), example("main.go"));
    let newest = module.lines().map(|line| if line.starts_with("go ") { "go 1.99.0" } else { line }).collect::<Vec<_>>().join("\n");
    let c = "package main\n\n// int one(void) { return 1; }\nimport \"C\"\n\nvar one = C.one()\n";
    let mistakes = [
        mistake(
            &[("go.mod", &newest)],
            &["-e", "GOPROXY=off"],
            1,
            &["the module asks for Go 1.99.0", "hint: let GOPROXY name a proxy that has `golang.org/toolchain`"],
        ),
        mistake(&[("c.go", c)], &[], 0, &["warning: c.go imports \"C\"; functions are built without cgo"]),
    ];
    try_all(&GO, &environment, &[("go.mod", &module), ("go.sum", &sums), ("main.go", &main)], &mistakes);
}

#[test]
fn runner_of_another_processor_is_refused_before_the_build() {
    let Some(environment) = PYTHON.tree() else { return };
    environment.write("empty/file", "");
    let status =
        std::process::Command::new("tar").args(["cf", "arm.tar", "-C", "empty", "."]).current_dir(environment.path()).status().unwrap();
    assert!(status.success());
    environment.call("image import arm.tar bad/arm-runner --platform linux/arm64").success();
    environment.write("f/f.py", FUNCTION);
    let error = environment.call("--offline build bad/arm f --run-image bad/arm-runner").failure(4);
    assert!(
        error.contains("the image `bad/arm-runner:latest` in the store is for linux/arm64, not for linux/amd64")
            && error.contains("hint: build for it with `--platform linux/arm64`"),
        "{error}"
    );
}
