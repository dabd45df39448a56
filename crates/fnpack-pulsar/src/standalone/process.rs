//! The server's process, and all that it starts: one process group that ends with its owner.
//!
//! A shell leads the group. Its standard input is a pipe that only the owner holds open; when that ends, by
//! whatever death of the owner, the shell's other half kills the group. No parent-death signal would do: it is
//! bound to a thread, and does not reach what the server started.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fs_err::File;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process_group, waitid};

/// `$1` goes before the search path; the rest is the command. `: TERM` lets the shell outlive the signal that
/// its command ends by, and the command still see it.
const GUARD: &str = r#"
PATH="$1:$PATH"; export PATH; shift
exec 3<&0 </dev/null
( trap '' TERM; read -r _ <&3; kill -KILL 0 ) &
trap : TERM
"$@" 3<&-
"#;

const PAUSE: Duration = Duration::from_millis(20);

/// A running server; dropped, it is killed.
pub(super) struct ServerProcess {
    leader: Child,
    group: Pid,
    is_over: bool,
}

impl ServerProcess {
    /// Starts the command, with output to the log and `programs` before the search path.
    pub(super) fn start(command: &Command, programs: &std::path::Path, log: File) -> io::Result<Self> {
        let log = log.into_parts().0;
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", GUARD, "fnpack-pulsar"]).arg(programs).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            value.map(|value| shell.env(name, value));
        }
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        shell.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let leader = shell.spawn()?;
        let group = Pid::from_child(&leader);
        Ok(Self { leader, group, is_over: false })
    }

    /// Whether the server ended by itself. The leader is not reaped by asking, so its number stays its own.
    pub(super) fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(self.group), options)?.is_some())
    }

    /// Asks the server to end, and kills what is left after a while.
    pub(super) fn stop(&mut self, patience: Duration) -> io::Result<()> {
        // It may have ended by itself.
        let _ = kill_process_group(self.group, Signal::TERM);
        let end = Instant::now() + patience;
        while !self.has_ended()? && Instant::now() < end {
            sleep(PAUSE);
        }
        self.kill()
    }

    /// Kills the server and all that it started.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        if self.is_over {
            return Ok(());
        }
        let _ = kill_process_group(self.group, Signal::KILL);
        let status = self.leader.wait()?;
        self.is_over = true;
        debug_assert!(status.code().is_some() || status.signal().is_some());
        // Until they are dead they hold files open, and may make new ones.
        let end = Instant::now() + Duration::from_secs(2);
        while has_members(self.group) && Instant::now() < end {
            sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.kill();
    }
}

/// Whether a process of the group lives. Dead ones stay members until the first process of the machine or
/// container takes note of them, which some never do.
fn has_members(group: Pid) -> bool {
    if test_kill_process_group(group).is_err() {
        return false;
    }
    let Ok(processes) = fs_err::read_dir("/proc") else { return true };
    let group = group.as_raw_nonzero().to_string();
    processes.flatten().any(|process| fs_err::read_to_string(process.path().join("stat")).is_ok_and(|stat| is_alive_in(&stat, &group)))
}

/// `pid (name) state parent group …`, where the name may hold anything.
fn is_alive_in(stat: &str, group: &str) -> bool {
    let Some((_, fields)) = stat.rsplit_once(')') else { return false };
    let mut fields = fields.split_ascii_whitespace();
    !matches!(fields.next(), Some("Z" | "X")) && fields.nth(1) == Some(group)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    struct Setting {
        folder: tempfile::TempDir,
    }

    impl Setting {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap() }
        }

        fn start(&self, script: &str) -> ServerProcess {
            let mut command = Command::new("sh");
            command.args(["-c", script]).current_dir(self.folder.path());
            let log = File::create(self.folder.path().join("log")).unwrap();
            ServerProcess::start(&command, Path::new("/first"), log).unwrap()
        }

        fn wait_for(&self, text: &str) -> String {
            for _ in 0..500 {
                let log = fs_err::read_to_string(self.folder.path().join("log")).unwrap();
                if log.contains(text) {
                    return log;
                }
                sleep(Duration::from_millis(10));
            }
            panic!("no `{text}`");
        }
    }

    fn is_alive(pid: &str) -> bool {
        // A zombie of another parent is dead enough.
        fs_err::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn member_of_a_group_is_recognised() {
        for (stat, expected) in [
            ("7 (sh) S 1 42 42 0", true),
            ("7 (a) Z 1) R 1 42 42 0", true),
            ("7 (sh) Z 1 42 42 0", false),
            ("7 (sh) S 42 1 42 0", false),
            ("7 (42", false),
            ("", false),
        ] {
            assert_eq!(is_alive_in(stat, "42"), expected, "{stat}");
        }
    }

    fn number(log: &str, name: &str) -> String {
        log.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned()
    }

    #[test]
    fn server_ends_with_all_it_started() {
        for graceful in [true, false] {
            let setting = Setting::new();
            let mut server = setting.start("echo self=$$; sleep 1000 & echo child=$!; trap 'echo bye; exit 0' TERM; echo ready; wait");
            let log = setting.wait_for("ready");
            assert!(!server.has_ended().unwrap());
            if graceful {
                server.stop(Duration::from_secs(5)).unwrap();
            } else {
                server.kill().unwrap();
            }
            assert_eq!(setting.wait_for("self=").contains("bye"), graceful);
            assert!(!is_alive(&number(&log, "self=")) && !is_alive(&number(&log, "child=")));
        }
    }

    #[test]
    fn server_that_ends_by_itself_is_noticed() {
        let setting = Setting::new();
        let server = setting.start("echo $PATH; exit 3");
        for _ in 0..500 {
            if server.has_ended().unwrap() {
                assert!(setting.wait_for("\n").starts_with("/first:/"));
                return;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("it runs on");
    }

    #[test]
    fn server_ends_when_its_pipe_does() {
        let setting = Setting::new();
        let mut server = setting.start("echo self=$$; sleep 1000 & echo child=$!; trap '' TERM; echo ready; wait");
        let log = setting.wait_for("ready");
        drop(server.leader.stdin.take());
        for _ in 0..500 {
            if server.has_ended().unwrap() && !is_alive(&number(&log, "child=")) {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("it runs on");
    }
}
