//! Hostile images and commands, and what they get to see of the host.

use std::os::unix::fs::symlink;

use fnpack_sandbox::{Capabilities, ExitStatus, Mount};

use crate::support::{Root, no_root, output, run};

#[test]
fn needs_root_mount_through_symlinks_of_the_image_stays_inside() {
    if no_root() {
        return;
    }
    let outside = tempfile::tempdir().unwrap();
    let name = outside.path().display();
    let cases = [
        format!("{name}"),
        format!("../../../../../../../..{name}"),
        format!("/..{name}"),
        format!("/proc/1/root{name}"),
        format!("/proc/self/cwd/..{name}"),
    ];
    for link in cases {
        let root = Root::new();
        symlink(&link, root.layer().join("trap")).unwrap();
        let mut plan = root.shell("cat /trap/file");
        plan.mounts = vec![Mount::File { target: "/trap/file".into(), contents: b"inside\n".to_vec(), mode: 0o644, uid: 0, gid: 0 }];
        // Links below `/proc/<pid>` are mere text for the mount, and closed to the command.
        let expected = if link.starts_with("/proc/") { ExitStatus::Code(1) } else { ExitStatus::Code(0) };
        let (status, output) = run(&plan).unwrap();
        assert_eq!((status, output == "inside\n"), (expected, status == ExitStatus::Code(0)), "{link}: {output}");
        assert_eq!(fs_err::read_dir(outside.path()).unwrap().count(), 0, "{link}");
    }
}

#[test]
fn needs_root_symlinks_in_a_circle_end() {
    if no_root() {
        return;
    }
    let root = Root::new();
    symlink("two", root.layer().join("one")).unwrap();
    symlink("one", root.layer().join("two")).unwrap();
    let mut plan = root.plan(&["true"]);
    plan.mounts = vec![Mount::Bind { source: "/usr".into(), target: "/one/x".into(), read_only: true }];
    assert_eq!(run(&plan).unwrap_err().to_string(), "cannot make the mount point `/one/x`");
}

#[test]
fn needs_root_dangling_symlink_gets_its_target() {
    if no_root() {
        return;
    }
    let root = Root::new();
    fs_err::create_dir(root.layer().join("etc")).unwrap();
    symlink("../run/of/some/service/resolv.conf", root.layer().join("etc/dangling.conf")).unwrap();
    let mut plan = root.shell("readlink /etc/dangling.conf; cat /etc/dangling.conf");
    plan.mounts = vec![Mount::File { target: "/etc/dangling.conf".into(), contents: b"here\n".to_vec(), mode: 0o644, uid: 0, gid: 0 }];
    assert_eq!(output(&plan), "../run/of/some/service/resolv.conf\nhere\n");
    assert_eq!(root.changes(), [""; 0]);
}

#[test]
fn needs_root_nothing_of_the_host_is_in_sight() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let mounts = output(&root.plan(&["cat", "/proc/self/mountinfo"]));
    let lowest = mounts.lines().next().unwrap();
    assert!(lowest.contains(" / / ") && lowest.contains(" - overlay "), "{mounts}");
    let own = ["/", "/proc", "/sys", "/dev"];
    for line in mounts.lines() {
        let place = line.split(' ').nth(4).unwrap();
        assert!(own.iter().any(|own| place == *own || (*own != "/" && place.starts_with(&format!("{own}/")))), "{line}");
    }
    // The shell and `ls` are the only processes besides the first; descriptors are the usual three.
    assert_eq!(output(&root.shell("ls /proc | grep -c '^[0-9]*$'; true")), "4\n");
    assert_eq!(output(&root.shell("ls /proc/$$/fd")), "0\n1\n2\n");
}

#[test]
fn needs_root_descriptors_left_open_by_the_caller_do_not_get_in() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let folder = rustix::fs::open("/", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    assert_eq!(output(&root.shell("ls /proc/$$/fd")), "0\n1\n2\n");
    drop(folder);
}

#[test]
fn needs_root_first_process_and_kernel_settings_are_out_of_reach() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let attempts = [
        "readlink /proc/1/exe",
        "readlink /proc/1/root",
        "readlink /proc/1/fd/0",
        "cat /proc/1/environ",
        "echo x > /proc/sys/kernel/core_pattern",
        "echo b > /proc/sysrq-trigger",
        "echo 0 > /proc/irq/default_smp_affinity",
        "echo x > /sys/kernel/uevent_helper",
        "test -s /proc/kcore",
        "ls /sys/firmware | grep .",
        "mknod /tmp/disk b 1 0",
    ];
    for attempt in attempts {
        let mut plan = root.shell(&format!("{attempt} 2>/dev/null"));
        plan.capabilities = Capabilities::Container;
        let (status, output) = run(&plan).unwrap();
        assert_ne!(status, ExitStatus::Code(0), "{attempt}: {output}");
    }
}

#[test]
fn needs_root_first_process_cannot_be_killed_from_inside() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let mut plan = root.shell("kill -9 1; kill -15 1; sleep 0.05; echo alive");
    plan.capabilities = Capabilities::Container;
    assert_eq!(output(&plan), "alive\n");
}

#[test]
fn needs_root_own_program_cannot_be_written_from_inside() {
    if no_root() {
        return;
    }
    // The sandbox's own program, executed inside by way of `/proc/self/exe`, whose libraries are the
    // image's: here it only fails to understand its arguments, and says so.
    let root = Root::new();
    let mut plan = root.plan(&["/proc/self/exe", "say-something"]);
    plan.capabilities = Capabilities::Container;
    let (status, output) = run(&plan).unwrap();
    assert_eq!(status, ExitStatus::Code(125));
    assert!(output.contains("`say-something`"), "{output}");
}
