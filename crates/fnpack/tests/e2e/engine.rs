//! Debian's docker engine for all tests of this program, apart from everything that the machine has. It ends with the
//! program.
//!
//! The engine is in namespaces of its own, for mounts and for processes: it mounts where nobody sees it, its `/run` is
//! empty, and when the first of its processes ends the kernel ends them all. That process reads a pipe of ours, which
//! closes whatever the death of this program is.

use std::ffi::OsStr;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::environment::{Outcome, cache};

const START: Duration = Duration::from_secs(60);
const FOLDER: &str = "fnpack-engine-";

/// Around the engine: what it leaves is removed once its processes are gone.
const OUTSIDE: &str = r#"
unshare --mount --pid --fork --mount-proc sh -c "$1" engine "$2"
rm -rf "$2"
find /sys/fs/cgroup -depth -type d -path "*/${2##*/}*" -exec rmdir {} + 2>/dev/null
"#;

/// The first process of the engine's namespaces. Nothing of the network is touched, as containers here get the host's.
const INSIDE: &str = r#"
mount -t tmpfs tmpfs /run && echo '{}' > "$1/daemon.json" || exit 1
dockerd --config-file "$1/daemon.json" --host "unix://$1/docker.sock" --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" \
    --cgroup-parent "/${1##*/}" --exec-opt native.cgroupdriver=cgroupfs \
    --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --userland-proxy=false </dev/null &
read -r _
"#;

/// An engine that is ready.
pub(crate) struct Engine {
    folder: PathBuf,
    /// Holds the pipe.
    _outside: Child,
}

/// A container that is removed with everything it has written.
pub(crate) struct Container<'a> {
    engine: &'a Engine,
    id: String,
}

/// Started when first asked for; `None` (a skip) is only allowed outside CI.
pub(crate) fn shared() -> Option<&'static Engine> {
    static ENGINE: OnceLock<Option<Engine>> = OnceLock::new();
    ENGINE.get_or_init(|| can_be_started().then(Engine::start).flatten()).as_ref()
}

fn can_be_started() -> bool {
    let obstacle = if !rustix::process::geteuid().is_root() {
        "only root can start a docker engine"
    } else if !Path::new(DOCKERD).exists() {
        "there is no docker engine; ./test installs it"
    } else {
        return true;
    };
    assert!(std::env::var_os("CI").is_none(), "{obstacle}");
    eprintln!("skipped: {obstacle}");
    false
}

const DOCKERD: &str = "/usr/sbin/dockerd";

impl Engine {
    fn start() -> Option<Self> {
        let cache = cache()?;
        remove_those_of_the_dead(&cache);
        let folder = cache.join(format!("{FOLDER}{}", std::process::id()));
        fs_err::create_dir(&folder).unwrap();
        let log = fs_err::File::create(folder.join("log")).unwrap().into_file();
        let mut outside = Command::new("sh");
        outside.args(["-c", OUTSIDE, "fnpack-engine", INSIDE]).arg(&folder).stdin(Stdio::piped());
        // Ctrl-C is for this program; the engine hears of its end.
        outside.stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        let engine = Self { _outside: outside.spawn().unwrap(), folder };
        engine.wait();
        Some(engine)
    }

    fn wait(&self) {
        let end = Instant::now() + START;
        while UnixStream::connect(self.socket()).is_err() {
            let log = || fs_err::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "the docker engine does not start\n{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        // It listens before it can answer.
        self.docker(["version"]).success();
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("docker.sock")
    }

    /// The socket as `DOCKER_HOST` has it.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Runs Debian's `docker`.
    pub(crate) fn docker<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Outcome {
        let mut docker = Command::new("docker");
        docker.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", &self.folder);
        docker.args(["--host", &self.host()]).args(arguments).output().unwrap().into()
    }

    /// Runs `ctr` with the containerd that the engine has started, in the namespace of Kubernetes.
    pub(crate) fn containerd<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Outcome {
        let socket = self.folder.join("exec/containerd/containerd.sock");
        Command::new("ctr").arg("--address").arg(socket).args(["--namespace", "k8s.io"]).args(arguments).output().unwrap().into()
    }

    /// Starts a container; `arguments` are those of `docker run`.
    pub(crate) fn start_container<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Container<'_> {
        let run = ["run", "--detach"].map(OsStr::new).into_iter();
        let arguments: Vec<S> = arguments.into_iter().collect();
        let id = self.docker(run.chain(arguments.iter().map(AsRef::as_ref))).success();
        Container { engine: self, id }
    }
}

impl Container<'_> {
    /// What its process has printed, and how the engine says that it is.
    pub(crate) fn log(&self) -> String {
        let Outcome { stdout, stderr, .. } = self.engine.docker(["logs", &self.id]);
        let state = self.engine.docker(["inspect", "--format", "{{json .State}}", &self.id]).stdout;
        format!("{stdout}{stderr}{state}")
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        self.engine.docker(["rm", "--force", "--volumes", &self.id]);
    }
}

/// What is left where somebody has killed the shell around an engine.
fn remove_those_of_the_dead(cache: &Path) {
    for entry in fs_err::read_dir(cache).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        if name.strip_prefix(FOLDER).is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _ = fs_err::remove_dir_all(entry.path());
        }
    }
}
