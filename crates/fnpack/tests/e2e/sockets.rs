//! No engine's socket is opened unless it is asked for: a session of all commands among decoys, one wherever an engine
//! could be, and with a trace of every connection that any process of it makes.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use testkit::registry::{Access, Registry};

use super::environment::{Environment, Outcome, repository, user_is_root};
use super::language::{GO, path};

/// Below the test's folder, of which `run` is what the session has as `/run`.
const PLACES: [&str; 10] = [
    "run/docker.sock",
    "run/podman/podman.sock",
    "run/containerd/containerd.sock",
    "run/buildkit/buildkitd.sock",
    "xdg/docker.sock",
    "xdg/podman/podman.sock",
    "home/.docker/run/docker.sock",
    "named/docker-host.sock",
    "named/container-host.sock",
    "named/context.sock",
];

/// What the C library asks for names, if the machine has it.
const NAME_SERVICES: [&str; 4] = ["/nscd/", "/systemd/userdb/", "/systemd/resolve/", "/sss/"];

/// Only its children see the folder as `/run`.
const RUN_FOLDER: &str = r#"
mount --bind "$1" /run || exit 99
[ -L /var/run ] || mount --bind "$1" /var/run || exit 99
shift && exec "$@"
"#;

/// A shell's surroundings in which every socket is watched.
struct Watched {
    environment: Environment,
    contacts: Arc<Mutex<BTreeSet<&'static str>>>,
    /// The commands that were called.
    called: Mutex<Vec<String>>,
}

impl Watched {
    fn new(environment: Environment) -> Self {
        let contacts = Arc::new(Mutex::new(BTreeSet::new()));
        for place in PLACES {
            let socket = environment.path().join(place);
            fs_err::create_dir_all(socket.parent().unwrap()).unwrap();
            listen(&UnixListener::bind(socket).unwrap(), place, &contacts);
        }
        environment.write("home/.docker/config.json", r#"{"currentContext": "decoy"}"#);
        let context = format!("home/.docker/contexts/meta/{}/meta.json", &testkit::registry::digest(b"decoy")["sha256:".len()..]);
        let host = environment.path().join("named/context.sock");
        let meta = serde_json::json!({"Name": "decoy", "Endpoints": {"docker": {"Host": format!("unix://{}", host.display())}}});
        environment.write(&context, &meta.to_string());
        Self { environment, contacts, called: Mutex::default() }
    }

    /// Runs a program in these surroundings.
    fn run(&self, program: &str, arguments: &[&str], unset: &[&str]) -> Outcome {
        let folder = self.environment.path();
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", RUN_FOLDER, "session"]).arg(folder.join("run"));
        command.args([
            "strace",
            "--follow-forks",
            "--seccomp-bpf",
            "--quiet=all",
            "--string-limit=200",
            "--trace=connect",
            "--signal=none",
        ]);
        command.arg("--output").arg(self.trace_file()).arg(program).args(arguments).current_dir(folder).env_clear();
        let ours = self.environment.command();
        command.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let named = |name: &str| format!("unix://{}", folder.join("named").join(name).display());
        command.env("DOCKER_HOST", named("docker-host.sock")).env("CONTAINER_HOST", named("container-host.sock"));
        command.env("XDG_RUNTIME_DIR", folder.join("xdg"));
        for name in unset {
            command.env_remove(name);
        }
        command.output().unwrap().into()
    }

    fn trace_file(&self) -> PathBuf {
        self.environment.path().join("trace")
    }

    /// The connections that the last program or a process below it has made to sockets of the file system.
    fn traced(&self) -> Vec<String> {
        let trace = fs_err::read_to_string(self.trace_file()).unwrap();
        let is_name_service = |line: &str| NAME_SERVICES.iter().any(|service| line.contains(service));
        trace.lines().filter(|line| line.contains("AF_UNIX") && !is_name_service(line)).map(str::to_owned).collect()
    }

    fn contacts(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.contacts.lock().unwrap()).into_iter().collect()
    }

    /// Runs fnpack, which asks for no engine, and looks at what it opened.
    #[track_caller]
    fn call(&self, arguments: &str) -> String {
        self.fnpack(&arguments.split_whitespace().collect::<Vec<_>>())
    }

