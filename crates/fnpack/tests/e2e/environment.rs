//! A folder, a home and a store of its own for each test.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl Outcome {
    /// Panics with everything printed unless the code is 0; gives stdout without the last line end.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stdout.trim_end().to_owned()
    }

    /// Panics unless the code is `code`; gives stderr from its `error:` line on.
    #[track_caller]
    pub(crate) fn failure(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        let start = self.stderr.find("error:").unwrap_or_else(|| panic!("no `error:` in\n{}", self.stderr));
        self.stderr[start..].trim_end().to_owned()
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code(),
        }
    }
}

/// A test's own surroundings.
#[derive(Debug)]
pub(crate) struct Environment {
    folder: TempDir,
    store: PathBuf,
}

impl Environment {
    /// Everything empty.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("fnpack-e2e-").tempdir().unwrap();
        fs_err::create_dir(folder.path().join("home")).unwrap();
        let store = folder.path().join("store");
        Self { folder, store }
    }

    /// With the store that all tests share, which has the Debian base. Tests make names of their own in it.
    pub(crate) fn with_base() -> Option<Self> {
        let store = shared_store()?;
        Some(Self { store: store.to_owned(), ..Self::empty() })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    /// Writes a file below the test's folder, and the folders above it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
        path
    }

    /// The same, executable.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(name, text);
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The command with the test's surroundings and nothing of the developer's.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fnpack"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path().join("home")).env("FNPACK_STORE", &self.store).env("TMPDIR", self.path());
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.current_dir(self.path());
        command
    }

    /// Runs fnpack.
    pub(crate) fn fnpack<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Outcome {
        self.command().args(arguments).output().unwrap().into()
    }

    /// Runs fnpack with arguments separated by blanks.
    pub(crate) fn call(&self, arguments: &str) -> Outcome {
        self.fnpack(arguments.split_whitespace())
    }
}

/// Runs fnpack with something in standard input.
pub(crate) fn fed(environment: &Environment, arguments: &[&str], input: &str) -> Outcome {
    let mut command = environment.command();
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

/// What `./test` prepared; `None` (a skip) is only allowed outside CI.
pub(crate) fn cache() -> Option<PathBuf> {
    let cache = std::env::var_os("FNPACK_TEST_CACHE").map(PathBuf::from);
    assert!(cache.is_some() || std::env::var_os("CI").is_none(), "FNPACK_TEST_CACHE is not set: run ./test");
    if cache.is_none() {
        eprintln!("skipped: FNPACK_TEST_CACHE is not set; ./test sets it");
    }
    // runc takes no path that leads through a symlink.
    cache.map(|cache| fs_err::canonicalize(cache).unwrap())
}

/// Whether files can be given to others; `false` (a skip) is only allowed outside CI.
pub(crate) fn user_is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    assert!(root || std::env::var_os("CI").is_none(), "this test is started as root");
    root
}

/// The repository's folder.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize_here()
}

trait CanonicalizeHere {
    fn canonicalize_here(&self) -> PathBuf;
}

impl CanonicalizeHere for Path {
    fn canonicalize_here(&self) -> PathBuf {
        fs_err::canonicalize(self).unwrap()
    }
}

/// A store with `debian:trixie-slim` and `test/build`, a build image of nothing but the base and a user. It is kept
/// between runs: its steps are cached by content.
fn shared_store() -> Option<&'static Path> {
    static STORE: OnceLock<Option<PathBuf>> = OnceLock::new();
    STORE
        .get_or_init(|| {
            let cache = cache()?;
            let environment = Environment { store: cache.join("store"), ..Environment::empty() };
            if environment.call("--quiet --offline image inspect debian:trixie-slim").code != Some(0) {
                let tar = cache.join("debian-trixie.tar");
                environment
                    .fnpack([OsStr::new("image"), OsStr::new("import"), tar.as_os_str(), OsStr::new("debian:trixie-slim")])
                    .success();
            }
            environment.write("plain/Dockerfile", PLAIN_BUILD_IMAGE);
            environment.call("image build -t test/build plain").success();
            environment
                .write("run/Dockerfile", "FROM debian:trixie-slim\nLABEL io.buildpacks.stack.id=org.example.stack\nUSER 10000:10001\n");
            environment.call("image build -t test/run run").success();
            Some(environment.store)
        })
        .as_deref()
}

const PLAIN_BUILD_IMAGE: &str = "\
FROM debian:trixie-slim
RUN echo 'cnb:x:10000:10001::/home/cnb:/bin/bash' >> /etc/passwd && echo 'cnb:x:10001:' >> /etc/group && install -d -o 10000 -g 10001 /home/cnb
ENV CNB_USER_ID=10000 CNB_GROUP_ID=10001
LABEL io.buildpacks.stack.id=org.example.stack
USER 10000:10001
";

/// A builder of one buildpack in bash: `detect` and `build` are scripts after `#!/usr/bin/env bash`.
pub(crate) fn bash_builder(environment: &Environment, name: &str, detect: &str, build: &str) {
    environment.write("bp/buildpack.toml", BUILDPACK_TOML);
    environment.script("bp/bin/detect", &format!("#!/usr/bin/env bash\n{detect}"));
    environment.script("bp/bin/build", &format!("#!/usr/bin/env bash\n{build}"));
    environment.write("builder.toml", BUILDER_TOML);
    environment.call(&format!("builder create {name} -c builder.toml")).success();
}

const BUILDPACK_TOML: &str = "\
api = \"0.10\"
[buildpack]
id = \"example/bash\"
version = \"1.0.0\"
[[targets]]
os = \"linux\"
";

const BUILDER_TOML: &str = "\
[[buildpacks]]
id = \"example/bash\"
version = \"1.0.0\"
uri = \"bp\"
[[order]]
[[order.group]]
id = \"example/bash\"
version = \"1.0.0\"
[build]
image = \"test/build\"
[[run.images]]
image = \"test/run\"
";
