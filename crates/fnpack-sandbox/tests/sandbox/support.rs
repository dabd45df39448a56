//! What the tests share: a root file system, a run to the end, a look at what remains.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fnpack_sandbox::{ExitStatus, Overlay, OverlayXattr, RootPlan, Sandbox, SandboxError, SandboxPlan, Upper};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_fnpack-sandbox");

/// Whether a test has to be left out; says why. On a CI machine nothing is left out silently.
pub(crate) fn missing(works: bool, reason: &str) -> bool {
    assert!(works || std::env::var_os("CI").is_none(), "{reason}");
    if !works {
        #[expect(clippy::print_stderr, reason = "the reason for leaving a test out")]
        {
            eprintln!("left out: {reason}");
        }
    }
    !works
}

pub(crate) fn no_root() -> bool {
    missing(rustix::process::geteuid().is_root(), "root is needed")
}

/// A folder for one sandbox: layers, upper and work folder.
pub(crate) struct Root {
    pub(crate) folder: tempfile::TempDir,
}

impl Root {
    pub(crate) fn new() -> Self {
        // A layer must not lie below another one, as anything on the disk lies below the host's root.
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        for name in ["layer", "upper", "work"] {
            fs_err::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    /// A layer over the host's root, to be filled.
    pub(crate) fn layer(&self) -> PathBuf {
        self.folder.path().join("layer")
    }

    pub(crate) fn upper(&self) -> PathBuf {
        self.folder.path().join("upper")
    }

    pub(crate) fn overlay(&self, lowers: Vec<PathBuf>) -> RootPlan {
        let upper = Upper { folder: self.upper(), work: self.folder.path().join("work") };
        RootPlan::Overlay(Overlay { lowers, upper: Some(upper), xattr: OverlayXattr::here() })
    }

    /// A plan whose root is the layer over the host's root.
    pub(crate) fn plan(&self, arguments: &[&str]) -> SandboxPlan {
        plan(self.overlay(vec![self.layer(), "/".into()]), arguments)
    }

    /// A plan for `sh -c`.
    pub(crate) fn shell(&self, script: &str) -> SandboxPlan {
        self.plan(&["sh", "-c", script])
    }

    /// What a run left in the upper folder.
    pub(crate) fn changes(&self) -> Vec<String> {
        let mut names = Vec::new();
        collect(&self.upper(), &self.upper(), &mut names);
        names.sort();
        names
    }
}

fn collect(root: &Path, folder: &Path, names: &mut Vec<String>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.strip_prefix(root).unwrap().display().to_string());
        if path.is_dir() && !path.is_symlink() {
            collect(root, &path, names);
        }
    }
}

pub(crate) fn plan(root: RootPlan, arguments: &[&str]) -> SandboxPlan {
    let mut plan = SandboxPlan::new(root, arguments);
    plan.init = PROGRAM.into();
    plan.environment.insert("PATH".into(), OsString::from("/usr/bin:/bin"));
    plan
}

/// Runs a plan to its end.
pub(crate) fn run(plan: &SandboxPlan) -> Result<(ExitStatus, String), SandboxError> {
    let mut output = Vec::new();
    let status = Sandbox::spawn(plan)?.wait(&mut output)?;
    Ok((status, String::from_utf8_lossy(&output).into_owned()))
}

/// Runs a plan that is to succeed.
pub(crate) fn output(plan: &SandboxPlan) -> String {
    let (status, output) = run(plan).unwrap();
    assert_eq!(status, ExitStatus::Code(0), "{output}");
    output
}

/// Processes of this machine that were started with this word among their arguments.
pub(crate) fn processes_with(word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir("/proc").unwrap().flatten() {
        let arguments = fs_err::read(entry.path().join("cmdline")).unwrap_or_default();
        if arguments.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes()) {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

/// Waits for something that happens soon.
pub(crate) fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}
