//! `fnpack run`: functions by the instance of their image, and what is said of those that fail.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use super::environment::Environment;

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

fn image(environment: &Environment) {
    environment.write("image/Dockerfile", DOCKERFILE);
    environment.call("image build -t test/instance image").success();
}

/// `fnpack run` of an instance that does `mishap`.
fn run(environment: &Environment, url: &str, mishap: &str, more: &[&str]) -> super::environment::Outcome {
    let mishap = format!("MISHAP={mishap}");
    environment.fnpack(["run", "test/instance", "--pulsar", url, "-e", &mishap].iter().chain(more))
}

#[test]
fn instance_that_ends_is_a_failure_with_its_cause() {
    let Some(environment) = Environment::with_base() else { return };
    image(&environment);
    let url = "pulsar://127.0.0.1:1";
    let cases = [
        ("exit 0", "status 0 without working"),
        ("exit 7", "status 7"),
        ("kill -9 $$", "signal 9"),
        ("echo \"ModuleNotFoundError: No module named 'requests'\"; exit 1", "a Python module is missing"),
        ("touch /usr/bin/x; exit 1", "may not write"),
    ];
    for (mishap, expected) in cases {
        let error = run(&environment, url, mishap, &["--input", "hello"]).failure(1);
        assert!(error.contains(expected), "{mishap}: {error}");
    }
}

#[test]
fn instance_under_function_mesh_is_the_pods_user_without_capabilities() {
    let Some(environment) = Environment::with_base() else { return };
    image(&environment);
    let script = "id -u; id -g; grep CapEff /proc/self/status; echo $POD_NAME; echo \"$@\" | grep -o -- '--port.*'; exit 3";
    let error = run(&environment, "pulsar://127.0.0.1:1", script, &["--under", "function-mesh", "--name", "orders"]).failure(1);
    for expected in ["| 10000", "| 10001", "CapEff: 0000000000000000", "| orders-function-0", "| --port 9093 --metrics_port 9094"] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn interruption_ends_the_instance() {
    let Some(environment) = Environment::with_base() else { return };
    image(&environment);
    let marker = format!("271828.{}", std::process::id());
    let mut child = environment
        .command()
        .args(["run", "test/instance", "--pulsar", "pulsar://127.0.0.1:1", "--show-logs"])
        .args(["-e", &format!("MISHAP=echo ready; exec sleep {marker}")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("| ready")));
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!super::run::running(&marker));
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
