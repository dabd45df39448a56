//! Builds inside of a builder's container that may do nothing: no namespaces, no mounts, no capabilities, a read-only root
//! file system, any user. Their images are those of the sandbox, to the digest.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use fnpack_core::image::Image;
use fnpack_core::reference::Reference;
use fnpack_core::store::{Snapshot, Store, StoreOptions};
use fnpack_core::target::Target;
use fnpack_sandbox::{ExitStatus, IdMapping, Mount, Network, Overlay, OverlayXattr, RootPlan, Sandbox, SandboxPlan, User};

use super::environment::{Environment, Outcome, bash_builder, cache, repository, user_is_root};
use super::golang;
use super::language::{JAVA, Language, PYTHON, go_proxy};

/// As `OpenShift` has it: any user, group 0.
const ANYBODY: User = User { uid: 123_456, gid: 0, groups: Vec::new() };
/// Root in name only.
const ROOT: User = User { uid: 0, gid: 0, groups: Vec::new() };

/// A container of a builder, jailed.
struct Jail {
    image: Image,
    /// Keeps the unpacked layers.
    snapshot: Snapshot,
    user: User,
    /// What is `/tmp` inside: the only folder that can be written.
    folder: PathBuf,
    /// Further mounts, read-only, and variables.
    mounts: Vec<(PathBuf, &'static str)>,
    variables: Vec<(&'static str, OsString)>,
}

impl Jail {
    fn new(environment: &Environment, builder: &str, user: User) -> Self {
        let options = StoreOptions::new(&IdMapping::current().unwrap(), OverlayXattr::here());
        let store = Store::open(environment.store(), options).unwrap();
        let image = store.image(&builder.parse::<Reference>().unwrap(), &Target::of_this_program()).unwrap().unwrap();
        let snapshot = store.snapshot(&image, &|_| {}).unwrap();
        let folder = environment.path().join(format!("jail-{}", user.uid));
        fs_err::create_dir(&folder).unwrap();
        chown(&folder, Some(user.uid), Some(user.gid)).unwrap();
        Self { image, snapshot, user, folder, mounts: Vec::new(), variables: Vec::new() }
    }

    /// With a runner to build on, loaded from an archive.
    fn with_runner(self, environment: &Environment, runner: &str) -> Self {
        let archive = environment.path().join(format!("runner-{}.tar", self.user.uid));
        environment.fnpack(["image", "save", runner, "-o", golang::path(&archive)]).success();
        fs_err::rename(archive, self.folder.join("runner.tar")).unwrap();
        fs_err::set_permissions(self.folder.join("runner.tar"), std::fs::Permissions::from_mode(0o644)).unwrap();
        self.run("fnpack image load /tmp/runner.tar").success();
        self
    }

    /// What the container has, as a value.
    fn plan(&self, script: &str) -> SandboxPlan {
        let overlay = Overlay { lowers: self.snapshot.lowers().to_vec(), upper: None, xattr: OverlayXattr::here() };
        let mut plan = SandboxPlan::new(RootPlan::Overlay(overlay), ["sh", "-c", &format!("exec 2>&1; {script}")]);
        plan.init = env!("CARGO_BIN_EXE_fnpack").into();
        plan.user = self.user.clone();
        plan.network = Network::Host;
        let config = self.image.config().config.env.iter().filter_map(|entry| entry.split_once('='));
        let mut variables: BTreeMap<OsString, OsString> = config.map(|(name, value)| (name.into(), value.into())).collect();
        let path = format!("/mnt:{}", self.image.env("PATH").unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
        let own = [("PATH", path.as_str()), ("FNPACK_STORE", "/tmp/store"), ("TMPDIR", "/tmp")];
        variables.extend(own.map(|(name, value)| (name.into(), value.into())));
        variables.extend(self.variables.iter().map(|(name, value)| ((*name).into(), value.clone())));
        plan.environment = variables;
        let program = Path::new(env!("CARGO_BIN_EXE_fnpack")).parent().unwrap().to_owned();
        plan.mounts = vec![Mount::Bind { source: self.folder.clone(), target: "/tmp".into(), read_only: false }];
        let folders = self.mounts.iter().cloned().chain([(program, "/mnt")]);
        plan.mounts.extend(folders.map(|(source, target)| Mount::Bind { source, target: target.into(), read_only: true }));
        plan
    }

    fn run(&self, script: &str) -> Outcome {
        let mut output = Vec::new();
        let status = Sandbox::spawn(&self.plan(script)).unwrap().wait(&mut output).unwrap();
        let ExitStatus::Code(code) = status else { panic!("{status:?}") };
        let text = String::from_utf8_lossy(&output).into_owned();
        Outcome { stdout: text.clone(), stderr: text, code: Some(code) }
    }

    /// Builds a source, and again, and gives the name with its digest.
    fn build(&self, name: &str, arguments: &str) -> String {
        let first = self.run(&format!("fnpack build {name} {arguments}")).success();
        let again = self.run(&format!("fnpack build {name} {arguments}")).success();
        assert!(again.contains("0 made"), "{again}");
        let last = |text: &str| text.lines().last().unwrap_or_default().to_owned();
        assert_eq!(last(&first), last(&again));
        last(&first)
    }
}

/// The script keeps count in a cached layer, and has a layer, a process and a slice for the image.
const BUILD: &str = r#"
set -e
test "$(cat "$2/env/SECRET")" = hidden
mkdir -p $1/kept/sealed $1/shown/env.launch $1/shown/bin
echo run >> $1/kept/runs
echo "runs $(wc -l < $1/kept/runs)"
chmod 0700 $1/kept/sealed; test -e $1/kept/sealed/file || echo sealed > $1/kept/sealed/file; chmod 0444 $1/kept/sealed/file; chmod 0555 $1/kept/sealed
printf '[types]\ncache = true\nbuild = true\n' > $1/kept.toml
printf hello > $1/shown/env.launch/GREETING.override
printf '#!/bin/sh\n' > $1/shown/bin/tool
printf '[types]\nlaunch = true\n' > $1/shown.toml
echo "$HOME" > "${TMPDIR:-/tmp}/written"; echo "$HOME" > "$HOME/written"
mkdir made; echo made > made/file
cat > $1/launch.toml <<TOML
[[processes]]
type = "show"
command = ["/bin/cat", "made/file"]
default = true
[[labels]]
key = "org.example.place"
value = "${BP_LAUNCH_APP_DIR:-$PWD}"
[[slices]]
paths = ["made/**"]
TOML
"#;

/// A store with a builder of one buildpack, and a source for it.
fn prepared(builder: &str, build: &str) -> Option<Environment> {
    let environment = Environment::with_base()?;
    if !user_is_root() {
        return None;
    }
    let launch_folder = "export BP_LAUNCH_APP_DIR=\"$(cat \"$2/env/BP_LAUNCH_APP_DIR\" 2>/dev/null || pwd)\"\n";
    bash_builder(&environment, builder, "test -z \"$BP_DECLINE\"", &format!("{launch_folder}{build}"));
    environment.write("source/file", "text");
    environment.script("source/run.sh", "echo");
    Some(environment)
}

fn give(jail: &Jail, environment: &Environment) {
    let status = std::process::Command::new("cp").arg("-rp").arg(environment.path().join("source")).arg(&jail.folder).status().unwrap();
    assert!(status.success());
}

#[test]
fn needs_root_jailed_builds_are_those_of_the_sandbox() {
    let Some(environment) = prepared("here/builder", BUILD) else { return };
    let arguments = ["--quiet", "build", "here/function", "source", "-B", "here/builder", "-e", "SECRET=hidden"];
    let expected = environment.fnpack(arguments).success();
    for user in [ANYBODY, ROOT] {
        let jail = Jail::new(&environment, "here/builder", user).with_runner(&environment, "test/run");
        give(&jail, &environment);
        for (forbidden, script) in [
            ("namespaces", "unshare --user true"),
            ("mounts", "mount -t tmpfs none /tmp"),
            ("the root file system", "touch /written"),
            ("the layers folder", "touch /layers/written"),
        ] {
            assert_ne!(jail.run(script).code, Some(0), "{forbidden}");
        }
        assert_eq!(jail.build("here/function", "/tmp/source -e SECRET=hidden"), expected);
        let third = jail.run("fnpack build here/function /tmp/source -e SECRET=hidden").success();
        assert!(third.contains("runs 3") && third.contains("this container"), "{third}");
        let left = jail.run("find /tmp/store/scratch -mindepth 1; grep -rl hidden /tmp/store").stdout;
        assert_eq!(left, "", "nothing is left behind");
    }
}

#[test]
fn needs_root_jailed_go_build_is_that_of_the_sandbox() {
    let Some(environment) = golang::tree() else { return };
    if !user_is_root() {
        return;
    }
    let expected = golang::build(&environment, "here/go", &golang::example(), &["--quiet"]).success();
    let mut jail = Jail::new(&environment, "fnpack/golang-builder", ANYBODY);
    jail.mounts = vec![(cache().unwrap().join("goproxy"), "/srv"), (repository(), "/opt")];
    jail.reach_the_network();
    let jail = jail.with_runner(&environment, "stack/go-runner");
    let proxy = format!("file:///srv,{}", go_proxy());
    let arguments = format!("/opt/examples/go/exclamation -e GOPROXY={proxy} -e GONOSUMDB=github.com/apache/pulsar/pulsar-function-go");
    assert_eq!(jail.build("here/go", &arguments), expected);
}

/// An example built in the jail, by anybody and by root without capabilities; its downloads are its own each time.
fn jailed_as_in_the_sandbox(language: &Language) {
    let Some(environment) = language.tree() else { return };
    if !user_is_root() {
        return;
    }
    let name = format!("here/{}", language.name);
    let expected = language.build(&environment, &name, &language.example(), &["--quiet"]).success();
    for user in [ANYBODY, ROOT] {
        let mut jail = Jail::new(&environment, &format!("fnpack/{}", language.builder), user);
        jail.mounts = vec![(repository(), "/media")];
        jail.reach_the_network();
        let jail = jail.with_runner(&environment, &format!("stack/{}-runner", language.name));
        assert_eq!(jail.build(&name, &format!("/media/examples/{}", language.example)), expected);
    }
}

#[test]
fn needs_root_jailed_java_builds_are_those_of_the_sandbox() {
    jailed_as_in_the_sandbox(&JAVA);
}

#[test]
fn needs_root_jailed_python_builds_are_those_of_the_sandbox() {
    jailed_as_in_the_sandbox(&PYTHON);
}

impl Jail {
    /// With what the machine says of proxies and certificates.
    fn reach_the_network(&mut self) {
        let names = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];
        self.variables = names.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))).collect();
        let bundle = std::env::var_os("SSL_CERT_FILE").map_or_else(|| "/etc/ssl/certs/ca-certificates.crt".into(), PathBuf::from);
        fs_err::copy(bundle, self.folder.join("certificates")).unwrap();
        fs_err::set_permissions(self.folder.join("certificates"), std::fs::Permissions::from_mode(0o644)).unwrap();
        self.variables.push(("SSL_CERT_FILE", "/tmp/certificates".into()));
        fs_err::copy("/etc/resolv.conf", self.folder.join("resolv.conf")).unwrap();
    }
}

