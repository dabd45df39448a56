use std::process::Command;

use fnpack_buildpack::explained;
use testkit::buildpack::install;
use testkit::java::{ClassSource, jar, jar_of_time};

use super::*;

const POM: &str = "<project><release>17</release></project>";
const SOURCE: &str = "import org.apache.pulsar.functions.api.Function;";

/// Writes down how it was called, and takes for results what lies beside it.
const FAKE_MAVEN: &str = r#"#!/bin/sh
echo "$@" >> "$CALLS"
env | grep -E '^(JAVA_HOME|MAVEN|GRADLE|SECRET)' | sort > "$CALLS.env"
pwd > "$CALLS.pwd"
[ -z "$COMPLAINT" ] || { echo "$COMPLAINT"; exit 1; }
cp -r "$RESULTS/." .
"#;

/// A build with fake tools.
struct Build {
    folder: tempfile::TempDir,
    request: BuildRequest,
}

impl Build {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["app", "results", "layers/tool", "layers/function", "jdk"] {
            fs_err::create_dir_all(at(path)).unwrap();
        }
        let variables = [
            ("PATH", format!("{}:/usr/bin:/bin", at("bin").display())),
            ("CALLS", at("calls").display().to_string()),
            ("RESULTS", at("results").display().to_string()),
            ("SECRET", "kept".to_owned()),
        ];
        let variables: Variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let request = BuildRequest {
            application: at("app"),
            settings: Settings::from_variables(&variables).unwrap(),
            variables,
            maven: MavenFiles::default(),
            gradle: GradleFiles::default(),
            jdk: Jdk { home: at("jdk"), version: "17.0.1".into(), release: 17 },
            layers: LayerFolders { tool: at("layers/tool"), function: at("layers/function") },
            earlier: None,
        };
        let build = Self { folder, request };
        for (path, text) in files {
            build.write(&format!("app/{path}"), text.as_bytes());
        }
        build.install("bin/mvn");
        build.install("bin/gradle");
        build
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.at(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }

    /// What a tool will have made.
    fn result(&self, path: &str, classes: &[ClassSource]) {
        let entries: Vec<_> = classes.iter().map(ClassSource::entry).collect();
        self.write(&format!("results/{path}"), &jar(&entries));
    }

    fn install(&self, path: &str) {
        install(&self.at(path), FAKE_MAVEN);
    }

    fn set(&mut self, name: &str, value: &str) {
        self.request.variables.insert(name.into(), value.into());
        self.request.settings = Settings::from_variables(&self.request.variables).unwrap();
    }

    fn run(&self) -> Result<Record, JavaError> {
        build(&self.request, &mut |_| {})
    }

    fn said(&self) -> String {
        let mut said = Vec::new();
        build(&self.request, &mut |line| said.push(line.to_owned())).unwrap();
        said.join("\n")
    }

    fn failure(&self) -> String {
        let error = self.run().unwrap_err();
        explained(&error, error.hint().as_deref())
    }

    fn noted(&self, what: &str) -> String {
        fs_err::read_to_string(self.at(&format!("calls{what}"))).unwrap_or_default()
    }

    /// Of the application folder, after the build.
    fn left(&self) -> Vec<String> {
        let record = self.run().unwrap();
        leave_only_the_function(&self.request, &record).unwrap();
        let found = Command::new("find").arg(self.at("app")).args(["-type", "f", "-printf", "%P %m\n"]).output().unwrap();
        let mut names: Vec<String> = String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect();
        names.sort();
        names
    }
}

type Change = fn(&mut Build);

fn simple() -> Build {
    let build = Build::new(&[("pom.xml", POM), ("src/main/java/F.java", SOURCE), (".gitignore", "")]);
    build.result("target/f-1.jar", &[ClassSource::function("x/F")]);
    build.result("target/dependency/org.lib.lib-1.jar", &[ClassSource::new("lib/L")]);
    build.result("target/dependency/org.slf4j.slf4j-api-2.0.jar", &[ClassSource::new("org/slf4j/Logger")]);
    build
}

#[test]
fn build_leaves_only_the_function_and_its_libraries() {
    let mut build = simple();
    assert_eq!(build.left(), ["function.jar 644", "lib/org.lib.lib-1.jar 644"]);
    let jar = JavaArchive::read(&build.at("app/function.jar"), &[]).unwrap();
    assert_eq!(jar.functions()[0].name, "x.F");

    build = simple();
    build.set("BP_FUNCTION_NAME", "orders");
    assert_eq!(build.left(), ["lib/org.lib.lib-1.jar 644", "orders.jar 644"]);
}

