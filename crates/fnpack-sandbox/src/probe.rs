//! What of this machine a sandbox needs, each thing tried rather than guessed.
//!
//! The trial runs in a process of its own: it makes real namespaces and a real overlay, which end with it.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountPropagationFlags, mount_change};
use rustix::process::WaitOptions;
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};

use crate::syscall::{self, Fork};
use crate::user_namespace::Lent;
use crate::{Overlay, OverlayXattr, Upper, kernel, mount, seccomp};

/// What the trial process is called: the first argument by which it is recognised.
pub(crate) const NAME: &str = "fnpack-sandbox-trial";

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is, in a few words.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub works: bool,
    /// Whether nothing runs in a sandbox without it.
    pub needed: bool,
    /// What was found.
    pub found: String,
    /// What to do about it, in a line; empty if it works.
    pub remedy: &'static str,
}

/// All that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts(pub Vec<Fact>);

impl Facts {
    /// Whether sandboxes can be expected to work.
    pub fn sandbox_works(&self) -> bool {
        self.0.iter().all(|fact| fact.works || !fact.needed)
    }
}

/// Looks at this machine. `program` is one that calls [`crate::init_if_asked`] first in its `main`,
/// usually `/proc/self/exe`.
pub fn probe(program: &Path) -> Facts {
    let mut facts = vec![kernel(), cgroup()];
    if !rustix::process::geteuid().is_root() {
        facts.extend([apparmor(), subordinate_ids(), helpers()]);
    }
    facts.extend(trial(program));
    Facts(facts)
}

fn fact(name: &'static str, needed: bool, result: Result<String, String>, remedy: &'static str) -> Fact {
    let works = result.is_ok();
    let found = result.unwrap_or_else(|found| found);
    Fact { name, works, needed, found, remedy: if works { "" } else { remedy } }
}

fn kernel() -> Fact {
    let release = kernel::release();
    let result = if kernel::is_at_least((5, 12)) { Ok(release) } else { Err(release) };
    fact("kernel", true, result, "Linux 5.12 or later is needed for the sandbox")
}

fn cgroup() -> Fact {
    let has = |path: &str| Path::new(path).exists();
    let found = match (has("/sys/fs/cgroup/cgroup.controllers"), has("/sys/fs/cgroup/unified")) {
        (true, _) => "version 2",
        (false, true) => "version 1 with an unused version 2",
        (false, false) if has("/sys/fs/cgroup/memory") => "version 1",
        (false, false) => "none",
    };
    fact("cgroup", false, Ok(found.to_owned()), "")
}

fn apparmor() -> Fact {
    let switch = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    let restricted = fs_err::read_to_string(switch).is_ok_and(|text| text.trim() == "1");
    let result =
        if restricted { Err("user namespaces are restricted".to_owned()) } else { Ok("no restriction of user namespaces".to_owned()) };
    let remedy = "give fnpack an AppArmor profile with `userns,`, or `sysctl kernel.apparmor_restrict_unprivileged_userns=0`";
    // Profiles may allow it all the same: the trial decides.
    fact("AppArmor", false, result, remedy)
}

fn subordinate_ids() -> Fact {
    let uid = rustix::process::getuid().as_raw();
    let lent = |file: &str| Lent::to(uid, file.as_ref()).count();
    let (uids, gids) = (lent("/etc/subuid"), lent("/etc/subgid"));
    let found = format!("{uids} users, {gids} groups");
    let result = if uids.min(gids) >= 65_535 { Ok(found) } else { Err(found) };
    fact(
        "subordinate ids",
        false,
        result,
        "`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 <user>`: `RUN` steps need more than one id",
    )
}

fn helpers() -> Fact {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing: Vec<_> = ["newuidmap", "newgidmap"]
        .into_iter()
        .filter(|name| !std::env::split_paths(&path).any(|folder| folder.join(name).exists()))
        .collect();
    let result = if missing.is_empty() { Ok("installed".to_owned()) } else { Err(format!("`{}` not found", missing.join("`, `"))) };
    fact("newuidmap", false, result, "install the package `uidmap` (Debian, Ubuntu) or `shadow-utils` (Fedora)")
}

/// How each step of the trial went: what was found, or why it failed.
#[derive(Debug, Serialize, Deserialize)]
struct Trial {
    namespaces: Result<String, String>,
    overlay: Result<String, String>,
    proc: Result<String, String>,
    seccomp: Result<String, String>,
}

impl Trial {
    fn not_made(reason: &str) -> Self {
        let failed = || Err(reason.to_owned());
        Self { namespaces: failed(), overlay: failed(), proc: failed(), seccomp: failed() }
    }
}

