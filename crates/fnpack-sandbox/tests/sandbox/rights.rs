//! What a command may do: ids, capabilities, system calls, network.

use fnpack_sandbox::{Capabilities, ExitStatus, Network, Seccomp, User};

use crate::support::{Root, no_root, output, run};

#[test]
fn needs_root_command_has_the_ids_of_the_plan() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let mut plan = root.shell("id -u; id -g; id -G; : > /tmp/mine; stat -c '%u %g' /tmp/mine");
    plan.user = User { uid: 10_000, gid: 10_001, groups: vec![7, 8] };
    assert_eq!(output(&plan), "10000\n10001\n10001 7 8\n10000 10001\n");
}

#[test]
fn needs_root_capabilities_are_bounded_for_every_user() {
    if no_root() {
        return;
    }
    let root = Root::new();
    // chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, sys_chroot, audit_write, setfcap
    let container = "00000000a00405fb";
    let none = "0000000000000000";
    let cases = [
        (Capabilities::None, 0, none, none),
        (Capabilities::None, 10_000, none, none),
        (Capabilities::Container, 0, container, container),
        (Capabilities::Container, 10_000, none, container),
    ];
    for (capabilities, uid, effective, bounding) in cases {
        let mut plan = root.plan(&["grep", "^Cap\\|^NoNewPrivs", "/proc/self/status"]);
        plan.capabilities = capabilities;
        plan.user.uid = uid;
        let expected =
            format!("CapInh:\t{none}\nCapPrm:\t{effective}\nCapEff:\t{effective}\nCapBnd:\t{bounding}\nCapAmb:\t{none}\nNoNewPrivs:\t1\n");
        assert_eq!(output(&plan), expected, "{capabilities:?} {uid}");
    }
}

#[test]
fn needs_root_no_signal_is_held_back_or_ignored() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let plan = root.plan(&["grep", "^SigBlk\\|^SigIgn", "/proc/self/status"]);
    let masks: Vec<_> = output(&plan).lines().map(|line| u64::from_str_radix(line.split_once('\t').unwrap().1, 16).unwrap()).collect();
    // The C library keeps 32 and 33 to itself: whoever ignores them, it cannot be undone.
    assert_eq!(masks.iter().map(|mask| mask & !0x1_8000_0000).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn needs_root_filter_refuses_new_namespaces_and_mounts_even_where_rights_would_allow() {
    if no_root() {
        return;
    }
    let root = Root::new();
    // A user namespace needs no capability: only the filter is between the command and it.
    let script = "unshare --user true";
    for (seccomp, expected) in [(Seccomp::Container, ExitStatus::Code(1)), (Seccomp::Off, ExitStatus::Code(0))] {
        let mut plan = root.shell(script);
        plan.seccomp = seccomp;
        let (status, output) = run(&plan).unwrap();
        assert_eq!(status, expected, "{output}");
        assert_eq!(output.contains("not permitted"), seccomp == Seccomp::Container, "{output}");
    }
    let mut plan = root.shell("mount -t tmpfs none /mnt 2>/dev/null || mkdir /tmp/x && mkfifo /tmp/fifo && (sleep 0 & wait) && echo fine");
    plan.capabilities = Capabilities::Container;
    assert_eq!(output(&plan), "fine\n");
}

#[test]
fn needs_root_without_network_there_is_a_loopback_that_is_on() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let mut plan = root.shell("ls /sys/class/net; cat /sys/class/net/lo/flags");
    assert_eq!(output(&plan), "lo\n0x9\n");
    plan = root.shell("readlink /proc/self/ns/net");
    plan.network = Network::Host;
    let host = fs_err::read_link("/proc/self/ns/net").unwrap().display().to_string();
    assert_eq!(output(&plan).trim(), host);
}