#[test]
fn needs_root_jailed_build_refuses_what_the_image_could_not_use() {
    let build = "printf '[[labels]]\\nkey = \"k\"\\nvalue = \"%s\"\\n' \"$(pwd)\" > $1/launch.toml\n";
    let Some(environment) = prepared("here/leaks", build) else { return };
    let jail = Jail::new(&environment, "here/leaks", ANYBODY).with_runner(&environment, "test/run");
    give(&jail, &environment);
    let error = jail.run("fnpack build here/leaks /tmp/source").failure(3);
    assert!(error.contains("label `k` names `/tmp/store/scratch/") && error.contains("BP_LAUNCH_APP_DIR"), "{error}");
    for (arguments, refusal) in [
        ("--network none", "keep a build from the network"),
        ("--volume /tmp:/elsewhere", "show `/tmp` as `/elsewhere`"),
        ("-B here/leaks", "this container is the builder"),
        ("--platform linux/s390x", "not for linux/s390x"),
    ] {
        let error = jail.run(&format!("fnpack build here/leaks /tmp/source {arguments}")).failure(2);
        assert!(error.contains(refusal) && error.contains("--executor sandbox"), "{error}");
    }
    let error = jail.run("fnpack run --raw test/run --executor here").failure(2);
    assert!(error.contains("in the sandbox only"), "{error}");
    let doctor = jail.run("fnpack doctor").success();
    assert!(doctor.contains("executor") && doctor.contains("here"), "{doctor}");
}

