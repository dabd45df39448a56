//! What the machine or the user does to a running command: full disks, locked stores, Ctrl-C. Nothing
//! is half written, nothing that was there is lost, nothing stays behind.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::environment::{Environment, Outcome, bash_builder, cache};

/// A mount namespace of its own, with the store on a file system in memory; both go with the process that keeps them.
struct SmallDisk {
    environment: Environment,
    keeper: Child,
}

impl SmallDisk {
    /// `None` where we may not mount.
    fn new(size: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "mounting a small disk needs root");
            eprintln!("skipped: only root can mount a small disk");
            return None;
        }
        let environment = Environment::empty();
        fs_err::create_dir(environment.store()).unwrap();
        let script = format!("mount -t tmpfs -o size={size} small \"$0\" && echo ready && exec sleep infinity");
        let mut keeper = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "--kill-child", "sh", "-c", &script])
            .arg(environment.store())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready");
        Some(Self { environment, keeper })
    }

    fn inside(&self, program: impl AsRef<OsStr>) -> Command {
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.keeper.id());
        let mut command = Command::new("nsenter");
        command.args([&namespace, "--"]).arg(program);
        command.env("FNPACK_STORE", self.environment.store()).env("HOME", self.environment.path().join("home"));
        command.current_dir("/");
        command
    }

    fn call(&self, arguments: &str) -> Outcome {
        self.inside(env!("CARGO_BIN_EXE_fnpack")).args(arguments.split_whitespace()).output().unwrap().into()
    }

    fn used_kilobytes(&self) -> u64 {
        let outcome: Outcome = self.inside("du").args(["-sk"]).arg(self.environment.store()).output().unwrap().into();
        outcome.success().split_whitespace().next().unwrap().parse().unwrap()
    }

    fn remount_read_only(&self) {
        Outcome::from(self.inside("mount").args(["-o", "remount,ro"]).arg(self.environment.store()).output().unwrap()).success();
    }

    /// A root file system of one file of this size that no compression makes smaller.
    fn rootfs(&self, name: &str, bytes: usize) -> String {
        let folder = self.environment.path().join(name);
        fs_err::create_dir(&folder).unwrap();
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        })
        .take(bytes)
        .collect();
        fs_err::write(folder.join("noise"), noise).unwrap();
        let tar = folder.with_extension("tar");
        let made = Command::new("tar").arg("-cf").arg(&tar).arg("-C").arg(&folder).arg(".").status().unwrap();
        assert!(made.success());
        tar.to_str().unwrap().to_owned()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

#[test]
fn needs_root_full_disk_is_said_and_loses_nothing() {
    let Some(disk) = SmallDisk::new("12m") else { return };
    let (small, large) = (disk.rootfs("small", 1 << 20), disk.rootfs("large", 32 << 20));
    let digest = disk.call(&format!("image import {small} small")).success();
    let before = disk.used_kilobytes();

    let error = disk.call(&format!("image import {large} large")).failure(5);
    assert!(error.contains("the disk is full") && error.contains("hint: free space"), "{error}");
    assert_eq!(error.matches("the disk is full").count(), 1, "{error}");

    assert_eq!(disk.call("image tag small again").success(), digest.replace("small", "again"));
    assert!(!disk.call("image ls").success().contains("large"));
    disk.call("store check --deep").success();
    assert!(disk.used_kilobytes() < before + 200, "{} kB, {before} before", disk.used_kilobytes());
}

#[test]
fn needs_root_read_only_store_can_be_read() {
    let Some(disk) = SmallDisk::new("12m") else { return };
    let small = disk.rootfs("small", 1 << 16);
    let digest = disk.call(&format!("image import {small} small")).success();
    disk.remount_read_only();

    assert!(disk.call("image ls").success().contains("small"));
    assert!(disk.call("inspect small").success().contains(digest.rsplit_once('@').unwrap().1));
    let saved = disk.environment.path().join("saved.tar");
    disk.call(&format!("image save -o {} small", saved.display())).success();
    for writing in ["image tag small again".to_owned(), format!("image import {small} other"), "image rm small".to_owned()] {
        let error = disk.call(&writing).failure(5);
        assert!(error.contains("cannot be written") && error.contains("hint: use another store"), "{writing}: {error}");
    }
}

