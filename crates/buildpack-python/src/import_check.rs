//! A trial import of the function, so that a missing dependency or an error at the top of a module ends the build
//! and not the first start.
//!
//! It is run by the build image's Python where that stands for the runner's: isolated, without the packages of the
//! build image, without bytecode, in an environment without secrets. What the runner brings is stood in for. What a
//! function may well find only where it runs (variables, files, connections) is no error.

use std::ffi::OsStr;
use std::io::BufReader;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use fnpack_buildpack::{Variables, pass_on};
use serde::Deserialize;

use crate::error::PythonError;
use crate::interpreter::Interpreter;

const SCRIPT: &str = include_str!("import_check.py");

/// What is sent when the script's time is over.
const ALARM: i32 = 14;

/// What the script writes down.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Answer {
    outcome: Outcome,
    error: Option<String>,
    message: Option<String>,
    file: Option<String>,
    line: Option<usize>,
    missing: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Imported,
    NoProcess,
    Depends,
    Failed,
}

/// Imports the function of a laid out folder; the dependencies may be in another. What the user should know is returned as a text.
pub(crate) fn import(
    interpreter: &Interpreter,
    folder: &Path,
    site: Option<&Path>,
    class: &str,
    variables: &Variables,
) -> Result<String, PythonError> {
    const COMMAND: &str = "python3";
    let failed = |source| PythonError::Run { command: COMMAND.to_owned(), source };
    let scratch = tempfile::tempdir().map_err(failed)?;
    let answer = scratch.path().join("answer");
    let (module, class_name) = class.rsplit_once('.').unwrap_or((class, ""));
    let mut command = Command::new(&interpreter.program);
    // Isolated, without site-packages, without bytecode.
    command.args(["-I", "-S", "-B", "-X", "utf8", "-c", SCRIPT]);
    command.arg(fs_err::canonicalize(folder).map_err(failed)?).args([module, class_name]).arg(&answer).args(site);
    command.current_dir(scratch.path()).env_clear().env("HOME", scratch.path());
    command.envs(variables.get(OsStr::new("PATH")).map(|path| ("PATH", path)));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let stream = child.stderr.take().map(BufReader::new);
    stream.map(|stream| pass_on(stream, &mut std::io::stderr(), str::to_owned)).transpose().map_err(failed)?;
    let status = child.wait().map_err(failed)?;
    if status.signal() == Some(ALARM) {
        return Ok(format!("warning: `{class}` was not imported in 60 seconds, so it is not known whether it starts"));
    }
    let answer = fs_err::read(&answer).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    judge(class, answer.ok_or(PythonError::Crash { class: class.to_owned(), status })?)
}

fn judge(class: &str, answer: Answer) -> Result<String, PythonError> {
    let place = match (&answer.file, answer.line) {
        (Some(file), Some(line)) => format!("{file}:{line}: "),
        _ => String::new(),
    };
    let said = match (&answer.error, &answer.message) {
        (Some(error), Some(message)) if message.is_empty() => error.clone(),
        (Some(error), Some(message)) => format!("{error}: {message}"),
        _ => String::new(),
    };
    match answer.outcome {
        Outcome::Imported => Ok(format!("`{class}` was imported")),
        Outcome::Depends => Ok(format!("warning: `{class}` could not be imported here, it may where it runs ({place}{said})")),
        Outcome::NoProcess => Err(PythonError::NoProcess(class.to_owned())),
        Outcome::Failed => Err(PythonError::Import { class: class.to_owned(), said: format!("{place}{said}"), missing: answer.missing }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(interpreter: &Interpreter, files: &[(&str, &str)], class: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        match import(interpreter, folder.path(), None, class, &std::env::vars_os().collect()) {
            Ok(said) => said,
            Err(error) => format!("ERROR {error}"),
        }
    }

    const CLASS: &str = "\nclass A(Function):\n    def process(self, input, context): return input\n";

    /// Machines that develop fnpack have a Python; without one there is nothing to be tried.
    fn has_python() -> bool {
        Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success())
    }

    #[test]
    fn import_finds_what_would_fail_at_start() {
        assert!(has_python() || std::env::var_os("CI").is_none(), "CI has a python3");
        if !has_python() {
            return;
        }
        let python = Interpreter::find(&std::env::vars_os().collect(), "amd64").unwrap();
        let with = |head: &str| format!("{head}\nfrom pulsar import Function{CLASS}");
        for (source, class, expected) in [
            (with(""), "a.A", "`a.A` was imported"),
            (
                with("import pulsar\nclass R(pulsar.schema.Record):\n    x = pulsar.schema.String(required=True)"),
                "a.A",
                "`a.A` was imported",
            ),
            (with("from ratelimit import limits\n@limits(calls=1)\ndef f(): pass\nassert f() is None"), "a.A", "`a.A` was imported"),
            ("def process(input): pass".to_owned(), "a", "`a` was imported"),
            (with("import nothing_like_it"), "a.A", "ERROR import `a.A`: a.py:1: ModuleNotFoundError: No module named 'nothing_like_it'"),
            (with("x = 1 / 0"), "a.A", "ERROR import `a.A`: a.py:1: ZeroDivisionError: division by zero"),
            (with("raise SystemExit"), "a.A", "ERROR import `a.A`: a.py:1: SystemExit"),
            ("x = (\n".to_owned(), "a", "ERROR import `a`: a.py:1: SyntaxError: '(' was never closed"),
            (
                with("import os\nos.environ['X']"),
                "a.A",
                "warning: `a.A` could not be imported here, it may where it runs (a.py:2: KeyError: 'X')",
            ),
            (
                with("import socket\nsocket.create_connection(('127.0.0.1', 9))"),
                "a.A",
                "warning: `a.A` could not be imported here, it may where it runs (a.py:2: NotInBuild: it connects to a network when it is imported)",
            ),
            (
                with("open('/nowhere')"),
                "a.A",
                "warning: `a.A` could not be imported here, it may where it runs (a.py:1: FileNotFoundError: [Errno 2] No such file or directory: '/nowhere')",
            ),
            ("class A: pass".to_owned(), "a.A", "ERROR `a.A` has no `process`"),
            (with("import os; os._exit(3)"), "a.A", "ERROR import `a.A`: Python ended with exit status: 3"),
        ] {
            assert_eq!(tried(&python, &[("a.py", &source)], class), expected, "{source}");
        }
        let package = [("orders/__init__.py", ""), ("orders/a.py", "from . import b"), ("orders/b.py", "import nothing_like_it")];
        assert_eq!(
            tried(&python, &package, "orders.a.A"),
            "ERROR import `orders.a.A`: orders/b.py:1: ModuleNotFoundError: No module named 'nothing_like_it'"
        );
    }
}
