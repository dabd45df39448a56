//! `fnpack run --raw`: exit codes and signals are the process's own, and nothing stays behind.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::environment::Environment;

#[test]
fn exit_code_and_output_are_passed_on() {
    let Some(environment) = Environment::with_base() else { return };
    let outcome = environment.fnpack(["run", "--raw", "test/run", "--entrypoint", "sh", "--", "-c", "echo out; echo err >&2; exit 42"]);
    assert_eq!((outcome.code, outcome.stdout.trim()), (Some(42), "out"));
    assert!(outcome.stderr.contains("err"), "{}", outcome.stderr);
    let killed = environment.fnpack(["run", "--raw", "test/run", "--entrypoint", "sh", "--", "-c", "kill -9 $$"]);
    assert_eq!(killed.code, Some(128 + 9));
}

#[test]
fn missing_program_is_told_apart_from_its_exit_code() {
    let Some(environment) = Environment::with_base() else { return };
    let error = environment.fnpack(["run", "--raw", "test/run", "--entrypoint", "/no/such/program"]).failure(127);
    assert!(error.contains("/no/such/program"), "{error}");
    assert_eq!(environment.fnpack(["run", "--raw", "test/run", "--entrypoint", "sh", "--", "-c", "exit 127"]).code, Some(127));
}

#[test]
fn process_has_no_capabilities_and_its_own_processes() {
    let Some(environment) = Environment::with_base() else { return };
    let script = "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; id -u; id -g; ls -d /proc/[0-9]* | wc -l";
    let output = environment.fnpack(["run", "--raw", "test/run", "--entrypoint", "sh", "--", "-c", script]).success();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[..6], ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "10000", "10001"]);
    assert!(lines[6].trim().parse::<u32>().unwrap() < 8, "{output}");
}

#[test]
fn image_is_not_changed_by_what_runs_in_it() {
    let Some(environment) = Environment::with_base() else { return };
    environment.fnpack(["run", "--raw", "test/run", "--user", "0", "--entrypoint", "touch", "--", "/etc/changed"]).success();
    assert_ne!(environment.fnpack(["run", "--raw", "test/run", "--entrypoint", "test", "--", "-e", "/etc/changed"]).code, Some(0));
}

#[test]
fn signals_reach_the_process() {
    let Some(environment) = Environment::with_base() else { return };
    let script = "trap 'echo stopped; exit 5' TERM; echo ready; while :; do sleep 0.1; done";
    let mut child = environment
        .command()
        .args(["run", "--raw", "test/run", "--entrypoint", "bash", "--", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    kill_process(pid(child.id()), Signal::TERM).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "stopped");
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[test]
fn nothing_runs_on_after_kill_9() {
    let Some(environment) = Environment::with_base() else { return };
    let marker = format!("314159.{}", std::process::id());
    let mut child = environment
        .command()
        .args(["run", "--raw", "test/run", "--entrypoint", "sh", "--", "-c", &format!("echo ready; exec sleep {marker}")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    child.kill().unwrap();
    child.wait().unwrap();
    for _ in 0..50 {
        if !running(&marker) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("`sleep {marker}` still runs");
}

fn pid(process: u32) -> Pid {
    let pid = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    test_kill_process(pid).unwrap();
    pid
}

pub(crate) fn running(argument: &str) -> bool {
    fs_err::read_dir("/proc").unwrap().filter_map(Result::ok).any(|entry| {
        fs_err::read(entry.path().join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(argument))
            && fs_err::read_to_string(entry.path().join("comm")).is_ok_and(|name| name.trim() == "sleep")
    })
}