    #[track_caller]
    fn fnpack(&self, arguments: &[&str]) -> String {
        let outcome = self.run(env!("CARGO_BIN_EXE_fnpack"), arguments, &[]);
        self.opened_nothing(&arguments.join(" "));
        outcome.success()
    }

    #[track_caller]
    fn opened_nothing(&self, command: &str) {
        assert_eq!((self.traced(), self.contacts()), (Vec::new(), Vec::new()), "{command}");
        self.called.lock().unwrap().push(command.to_owned());
    }
}

/// Notes who comes, and answers like an engine that is out of order.
fn listen(listener: &UnixListener, place: &'static str, contacts: &Arc<Mutex<BTreeSet<&'static str>>>) {
    let (listener, contacts) = (listener.try_clone().unwrap(), Arc::clone(contacts));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            contacts.lock().unwrap().insert(place);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
}

#[test]
fn no_command_opens_an_engines_socket_unasked() {
    if !user_is_root() {
        eprintln!("skipped: only root can give a session a `/run` of its own");
        return;
    }
    let Some(environment) = GO.tree() else { return };
    let session = Watched::new(environment);
    decoys_and_trace_see_what_is_opened(&session);
    functions(&session);
    images(&session);
    registries(&session);
    the_rest(&session);
    every_command_was_called(&session);
}

/// What is silent in the session would speak.
fn decoys_and_trace_see_what_is_opened(session: &Watched) {
    for place in PLACES {
        let socket = match place.strip_prefix("run/") {
            Some(rest) => Path::new("/var/run").join(rest),
            None => session.environment.path().join(place),
        };
        session.run("curl", &["--silent", "--max-time", "20", "--unix-socket", path(&socket), "http://engine/_ping"], &[]).success();
        assert_eq!(session.contacts(), [place]);
        assert!(session.traced().iter().any(|line| line.contains(path(&socket))), "{:?}", session.traced());
    }
}

#[test]
fn engine_that_is_asked_for_is_the_first_one_found() {
    if !user_is_root() {
        eprintln!("skipped: only root can give a session a `/run` of its own");
        return;
    }
    let session = Watched::new(Environment::empty());
    session.environment.write("small/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let call = |arguments: &str, unset: &[&str]| {
        session.run(env!("CARGO_BIN_EXE_fnpack"), &arguments.split(' ').collect::<Vec<_>>(), unset).failure(4)
    };
    let contacts = |arguments: &str, unset: &[&str]| {
        call(arguments, unset);
        assert!(!session.traced().is_empty(), "{arguments}");
        session.contacts()
    };
    for ask in ["image build -t tiny --load small", "image copy tiny docker-daemon:tiny", "inspect docker-daemon:tiny"] {
        assert_eq!(contacts(ask, &[]), ["named/docker-host.sock"], "{ask}");
    }
    let ask = "image copy tiny docker-daemon:tiny";
    assert_eq!(contacts(ask, &["DOCKER_HOST"]), ["named/context.sock"]);
    fs_err::remove_file(session.environment.path().join("home/.docker/config.json")).unwrap();
    assert_eq!(contacts(ask, &["DOCKER_HOST"]), ["named/container-host.sock"]);
    for place in ["run/docker.sock", "xdg/docker.sock", "home/.docker/run/docker.sock", "xdg/podman/podman.sock", "run/podman/podman.sock"]
    {
        assert_eq!(contacts(ask, &["DOCKER_HOST", "CONTAINER_HOST"]), [place]);
        fs_err::remove_file(session.environment.path().join(place)).unwrap();
    }
    let error = call(ask, &["DOCKER_HOST", "CONTAINER_HOST"]);
    assert!(error.contains("/var/run/docker.sock") && error.contains("xdg/podman/podman.sock"), "{error}");
}

