//! `uv`, which chooses, builds and unpacks packages.
//!
//! It is chosen over pip because it evaluates markers for the Python and the platform that it is told of, where pip
//! asks the Python that it runs on: dependencies for another runner would be the wrong ones. It is also five times
//! as fast.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use fnpack_artifact::python::wheel::Runtime;
use fnpack_buildpack::{Variables, pass_on};

use crate::error::PythonError;
use crate::index::masked;
use crate::interpreter::{Interpreter, platform_of};

/// What would lead `uv` elsewhere.
const UNWANTED: [&str; 6] = ["VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV_PYTHON", "UV_TARGET", "UV_SYSTEM_PYTHON"];

/// What is compiled here would not run on another runner, and to find that out may take many minutes. Packages that
/// are plain Python do not ask for a compiler.
const COMPILERS: [&str; 4] = ["CC", "CXX", "FC", "RUSTC"];

/// The program with what it is run in.
pub(crate) struct Uv<'a> {
    interpreter: &'a Interpreter,
    variables: Variables,
}

/// What is to be installed.
pub(crate) struct Install<'a> {
    pub(crate) goal: &'a Runtime,
    pub(crate) requirements: &'a Path,
    pub(crate) constraints: Option<&'a Path>,
    pub(crate) excludes: &'a Path,
    pub(crate) is_complete: bool,
    pub(crate) target: &'a Path,
}

impl<'a> Uv<'a> {
    pub(crate) fn new(variables: &Variables, cache: &Path, interpreter: &'a Interpreter) -> Self {
        let mut variables = variables.clone();
        for name in UNWANTED {
            variables.remove(OsStr::new(name));
        }
        let set: [(&str, OsString); 5] = [
            ("UV_CACHE_DIR", cache.into()),
            // The tree is changed afterwards, which must not change the cache.
            ("UV_LINK_MODE", "copy".into()),
            ("UV_PYTHON_DOWNLOADS", "never".into()),
            ("UV_NO_PROGRESS", "1".into()),
            ("NO_COLOR", "1".into()),
        ];
        variables.extend(set.map(|(name, value)| (name.into(), value)));
        Self { interpreter, variables }
    }

    /// What `uv.lock` pins, as requirements with hashes.
    pub(crate) fn export(&self, folder: &Path) -> Result<String, PythonError> {
        let arguments = "export --quiet --frozen --no-dev --no-emit-workspace --no-header --no-annotate --format requirements.txt";
        let mut command = self.command(folder);
        command.args(arguments.split(' ')).arg("--python").arg(&self.interpreter.program);
        let output = command.output().map_err(|error| not_started(error, "uv export"))?;
        if !output.status.success() {
            return Err(PythonError::Export(masked(String::from_utf8_lossy(&output.stderr).trim())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Unpacks packages into a folder. What `uv` said last is returned if it failed.
    pub(crate) fn install(&self, folder: &Path, install: &Install<'_>) -> Result<Result<(), String>, PythonError> {
        const COMMAND: &str = "uv pip install";
        let failed = |source| PythonError::Run { command: COMMAND.to_owned(), source };
        let mut command = self.command(folder);
        if self.interpreter.differs_from(install.goal).is_some() {
            command.envs(COMPILERS.map(|name| (name, "false")));
        }
        command.args(self.arguments(install)?).stderr(Stdio::piped()).stdout(Stdio::inherit());
        let mut child = command.spawn().map_err(|error| not_started(error, COMMAND))?;
        let stream = child.stderr.take().map(BufReader::new);
        let output = stream.map(|stream| pass_on(stream, &mut io::stderr(), masked)).transpose().map_err(failed)?;
        let status = child.wait().map_err(failed)?;
        Ok(if status.success() { Ok(()) } else { Err(output.unwrap_or_default()) })
    }

    fn arguments(&self, install: &Install<'_>) -> Result<Vec<OsString>, PythonError> {
        let mut arguments: Vec<OsString> = vec!["pip".into(), "install".into()];
        let mut option = |name: &str, value: &OsStr| arguments.extend([name.into(), value.to_owned()]);
        option("--python", self.interpreter.program.as_os_str());
        option("--target", install.target.as_os_str());
        option("--requirements", install.requirements.as_os_str());
        option("--excludes", install.excludes.as_os_str());
        if let Some(constraints) = install.constraints {
            option("--constraints", constraints.as_os_str());
        }
        if self.interpreter.differs_from(install.goal).is_some() {
            let platform = platform_of(install.goal).ok_or_else(|| PythonError::Architecture(install.goal.arch.clone()))?;
            option("--python-version", OsStr::new(&install.goal.python.to_string()));
            option("--python-platform", OsStr::new(&platform));
        }
        if install.is_complete {
            arguments.push("--no-deps".into());
        }
        Ok(arguments)
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new("uv");
        command.current_dir(folder).env_clear().envs(&self.variables).stdin(Stdio::null());
        command
    }
}

fn not_started(error: io::Error, command: &str) -> PythonError {
    if error.kind() == io::ErrorKind::NotFound {
        PythonError::UvMissing
    } else {
        PythonError::Run { command: command.to_owned(), source: error }
    }
}
