//! Ready artifacts to images, source to packages, new projects.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::golang;
use testkit::java::{ClassSource, jar};
use testkit::runner::RunnerImage;

use super::environment::{Environment, bash_builder, repository, user_is_root};

const MODULE: &str = "class Exclaim:\n    def process(self, input, context):\n        return input + '!'\n";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn write(environment: &Environment, name: &str, bytes: &[u8]) -> PathBuf {
    let path = environment.path().join(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(&path, bytes).unwrap();
    path
}

fn function_jar() -> Vec<u8> {
    jar(&[ClassSource::function("org/example/Orders").entry()])
}

/// A store of its own with look-alikes of the published runners as `runner/go`, `runner/java`, `runner/python`.
fn runners() -> Environment {
    let environment = Environment::empty();
    let images = [
        ("runner/go", RunnerImage::published_go()),
        ("runner/java", RunnerImage::published_java()),
        ("runner/python", RunnerImage::published_python()),
    ];
    for (name, image) in images {
        let archive = write(&environment, "runner.tar", &image.archive(name));
        environment.fnpack(["image", "load", text(&archive)]).success();
    }
    environment
}

fn inspected(environment: &Environment, name: &str) -> Value {
    serde_json::from_str(&environment.fnpack(["inspect", "-o", "json", name]).success()).unwrap()
}

/// Mode, owner and name of every file in an image's layers above its base, as `tar` lists them.
fn own_files(environment: &Environment, name: &str) -> String {
    let archive = environment.path().join("listed.tar");
    environment.fnpack(["image", "save", "-o", text(&archive), name]).success();
    let image = inspected(environment, name);
    let base = usize::try_from(image["base"]["layers"].as_u64().unwrap()).unwrap();
    let layers = image["layers"].as_array().unwrap().iter().skip(base);
    let list = |layer: &Value| {
        let blob = format!("blobs/{}", layer["digest"].as_str().unwrap().replace(':', "/"));
        let script = format!("tar xOf {} {blob} | tar tvz --numeric-owner | awk '{{print $1, $2, $6}}'", archive.display());
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    layers.map(list).collect()
}

#[test]
fn ready_artifacts_become_images_that_rebase() {
    let environment = runners();
    write(&environment, "orders.jar", &function_jar());
    write(&environment, "exclaim.py", MODULE.as_bytes());
    write(&environment, "fn", &golang::function());
    for (file, language, artifact, class, mode) in [
        ("orders.jar", "java", "function.jar", Some("org.example.Orders"), "-rw-r--r--"),
        ("exclaim.py", "python", "exclaim.py", Some("exclaim.Exclaim"), "-rw-r--r--"),
        ("fn", "go", "function", None, "-rwxr-xr-x"),
    ] {
        let (name, runner) = (format!("my/{language}"), format!("runner/{language}"));
        let first = environment.fnpack(["build", &name, file, "--run-image", &runner]).success();
        let image = inspected(&environment, &name);
        assert_eq!(image["function"]["language"], language);
        assert_eq!(image["function"]["artifact"], format!("/pulsar/function/{artifact}"));
        assert_eq!(image["function"]["class"].as_str(), class);
        assert_eq!(image["start"]["working_folder"], "/pulsar/function");
        assert_eq!(image["base"]["image"], format!("{runner}:latest"));
        let files = own_files(&environment, &name);
        assert!(files.contains(&format!("{mode} 10000/10001 /pulsar/function/{artifact}\n")), "{files}");
        assert!(files.contains("drwxr-xr-x 10000/10001 /pulsar/function\n"), "{files}");

        let other = runners();
        fs_err::copy(environment.path().join(file), other.path().join(file)).unwrap();
        assert_eq!(other.fnpack(["build", &name, file, "--run-image", &runner]).success(), first, "the same digest in another store");
        let rebased = environment.fnpack(["rebase", &name, "--run-image", &runner, "-t", "my/rebased"]).success();
        assert!(rebased.starts_with("my/rebased"), "{rebased}");
    }
}

#[test]
fn ready_artifact_needs_no_rights() {
    let environment = runners();
    write(&environment, "orders.jar", &function_jar());
    let build = ["build", "my/java", "orders.jar", "--run-image", "runner/java"];
    let first = environment.fnpack(build).success();
    if !user_is_root() {
        return;
    }
    let archive = write(&environment, "runner.tar", &RunnerImage::published_java().archive("runner/java"));
    let folder = environment.path().join("nobodys");
    fs_err::create_dir(&folder).unwrap();
    for path in [environment.path(), &folder, &archive] {
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    // A user that nobody knows, without a home, a second id or a folder of their own.
    let call = |arguments: &[&str]| {
        let mut command = environment.command();
        command.env("FNPACK_STORE", folder.join("store")).env("TMPDIR", &folder).env("HOME", "/nonexistent");
        let output = command.uid(123_456).gid(0).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    call(&["image", "load", text(&archive)]);
    assert_eq!(call(&build), first);
}

#[test]
fn what_cannot_become_an_image_is_told_why() {
    let environment = runners();
    let class = |name: &str| ClassSource::function(name).entry();
    write(&environment, "orders.jar", &function_jar());
    write(&environment, "two.jar", &jar(&[class("x/A"), class("x/B")]));
    write(&environment, "none.jar", &jar(&[ClassSource::new("x/A").entry()]));
    write(&environment, "cut.jar", &function_jar()[..100]);
    write(&environment, "empty.jar", b"");
    write(&environment, "module.jar", MODULE.as_bytes());
    write(&environment, "fn", &golang::function());
    write(&environment, "shell", b"\x7fELF\x02\x01\x01");
    environment.write("folder.jar/readme", "");
    for (file, more, code, said) in [
        ("two.jar", "--run-image runner/java", 2, &["several functions", "x.A", "x.B", "--class-name"][..]),
        ("two.jar", "--run-image runner/java --class-name x.C", 2, &["`x.C` is not in the jar"]),
        ("none.jar", "--run-image runner/java", 1, &["no class that Pulsar could run"]),
        ("cut.jar", "--run-image runner/java", 1, &["damaged zip archive"]),
        ("empty.jar", "--run-image runner/java", 1, &["an empty file"]),
        ("module.jar", "--run-image runner/python", 1, &["is a text file not named `.py`"]),
        ("shell", "--run-image runner/go", 1, &["is no Go function"]),
        ("folder.jar", "--run-image runner/java", 1, &["looked for"]),
        ("no.jar", "--run-image runner/java", 2, &["there is no"]),
        ("orders.jar", "--run-image runner/java --builder b", 2, &["`--builder` is for builds"]),
        ("orders.jar", "--run-image runner/java -e A=b", 2, &["`--env` is for builds"]),
        ("orders.jar", "--run-image runner/none --offline", 4, &["runner/none"]),
        ("orders.jar", "--offline", 4, &["pulsar-functions", "--run-image"]),
        ("fn", "--run-image runner/go --class-name x", 2, &["has no classes"]),
    ] {
        let error = environment.call(&format!("build my/x {file} {more}")).failure(code);
        for part in said {
            assert!(error.contains(part), "{file} {more}: {part} in\n{error}");
        }
    }
    assert!(!environment.call("image ls").success().contains("my/x"));
}

#[test]
fn class_is_chosen_among_several() {
    let environment = runners();
    let class = |name: &str| ClassSource::function(name).entry();
    write(&environment, "two.jar", &jar(&[class("x/A"), class("x/B")]));
    environment.call("build my/x two.jar --run-image runner/java --class-name x.B").success();
    assert_eq!(inspected(&environment, "my/x")["function"]["class"], "x.B");
}

#[test]
fn function_that_does_not_fit_its_runner_is_refused() {
    let environment = runners();
    let labels = "LABEL io.buildpacks.base.runner.language=java io.buildpacks.base.runner.java=17";
    environment.write("labelled/Dockerfile", &format!("FROM runner/java\n{labels}\n"));
    environment.call("image build -t runner/labelled labelled").success();
    write(&environment, "new.jar", &jar(&[ClassSource::function("x/A").major(69).entry()]));
    write(&environment, "exclaim.py", MODULE.as_bytes());
    for (file, said) in [
        ("new.jar", "its class files need Java 25 or newer, the run image has Java 17"),
        ("exclaim.py", "it is a Python function, the run image is for Java"),
    ] {
        let error = environment.call(&format!("build my/x {file} --run-image runner/labelled")).failure(3);
        assert!(error.contains(said) && error.contains("--run-image"), "{error}");
    }
}

/// Labels of a function, as a buildpack writes them.
fn labels(language: &str, artifact: &str) -> String {
    format!(
        "cat > \"$CNB_LAYERS_DIR/launch.toml\" <<END\n\
         [[labels]]\nkey = \"io.fnpack.function.language\"\nvalue = \"{language}\"\n\
         [[labels]]\nkey = \"io.fnpack.function.artifact\"\nvalue = \"$PWD/{artifact}\"\n\
         [[labels]]\nkey = \"io.fnpack.function.class\"\nvalue = \"orders.Exclaim\"\nEND\n"
    )
}

#[test]
fn package_is_taken_out_of_what_the_buildpack_leaves() {
    let Some(environment) = Environment::with_base() else { return };
    let asked = "[ \"$BP_FUNCTION_PACKAGE\" = true ] || exit 1\n[ \"$BP_FUNCTION_CLASS\" = orders.Exclaim ] || exit 1\n";
    for (language, artifact, leave, file) in [
        ("java", "function.jar", "echo jar > function.jar", "shop.jar"),
        ("go", "function", "echo program > function", "shop-function"),
        ("python", "orders.py", "echo 'x = 1' > orders.py", "orders.py"),
        ("python", "function.py", "mkdir src; echo 'x = 1' > src/orders.py; touch src/other.py", "shop.zip"),
    ] {
        let build = format!("{asked}{leave}\n{}", labels(language, artifact));
        let builder = format!("package/{language}");
        bash_builder(&environment, &builder, "exit 0", &build);
        environment.write("shop/source", "");
        let call = format!("package shop --class-name orders.Exclaim -B {builder}");
        let outcome = environment.call(&call);
        let (said, path) = (outcome.stderr.clone(), outcome.success());
        assert_eq!(path, file, "{said}");
        assert!(said.contains("sha256") && said.contains("orders.Exclaim"), "{said}");
        let first = fs_err::read(environment.path().join(file)).unwrap();

        let again = format!("{call} --json -o again/{file}");
        fs_err::create_dir_all(environment.path().join("again")).unwrap();
        let json: Value = serde_json::from_str(&environment.call(&again).success()).unwrap();
        assert_eq!(json["function"]["class"], "orders.Exclaim");
        assert_eq!(json["path"], format!("again/{file}"));
        assert_eq!(json["size"], first.len());
        assert_eq!(fs_err::read(environment.path().join("again").join(file)).unwrap(), first, "the same bytes");
    }
    let error = environment.call("package shop --class-name orders.Exclaim -B package/go -o x --format zip").failure(2);
    assert!(error.contains("a Go function has no form `zip`"), "{error}");
    let error = environment.call("package shop/source").failure(2);
    assert!(error.contains("packages are made of source"), "{error}");
}

#[test]
fn package_of_a_build_without_a_function_is_refused() {
    let Some(environment) = Environment::with_base() else { return };
    bash_builder(&environment, "package/none", "exit 0", "exit 0");
    environment.write("shop/source", "");
    let error = environment.call("package shop -B package/none -o shop.jar").failure(1);
    assert!(error.contains("recorded no function"), "{error}");
    assert!(!environment.path().join("shop.jar").exists() && !environment.path().join("shop.jar.part").exists());
}

#[test]
fn new_project_is_whole_and_overwrites_nothing() {
    let environment = Environment::empty();
    for (language, source) in
        [("java", "src/main/java/com/example/OrderCheckFunction.java"), ("python", "order_check_function.py"), ("go", "main.go")]
    {
        let folder = format!("{language}/order-check");
        let outcome = environment.call(&format!("new {language} {folder} --dockerfile"));
        assert!(outcome.stderr.contains("fnpack build order-check"), "{}", outcome.stderr);
        assert_eq!(outcome.success(), folder);
        for file in [source, "Dockerfile", "README.md"] {
            assert!(environment.path().join(&folder).join(file).is_file(), "{language}: {file}");
        }
        let error = environment.call(&format!("new {language} {folder}")).failure(2);
        assert!(error.contains("is not empty"), "{error}");
    }
    environment.write("file", "");
    environment.call("new go file").failure(2);
    environment.call("new perl x").failure(2);
}

#[test]
fn python_project_is_a_function_and_passes_its_test() {
    let environment = runners();
    environment.call("new python order-check").success();
    environment.call("build my/x order-check/order_check_function.py --run-image runner/python").success();
    assert_eq!(inspected(&environment, "my/x")["function"]["class"], "order_check_function.OrderCheckFunction");
    let test = Command::new("python3")
        .args(["-B", "-m", "unittest", "tests/test_order_check_function.py"])
        .current_dir(environment.path().join("order-check"))
        .output()
        .unwrap();
    assert!(test.status.success(), "{}", String::from_utf8_lossy(&test.stderr));
}

#[test]
fn dockerfiles_put_ready_files_on_a_runner() {
    let Some(environment) = Environment::with_base() else { return };
    for (language, file, mode) in [("java", "function.jar", "644"), ("python", "function.zip", "644"), ("go", "function", "755")] {
        let folder = environment.path().join(language);
        let dockerfile = fs_err::read_to_string(repository().join(format!("examples/dockerfile/{language}/Dockerfile"))).unwrap();
        environment.write(&format!("{language}/Dockerfile"), &dockerfile);
        environment.write(&format!("{language}/{file}"), "ready\n");
        let name = format!("dockerfile/{language}");
        environment.fnpack(["image", "build", "-t", &name, "--build-arg", "RUNNER_IMAGE=test/run", text(&folder)]).success();
        let path = format!("/pulsar/function/{file}");
        assert_eq!(inspected(&environment, &name)["function"]["artifact"], path);
        let found = environment.call(&format!("run --raw {name} --entrypoint find -- {path} -printf %p:%U:%G:%m")).success();
        assert_eq!(found, format!("{path}:10000:10001:{mode}"));
    }
}
