//! `fnpack run`: functions by the instance of their image, and what is said of those that fail.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use fnpack_pulsar::HttpOptions;
use fnpack_pulsar::admin::{Admin, AdminOptions};
use fnpack_pulsar::distribution::{Distribution, FetchOptions};
use fnpack_pulsar::standalone::{Standalone, StandaloneOptions};
use rustix::process::{Pid, Signal, kill_process};

use super::environment::{Environment, Outcome, cache};
use super::golang::{build, example, tree};

/// A slow machine that does much else takes long.
const PATIENCE: Duration = Duration::from_mins(4);

/// An image with an instance of bash in place of Python's: it does what `$MISHAP` says.
const DOCKERFILE: &str = r#"
FROM debian:trixie-slim
RUN mkdir -p /pulsar/instances/python-instance /pulsar/conf /pulsar/logs /pulsar/function \
    && touch /pulsar/instances/python-instance/log.py /pulsar/function/function.py \
    && printf '#!/bin/bash\neval "$MISHAP"\n' > /usr/local/bin/python && chmod 755 /usr/local/bin/python \
    && chown -R 10000:10001 /pulsar
LABEL io.fnpack.function.language=python io.fnpack.function.artifact=/pulsar/function/function.py io.fnpack.function.class=function
WORKDIR /pulsar/function
USER 10000:10001
"#;

/// A Pulsar that tests share, and how `fnpack run` is told of it.
struct Broker {
    pulsar: Standalone,
    environment: Environment,
}

/// What `./test` fetched, or is fetched now; `None`, with the reason printed, only outside CI.
fn distribution() -> Option<Distribution> {
    let cache = cache()?;
    if Command::new("java").arg("-version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "there is no Java");
        eprintln!("skipped: there is no Java");
        return None;
    }
    let roots = rustls_native_certs::load_native_certs().certs.into_iter().map(|certificate| certificate.to_vec()).collect();
    let options = FetchOptions { http: HttpOptions { roots, ..HttpOptions::default() }, ..FetchOptions::default() };
    Some(Distribution::fetch(&cache.join("pulsar"), &options, &|_| ()).unwrap())
}

impl Broker {
    fn start() -> Option<Self> {
        let environment = Environment::with_base()?;
        let options = StandaloneOptions { timeout: PATIENCE, ..StandaloneOptions::new(distribution()?, environment.path()) };
        environment.write("image/Dockerfile", DOCKERFILE);
        environment.call("image build -t test/instance image").success();
        Some(Self { pulsar: Standalone::start(&options, &|| false).unwrap(), environment })
    }

    fn command(&self, image: &str) -> Command {
        let endpoint = self.pulsar.endpoint();
        let mut command = self.environment.command();
        command.args(["run", image, "--pulsar", &endpoint.service, "--pulsar-web", &endpoint.web]);
        command
    }

    fn run(&self, image: &str, more: &[&str]) -> Outcome {
        self.command(image).args(more).output().unwrap().into()
    }

    /// An instance that does `mishap`.
    fn mishap(&self, mishap: &str, more: &[&str]) -> Outcome {
        let mishap = format!("MISHAP={mishap}");
        self.run("test/instance", &[&["-e", &mishap], more].concat())
    }
}

#[test]
fn instances_that_fail_say_why() {
    let Some(broker) = Broker::start() else { return };
    ended_instance_is_a_failure_with_its_cause(&broker);
    instance_under_function_mesh_is_the_pods_user(&broker);
    interruption_ends_the_instance(&broker);
    let unreachable = broker.environment.call("run test/instance --pulsar pulsar://127.0.0.1:1").failure(4);
    assert!(unreachable.contains("127.0.0.1:1"), "{unreachable}");
}

fn ended_instance_is_a_failure_with_its_cause(broker: &Broker) {
    for (mishap, expected) in [
        ("exit 0", "status 0 without working"),
        ("exit 7", "status 7"),
        ("kill -9 $$", "signal 9"),
        ("echo \"ModuleNotFoundError: No module named 'requests'\"; exit 1", "a Python module is missing"),
        ("touch /usr/bin/x; exit 1", "may not write"),
        ("echo last words; exit 1", "| last words"),
    ] {
        let error = broker.mishap(mishap, &["--input", "hello"]).failure(1);
        assert!(error.contains(expected) && error.contains("`hello`"), "{mishap}: {error}");
    }
    let quiet = broker.mishap("echo last words; exit 1", &["--show-logs", "-q"]);
    assert!(!quiet.stderr.contains("sent 0"), "{}", quiet.stderr);
    assert!(quiet.failure(1).contains("| last words"), "what was not shown is told at the end");
}

fn instance_under_function_mesh_is_the_pods_user(broker: &Broker) {
    let script = "id -u; id -g; grep CapEff /proc/self/status; echo $POD_NAME; echo \"$@\" | grep -o -- '--port.*'; exit 3";
    let error = broker.mishap(script, &["--under", "function-mesh", "--name", "orders"]).failure(1);
    for expected in ["| 10000", "| 10001", "CapEff: 0000000000000000", "| orders-function-0", "| --port 9093 --metrics_port 9094"] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

fn interruption_ends_the_instance(broker: &Broker) {
    let marker = format!("271828.{}", std::process::id());
    let mishap = format!("MISHAP=echo ready; exec sleep {marker}");
    let mut child = broker.command("test/instance").args(["--show-logs", "-e", &mishap]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("| ready")));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!super::run::running(&marker));
}