#[test]
fn build_records_the_function() {
    let record = simple().run().unwrap();
    assert_eq!(record.inputs.len(), 64);
    let facts = record.facts(Path::new("/pulsar/function/function.jar"));
    let labels: Vec<(String, String)> = facts.labels();
    let values: Vec<&str> = labels.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["java", "/pulsar/function/function.jar", "x.F", "java.lang.String", "java.lang.String", "false", "17"]);
}

#[test]
fn build_says_what_it_does() {
    let build = simple();
    let expected = "Maven with Java 17.0.1, for a runner with Java 17\n\
                    function x.F (java.lang.String to java.lang.String) in f-1.jar\n\
                    1 libraries beside it, in lib\n\
                    left out, as every runner has them: org.slf4j.slf4j-api-2.0.jar";
    assert_eq!(build.said(), expected);

    let raw = ClassSource::new("x/F").implements("org/apache/pulsar/functions/api/Function");
    build.result("target/f-1.jar", &[raw, ClassSource::new("com/google/gson/Gson")]);
    let said = build.said();
    assert!(said.contains("warning: the types of x.F are not all known"), "{said}");
    assert!(said.contains("com.google.gson; BP_STRIP_PROVIDED=true takes them out"), "{said}");
}

#[test]
fn build_strips_what_runners_bring_if_asked() {
    let mut build = simple();
    build.result("target/f-1.jar", &[ClassSource::function("x/F"), ClassSource::new("com/google/gson/Gson")]);
    build.set("BP_STRIP_PROVIDED", "true");
    assert!(build.said().contains("taken out, as every runner has them: com.google.gson"));
    let archive = JavaArchive::read(&build.at("layers/function/function.jar"), &[]).unwrap();
    assert_eq!((archive.class_count(), archive.bundled_packages().count()), (1, 0));
}

#[test]
fn build_calls_maven() {
    let mut build = simple();
    build.write("settings.xml", b"<settings/>");
    build.request.maven.settings = Some(build.at("settings.xml"));
    build.set("HTTPS_PROXY", "http://proxy:1");
    build.set("MAVEN_OPTS", "-Xmx1g");
    build.set("JAVA_HOME", "/wrong");
    build.run().unwrap();
    let (repository, settings) = (build.at("layers/tool/repository"), build.at("settings.xml"));
    let call = build.noted("");
    let (_, call) = call.trim().split_once("TransferListener=warn ").unwrap();
    let expected = format!(
        "-Daether.connector.http.useSystemProperties=true -Daether.transport.apache.useSystemProperties=true -Dmaven.repo.local={} --settings {} -DskipTests package \
         org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -Dmdep.prependGroupId=true",
        repository.display(),
        settings.display()
    );
    assert_eq!(call, expected);
    let variables = format!(
        "JAVA_HOME={}\nMAVEN_OPTS=-Xmx1g -Dhttps.proxyHost=proxy -Dhttps.proxyPort=1\nMAVEN_USER_HOME={}\nSECRET=kept\n",
        build.at("jdk").display(),
        build.at("layers/tool/home").display()
    );
    assert_eq!(build.noted(".env"), variables);
    assert_eq!(jars_in(&build.at("layers/tool")).unwrap(), [""; 0].map(PathBuf::from));
}

#[test]
fn build_calls_maven_for_a_module_and_a_release() {
    let mut build = Build::new(&[("pom.xml", "<project/>"), ("a/src/F.java", SOURCE), ("b/src/G.java", SOURCE)]);
    build.result("b/target/g.jar", &[ClassSource::function("x/G")]);
    let expected = "several modules may hold the function: a, b\nhint: name one of them: BP_MAVEN_BUILT_MODULE=a";
    assert_eq!(build.failure(), expected);
    build.set("BP_MAVEN_BUILT_MODULE", "b");
    build.set("BP_RUNNER_JAVA", "11");
    build.request.jdk.release = 21;
    assert!(build.failure().starts_with("class `x.G` is for Java 17, but the runner has Java 11\nhint: compile for Java 11"));
    let call = build.noted("");
    assert!(!call.contains("useSystemProperties"), "{call}");
    let release = "-Dmaven.compiler.release=11 -Dmaven.compiler.source=11 -Dmaven.compiler.target=11 --projects b --also-make -DskipTests";
    assert!(call.contains(release), "{call}");
    assert_eq!(build.noted(".pwd").trim(), fs_err::canonicalize(build.at("app")).unwrap().display().to_string());
}