fn trial(program: &Path) -> [Fact; 4] {
    let output = Command::new(program).arg0(NAME).env_clear().stdin(Stdio::null()).stderr(Stdio::null()).output();
    let trial = match output {
        Ok(output) => serde_json::from_slice(&output.stdout).unwrap_or_else(|_| Trial::not_made("the trial ended without an answer")),
        Err(error) => Trial::not_made(&format!("cannot start `{}`: {error}", program.display())),
    };
    [
        fact(
            "namespaces",
            true,
            trial.namespaces,
            "allow user namespaces (`sysctl user.max_user_namespaces`, `kernel.unprivileged_userns_clone=1`), or run as root",
        ),
        fact("overlay", true, trial.overlay, "load the module `overlay`; without root, Linux 5.11 or later is needed"),
        fact("proc", true, trial.proc, "in a container, run it with an unmasked /proc (`--security-opt systempaths=unconfined`)"),
        fact("seccomp", true, trial.seccomp, "a kernel with CONFIG_SECCOMP_FILTER is needed"),
    ]
}

/// Makes the trial and ends this process.
pub(crate) fn main() -> ! {
    let answer = serde_json::to_writer(std::io::stdout(), &make_trial());
    std::process::exit(i32::from(answer.is_err()))
}

fn make_trial() -> Trial {
    if let Err(reason) = make_namespaces() {
        return Trial { namespaces: Err(reason), ..Trial::not_made("not tried, as there are no namespaces") };
    }
    let found = if OverlayXattr::here() == OverlayXattr::Trusted { "as root" } else { "in a user namespace" };
    let proc = mount_proc().map(|()| "can be mounted".to_owned()).map_err(text);
    Trial {
        namespaces: Ok(found.to_owned()),
        proc,
        overlay: mount_overlay().map(|()| found.to_owned()),
        // Last, as nothing can be mounted under the filter.
        seccomp: seccomp::install().map(|()| "filter installed".to_owned()).map_err(|error| error.to_string()),
    }
}

fn text(error: impl std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

fn make_namespaces() -> Result<(), String> {
    let namespaces = UnshareFlags::NEWNS | UnshareFlags::NEWPID;
    if rustix::process::geteuid().is_root() {
        syscall::unshare(namespaces).map_err(text)?;
    } else {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        syscall::unshare(namespaces | UnshareFlags::NEWUSER).map_err(text)?;
        for (file, map) in [("setgroups", "deny".to_owned()), ("uid_map", format!("0 {uid} 1")), ("gid_map", format!("0 {gid} 1"))] {
            fs_err::write(Path::new("/proc/self").join(file), map).map_err(text)?;
        }
    }
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(text)
}

/// A container with a masked `/proc` may not mount another one.
fn mount_proc() -> rustix::io::Result<()> {
    match syscall::fork()? {
        Fork::Child => {
            let result = mount::create("proc", &[], MountAttrFlags::MOUNT_ATTR_NOSUID);
            #[expect(clippy::exit, reason = "the first process of a pid namespace that ends with it")]
            std::process::exit(result.err().map_or(0, Errno::raw_os_error))
        }
        Fork::Parent(child) => {
            let status = rustix::process::waitpid(Some(child), WaitOptions::empty())?;
            match status.and_then(|(_, status)| status.exit_status()) {
                Some(0) => Ok(()),
                Some(number) if number > 0 => Err(Errno::from_raw_os_error(number)),
                _ => Err(Errno::IO),
            }
        }
    }
}

fn mount_overlay() -> Result<(), String> {
    let memory = mount::create("tmpfs", &[], MountAttrFlags::MOUNT_ATTR_NODEV).map_err(text)?;
    mount::attach_over_root(&memory).map_err(text)?;
    for name in ["lower", "upper", "work"] {
        rustix::fs::mkdirat(&memory, name, Mode::RWXU).map_err(text)?;
    }
    let upper = Upper { folder: below(&memory, "upper"), work: below(&memory, "work") };
    let overlay = Overlay { lowers: vec![below(&memory, "lower")], upper: Some(upper), xattr: OverlayXattr::here() };
    let view = overlay.view().map_err(text)?;
    rustix::fs::mkdirat(&view, "new", Mode::RWXU).map_err(text)
}

fn below(folder: &OwnedFd, name: &str) -> PathBuf {
    format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fact_carries_a_remedy_only_if_it_is_needed() {
        assert_eq!(fact("x", true, Ok("fine".to_owned()), "do that").remedy, "");
        let missing = fact("x", true, Err("missing".to_owned()), "do that");
        assert_eq!((missing.remedy, missing.found.as_str()), ("do that", "missing"));
        assert!(!Facts(vec![missing.clone()]).sandbox_works());
        assert!(Facts(vec![Fact { needed: false, ..missing }]).sandbox_works());
    }

    #[test]
    fn trial_with_a_program_that_is_none_is_an_answer() {
        for program in ["/bin/true", "/nonexistent"] {
            assert!(!probe(program.as_ref()).sandbox_works());
        }
    }
}
