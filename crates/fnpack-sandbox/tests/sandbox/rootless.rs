//! User namespaces around the whole program, and sandboxes inside.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use fnpack_sandbox::{Mount, Overlay, OverlayXattr, RootPlan, SandboxPlan, Upper, User};

use crate::support::{PROGRAM, eventually, missing, no_root, processes_with};

/// `nobody`: an id that owns nothing and to whom nothing is lent.
const NOBODY: u32 = 65_534;

/// The program and folders where an ordinary user can get at them.
struct Place {
    folder: tempfile::TempDir,
    uid: u32,
}

impl Place {
    fn new(uid: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs_err::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        // Not written by this process: whatever another thread starts meanwhile would hold it open for writing.
        assert!(Command::new("cp").arg(PROGRAM).arg(folder.path().join("program")).status().unwrap().success());
        fs_err::create_dir_all(folder.path().join("layer/tmp")).unwrap();
        fs_err::set_permissions(folder.path().join("layer/tmp"), PermissionsExt::from_mode(0o1777)).unwrap();
        for name in ["bin", "lib", "lib64"] {
            symlink(format!("usr/{name}"), folder.path().join("layer").join(name)).unwrap();
        }
        for name in ["upper", "work", "data", "layer", "layer/tmp"] {
            let path = folder.path().join(name);
            fs_err::create_dir_all(&path).unwrap();
            chown(&path, Some(uid), Some(uid)).unwrap();
        }
        Self { folder, uid }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        let ids = [format!("--reuid={}", self.uid), format!("--regid={}", self.uid), "--clear-groups".to_owned()];
        command.args(ids).arg(self.path("program")).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn plan(&self, script: &str, user: User) -> SandboxPlan {
        let upper = Upper { folder: self.path("upper"), work: self.path("work") };
        let overlay = Overlay { lowers: vec![self.path("layer")], upper: Some(upper), xattr: OverlayXattr::User };
        let mut plan = SandboxPlan::new(RootPlan::Overlay(overlay), ["sh", "-c", script]);
        plan.environment.insert("PATH".into(), "/usr/bin:/bin".into());
        // The host's root is no layer here: what is mounted below it is locked to it.
        plan.mounts = vec![Mount::Bind { source: "/usr".into(), target: "/usr".into(), read_only: true }];
        plan.user = user;
        plan
    }

    fn run(&self, options: &[&str], plan: &SandboxPlan) -> Output {
        let mut child = self.command(&[["run"].as_slice(), options].concat()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&serde_json::to_vec(plan).unwrap()).unwrap();
        child.wait_with_output().unwrap()
    }
}

fn no_user_namespaces() -> bool {
    let allowed = || Command::new("setpriv").args(["--reuid=65534", "--clear-groups", "unshare", "--user", "true"]).status();
    no_root() || missing(allowed().is_ok_and(|status| status.success()), "user namespaces, `setpriv` and `unshare` are needed")
}

fn text(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned())
}

#[test]
fn needs_userns_single_id_is_root_over_the_caller() {
    if no_user_namespaces() {
        return;
    }
    let place = Place::new(NOBODY);
    let output = place.command(&["mapping"]).output().unwrap();
    let (code, text) = text(&output);
    assert_eq!((code, text.as_str()), (Some(0), "single-65534-65534 Single { uid: 65534, gid: 65534 }\n"));
}

#[test]
fn needs_userns_single_id_goes_by_the_name_asked_for() {
    if no_user_namespaces() {
        return;
    }
    for (uid, gid) in [(0, 0), (10_000, 10_001)] {
        let place = Place::new(NOBODY);
        let plan = place.plan("id -u; id -g; : > /tmp/mine; stat -c '%u %g' /tmp/mine; exit 7", User { uid, gid, groups: vec![1, 2] });
        assert_eq!(text(&place.run(&["--single-id"], &plan)), (Some(7), format!("{uid}\n{gid}\n{uid} {gid}\n")));
        let owner = rustix::fs::stat(place.path("upper/tmp/mine")).unwrap();
        assert_eq!((owner.st_uid, owner.st_gid), (NOBODY, NOBODY));
    }
}

#[test]
fn needs_userns_layers_and_mount_points_work_without_root() {
    if no_user_namespaces() {
        return;
    }
    let place = Place::new(NOBODY);
    let script = "cat /srv/it /srv/data/x; ls /sys/class/net; touch /srv/data/y 2>/dev/null";
    let mut plan = place.plan(script, User { uid: 0, gid: 0, groups: vec![] });
    fs_err::write(place.path("data/x"), "data\n").unwrap();
    plan.mounts.extend([
        Mount::Tmpfs { target: "/srv".into(), size: None, mode: 0o755, uid: 10_000, gid: 10_000 },
        Mount::File { target: "/srv/it".into(), contents: b"it\n".to_vec(), mode: 0o600, uid: 10_000, gid: 0 },
        Mount::Bind { source: place.path("data"), target: "/srv/data".into(), read_only: true },
    ]);
    assert_eq!(text(&place.run(&["--single-id"], &plan)), (Some(1), "it\ndata\nlo\n".to_owned()));
    assert_eq!(fs_err::read_dir(place.path("upper")).unwrap().count(), 0);
}

#[test]
fn needs_userns_signal_to_the_outer_process_reaches_the_inner_one() {
    if no_user_namespaces() {
        return;
    }
    let time = format!("{}.5", std::process::id() + 100_000);
    for (signal, code) in [(rustix::process::Signal::TERM, Some(128 + 15)), (rustix::process::Signal::KILL, None)] {
        let place = Place::new(NOBODY);
        let plan = place.plan(&format!("sleep {time} & exec sleep {time}"), User { uid: 0, gid: 0, groups: vec![] });
        let mut child = place.command(&["run"]).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&serde_json::to_vec(&plan).unwrap()).unwrap();
        eventually("the start of both commands", || processes_with(&time).len() == 2);
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), code);
        eventually("the end of all", || processes_with(&time).is_empty());
    }
}

/// A user of this machine to whom ids are lent.
fn lent_to() -> Option<u32> {
    let lent = fs_err::read_to_string("/etc/subuid").ok()?;
    let owner = lent.lines().next()?.split(':').next()?.to_owned();
    let passwd = fs_err::read_to_string("/etc/passwd").ok()?;
    let uid = passwd.lines().find(|line| line.starts_with(&format!("{owner}:")))?.split(':').nth(2)?;
    uid.parse().ok().filter(|uid| *uid != 0)
}

#[test]
fn needs_userns_range_of_ids_is_used_where_one_is_lent() {
    if no_user_namespaces() {
        return;
    }
    let Some(uid) = lent_to() else {
        missing(false, "a user with a line in /etc/subuid and /etc/subgid is needed");
        return;
    };
    let place = Place::new(uid);
    let plan = place.plan("id -u; id -G; : > /tmp/mine; stat -c '%u %g' /tmp/mine", User { uid: 1000, gid: 1001, groups: vec![5] });
    assert_eq!(text(&place.run(&[], &plan)), (Some(0), "1000\n1001 5\n1000 1001\n".to_owned()));
    let owner = rustix::fs::stat(place.path("upper/tmp/mine")).unwrap();
    assert!(owner.st_uid != uid && owner.st_uid >= 1000, "{}", owner.st_uid);
    let mapping = text(&place.command(&["mapping"]).output().unwrap()).1;
    assert!(mapping.starts_with("range-"), "{mapping}");
}