#[test]
fn build_prefers_the_wrapper() {
    let mut build = simple();
    build.write("app/mvnw", FAKE_MAVEN.replace("\"$@\"", "wrapper \"$@\"").replace('\n', "\r\n").as_bytes());
    build.set("BP_MAVEN_BUILD_ARGUMENTS", "-P prod verify");
    build.run().unwrap();
    let call = build.noted("");
    assert!(call.starts_with("wrapper --batch-mode") && call.contains(" -P prod verify org.apache"), "{call}");
}

#[test]
fn build_calls_gradle() {
    let mut build = Build::new(&[("settings.gradle", ""), ("orders/build.gradle", "toolchain"), ("orders/src/F.kt", SOURCE)]);
    build.result("orders/build/libs/orders.jar", &[ClassSource::function("x/F")]);
    build.write("bindings/init.gradle", b"");
    build.write("bindings/gradle.properties", b"password=x");
    build.request.gradle =
        GradleFiles { properties: Some(build.at("bindings/gradle.properties")), scripts: vec![build.at("bindings/init.gradle")] };
    build.set("HTTPS_PROXY", "http://me:it's@proxy:1");
    assert_eq!(build.left(), ["function.jar 644"]);
    let call = build.noted("");
    let expected = format!(
        "--no-daemon --console=plain --init-script {0}/init.gradle --init-script {1} -Dfnpack.libraries={0}/libraries ",
        build.at("layers/tool").display(),
        build.at("bindings/init.gradle").display(),
    );
    assert!(call.starts_with(&expected), "{call}");
    assert!(call.trim().ends_with(" -Dhttps.proxyPassword=it's :orders:assemble :orders:fnpackLibraries"), "{call}");
    let variables = build.noted(".env");
    let home = build.at("layers/tool/home");
    let expected = format!(
        "GRADLE_OPTS= '-Dhttps.proxyHost=proxy' '-Dhttps.proxyPort=1' '-Dhttps.proxyUser=me'\nGRADLE_USER_HOME={}\n",
        home.display()
    );
    assert!(variables.starts_with(&expected), "{variables}");
    assert_eq!(fs_err::read_dir(home).unwrap().count(), 0, "the password is in no layer");
}

#[test]
fn build_takes_the_result_of_an_unchanged_function() {
    let mut build = simple();
    build.request.earlier = Some(build.run().unwrap());
    fs_err::remove_dir_all(build.at("app/target")).unwrap();
    assert_eq!(build.run().unwrap(), build.request.earlier.clone().unwrap());
    assert_eq!(build.noted("").lines().count(), 1);

    let changes: [(&str, Change); 5] = [
        ("source", |build| build.write("app/src/main/java/F.java", b"org.apache.pulsar.functions.api")),
        ("setting", |build| build.set("BP_FUNCTION_CLASS", "x.F")),
        ("tool's variable", |build| build.set("MAVEN_OPTS", "-Dx")),
        ("JDK", |build| build.request.jdk.version = "17.0.2".into()),
        ("lost", |build| fs_err::remove_file(build.at("layers/function/function.jar")).unwrap()),
    ];
    for (count, (name, change)) in changes.into_iter().enumerate() {
        change(&mut build);
        build.request.earlier = Some(build.run().unwrap());
        fs_err::remove_dir_all(build.at("app/target")).unwrap();
        assert_eq!(build.noted("").lines().count(), count + 2, "{name}");
    }
    build.set("BP_FUNCTION_NAME", "orders");
    build.run().unwrap();
    assert_eq!(build.noted("").lines().count(), 6, "a name changes nothing");
}

#[test]
fn build_with_floating_versions_asks_the_tool_again() {
    let pom = "<project><release>17</release><dependency><version>1-SNAPSHOT</version></dependency></project>";
    let mut build = Build::new(&[("pom.xml", pom), ("src/F.java", SOURCE)]);
    build.result("target/f.jar", &[ClassSource::function("x/F")]);
    build.request.earlier = Some(build.run().unwrap());
    build.run().unwrap();
    assert_eq!((build.noted("").lines().count(), build.request.earlier.unwrap().inputs.as_str()), (2, ""));
}