/// Waits for a line with `part` in what it prints to stderr, then presses Ctrl-C.
fn interrupted(mut command: Command, part: &str) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(part)), "{part} was never printed");
    let started = Instant::now();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let status = child.wait().unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    // A shell shows both as 130.
    assert!(status.code() == Some(130) || status.signal() == Some(2), "{status:?}");
}

/// Whether some process has these words in its command line; a process that was killed may need a moment.
fn is_running(words: &str) -> bool {
    let has_words = |process: fs_err::DirEntry| {
        let line = fs_err::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").contains(words)
    };
    let running = || fs_err::read_dir("/proc").unwrap().flatten().any(has_words);
    let end = Instant::now() + Duration::from_secs(3);
    while running() {
        if Instant::now() > end {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

/// Folders of scratch that have a file of this name two levels down.
fn scratch_with(store: &Path, name: &str) -> Vec<PathBuf> {
    let leases = fs_err::read_dir(store.join("scratch")).unwrap().flatten();
    let folders = leases.flat_map(|lease| fs_err::read_dir(lease.path()).into_iter().flatten().flatten());
    folders.map(|folder| folder.path().join("app").join(name)).filter(|path| path.exists()).collect()
}

#[test]
fn hanging_buildpack_ends_with_ctrl_c() {
    let Some(environment) = Environment::with_base() else { return };
    let seconds = format!("8{:06}", std::process::id());
    bash_builder(&environment, "mishaps/hangs", "exit 0", &format!("echo now it hangs; sleep {seconds} & sleep {seconds}"));
    environment.write("function/interrupted-source", "");
    let mut command = environment.command();
    command.args(["build", "mishaps/function", "function", "-B", "mishaps/hangs"]);
    interrupted(command, "now it hangs");
    assert!(!is_running(&format!("sleep {seconds}")));
    assert_ne!(environment.call("inspect mishaps/function").code, Some(0));
    environment.call("image tag test/run mishaps/next").success();
    assert_eq!(scratch_with(environment.store(), "interrupted-source"), Vec::<PathBuf>::new());
}

#[test]
fn hanging_step_of_a_dockerfile_ends_with_ctrl_c() {
    let Some(environment) = Environment::with_base() else { return };
    let seconds = format!("9{:06}", std::process::id());
    environment.write("context/Dockerfile", &format!("FROM test/run\nRUN echo now it hangs && sleep {seconds}\n"));
    let mut command = environment.command();
    command.args(["image", "build", "-t", "mishaps/step", "context"]);
    interrupted(command, "now it hangs");
    assert!(!is_running(&format!("sleep {seconds}")));
    assert_ne!(environment.call("inspect mishaps/step").code, Some(0));
}

#[test]
fn lost_execute_bit_of_a_buildpack_is_given_back() {
    let Some(environment) = Environment::with_base() else { return };
    environment.write("function/file", "");
    bash_builder(&environment, "mishaps/mode", "exit 0", "exit 0");
    for program in ["bp/bin/detect", "bp/bin/build"] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs_err::set_permissions(environment.path().join(program), mode).unwrap();
    }
    environment.call("builder create mishaps/mode -c builder.toml").success();
    environment.call("build mishaps/moded function -B mishaps/mode").success();
}

#[test]
fn archives_that_are_cut_or_no_archives_are_said() {
    let Some(cache) = cache() else { return };
    let environment = Environment::empty();
    let whole = fs_err::read(cache.join("debian-trixie.tar")).unwrap();
    fs_err::write(environment.path().join("cut.tar"), &whole[..whole.len() / 8]).unwrap();
    environment.write("text.tar", &"this is no archive\n".repeat(100));
    environment.write("empty.tar", "");
    for (arguments, code) in [
        ("image import cut.tar x", 5),
        ("image import text.tar x", 5),
        ("image import empty.tar x", 5),
        ("image load cut.tar", 5),
        ("image load text.tar", 5),
        ("image load empty.tar", 5),
    ] {
        let error = environment.call(arguments).failure(code);
        assert!(error.contains("hint:"), "{arguments}: {error}");
    }
    assert_eq!(environment.call("image ls -o json").success(), "[]");
}
