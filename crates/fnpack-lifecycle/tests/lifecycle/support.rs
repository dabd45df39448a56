//! A builder's container as folders of a test: the lifecycle's files, buildpacks, an application, a registry.

use std::ffi::OsStr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use fnpack_core::image::{History, Image, MemoryBlobs};
use fnpack_core::layers::{Compression, FilesLayer, Owner};
use fnpack_core::reference::Reference;
use fnpack_core::registry::{RegistryClient, Settings};
use fnpack_core::target::Target;
use serde_json::Value;
use tempfile::TempDir;
use testkit::registry::{Access, Registry};

/// The user of builds where the tests run as root.
pub(crate) const BUILD_USER: u32 = 10_123;

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl Outcome {
    /// Gives what was printed; panics unless all went well.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Panics unless it ended so, and the last line starts so.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32, message: &str) {
        let last = self.stdout.lines().last().unwrap_or_default();
        assert!(self.code == Some(code) && last.starts_with(message), "{message}\n{:?}\n{}\n{}", self.code, self.stdout, self.stderr);
    }
}

/// The container.
pub(crate) struct Container {
    folder: TempDir,
    pub(crate) registry: Registry,
    pub(crate) api: &'static str,
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Container {
    /// With an open registry and without buildpacks.
    pub(crate) fn new(api: &'static str) -> Self {
        Self::with_access(api, Access::Open)
    }

    pub(crate) fn with_access(api: &'static str, access: Access) -> Self {
        let folder = tempfile::Builder::new().prefix("lifecycle-test-").tempdir().unwrap();
        // Buildpacks run as somebody else.
        fs_err::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let container = Self { folder, registry: Registry::with_access(access), api };
        for name in ["layers", "platform/env", "cnb/buildpacks", "cnb/build-config/env", "home", "scratch"] {
            fs_err::create_dir_all(container.path(name)).unwrap();
        }
        fs_err::set_permissions(container.path("scratch"), std::fs::Permissions::from_mode(0o1777)).unwrap();
        container.write("app/main", "the application");
        container.write("cnb/lifecycle/launcher", "the launcher");
        let (name, mirror) = (container.name("run"), "mirror.invalid/run");
        container.write("cnb/run.toml", &format!("[[images]]\nimage = '{mirror}'\nmirrors = ['{name}']\n"));
        container.write("cnb/stack.toml", &format!("[run-image]\nimage = '{mirror}'\nmirrors = ['{name}']\n"));
        container
    }

    /// With a run image in the registry and a buildpack of each Buildpack API.
    pub(crate) fn with_buildpacks(api: &'static str) -> Self {
        let container = Self::new(api);
        container.push_run_image("run", "base");
        let apis: Vec<String> = fnpack_core::lifecycle::api::BuildpackApi::supported().map(|api| api.to_string()).collect();
        for (api, minor) in apis.iter().zip(7..) {
            container.buildpack(&format!("test/api{minor}"), api, "exit 0", &build_script(minor));
        }
        let entries: Vec<String> = (7..).zip(&apis).map(|(minor, _)| format!("{{ id = 'test/api{minor}', version = '1' }}")).collect();
        container.write("cnb/order.toml", &format!("[[order]]\ngroup = [{}]\n", entries.join(", ")));
        container
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    /// A buildpack of two shell scripts.
    pub(crate) fn buildpack(&self, id: &str, api: &str, detect: &str, build: &str) {
        let folder = format!("cnb/buildpacks/{}/1", id.replace('/', "_"));
        let toml = format!(
            "api = '{api}'\n[buildpack]\nid = '{id}'\nversion = '1'\nsbom-formats = ['application/vnd.cyclonedx+json']\n[[stacks]]\nid = '*'\n[[targets]]\nos = 'linux'\n"
        );
        self.write(&format!("{folder}/buildpack.toml"), &toml);
        for (name, script) in [("detect", detect), ("build", build)] {
            let name = format!("{folder}/bin/{name}");
            self.write(&name, &format!("#!/bin/bash\nset -eu\n{script}\n"));
            fs_err::set_permissions(self.path(&name), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// One buildpack is all there is.
    pub(crate) fn only_buildpack(&self, api: &str, detect: &str, build: &str) {
        self.buildpack("test/only", api, detect, build);
        self.write("cnb/order.toml", "[[order]]\ngroup = [{ id = 'test/only', version = '1' }]\n");
    }

    /// The full name of an image in the registry.
    pub(crate) fn name(&self, image: &str) -> String {
        format!("{}/{image}", self.registry.host())
    }

    pub(crate) fn image(&self, name: &str) -> Image {
        client().pull(&self.reference(name), &Target::of_this_program()).unwrap()
    }

    pub(crate) fn reference(&self, name: &str) -> Reference {
        self.name(name).parse().unwrap()
    }

    pub(crate) fn push_run_image(&self, name: &str, contents: &str) {
        let image = run_image(contents);
        client().push(&image, &self.reference(name)).unwrap();
    }

    /// Runs a phase under its own name, as the user the tests run as.
    pub(crate) fn call<S: AsRef<OsStr>>(&self, program: &str, arguments: impl IntoIterator<Item = S>) -> Outcome {
        outcome(self.command(program).args(arguments))
    }

    /// Runs a phase as the build's user, with a copy of the program that it can reach.
    pub(crate) fn call_as_build_user(&self, program: &str, arguments: &[&str]) -> Outcome {
        let mut command = self.command(program);
        if is_root() {
            let copy = self.path("bin").join(program);
            fs_err::create_dir_all(copy.parent().unwrap()).unwrap();
            if !copy.exists() {
                fs_err::copy(env!("CARGO_BIN_EXE_fnpack-lifecycle"), &copy).unwrap();
            }
            let mut other = Command::new(copy);
            other.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            other.uid(BUILD_USER).gid(BUILD_USER);
            command = other;
        }
        outcome(command.args(arguments))
    }

    /// The command with the container's environment and nothing of the developer's.
    pub(crate) fn command(&self, program: &str) -> Command {
        let link = self.path("cnb/lifecycle").join(program);
        if !link.exists() {
            symlink(env!("CARGO_BIN_EXE_fnpack-lifecycle"), &link).unwrap();
        }
        let mut command = Command::new(link);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.path("home")).env("TMPDIR", self.path("scratch"));
        command.env("CNB_PLATFORM_API", self.api).env("SECRET", "not for buildpacks");
        for (variable, path) in [
            ("CNB_APP_DIR", "app"),
            ("CNB_LAYERS_DIR", "layers"),
            ("CNB_PLATFORM_DIR", "platform"),
            ("CNB_BUILDPACKS_DIR", "cnb/buildpacks"),
            ("CNB_BUILD_CONFIG_DIR", "cnb/build-config"),
            ("CNB_ORDER_PATH", "cnb/order.toml"),
            ("CNB_RUN_PATH", "cnb/run.toml"),
            ("CNB_STACK_PATH", "cnb/stack.toml"),
            ("CNB_SYSTEM_PATH", "cnb/system.toml"),
        ] {
            command.env(variable, self.path(path));
        }
        let (uid, gid) =
            if is_root() { (BUILD_USER, BUILD_USER) } else { (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw()) };
        command.env("CNB_USER_ID", uid.to_string()).env("CNB_GROUP_ID", gid.to_string());
        command
    }

    /// `creator` with what has no variable.
    pub(crate) fn create(&self, arguments: &[&str]) -> Outcome {
        outcome(self.creator(arguments).arg(self.name("function")))
    }

    /// The same, before it is run.
    pub(crate) fn creator(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("creator");
        command.arg("-launcher").arg(self.path("cnb/lifecycle/launcher")).args(arguments);
        command
    }

    /// Takes away the layers folder, as a new container does.
    pub(crate) fn forget_layers(&self) {
        fs_err::remove_dir_all(self.path("layers")).unwrap();
        fs_err::create_dir(self.path("layers")).unwrap();
    }
}

/// A client that needs no login.
pub(crate) fn client() -> RegistryClient {
    RegistryClient::new(Settings::default()).unwrap()
}

/// Runs a command.
pub(crate) fn outcome(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome { stdout: text(&output.stdout), stderr: text(&output.stderr), code: output.status.code() }
}

/// A run image of one layer.
pub(crate) fn run_image(contents: &str) -> Image {
    let files = FilesLayer::new().file("/base", 0o644, Owner::ROOT, contents);
    let layer = fnpack_core::layers::write(&files, Compression::Gzip, &MemoryBlobs::default()).unwrap();
    Image::empty(&Target::of_this_program()).appended([(layer, History::default())]).with_config(|config| {
        config.config.env = vec!["PATH=/bin".to_owned()];
        "1000:1000".clone_into(&mut config.config.user);
        config.config.labels.insert("io.buildpacks.base.distro.name".to_owned(), "debian".to_owned());
        config.config.labels.insert("io.buildpacks.base.distro.version".to_owned(), "13".to_owned());
    })
}

/// The JSON of a label.
pub(crate) fn label(image: &Image, name: &str) -> Value {
    serde_json::from_str(image.label(name).unwrap_or_else(|| panic!("no label {name}"))).unwrap()
}

/// A build that uses everything: it tells what it sees, makes a layer of each kind, and reuses what comes back.
fn build_script(minor: u8) -> String {
    let command = if minor < 9 { r#"command = "run"\nargs = ["a"]\ndirect = true"# } else { r#"command = ["run", "a"]"# };
    let folder_variable = if minor < 8 { "" } else { "test \"$CNB_LAYERS_DIR\" = \"$layers\" -a \"$CNB_PLATFORM_DIR\" = \"$2\"" };
    let target_variable = if minor < 10 { "test -z \"${CNB_TARGET_OS:-}\"" } else { "test \"$CNB_TARGET_OS\" = linux" };
    format!(
        r#"layers=$1
{folder_variable}
{target_variable}
test -z "${{SECRET:-}}${{CNB_REGISTRY_AUTH:-}}"
echo "build {minor} as $(id -u) for ${{USER_SAYS:-nobody}} ${{BUILDER_SAYS:-nothing}} in $(pwd)"
if test -d "$layers/kept"; then echo "cache {minor} hit: $(cat "$layers/kept/file")"; fi
mkdir -p "$layers/kept" && echo "kept {minor}" > "$layers/kept/file"
printf '[types]\ncache = true\n[metadata]\nn = 1\n' > "$layers/kept.toml"
if test -f "$layers/dist.toml"; then
    grep -q 'version = "{minor}"' "$layers/dist.toml"
    test -f "$layers/dist.sbom.cdx.json" && echo "sbom {minor} back"
    echo "reuse {minor}"
else
    mkdir "$layers/dist" && echo "dist {minor}" > "$layers/dist/file"
    echo '{{}}' > "$layers/dist.sbom.cdx.json"
fi
printf '[types]\nlaunch = true\n[metadata]\nversion = "{minor}"\n' > "$layers/dist.toml"
if test -f "$layers/store.toml"; then echo "store {minor} back"; fi
printf '[metadata]\nk = "v"\n' > "$layers/store.toml"
printf '[[labels]]\nkey = "label{minor}"\nvalue = "x"\n[[processes]]\ntype = "p{minor}"\n{command}\n' > "$layers/launch.toml""#
    )
}