#[test]
fn build_bytes_repeat() {
    let made = |year: u16| {
        let build = simple();
        for (path, name) in [("target/f-1.jar", "x/F"), ("common/target/common.jar", "c/C"), ("target/dependency/x.common.jar", "c/C")] {
            build.write(&format!("results/{path}"), &jar_of_time(&[ClassSource::function(name).entry()], year));
        }
        build.run().unwrap();
        ["function.jar", "lib/x.common.jar"].map(|path| fs_err::read(build.at("layers/function").join(path)).unwrap())
    };
    assert_eq!(made(2020), made(2024));
}

#[test]
fn build_takes_a_nar_as_it_is() {
    let build = simple();
    let nar = jar(&[("META-INF/bundled-dependencies/f.jar".to_owned(), jar(&[ClassSource::function("x/F").entry()]))]);
    build.write("results/target/f-1.nar", &nar);
    assert_eq!(build.run().unwrap().class, "x.F");
    assert_eq!(build.left(), ["function.nar 644"]);
    assert_eq!(fs_err::read(build.at("app/function.nar")).unwrap(), nar);
}

#[test]
fn build_forgets_results_that_lay_in_the_source() {
    let build = simple();
    build.write("app/target/f-0.9.jar", &jar(&[ClassSource::function("x/Old").entry(), ClassSource::new("x/More").entry()]));
    build.write("app/target/dependency/old-1.jar", b"");
    assert_eq!(build.run().unwrap().class, "x.F");
    assert_eq!(build.left(), ["function.jar 644", "lib/org.lib.lib-1.jar 644"]);
}

#[test]
fn build_failures_say_what_helps() {
    let cases: [(&str, Change, &str); 8] = [
        (
            "no tool",
            |build| build.set("PATH", "/nowhere"),
            "there is no `mvn` in the PATH of the build, and no `mvnw` in the source folder\n\
             hint: add the wrapper to the source with `mvn wrapper:wrapper`, or use a build image with Maven",
        ),
        (
            "compile error",
            |build| build.set("COMPLAINT", "[ERROR] COMPILATION ERROR : "),
            "Maven could not build the project, see its words above\nhint: correct what the compiler names",
        ),
        (
            "no function",
            |build| build.result("target/f-1.jar", &[ClassSource::function("x/F").flags(0), ClassSource::new("x/G")]),
            "there is no function among the classes of `f-1.jar` (2): class `x.F` is not public\n\
             hint: a function is a public class with a public constructor without parameters that implements \
             org.apache.pulsar.functions.api.Function, org.apache.pulsar.functions.api.WindowFunction, java.util.function.Function; \
             name it in BP_FUNCTION_CLASS",
        ),
        (
            "two functions",
            |build| build.result("target/f-1.jar", &[ClassSource::function("x/F"), ClassSource::function("x/G")]),
            "`f-1.jar` has several functions: x.F, x.G\nhint: name one of them: BP_FUNCTION_CLASS=x.F",
        ),
        (
            "wrong class",
            |build| build.set("BP_FUNCTION_CLASS", "x.None"),
            "BP_FUNCTION_CLASS does not name a function: class `x.None` is not in the jar\nhint: name one that is a function: x.F",
        ),
        (
            "library for a newer Java",
            |build| build.result("target/dependency/org.lib.lib-1.jar", &[ClassSource::new("lib/L").major(69)]),
            "class `lib.L` is for Java 25, but the runner has Java 17\n\
             hint: use a version of that library for Java 17, or a runner with Java 25",
        ),
        (
            "damaged jar",
            |build| build.write("results/target/f-1.jar", b"PK"),
            "read what Maven made: `APP/target/f-1.jar` is not a jar that can be read: invalid Zip archive: Invalid zip header",
        ),
        (
            "no jar",
            |build| fs_err::remove_dir_all(build.at("results/target")).unwrap(),
            "Maven made no jar in APP/target\nhint: see that Maven's arguments package the module, and that it makes a jar",
        ),
    ];
    for (name, change, expected) in cases {
        let mut build = simple();
        change(&mut build);
        let said = build.failure().replace(&build.at("app").display().to_string(), "APP");
        let said = if name == "damaged jar" { said.split(": invalid").next().unwrap().to_owned() } else { said };
        assert_eq!(said, expected.split(": invalid").next().unwrap(), "{name}");
        assert!(build.at("app/pom.xml").exists(), "{name}");
    }
}
