//! How sandboxes end, and that nothing is left of them.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fnpack_sandbox::{ExitStatus, Sandbox};

use crate::support::{PROGRAM, Root, eventually, missing, no_root, output, processes_with, run};

/// A number of seconds that no other process sleeps.
fn unusual(test: u32) -> String {
    format!("{}.{test}", std::process::id() + 100_000)
}

#[test]
fn needs_root_orphans_end_with_the_command() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let time = unusual(1);
    let start = Instant::now();
    let status = run(&root.shell(&format!("(setsid sleep {time} &) ; (sleep {time} >/dev/null 2>&1 &) ; sleep 0.05; exit 3"))).unwrap().0;
    assert_eq!(status, ExitStatus::Code(3));
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(processes_with(&time), [""; 0]);
}

#[test]
fn needs_root_killed_sandbox_ends_by_a_signal_and_leaves_nothing() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let time = unusual(2);
    let mut sandbox = Sandbox::spawn(&root.shell(&format!("trap '' TERM INT; echo ready; sleep {time} & sleep {time}"))).unwrap();
    let handle = sandbox.handle();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        handle.kill();
    });
    assert_eq!(sandbox.wait(&mut Vec::new()).unwrap(), ExitStatus::Signal(9));
    assert_eq!(processes_with(&time), [""; 0]);
    // A handle of a sandbox that is gone reaches nobody.
    sandbox.kill();
    sandbox.signal(15).unwrap();
}

#[test]
fn needs_root_dropped_sandbox_leaves_nothing() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let time = unusual(3);
    drop(Sandbox::spawn(&root.plan(&["sleep", &time])).unwrap());
    eventually("the end of the command", || processes_with(&time).is_empty());
}

#[test]
fn needs_root_signals_reach_the_command() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let mut sandbox = Sandbox::spawn(&root.shell("trap 'exit 42' TERM; : > /ready; while :; do sleep 0.01; done")).unwrap();
    eventually("the trap", || root.upper().join("ready").exists());
    sandbox.signal(15).unwrap();
    assert_eq!(sandbox.wait(&mut Vec::new()).unwrap(), ExitStatus::Code(42));
    assert!(sandbox.signal(-1).is_err());
}

#[test]
fn needs_root_nothing_survives_the_kill_of_the_caller() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let time = unusual(4);
    let plan = serde_json::to_vec(&root.shell(&format!("setsid sleep {time} & exec sleep {time}"))).unwrap();
    let mut caller = Command::new(PROGRAM).arg("run").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    caller.stdin.take().unwrap().write_all(&plan).unwrap();
    eventually("the start of both commands", || processes_with(&time).len() == 2);
    caller.kill().unwrap();
    caller.wait().unwrap();
    eventually("the end of all", || processes_with(&time).is_empty() && children_named_stage().is_empty());
}

fn children_named_stage() -> Vec<String> {
    // Stages of other tests belong to this process; those of the killed caller would belong to another.
    let own = format!("PPid:\t{}", std::process::id());
    let is_ours = |path: &String| fs_err::read_to_string(format!("{path}/status")).is_ok_and(|text| text.lines().any(|line| line == own));
    let is_inside = |path: &String| {
        fs_err::read_to_string(format!("{path}/status"))
            .is_ok_and(|text| text.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1")))
    };
    processes_with("fnpack-sandbox-stage").into_iter().filter(|path| !is_ours(path) && !is_inside(path)).collect()
}

#[test]
fn needs_root_many_sandboxes_at_once_do_not_disturb_each_other() {
    if no_root() {
        return;
    }
    let own_mounts = || fs_err::read_to_string("/proc/self/mountinfo").unwrap();
    let before = own_mounts();
    for _ in 0..4 {
        std::thread::scope(|scope| {
            for number in 0..12 {
                scope.spawn(move || {
                    let root = Root::new();
                    assert_eq!(output(&root.shell(&format!("echo {number} > /mine; cat /mine"))), format!("{number}\n"));
                    assert_eq!(root.changes(), ["mine"]);
                });
            }
        });
    }
    assert_eq!(own_mounts(), before);
}

#[test]
fn needs_root_start_takes_milliseconds() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let mut times: Vec<_> = (0..20)
        .map(|_| {
            let start = Instant::now();
            output(&root.plan(&["true"]));
            start.elapsed()
        })
        .collect();
    times.sort();
    #[expect(clippy::print_stderr, reason = "a measurement")]
    {
        eprintln!("a sandbox of `true`: {:?} at best, {:?} median", times[0], times[10]);
    }
    // Far above what it takes, far below what a process per mount or a copied program would.
    missing(times[0] < Duration::from_millis(100), "a machine that is not overloaded is needed");
}
