//! Debian's docker and podman for all tests of this program, apart from everything that the machine has. They end with
//! the program.
//!
//! An engine is in namespaces of its own, for mounts and for processes: it mounts where nobody sees it, its `/run` is
//! empty, and when the first of its processes ends the kernel ends them all. That process reads a pipe of ours, which
//! closes whatever the death of this program is.

use std::ffi::OsStr;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::environment::{Environment, Outcome, cache, user_is_root};

const START: Duration = Duration::from_mins(1);
const FOLDER: &str = "fnpack-engine-";

/// Around an engine: what it leaves is removed once its processes are gone.
const OUTSIDE: &str = r#"
unshare --mount --pid --fork --mount-proc sh -c "mount -t tmpfs tmpfs /run || exit 1; $1 & read -r _" engine "$2"
rm -rf "$2"
find /sys/fs/cgroup -depth -type d -path "*/${2##*/}*" -exec rmdir {} + 2>/dev/null
"#;

/// The store of images that Debian's docker has, whatever a newer one would choose.
const CONFIGURATION: &str = r#"{"features": {"containerd-snapshotter": false}}"#;

/// Nothing of the network is touched, as containers here get the machine's.
const DOCKER: &str = r#"
dockerd --config-file "$1/config" --host "unix://$1/socket" --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" \
    --exec-opt native.cgroupdriver=cgroupfs \
    --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --userland-proxy=false </dev/null"#;

/// With the runtime that docker has: the other one refuses some machines.
const PODMAN: &str = r#"
podman --root "$1/data" --runroot /run/podman --runtime runc --cgroup-manager cgroupfs --events-backend file \
    system service --time 0 "unix://$1/socket" </dev/null"#;

/// An engine that is ready.
pub(crate) struct Engine {
    pub(crate) name: &'static str,
    folder: PathBuf,
    /// Holds the pipe.
    _outside: Child,
}

/// A container that is removed with everything it has written.
pub(crate) struct Container<'a> {
    engine: &'a Engine,
    id: String,
}

/// Docker with its containerd, started when first asked for; `None` (a skip) is only allowed outside CI.
pub(crate) fn docker() -> Option<&'static Engine> {
    static ENGINE: OnceLock<Option<Engine>> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::start("dockerd", DOCKER)).as_ref()
}

/// Podman's service, in the same way.
pub(crate) fn podman() -> Option<&'static Engine> {
    static ENGINE: OnceLock<Option<Engine>> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::start("podman", PODMAN)).as_ref()
}

/// Where programs are, those for root alone among them.
fn path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

fn can_be_started(program: &str) -> bool {
    let is_there = std::env::split_paths(&path()).any(|folder| folder.join(program).exists());
    assert!(is_there || std::env::var_os("CI").is_none(), "there is no `{program}`: run ./test");
    let works = is_there && user_is_root();
    if !works {
        eprintln!("skipped: root starts `{program}`, which ./test installs");
    }
    works
}

impl Engine {
    fn start(name: &'static str, script: &str) -> Option<Self> {
        let cache = cache()?;
        if !can_be_started(name) {
            return None;
        }
        remove_those_of_the_dead(&cache);
        let folder = cache.join(format!("{FOLDER}{name}-{}", std::process::id()));
        fs_err::create_dir(&folder).unwrap();
        fs_err::write(folder.join("config"), CONFIGURATION).unwrap();
        let log = fs_err::File::create(folder.join("log")).unwrap().into_file();
        let mut outside = Command::new("sh");
        outside.args(["-c", OUTSIDE, "fnpack-engine", script]).arg(&folder).env("PATH", path());
        // Ctrl-C is for this program; the engine hears of its end.
        outside.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        let engine = Self { name, _outside: outside.spawn().unwrap(), folder };
        engine.wait();
        Some(engine)
    }

    fn wait(&self) {
        let end = Instant::now() + START;
        while UnixStream::connect(self.socket()).is_err() {
            let log = || fs_err::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "`{}` does not start\n{}", self.name, log());
            std::thread::sleep(Duration::from_millis(20));
        }
        // It listens before it can answer.
        self.docker(["version"]).success();
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// Runs fnpack where `DOCKER_HOST` names it.
    pub(crate) fn fnpack<S: AsRef<OsStr>>(&self, environment: &Environment, arguments: impl IntoIterator<Item = S>) -> Outcome {
        environment.command().env("DOCKER_HOST", host(&self.socket())).args(arguments).output().unwrap().into()
    }

    /// Runs Debian's `docker` with it.
    pub(crate) fn docker<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Outcome {
        let mut docker = Command::new("docker");
        docker.env_clear().env("PATH", path()).env("HOME", &self.folder);
        docker.args(["--host", &host(&self.socket())]).args(arguments).output().unwrap().into()
    }

    /// Runs `ctr` with the containerd that docker has started, in the namespace of Kubernetes.
    pub(crate) fn containerd<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Outcome {
        let socket = self.folder.join("exec/containerd/containerd.sock");
        Command::new("ctr").arg("--address").arg(socket).args(["--namespace", "k8s.io"]).args(arguments).output().unwrap().into()
    }

    /// Starts a container; `arguments` are those of `docker run`.
    pub(crate) fn start_container(&self, arguments: &[String]) -> Container<'_> {
        let control_group = format!("--cgroup-parent=/{}", self.folder.file_name().unwrap().display());
        let id = self.docker(["run", "--detach", &control_group].into_iter().chain(arguments.iter().map(String::as_str))).success();
        Container { engine: self, id }
    }
}

impl Container<'_> {
    /// What its process has printed, and what the engine knows of it.
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

/// A socket as `DOCKER_HOST` has it.
pub(crate) fn host(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}

/// What is left where somebody has killed the shell around an engine.
fn remove_those_of_the_dead(cache: &Path) {
    for entry in fs_err::read_dir(cache).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let process = name.strip_prefix(FOLDER).and_then(|rest| rest.rsplit_once('-'));
        if process.is_some_and(|(_, process)| !Path::new("/proc").join(process).exists()) {
            let _ = fs_err::remove_dir_all(entry.path());
        }
    }
}