#[test]
fn needs_root_jailed_build_takes_further_buildpacks() {
    let Some(environment) = prepared("here/further-builder", "echo own >> order\n") else { return };
    let toml = "api = \"0.10\"\n[buildpack]\nid = \"example/more\"\nversion = \"2\"\n[[targets]]\nos = \"linux\"\n";
    environment.write("source/more/buildpack.toml", toml);
    environment.script("source/more/bin/detect", "#!/bin/sh\n");
    environment.script("source/more/bin/build", "#!/bin/sh\necho more >> order\nrm -r more\n");
    let arguments = ["--quiet", "build", "here/further", "source", "-B", "here/further-builder", "--post-buildpack", "source/more"];
    let expected = environment.fnpack(arguments).success();
    let jail = Jail::new(&environment, "here/further-builder", ANYBODY).with_runner(&environment, "test/run");
    give(&jail, &environment);
    assert_eq!(jail.build("here/further", "/tmp/source --post-buildpack /tmp/source/more"), expected);
}

#[test]
fn here_outside_of_a_builder_says_what_is_missing() {
    let environment = Environment::empty();
    environment.write("source/go.mod", "module example.org/f\n");
    let error = environment.call("--executor here build a/function source").failure(2);
    for missing in ["/cnb/order.toml", "/cnb/buildpacks", "/cnb/lifecycle/launcher", "start fnpack in the container of a builder"] {
        assert!(error.contains(missing), "{missing} in {error}");
    }
}

