//! The system calls that `rustix` does not offer as safe functions: the only unsafe code here.
#![expect(unsafe_code, reason = "fork, signal masks and calls that no crate wraps")]

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

use rustix::io::{Errno, Result};
use rustix::process::Pid;
use rustix::thread::UnshareFlags;

pub(crate) const ATTRIBUTE_READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
pub(crate) const ATTRIBUTE_NO_SET_ID: u64 = libc::MOUNT_ATTR_NOSUID;
pub(crate) const ATTRIBUTE_NO_DEVICES: u64 = libc::MOUNT_ATTR_NODEV;

/// Where [`fork`] returns.
pub(crate) enum Fork {
    Child,
    Parent(Pid),
}

/// Splits a process in two. Refused if it has threads: the child would have only one of them, and
/// any lock the others held would stay locked.
pub(crate) fn fork() -> Result<Fork> {
    let threads = fs_err::read_dir("/proc/self/task").map_err(|error| crate::error::errno_of(&error))?.count();
    if threads != 1 {
        return Err(Errno::BUSY);
    }
    // SAFETY: no other thread exists, so the child is a complete process and may run any code.
    match unsafe { libc::fork() } {
        0 => Ok(Fork::Child),
        pid => Pid::from_raw(pid).filter(|_| pid > 0).map(Fork::Parent).ok_or_else(last_error),
    }
}

/// Moves this thread (and with it a process of one thread) into new namespaces.
pub(crate) fn unshare(namespaces: UnshareFlags) -> Result<()> {
    debug_assert!(!namespaces.contains(UnshareFlags::FILES));
    // SAFETY: only `FILES`, the unsharing of the table of descriptors, breaks what Rust believes
    // about owned descriptors; no caller asks for it.
    unsafe { rustix::thread::unshare_unsafe(namespaces.difference(UnshareFlags::FILES)) }
}

/// Marks every descriptor from `first` on to be closed by exec, also those the caller's own parent
/// left open by accident: a folder of the host in the command's hands would be a way out.
pub(crate) fn close_on_exec_from(first: u32) -> Result<()> {
    // SAFETY: sets a flag on descriptors and touches no memory.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    done(result)
}

/// Adds attributes to a mount and all mounts below it.
pub(crate) fn set_mount_attributes(mount: impl AsFd, attributes: u64) -> Result<()> {
    let attributes = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    // SAFETY: the path is a string with a final zero, the structure lives until the call returns and
    // its size is the one given; the kernel only reads both.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    done(result)
}

/// Holds back every signal but those that cannot be.
pub(crate) fn block_all_signals() -> Result<()> {
    block(|set| {
        // SAFETY: the pointer is to a set owned by the caller.
        unsafe { libc::sigfillset(set) };
    })
    .map(|_| ())
}

/// Lets every signal do what it does by default, as a new process expects it; what was held back and has
/// arrived does it now. A process of one thread without handlers only.
pub(crate) fn restore_all_signals() -> Result<()> {
    for number in 1..=libc::SIGSYS {
        // SAFETY: the default action needs no handler. It fails for those that have no other one.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    release_all_signals()
}

/// Holds back no signal any more.
pub(crate) fn release_all_signals() -> Result<()> {
    let none = empty_set();
    // SAFETY: the set is initialised; the old mask is not asked for.
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(Errno::from_raw_os_error(error)),
    }
}

/// Signals held back, to be taken one by one.
pub(crate) struct SignalQueue {
    waited_for: libc::sigset_t,
    before: libc::sigset_t,
}

/// A signal taken from a queue.
pub(crate) struct Received {
    pub(crate) number: i32,
    /// Whether the kernel sent it by itself, as it does for a key pressed on a terminal: then all
    /// processes of the foreground have it already.
    pub(crate) from_kernel: bool,
}

impl SignalQueue {
    /// Holds back these signals in a process of one thread.
    pub(crate) fn new(numbers: &[i32]) -> Result<Self> {
        block(|set| {
            for number in numbers {
                // SAFETY: the pointer is to a set owned by the caller; a wrong number is an error.
                unsafe { libc::sigaddset(set, *number) };
            }
        })
        .map(|(waited_for, before)| Self { waited_for, before })
    }

    /// Waits for the next of them.
    pub(crate) fn next(&self) -> Result<Received> {
        let mut information = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: both pointers are to values that live until the call returns.
        let number = unsafe { libc::sigwaitinfo(&raw const self.waited_for, information.as_mut_ptr()) };
        if number < 0 {
            return Err(last_error());
        }
        // SAFETY: zeroed bytes are a valid `siginfo_t`, and the kernel has filled them.
        let information = unsafe { information.assume_init() };
        Ok(Received { number, from_kernel: information.si_code > 0 })
    }
}

impl Drop for SignalQueue {
    fn drop(&mut self) {
        // SAFETY: the mask is the one this thread had; the present one is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut()) };
    }
}

/// Holds back the signals that `fill` puts into an empty set; gives the set and the mask before.
fn block(fill: impl FnOnce(*mut libc::sigset_t)) -> Result<(libc::sigset_t, libc::sigset_t)> {
    let (mut set, mut before) = (empty_set(), empty_set());
    fill(&raw mut set);
    // SAFETY: both sets are initialised and live until the call returns.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut before) } {
        0 => Ok((set, before)),
        error => Err(Errno::from_raw_os_error(error)),
    }
}

fn empty_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initialises the set that it is given a pointer to.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

fn done(result: libc::c_long) -> Result<()> {
    if result < 0 { Err(last_error()) } else { Ok(()) }
}

fn last_error() -> Errno {
    crate::error::errno_of(&std::io::Error::last_os_error())
}
