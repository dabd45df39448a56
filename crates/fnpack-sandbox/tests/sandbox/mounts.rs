//! What is where in a sandbox, and that nothing of it stays.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use fnpack_sandbox::{Capabilities, Mount, Overlay, OverlayXattr, RootPlan, SandboxPlan, Upper};

use crate::support::{Root, no_root, output, plan, run};

fn file(target: &str, contents: &str) -> Mount {
    Mount::File { target: target.into(), contents: contents.into(), mode: 0o644, uid: 0, gid: 0 }
}

#[test]
fn needs_root_every_kind_of_mount_is_where_it_should_be() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let side = tempfile::tempdir().unwrap();
    for (name, text) in [("read", "from the host"), ("low/a", "low a"), ("low/b", "low b"), ("high/b", "high b")] {
        fs_err::create_dir_all(side.path().join(name).parent().unwrap()).unwrap();
        fs_err::write(side.path().join(name), text).unwrap();
    }
    fs_err::create_dir(side.path().join("write")).unwrap();
    let mut plan = root.shell(
        "set -e; cat /mnt/file; echo; (echo x > /mnt/file) 2>/dev/null && exit 1; echo y > /mnt/write/y; cat /srv/both/a /srv/both/b; echo; \
         stat -c '%a %u %g' /run/memory /run/memory/secret; cat /run/memory/secret; df --output=size /run/memory | tail -1 | tr -d ' '",
    );
    plan.capabilities = Capabilities::Container;
    let overlay = Overlay { lowers: vec![side.path().join("high"), side.path().join("low")], upper: None, xattr: OverlayXattr::here() };
    plan.mounts = vec![
        Mount::Bind { source: side.path().join("read"), target: "/mnt/file".into(), read_only: true },
        Mount::Bind { source: side.path().join("write"), target: "/mnt/write".into(), read_only: false },
        Mount::Overlay { overlay, target: "/srv/both".into() },
        Mount::Tmpfs { target: "/run/memory".into(), size: Some(1 << 20), mode: 0o750, uid: 3, gid: 4 },
        Mount::File { target: "/run/memory/secret".into(), contents: b"hidden\n".to_vec(), mode: 0o440, uid: 5, gid: 6 },
    ];
    assert_eq!(output(&plan), "from the host\nlow ahigh b\n750 3 4\n440 5 6\nhidden\n1024\n");
    assert_eq!(fs_err::read_to_string(side.path().join("write/y")).unwrap(), "y\n");
    assert_eq!(root.changes(), [""; 0]);
}

#[test]
fn needs_root_mount_points_made_for_the_run_do_not_stay() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let bind = |target: &str| Mount::Bind { source: "/usr".into(), target: target.into(), read_only: true };
    fs_err::create_dir_all(root.layer().join("var/lib/deep")).unwrap();
    let mut plan = root.shell("test -d /opt/new/usr/bin && test -f /etc/new-file && test -d /var/lib/deep/er/bin");
    plan.mounts = vec![bind("/opt/new/usr"), file("/etc/new-file", "x"), bind("/var/lib/deep/er"), file("/etc/other/file", "y")];
    output(&plan);
    assert_eq!(root.changes(), [""; 0]);

    plan.arguments = ["sh", "-c", "echo mine > /etc/mine; mkdir /opt/new/mine"].map(Into::into).to_vec();
    output(&plan);
    assert_eq!(root.changes(), ["etc", "etc/mine", "opt", "opt/new", "opt/new/mine"]);
}

#[test]
fn needs_root_mount_points_leave_times_of_the_upper_folder_as_they_were() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    fs_err::create_dir(root.upper().join("app")).unwrap();
    fs_err::File::open(root.upper().join("app")).unwrap().file().set_modified(old).unwrap();
    let mut plan = root.plan(&["true"]);
    plan.mounts = vec![file("/app/ca.pem", "x")];
    output(&plan);
    assert_eq!(root.changes(), ["app"]);
    assert_eq!(fs_err::metadata(root.upper().join("app")).unwrap().modified().unwrap(), old);
}

#[test]
fn needs_root_image_without_anything_gets_what_it_lacks_and_keeps_nothing_of_it() {
    if no_root() {
        return;
    }
    let root = Root::new();
    for name in ["bin", "lib", "lib64"] {
        symlink(format!("usr/{name}"), root.layer().join(name)).unwrap();
    }
    let mut plan = plan(root.overlay(vec![root.layer()]), &["sh", "-c", "ls -d /proc/self /sys/class /dev/null /dev/pts/ptmx; ls /"]);
    plan.mounts = vec![Mount::Bind { source: "/usr".into(), target: "/usr".into(), read_only: true }];
    assert_eq!(output(&plan), "/dev/null\n/dev/pts/ptmx\n/proc/self\n/sys/class\nbin\ndev\nlib\nlib64\nproc\nsys\nusr\n");
    assert_eq!(root.changes(), [""; 0]);
}

#[test]
fn needs_root_folder_as_root_keeps_changes_and_loses_mount_points() {
    if no_root() {
        return;
    }
    let root = Root::new();
    symlink("usr/bin", root.layer().join("bin")).unwrap();
    for name in ["lib", "lib64"] {
        symlink(format!("usr/{name}"), root.layer().join(name)).unwrap();
    }
    let mut plan = plan(RootPlan::Folder(root.layer()), &["sh", "-c", "mkdir /made"]);
    plan.mounts = vec![Mount::Bind { source: "/usr".into(), target: "/usr".into(), read_only: true }];
    output(&plan);
    let mut names: Vec<_> = fs_err::read_dir(root.layer()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["bin", "lib", "lib64", "made"]);
}

#[test]
fn needs_root_mount_that_cannot_be_says_which() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let with = |mount| SandboxPlan { mounts: vec![mount], ..root.plan(&["true"]) };
    let bind = |source: &str, target: &str| Mount::Bind { source: source.into(), target: target.into(), read_only: false };
    let used = Upper { folder: "/nonexistent".into(), work: "/nonexistent".into() };
    let overlay = Overlay { lowers: vec!["/usr".into()], upper: Some(used), xattr: OverlayXattr::here() };
    let cases = [
        (with(bind("/nonexistent", "/mnt")), "cannot open `/nonexistent` to mount it on `/mnt`"),
        (with(bind("/usr", "/etc/passwd")), "cannot make the mount point `/etc/passwd`"),
        (with(bind("/usr", "/etc/passwd/below")), "cannot make the mount point `/etc/passwd/below`"),
        (with(bind("/usr", "/sys/new")), "cannot make the mount point `/sys/new`"),
        (with(bind("/usr", "/")), "cannot make the mount point `/`"),
        (with(Mount::Overlay { overlay, target: "/mnt".into() }), "cannot open layer folder `/nonexistent`"),
    ];
    for (plan, message) in cases {
        assert_eq!(run(&plan).unwrap_err().to_string(), message);
    }
}

#[test]
fn needs_root_read_only_root_refuses_writing() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let overlay = Overlay { lowers: vec![root.layer(), PathBuf::from("/")], upper: None, xattr: OverlayXattr::here() };
    let plan = plan(RootPlan::Overlay(overlay), &["sh", "-c", "touch /new 2>&1 | grep -o 'Read-only'"]);
    assert_eq!(output(&plan), "Read-only\n");
}