#[test]
fn host_builds_with_the_toolchain_of_the_machine() {
    let Some(environment) = golang::tree() else { return };
    if std::process::Command::new("go").arg("version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "this test needs `go`");
        return;
    }
    let expected = golang::build(&environment, "host/sandbox", &golang::example(), &["--quiet"]).success();
    let proxy = format!("GOPROXY=file://{},{}", cache().unwrap().join("goproxy").display(), go_proxy());
    let source = golang::example();
    let arguments = ["--executor", "host", "build", "host/go", golang::path(&source), "-e", &proxy];
    let outcome = environment.fnpack(arguments.into_iter().chain(["-e", "GONOSUMDB=github.com/apache/pulsar/pulsar-function-go"]));
    assert!(outcome.stderr.contains("not isolated"), "{}", outcome.stderr);
    assert!(fs_err::read_dir(environment.path().join("home")).unwrap().next().is_none(), "the home folder is not touched");
    let built = outcome.success();
    let facts = |name: &str| environment.fnpack(["inspect", "-o", "json", name]).success();
    let (host, sandbox): (serde_json::Value, serde_json::Value) =
        (serde_json::from_str(&facts("host/go")).unwrap(), serde_json::from_str(&facts("host/sandbox")).unwrap());
    assert_eq!(host["function"]["artifact"], sandbox["function"]["artifact"], "{built} {expected}");
    golang::assert_comes_up(&environment, "host/go");
}

#[test]
fn host_builds_java_with_the_tools_of_the_machine() {
    let Some(environment) = JAVA.tree() else { return };
    if std::process::Command::new("mvn").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "this test needs `mvn`");
        return;
    }
    JAVA.build(&environment, "host/java-sandbox", &JAVA.example(), &["--quiet"]).success();
    JAVA.build(&environment, "host/java", &JAVA.example(), &["--executor", "host"]).success();
    let function = |name: &str| {
        let inspected: serde_json::Value = serde_json::from_str(&environment.fnpack(["inspect", "-o", "json", name]).success()).unwrap();
        inspected["function"].clone()
    };
    assert_eq!(function("host/java"), function("host/java-sandbox"));
}

const MODULE: &str = "class F:\n    def process(self, input, context):\n        return input\n";

#[test]
fn host_package_needs_no_image() {
    let environment = Environment::empty();
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "this test needs `python3`");
        return;
    }
    environment.write("function/exclaim.py", MODULE);
    let outcome = environment.call("--offline --executor host package function -o made/");
    assert!(outcome.stderr.contains("no run image is at hand"), "{}", outcome.stderr);
    assert!(outcome.success().ends_with("made/exclaim.py"));
    assert_eq!(fs_err::read_to_string(environment.path().join("made/exclaim.py")).unwrap(), MODULE);
    let error = environment.call("--offline --executor host build host/none function").failure(4);
    assert!(error.contains("stack/python-runner") && error.contains("hint:"), "{error}");
}

#[test]
fn host_names_the_tool_that_is_missing() {
    let environment = Environment::empty();
    environment.write("python/f.py", MODULE);
    environment.write("python/requirements.txt", "six\n");
    for (source, said) in [
        (JAVA.example(), "there is no JDK"),
        (environment.path().join("python"), "there is no `python3` in the PATH of the build"),
        (golang::example(), "there is no `go`"),
    ] {
        let mut command = environment.command();
        command.env("PATH", environment.path()).args(["--offline", "--executor", "host", "package"]).arg(&source);
        let output = Outcome::from(command.output().unwrap());
        assert!(output.stderr.contains(said) && output.stderr.contains("hint: use a build image with"), "{}", output.stderr);
        output.failure(1);
    }
}
