//! The build image's own Python: what it is, and whether it stands for the runner's.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use fnpack_artifact::python::wheel::{Libc, Runtime, Version};
use fnpack_buildpack::Variables;

use crate::error::PythonError;
use crate::settings::Settings;

/// Prints path, version and C library, a line each. musl does not tell its version.
const QUESTION: &str = "\
import os, sys, sysconfig
print(sys.executable)
print('%d.%d' % sys.version_info[:2])
try:
    print(os.confstr('CS_GNU_LIBC_VERSION') or '')
except (ValueError, OSError):
    print('musl' if 'musl' in (sysconfig.get_config_var('SOABI') or '') else '')
";

/// A Python that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interpreter {
    pub(crate) program: PathBuf,
    pub(crate) runtime: Runtime,
}

impl Interpreter {
    /// `python3` of the build image.
    pub(crate) fn find(variables: &Variables, arch: &str) -> Result<Self, PythonError> {
        let failed = |source| PythonError::Run { command: "python3".to_owned(), source };
        let mut command = Command::new("python3");
        command.args(["-I", "-S", "-c", QUESTION]).env_clear().envs(variables).stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = match command.output() {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(PythonError::PythonMissing),
            Err(error) => return Err(failed(error)),
        };
        if !output.status.success() {
            return Err(PythonError::Failed { command: "python3".to_owned(), status: output.status });
        }
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        Self::parse(&answer, arch).ok_or_else(|| failed(io::Error::new(io::ErrorKind::InvalidData, "it does not say what it is")))
    }

    fn parse(answer: &str, arch: &str) -> Option<Self> {
        let mut lines = answer.lines();
        let program = lines.next().filter(|path| path.starts_with('/'))?.into();
        let python = lines.next()?.parse().ok()?;
        let mut libc = lines.next().unwrap_or_default().split_whitespace();
        let libc_name = match libc.next() {
            Some("glibc") => Some(Libc::Glibc),
            Some("musl") => Some(Libc::Musl),
            _ => None,
        };
        let libc_version = libc.next().and_then(|version| version.parse().ok());
        Some(Self { program, runtime: Runtime { python, libc: libc_name, libc_version, arch: arch.to_owned() } })
    }

    /// What the function will run on: what the settings say, and what this Python is where they say nothing.
    pub(crate) fn goal(&self, settings: &Settings) -> Runtime {
        let (libc, libc_version) =
            settings.runner_libc.map_or((self.runtime.libc, self.runtime.libc_version), |(libc, version)| (Some(libc), version));
        Runtime { python: settings.runner_python.unwrap_or(self.runtime.python), libc, libc_version, arch: self.runtime.arch.clone() }
    }

    /// Why what is built or tried here says nothing of the runner; none if it does.
    pub(crate) fn differs_from(&self, goal: &Runtime) -> Option<String> {
        let here = &self.runtime;
        let same_libc = here.libc == goal.libc || goal.libc.is_none();
        let is_older = matches!((goal.libc_version, here.libc_version), (Some(wanted), Some(present)) if wanted < present);
        (here.python != goal.python || !same_libc || is_older).then(|| format!("the build image has {here}, the runner {goal}"))
    }
}

/// How `uv` is told of a platform that it is not on.
pub(crate) fn platform_of(goal: &Runtime) -> Option<String> {
    let machine = match goal.arch.as_str() {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        _ => return None,
    };
    Some(match (goal.libc, goal.libc_version) {
        (Some(Libc::Musl), _) => format!("{machine}-unknown-linux-musl"),
        (_, version) => format!("{machine}-manylinux_{}", manylinux(version)),
    })
}

/// The highest platform that `uv` knows and this glibc has. An unknown one is taken for the oldest that is still
/// maintained anywhere.
fn manylinux(glibc: Option<Version>) -> String {
    const KNOWN: [u16; 12] = [40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 28, 17];
    let present = glibc.unwrap_or(Version(2, 28));
    let minor = KNOWN.into_iter().find(|known| Version(2, *known) <= present).unwrap_or(17);
    format!("2_{minor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "/usr/bin/python3\n3.13\nglibc 2.41\n";

    fn settings(python: &str, libc: &str) -> Settings {
        let pairs = [("BP_RUNNER_PYTHON", python), ("BP_RUNNER_LIBC", libc)];
        Settings::from_variables(&pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()).unwrap()
    }

    #[test]
    fn interpreter_is_compared_with_the_runner() {
        let here = Interpreter::parse(ANSWER, "amd64").unwrap();
        for (python, libc, differs) in [
            ("", "", false),
            ("3.13", "glibc 2.41", false),
            ("3.13", "glibc 2.44", false),
            ("3.13", "glibc", false),
            ("3.13", "glibc 2.36", true),
            ("3.12", "glibc 2.41", true),
            ("3.13", "musl 1.2", true),
        ] {
            let goal = here.goal(&settings(python, libc));
            assert_eq!(here.differs_from(&goal).is_some(), differs, "{python} {libc}");
        }
        let said = here.differs_from(&here.goal(&settings("3.12", "musl 1.2"))).unwrap();
        assert_eq!(said, "the build image has Python 3.13, glibc 2.41, amd64, the runner Python 3.12, musl 1.2, amd64");
    }

    #[test]
    fn interpreter_answers_are_read() {
        for (answer, expected) in [
            (ANSWER, Some("Python 3.13, glibc 2.41, arm64")),
            ("/usr/bin/python3\n3.12\nmusl\n", Some("Python 3.12, musl, arm64")),
            ("/usr/bin/python3\n3.12\n\n", Some("Python 3.12, arm64")),
            ("python3\n3.12\n", None),
            ("/usr/bin/python3\nx\n", None),
            ("", None),
        ] {
            let found = Interpreter::parse(answer, "arm64").map(|found| found.runtime.to_string());
            assert_eq!(found.as_deref(), expected, "{answer}");
        }
    }

    #[test]
    fn platform_is_one_that_uv_knows() {
        for (libc, arch, expected) in [
            ("glibc 2.41", "amd64", Some("x86_64-manylinux_2_40")),
            ("glibc 2.36", "arm64", Some("aarch64-manylinux_2_36")),
            ("glibc 2.30", "amd64", Some("x86_64-manylinux_2_28")),
            ("glibc 2.12", "amd64", Some("x86_64-manylinux_2_17")),
            ("glibc", "amd64", Some("x86_64-manylinux_2_28")),
            ("musl 1.2", "amd64", Some("x86_64-unknown-linux-musl")),
            ("musl 1.2", "riscv64", None),
        ] {
            let goal = Interpreter::parse(ANSWER, arch).unwrap().goal(&settings("3.12", libc));
            assert_eq!(platform_of(&goal).as_deref(), expected, "{libc} {arch}");
        }
    }
}