#[test]
fn function_answers_on_a_pulsar_that_is_there() {
    let Some(tree) = tree() else { return };
    let Some(broker) = Broker::start() else { return };
    build(&tree, "instance/go", &example(), &[]).success();
    for more in [&[][..], &["--under", "function-mesh"]] {
        let outcome = broker.run("instance/go", &[&["-v", "--input", "hello", "--input", "two words"], more].concat());
        let topics: Vec<String> = outcome.stderr.split('`').filter(|word| word.starts_with("persistent://")).map(str::to_owned).collect();
        assert!(outcome.stderr.contains("sent 2, received 2"), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("is left"), "{}", outcome.stderr);
        assert_eq!(outcome.success(), "hello!\ntwo words!");
        assert_eq!(topics.len(), 2, "{topics:?}");
        let admin = AdminOptions { web: broker.pulsar.endpoint().web.clone(), token: None, http: HttpOptions::default() };
        for topic in topics {
            assert!(Admin::new(&admin).unwrap().create_topic(&topic, None).unwrap(), "`{topic}` was left");
        }
    }
    answers_are_compared(&broker);
    package_is_run_on_a_runner(&broker);
}

fn package_is_run_on_a_runner(broker: &Broker) {
    let arguments = ["run", "--raw", "instance/go", "--entrypoint", "cat", "--", "/pulsar/function/function"];
    let program = broker.environment.command().args(arguments).output().unwrap().stdout;
    let file = broker.environment.path().join("orders");
    fs_err::write(&file, program).unwrap();
    let answer = broker.run(file.to_str().unwrap(), &["--run-image", "stack/go-runner", "--input", "hello"]).success();
    assert_eq!(answer, "hello!");
    assert!(!broker.environment.call("image ls").success().contains("fnpack-run"));
}

fn answers_are_compared(broker: &Broker) {
    let write = |name: &str, text: &str| broker.environment.write(name, text).display().to_string();
    let messages = write("messages", "one\ntwo\n");
    let (right, wrong, fewer) = (write("right", "one!\ntwo!\n"), write("wrong", "one!\n2\n"), write("fewer", "one!\n"));
    assert_eq!(broker.run("instance/go", &["-q", "--input", &messages, "--expect", &right]).success(), "one!\ntwo!");
    let error = broker.run("instance/go", &["--input", &messages, "--expect", &wrong]).failure(1);
    assert!(error.ends_with("line 2\n    - 2\n    + two!"), "{error}");
    let error = broker.run("instance/go", &["--input", &messages, "--expect", &fewer]).failure(1);
    assert!(error.ends_with("line 2\n    - (nothing)\n    + two!"), "{error}");
}

#[test]
fn function_answers_on_a_pulsar_of_its_own() {
    let (Some(tree), Some(_)) = (tree(), distribution()) else { return };
    build(&tree, "instance/go", &example(), &[]).success();
    let cached = tree.path().join("cache/fnpack");
    fs_err::create_dir_all(&cached).unwrap();
    std::os::unix::fs::symlink(cache().unwrap().join("pulsar"), cached.join("pulsar")).unwrap();
    let mut command = tree.command();
    command.env("XDG_CACHE_HOME", tree.path().join("cache")).args(["run", "instance/go", "--standalone", "--input", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let fnpack = child.id();
    child.stdin.take().unwrap().write_all(b"one\ntwo\n").unwrap();
    let outcome = Outcome::from(child.wait_with_output().unwrap());
    assert!(outcome.stderr.contains("starting Pulsar") && outcome.stderr.contains("instance is up ("), "{}", outcome.stderr);
    assert_eq!(outcome.success(), "one!\ntwo!");
    assert!(!fs_err::exists(format!("/proc/{fnpack}")).unwrap());
    let scratch = fs_err::read_dir(tree.store().join("scratch")).unwrap().flatten().map(|entry| entry.path());
    let data = scratch.flat_map(|folder| fs_err::read_dir(folder).unwrap().flatten()).map(|entry| entry.path().join("logs/standalone.log"));
    assert!(!data.into_iter().any(|log| log.exists()), "the data of Pulsar was left");
}

#[test]
fn image_without_a_function_says_what_to_say() {
    let Some(environment) = Environment::with_base() else { return };
    let error = environment.call("run test/run --pulsar pulsar://127.0.0.1:1").failure(3);
    assert!(error.contains("--language") && error.contains("test/run"), "{error}");
}

#[test]
fn flags_of_the_two_ways_do_not_mix() {
    let environment = Environment::empty();
    for arguments in [
        "run image",
        "run image --raw --standalone",
        "run image --raw --input x",
        "run image --standalone --entrypoint sh",
        "run image --standalone --expect file",
        "run image --standalone --pulsar-web http://localhost",
    ] {
        assert_eq!(environment.call(arguments).code, Some(2), "{arguments}");
    }
}
