//! The program itself: what it becomes, and what it says and returns when it cannot.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// An exported image as far as the launcher sees it.
struct Image {
    folder: tempfile::TempDir,
}

impl Image {
    fn new(metadata: &str) -> Self {
        let image = Self { folder: tempfile::tempdir().unwrap() };
        image.write("layers/config/metadata.toml", metadata);
        image.write("app/file", "");
        image
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
    }

    /// By another program: were it open for writing here, a fork in another test's thread could keep it busy when
    /// it is to be run.
    fn write_program(&self, path: &str, text: &str) {
        let mut install = Command::new("install");
        let mut install =
            install.args(["-D", "-m", "755", "/dev/stdin"]).arg(self.path().join(path)).stdin(Stdio::piped()).spawn().unwrap();
        install.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(install.wait().unwrap().success());
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the launcher under a name, as an exporter links it.
    fn run(&self, name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let link = self.path().join(name);
        if !link.exists() {
            symlink(env!("CARGO_BIN_EXE_fnpack-launcher"), &link).unwrap();
        }
        Command::new(link)
            .args(arguments)
            .env_clear()
            .env("PATH", "/cnb/process:/usr/bin:/bin")
            .env("CNB_PLATFORM_API", "0.10")
            .env("CNB_LAYERS_DIR", self.path().join("layers"))
            .env("CNB_APP_DIR", self.path().join("app"))
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }
}

const FUNCTION: &str = r#"
[[buildpacks]]
id = "a/b"
api = "0.10"
[[processes]]
type = "function"
command = ["env"]
direct = true
buildpack-id = "a/b"
[[processes]]
type = "folder"
command = ["sh", "-c", "pwd; echo $0 $@", "zero"]
args = ["default"]
working-dir = "sub"
direct = true
buildpack-id = "a/b"
"#;

fn stdout(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    std::str::from_utf8(&output.stdout).unwrap()
}

fn failure(output: &Output) -> (Option<i32>, &str) {
    (output.status.code(), std::str::from_utf8(&output.stderr).unwrap())
}

#[test]
fn launcher_direct_process_gets_the_layers_environment() {
    let image = Image::new(FUNCTION);
    image.write("layers/a_b/one/env.launch/GREETING", "hello");
    image.write_program("layers/a_b/one/exec.d/tool", "#!/bin/sh\necho said; echo 'FROM = \"exec.d\"' >&3");
    let output = image.run("function", &[], &[("KEPT", "yes")]);
    assert_eq!(stdout(&output), "said\nFROM=exec.d\nGREETING=hello\nKEPT=yes\nPATH=/usr/bin:/bin\n");
}

#[test]
fn launcher_process_runs_in_its_folder_with_the_users_arguments() {
    let image = Image::new(FUNCTION);
    image.write("app/sub/file", "");
    let folder = fs_err::canonicalize(image.path().join("app/sub")).unwrap();
    assert_eq!(stdout(&image.run("folder", &[], &[])), format!("{}\nzero default\n", folder.display()));
    assert_eq!(stdout(&image.run("folder", &["mine"], &[])), format!("{}\nzero mine\n", folder.display()));
}

#[test]
fn launcher_runs_commands_of_the_user() {
    let image = Image::new(FUNCTION);
    image.write("layers/a_b/one/profile.d/a.sh", "export WHO=profile");
    image.write("layers/a_b/one/profile.d/function/b.sh", "export WHO=wrong");
    image.write("app/.profile", "export WHO=\"$WHO+app\"");
    for (arguments, expected) in
        [(&["--", "echo", "$WHO"][..], "$WHO\n"), (&["echo", "$WHO"], "profile+app\n"), (&["echo $WHO | tr a-z A-Z"], "PROFILE+APP\n")]
    {
        assert_eq!(stdout(&image.run("launcher", arguments, &[])), expected, "{arguments:?}");
    }
}

#[test]
fn launcher_passes_on_the_exit_code() {
    assert_eq!(Image::new("").run("launcher", &["--", "sh", "-c", "exit 7"], &[]).status.code(), Some(7));
}

#[test]
fn launcher_failures() {
    let image = Image::new(FUNCTION);
    for (name, arguments, variables, code, message) in [
        (
            "launcher",
            &[][..],
            &[][..],
            82,
            "ERROR: failed to launch: determine start command: when there is no default process a command is required\n",
        ),
        ("launcher", &["--", "absent"], &[], 82, "ERROR: failed to launch: path lookup: `absent` is not an executable file in $PATH\n"),
        (
            "function",
            &[],
            &[("CNB_PLATFORM_API", "0.6")],
            11,
            "ERROR: failed to set platform API: platform API version `0.6` is incompatible with the launcher\n",
        ),
        ("function", &[], &[("CNB_PLATFORM_API", "")], 11, "ERROR: failed to set platform API: please set `CNB_PLATFORM_API`\n"),
        (
            "function",
            &[],
            &[("CNB_APP_DIR", "/nowhere")],
            82,
            "ERROR: failed to launch: change to app directory `/nowhere`: No such file or directory (os error 2)\n",
        ),
    ] {
        let output = image.run(name, arguments, variables);
        assert_eq!(failure(&output), (Some(code), message), "{name} {arguments:?} {variables:?}");
    }
    let output = Image::new("[[buildpacks]]\nid = 'a/b'\napi = '0.99'").run("launcher", &["true"], &[]);
    let message = "ERROR: failed to initialize launcher: set API for buildpack `a/b`: buildpack API version `0.99` is incompatible with the launcher\n";
    assert_eq!(failure(&output), (Some(12), message));
    let output = Image::new("processes = [").run("launcher", &["true"], &[]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn launcher_exec_d_failure_stops_the_launch() {
    let image = Image::new(FUNCTION);
    image.write_program("layers/a_b/one/exec.d/tool", "#!/bin/sh\nexit 5");
    let output = image.run("function", &[], &[]);
    let (code, message) = failure(&output);
    assert_eq!(code, Some(82));
    assert!(
        message.starts_with("ERROR: failed to launch: exec.d: `") && message.ends_with("exec.d/tool` failed with exit status: 5\n"),
        "{message}"
    );
}

#[test]
fn launcher_warns_of_process_type_and_goes_on() {
    let output = Image::new(FUNCTION).run("launcher", &["--", "true"], &[("CNB_PROCESS_TYPE", "web")]);
    assert_eq!(stdout(&output), "");
    let (_, message) = failure(&output);
    assert!(message.contains("Warning: run with entry point `/cnb/process/web` to start the process type `web`"), "{message}");
}

#[test]
fn launcher_version() {
    assert_eq!(stdout(&Image::new("").run("launcher", &["-version"], &[])), concat!(env!("CARGO_PKG_VERSION"), "\n"));
}
