//! Output, exit codes, and failures told apart.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio as Piped};

use fnpack_sandbox::{ExitStatus, RootPlan, Sandbox, SandboxError, Stdio};

use crate::support::{PROGRAM, Root, no_root, output, plan, run};

#[test]
fn needs_root_output_comes_in_order_of_arrival_and_the_code_is_that_of_the_command() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let cases = [
        ("echo one; echo two >&2; echo three; exit 3", ExitStatus::Code(3), "one\ntwo\nthree\n"),
        ("exit 127", ExitStatus::Code(127), ""),
        ("kill -9 $$", ExitStatus::Signal(9), ""),
        ("cat; echo no input", ExitStatus::Code(0), "no input\n"),
    ];
    for (script, status, output) in cases {
        assert_eq!(run(&root.shell(script)).unwrap(), (status, output.to_owned()), "{script}");
    }
}

#[test]
fn needs_root_output_longer_than_any_buffer_arrives_whole() {
    if no_root() {
        return;
    }
    let root = Root::new();
    assert_eq!(output(&root.plan(&["head", "-c", "3000000", "/dev/zero"])).len(), 3_000_000);
}

#[test]
fn needs_root_surroundings_are_those_of_the_plan() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let mut plan = root.shell("pwd; hostname; umask; env | sort; echo $$");
    plan.working_folder = "/usr/lib".into();
    plan.hostname = "its-name".to_owned();
    plan.environment.insert("LANGUAGE".into(), "x y".into());
    assert_eq!(output(&plan), "/usr/lib\nits-name\n0022\nLANGUAGE=x y\nPATH=/usr/bin:/bin\nPWD=/usr/lib\n2\n");
}

#[test]
fn needs_root_failure_of_a_start_is_no_exit_code() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let file = |name: &str, text: &str, mode| {
        fs_err::write(root.layer().join(name), text).unwrap();
        fs_err::set_permissions(root.layer().join(name), PermissionsExt::from_mode(mode)).unwrap();
    };
    file("orphan-script", "#!/nonexistent\n", 0o755);
    file("text", "text", 0o644);
    let cases: [(&[&str], &str, Option<i32>); 6] = [
        (&["no-such-program", "x"], "command `no-such-program` not found in the root file system", None),
        (&["/usr/no-such-program"], "command `/usr/no-such-program` not found in the root file system", None),
        (&["./text/x"], "command `./text/x` not found in the root file system", None),
        (&["/text"], "command `/text` cannot be executed", Some(libc::EACCES)),
        (&["/orphan-script"], "command `/orphan-script` cannot be executed", Some(libc::ENOENT)),
        (&["/usr"], "command `/usr` cannot be executed", Some(libc::EACCES)),
    ];
    for (arguments, message, cause) in cases {
        let error = run(&root.plan(arguments)).unwrap_err();
        assert_eq!(error.to_string(), message);
        match error {
            SandboxError::CommandNotExecutable { source, .. } => assert_eq!(Some(source.raw_os_error()), cause, "{message}"),
            error => assert!(matches!(error, SandboxError::CommandNotFound { .. }) && cause.is_none(), "{message}"),
        }
    }
}

#[test]
fn needs_root_failing_step_of_the_surroundings_is_named() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let mut no_folder = root.plan(&["true"]);
    no_folder.working_folder = "/no/such".into();
    let mut no_program = root.plan(&["true"]);
    no_program.init = "/nonexistent".into();
    let mut other_program = root.plan(&["true"]);
    other_program.init = "/bin/true".into();
    let no_layer = plan(root.overlay(vec!["/nonexistent".into(), "/".into()]), &["true"]);
    let no_root = plan(RootPlan::Folder("/nonexistent".into()), &["true"]);
    let file_root = plan(RootPlan::Folder("/etc/passwd".into()), &["true"]);
    let cases = [
        (no_folder, "cannot enter the working folder `/no/such`"),
        (no_program, "cannot start the sandbox program `/nonexistent`"),
        (other_program, "the sandbox process ended without saying why"),
        (no_layer, "cannot open layer folder `/nonexistent`"),
        (no_root, "cannot make `/nonexistent` the root folder"),
        (file_root, "cannot make `/etc/passwd` the root folder"),
        (root.plan(&[]), "the sandbox plan cannot be carried out: it has no command"),
    ];
    for (plan, message) in cases {
        assert_eq!(Sandbox::spawn(&plan).unwrap_err().to_string(), message);
    }
}

#[test]
fn needs_root_output_that_cannot_be_passed_on_ends_the_command() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    if no_root() {
        return;
    }
    let root = Root::new();
    let error = Sandbox::spawn(&root.shell("echo x; sleep 1000")).unwrap().wait(&mut Full).unwrap_err();
    assert!(matches!(error, SandboxError::Output { .. }), "{error}");
}

#[test]
fn needs_root_inherited_output_goes_past_the_caller() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let mut plan = root.shell("echo out; echo err >&2; exit 5");
    plan.stdio = Stdio::Inherit;
    let mut child = Command::new(PROGRAM).arg("run").stdin(Piped::piped()).stdout(Piped::piped()).stderr(Piped::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(&plan).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.as_slice(), output.stderr.as_slice()),
        (Some(5), b"out\n".as_slice(), b"err\n".as_slice())
    );
}

#[test]
fn needs_root_large_plan_arrives_whole() {
    if no_root() {
        return;
    }
    let root = Root::new();
    let mut plan = root.shell("echo ${#LONG}");
    plan.environment.insert("LONG".into(), "x".repeat(100_000).into());
    plan.arguments.extend((0..10_000).map(|number| format!("argument {number}").into()));
    assert_eq!(output(&plan), "100000\n");
}
