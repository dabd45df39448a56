//! `/proc`, `/sys` and `/dev` of a sandbox.
//!
//! What shows or changes the machine rather than the sandbox is hidden or read-only, as container
//! engines have it. The places are looked up below the mount itself, not by a path through the
//! image.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, Result};
use rustix::mount::MountAttrFlags;

use crate::mount_point::{Kind, MountPoints, kind_of};
use crate::rootfs::{Scratch, at};
use crate::{SandboxError, mount, syscall};

const HIDDEN_IN_PROC: [&str; 11] =
    ["acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats", "kpagecount"];
const READ_ONLY_IN_PROC: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];
const HIDDEN_IN_SYS: [&str; 4] = ["firmware", "devices/virtual/powercap", "kernel/debug", "kernel/tracing"];

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Mounts all three into the root in the making.
pub(crate) fn mount_all(points: &mut MountPoints, scratch: &Scratch, single_id: bool) -> std::result::Result<(), SandboxError> {
    let closed = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let proc = mount::create("proc", &[], closed).map_err(|errno| at("proc", "/proc", errno))?;
    points.attach(&proc, "/proc".as_ref(), None)?;
    restrict_proc(&proc, scratch).map_err(|errno| at("covers over parts of proc", "/proc", errno))?;

    let sys = sysfs(closed).map_err(|errno| at("sysfs", "/sys", errno))?;
    points.attach(&sys, "/sys".as_ref(), None)?;
    hide_all(&sys, &HIDDEN_IN_SYS, scratch).map_err(|errno| at("covers over parts of sysfs", "/sys", errno))?;

    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let devices =
        mount::create("tmpfs", &[("mode", "0755"), ("size", "65536k")], attributes).map_err(|errno| at("devices", "/dev", errno))?;
    points.attach(&devices, "/dev".as_ref(), None)?;
    fill_devices(&devices, single_id).map_err(|errno| at("devices", "/dev", errno))
}

fn restrict_proc(proc: &OwnedFd, scratch: &Scratch) -> Result<()> {
    for name in READ_ONLY_IN_PROC {
        if let Some(place) = find(proc, name)? {
            let copy = mount::copy_at(proc, name.as_ref())?;
            syscall::set_mount_attributes(&copy, syscall::ATTRIBUTE_READ_ONLY)?;
            mount::attach(&copy, place)?;
        }
    }
    hide_all(proc, &HIDDEN_IN_PROC, scratch)
}

fn hide_all(folder: &OwnedFd, names: &[&str], scratch: &Scratch) -> Result<()> {
    for name in names {
        if let Some(place) = find(folder, name)? {
            let cover = if kind_of(&place)? == Kind::Folder { scratch.empty_folder()? } else { mount::copy("/dev/null".as_ref())? };
            mount::attach(&cover, place)?;
        }
    }
    Ok(())
}

/// `None` where this kernel has nothing of that name, or nothing for these eyes.
fn find(folder: &OwnedFd, name: &str) -> Result<Option<OwnedFd>> {
    match rustix::fs::openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
        Ok(place) => Ok(Some(place)),
        Err(Errno::NOENT | Errno::ACCESS | Errno::PERM) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// A sysfs of the sandbox's own network namespace; with that of the host a user namespace may not
/// mount one and gets the host's, with all below it, read-only.
fn sysfs(closed: MountAttrFlags) -> Result<OwnedFd> {
    match mount::create("sysfs", &[], closed | MountAttrFlags::MOUNT_ATTR_RDONLY) {
        Err(Errno::PERM | Errno::ACCESS) => {
            let tree = mount::copy("/sys".as_ref())?;
            syscall::set_mount_attributes(&tree, syscall::ATTRIBUTE_READ_ONLY | syscall::ATTRIBUTE_NO_SET_ID)?;
            Ok(tree)
        }
        result => result,
    }
}

fn fill_devices(folder: &OwnedFd, single_id: bool) -> Result<()> {
    for name in DEVICES {
        // A user namespace makes no device nodes, and nobody needs other ones than the host's.
        let device = mount::copy(&Path::new("/dev").join(name))?;
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        mount::attach(&device, rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o666))?)?;
    }
    for (name, target) in LINKS {
        rustix::fs::symlinkat(target, folder, name)?;
    }
    let closed = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    // Group 5 is `tty` everywhere; where one id is mapped it does not exist.
    let terminals: &[_] =
        if single_id { &[("ptmxmode", "0666"), ("mode", "0620")] } else { &[("ptmxmode", "0666"), ("mode", "0620"), ("gid", "5")] };
    attach_below(folder, "pts", &mount::create("devpts", terminals, closed)?)?;
    attach_below(folder, "shm", &mount::create("tmpfs", &[("mode", "1777")], closed | MountAttrFlags::MOUNT_ATTR_NODEV)?)
}

fn attach_below(folder: &OwnedFd, name: &str, tree: &OwnedFd) -> Result<()> {
    rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o755))?;
    mount::attach(tree, rustix::fs::openat(folder, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}