fn functions(session: &Watched) {
    let call = |command: &[&str], more: &[&str]| {
        let arguments = GO.arguments(command, more);
        session.fnpack(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    session.call("new go project");
    let example = GO.example();
    call(&["build", "sockets/function", path(&example)], &[]);
    call(&["package", path(&example), "-o", "function"], &[]);
    session.call("build sockets/ready function --run-image stack/go-runner");
    session.call("run --raw sockets/function --entrypoint true");
    session.call("rebase sockets/function --run-image stack/go-runner --force");
    session.call("inspect sockets/function");
    session.environment.write("builder.toml", BUILDER);
    session.environment.script("bp/bin/detect", "#!/bin/sh\n");
    session.environment.script("bp/bin/build", "#!/bin/sh\n");
    session.environment.write("bp/buildpack.toml", BUILDPACK);
    session.call("builder create sockets/builder -c builder.toml");
    session.call("builder inspect sockets/builder");
    session.call("builder ls");
    session.call("build sockets/small project -B sockets/builder");
}

const BUILDPACK: &str = "api = \"0.10\"\n[buildpack]\nid = \"example/none\"\nversion = \"1.0.0\"\n[[targets]]\nos = \"linux\"\n";
const BUILDER: &str = "[[buildpacks]]\nuri = \"bp\"\n[[order]]\n[[order.group]]\nid = \"example/none\"\n\
    [build]\nimage = \"test/build\"\n[[run.images]]\nimage = \"test/run\"\n";

fn images(session: &Watched) {
    session.environment.write("context/Dockerfile", "FROM test/run\nCOPY file /file\nRUN test -e /file\n");
    session.environment.write("context/file", "");
    session.environment.write("small/Dockerfile", "FROM scratch\nCOPY file /file\n");
    session.environment.write("small/file", "");
    for arguments in [
        "image build -t sockets/image context",
        "image build -t sockets/tiny small",
        "image ls",
        "image inspect sockets/image",
        "image tag sockets/image sockets/image:other",
        "image rm sockets/image:other",
        "image save -o oci.tar sockets/tiny",
        "image save --format docker -o docker.tar sockets/tiny",
        "image load oci.tar",
        "image load docker.tar",
        "image copy sockets/tiny oci:layout:1",
        "image copy oci:layout:1 oci-archive:copied.tar:1",
        "image copy oci-archive:copied.tar docker-archive:copied-docker.tar:sockets/tiny:1",
        "inspect docker-archive:copied-docker.tar",
        "index create sockets/index sockets/tiny",
        "index inspect sockets/index",
    ] {
        session.call(arguments);
    }
    Command::new("tar").args(["cf", "root.tar", "project"]).current_dir(session.environment.path()).status().unwrap();
    session.call("image import root.tar sockets/imported");
}

fn registries(session: &Watched) {
    let registry = Registry::with_access(Access::Basic("user".to_owned(), "password".to_owned()));
    let host = registry.host();
    session.environment.write("password", "password");
    let login = format!("{} login --username user --password-stdin {host} < password", env!("CARGO_BIN_EXE_fnpack"));
    session.run("sh", &["-c", &login], &[]).success();
    session.opened_nothing("login");
    for arguments in [
        "access HOST/team/function",
        "image push sockets/tiny HOST/team/tiny",
        "image pull HOST/team/tiny",
        "image build -t HOST/team/built --publish small",
        "image copy docker://HOST/team/tiny docker://HOST/team/copied",
        "index push sockets/index HOST/team/index",
        "build HOST/team/function project -B sockets/builder --publish",
        "image push test/run HOST/team/run",
        "rebase HOST/team/function --run-image HOST/team/run --publish --force",
        "inspect docker://HOST/team/function",
        "logout HOST",
    ] {
        session.call(&arguments.replace("HOST", &host));
    }
}

fn the_rest(session: &Watched) {
    for arguments in ["--store own store check --deep", "--store own store gc", "doctor", "completion bash", "version", "--help"] {
        session.call(arguments);
    }
}

/// A command that is new is to be in the session.
fn every_command_was_called(session: &Watched) {
    let reference = fs_err::read_to_string(repository().join("docs/cli.md")).unwrap();
    let commands: Vec<&str> = reference.lines().filter_map(|line| line.strip_prefix("## fnpack ")).collect();
    let is_group = |command: &str| commands.iter().any(|other| other.strip_prefix(command).is_some_and(|rest| rest.starts_with(' ')));
    let called = session.called.lock().unwrap();
    let was_called = |command: &str| {
        let lines = called.iter().map(|line| format!("{} ", line.trim_start_matches("--store own ")));
        lines.into_iter().any(|line| line.starts_with(&format!("{command} ")))
    };
    let missing: Vec<_> = commands.iter().filter(|command| !is_group(command) && !was_called(command)).collect();
    assert!(commands.len() > 20 && missing.is_empty(), "{missing:?}");
}
