//! The Go example through every station, on the documents' tree.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::environment::{Environment, Outcome, cache, repository};
use super::language::GO;
pub(crate) use super::language::path;

pub(crate) fn tree() -> Option<Environment> {
    GO.tree()
}

pub(crate) fn build(environment: &Environment, name: &str, source: &Path, more: &[&str]) -> Outcome {
    GO.build(environment, name, source, more)
}

pub(crate) fn example() -> PathBuf {
    GO.example()
}

/// Every path below a folder with modification time and contents, for comparing before and after.
fn listing(folder: &Path) -> Vec<(PathBuf, std::time::SystemTime, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        let bytes = if metadata.is_file() { fs_err::read(entry.path()).unwrap() } else { Vec::new() };
        found.push((entry.path(), metadata.modified().unwrap(), bytes));
        if metadata.is_dir() {
            found.extend(listing(&entry.path()));
        }
    }
    found.sort();
    found
}

#[test]
fn example_becomes_an_image_that_asks_for_its_broker() {
    let Some(environment) = tree() else { return };
    let before = listing(&example());
    let first = build(&environment, "go/function", &example(), &[]).success();
    assert_eq!(listing(&example()), before, "the source folder is as it was");

    let names = environment.call("run --raw go/function --entrypoint find -- /pulsar/function -mindepth 1 -printf %p:%U:%G:%m").success();
    assert_eq!(names, "/pulsar/function/function:10000:10001:755");
    let inspected: serde_json::Value = serde_json::from_str(&environment.call("inspect -o json go/function").success()).unwrap();
    assert_eq!(inspected["function"]["language"], "go");
    assert_eq!(inspected["start"]["working_folder"], "/pulsar/function");

    let again = build(&environment, "go/function", &example(), &[]).success();
    assert_eq!(first, again, "the same source gives the same digest");
    assert_comes_up(&environment, "go/function");
}

/// Starts the image as Function Mesh does and waits until the instance asks for its broker.
pub(crate) fn assert_comes_up(environment: &Environment, image: &str) {
    let command = fs_err::read_to_string(repository().join("crates/fnpack/tests/fixtures/function-mesh/go.command")).unwrap();
    // A port of our own to listen on: a connection is the proof, a log line only a sign.
    let broker = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    broker.set_nonblocking(true).unwrap();
    let url = format!("brokerServiceURL=pulsar://{}", broker.local_addr().unwrap());
    let arguments = [
        "run",
        "--raw",
        image,
        "--user",
        "10000:10001",
        "--entrypoint",
        "bash",
        "-e",
        "POD_NAME=function-0",
        "-e",
        &url,
        "--",
        "-c",
        &command,
    ];
    let log = environment.path().join("instance.log");
    let mut child = environment
        .command()
        .args(arguments)
        .stdout(fs_err::File::create(&log).unwrap().into_file())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let connected = loop {
        if broker.accept().is_ok() {
            break true;
        }
        if Instant::now() > deadline || child.try_wait().unwrap().is_some() {
            break false;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    terminate(child.id());
    child.wait().unwrap();
    assert!(connected, "the instance did not ask for its broker:\n{}", fs_err::read_to_string(log).unwrap());
}

fn terminate(process: u32) {
    let process = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
}

#[test]
fn compile_error_is_the_compilers_own() {
    let Some(environment) = tree() else { return };
    let source = environment.path().join("broken");
    copy(&example(), &source);
    let main = source.join("main.go");
    let text = fs_err::read_to_string(&main).unwrap();
    fs_err::write(&main, format!("{text}\nfunc broken() {{ return 1 }}\n")).unwrap();
    let outcome = build(&environment, "go/broken", &source, &[]);
    assert!(outcome.stderr.contains("./main.go:"), "{}", outcome.stderr);
    assert!(outcome.failure(1).contains("fnpack/golang"));
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs_err::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn default_builder_is_found() {
    let Some(environment) = tree() else { return };
    let outcome = build(&environment, "go/default", &example(), &[]);
    assert!(outcome.stderr.contains("fnpack/golang-builder"), "{}", outcome.stderr);
    outcome.success();
}

#[test]
fn source_without_a_function_is_declined_with_what_was_looked_for() {
    let Some(environment) = tree() else { return };
    environment.write("plain/go.mod", "module example.org/plain\n\ngo 1.24\n");
    environment.write("plain/main.go", "package main\n\nfunc main() {}\n");
    let error = environment.call("build go/plain plain").failure(1);
    assert!(error.contains("fnpack/golang") && error.contains("pf.Start"), "{error}");
}

#[test]
fn default_builder_is_made_from_what_fnpack_carries() {
    let Some(cache) = cache() else { return };
    let environment = Environment::empty();
    environment.write("plain/go.mod", "module example.org/plain\n\ngo 1.24\n");
    environment.write("plain/main.go", "package main\n\nfunc main() {}\n");

    let error = environment.call("--offline build go/plain plain").failure(4);
    assert!(
        error.contains("debian:trixie-slim") && error.contains("fnpack image import") && error.contains("fnpack image load"),
        "{error}"
    );

    environment.fnpack(["image", "import", path(&cache.join("debian-trixie.tar")), "debian:trixie-slim"]).success();
    // A runner of one's own stands for the default one, whose base is not at hand.
    let outcome = environment.call("--offline build go/plain plain --run-image debian:trixie-slim");
    for announced in
        ["fnpack/golang-builder for Go is not in the store", "to be fetched", "stack/build-go from stack/stack.build.Dockerfile"]
    {
        assert!(outcome.stderr.contains(announced), "`{announced}` in\n{}", outcome.stderr);
    }
    // Made, and then it says that this is no function.
    assert!(outcome.failure(1).contains("pf.Start"));
    let mut names: Vec<String> =
        environment.call("image ls").success().lines().skip(1).map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["debian:trixie-slim", "fnpack/golang-builder:latest", "stack/build-go:latest"]);

    let outcome = environment.call("--offline build go/plain plain");
    assert!(outcome.stderr.contains("to be fetched for stack/go-runner: the image streamnative/"), "{}", outcome.stderr);
    let error = outcome.failure(4);
    assert!(error.contains("hint: name a runner that you have with `--run-image`"), "{error}");
}

#[test]
fn source_of_no_known_language_is_told_what_was_looked_for() {
    let environment = Environment::empty();
    environment.write("typo/go.mo", "module example.org/typo\n");
    let error = environment.call("build go/typo typo").failure(1);
    assert!(error.contains("Go: looked for go.mod: not found (found go.mo)"), "{error}");
}
