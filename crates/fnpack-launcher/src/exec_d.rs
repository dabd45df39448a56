//! `exec.d`: programs of layers that compute variables at launch (CNB buildpack spec, "exec.d").
//!
//! Each writes a TOML table of strings to its descriptor 3; its output and errors go where the process's will.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use command_fds::{CommandFdExt, FdMapping};
use toml::de::DeTable;

use crate::environment::Environment;
use crate::files;

/// Where a program writes its variables.
const OUTPUT_DESCRIPTOR: i32 = 3;

/// Why a program's variables could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecDError {
    #[error("list the programs of `{folder}`")]
    List { folder: PathBuf, source: io::Error },
    #[error("run `{program}`")]
    Run { program: PathBuf, source: io::Error },
    #[error("`{program}` failed with {status}")]
    Status { program: PathBuf, status: ExitStatus },
    #[error("read the variables from `{program}`")]
    Read { program: PathBuf, source: io::Error },
    #[error("the variables from `{program}` are not a table of strings in TOML")]
    Output { program: PathBuf, source: Option<Box<toml::de::Error>> },
}

/// Runs the programs of a layer, those for the process last, and sets what they write.
pub(crate) fn apply(environment: &mut Environment, layer: &Path, process_type: Option<&str>) -> Result<(), ExecDError> {
    let common = layer.join("exec.d");
    let special = process_type.map(|process_type| common.join(process_type));
    for folder in [Some(common), special].into_iter().flatten() {
        let programs = files::files_in(&folder).map_err(|source| ExecDError::List { folder, source })?;
        for program in programs {
            for (name, value) in variables(environment, &program)? {
                environment.set(name, value);
            }
        }
    }
    Ok(())
}

fn variables(environment: &Environment, program: &Path) -> Result<Vec<(OsString, OsString)>, ExecDError> {
    let written = run(environment, program)?;
    let text = String::from_utf8(written).map_err(|_| ExecDError::Output { program: program.to_path_buf(), source: None })?;
    let table =
        DeTable::parse(&text).map_err(|source| ExecDError::Output { program: program.to_path_buf(), source: Some(Box::new(source)) })?;
    let pairs = table.get_ref().iter().map(|(name, value)| {
        let (name, value) = (name.get_ref(), value.get_ref().as_str()?);
        let possible = !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
        possible.then(|| (OsString::from(&**name), OsString::from(value)))
    });
    pairs.collect::<Option<_>>().ok_or_else(|| ExecDError::Output { program: program.to_path_buf(), source: None })
}

fn run(environment: &Environment, program: &Path) -> Result<Vec<u8>, ExecDError> {
    let failed_to_run = |source| ExecDError::Run { program: program.to_path_buf(), source };
    let (reader, writer) = io::pipe().map_err(failed_to_run)?;
    let mut command = Command::new(program);
    command.env_clear().envs(environment.iter());
    let mapping = FdMapping { parent_fd: writer.into(), child_fd: OUTPUT_DESCRIPTOR };
    command.fd_mappings(vec![mapping]).map_err(|source| failed_to_run(io::Error::other(source)))?;
    let mut child = command.spawn().map_err(failed_to_run)?;
    // The command holds our end for writing; the stream only ends when that is closed too.
    drop(command);
    let written = files::read_bounded(reader);
    let status = child.wait().map_err(failed_to_run)?;
    if !status.success() {
        return Err(ExecDError::Status { program: program.to_path_buf(), status });
    }
    written.map_err(|source| ExecDError::Read { program: program.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::io::Write;
    use std::process::Stdio;

    use super::*;

    /// Written by another program: were it open for writing here, a fork in another test's thread could keep it
    /// busy when it is to be run.
    fn write_program(path: &Path, text: &str) {
        let mut install = Command::new("install").args(["-D", "-m", "755", "/dev/stdin"]).arg(path).stdin(Stdio::piped()).spawn().unwrap();
        install.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(install.wait().unwrap().success());
    }

    fn layer(scripts: &[(&str, &str)]) -> tempfile::TempDir {
        let layer = tempfile::tempdir().unwrap();
        for (name, body) in scripts {
            write_program(&layer.path().join("exec.d").join(name), &format!("#!/bin/sh\n{body}\n"));
        }
        layer
    }

    fn applied(scripts: &[(&str, &str)], process_type: Option<&str>) -> Result<Environment, ExecDError> {
        let layer = layer(scripts);
        let mut environment = Environment::of_image([("PATH".into(), "/usr/bin:/bin".into()), ("A".into(), "old".into())]);
        apply(&mut environment, layer.path(), process_type).map(|()| environment)
    }

    #[test]
    fn exec_d_sets_and_sees_variables_in_order() {
        let scripts =
            [("1-first", "echo \"A = '$A new'\" >&3"), ("2-second", "printf \"A = '%s er'\\nB = ''\" \"$A\" >&3"), ("3-silent", ":")];
        let environment = applied(&scripts, None).unwrap();
        assert_eq!(environment.get("A"), Some(OsStr::new("old new er")));
        assert_eq!(environment.get("B"), Some(OsStr::new("")));
    }

    #[test]
    fn exec_d_programs_for_a_process_run_only_for_it() {
        let scripts = [("web/x", "echo 'W = \"web\"' >&3"), ("a", "echo 'W = \"all\"' >&3")];
        for (process_type, expected) in [(None, "all"), (Some("web"), "web"), (Some("worker"), "all")] {
            assert_eq!(applied(&scripts, process_type).unwrap().get("W"), Some(OsStr::new(expected)));
        }
    }

    #[test]
    fn exec_d_failures_name_the_program() {
        for (body, message) in [
            ("exit 3", "failed with exit status: 3"),
            ("echo 'A = 1' >&3", "are not a table of strings in TOML"),
            ("echo 'A = ' >&3", "are not a table of strings in TOML"),
            ("echo '\"A=B\" = \"x\"' >&3", "are not a table of strings in TOML"),
            ("printf 'A = \"\\377\"' >&3", "are not a table of strings in TOML"),
        ] {
            let error = applied(&[("tool", body)], None).unwrap_err().to_string();
            assert!(error.contains("exec.d/tool`") && error.contains(message), "{body}: {error}");
        }
    }

    #[test]
    fn exec_d_not_executable_is_an_error() {
        let layer = layer(&[]);
        fs_err::create_dir(layer.path().join("exec.d")).unwrap();
        fs_err::write(layer.path().join("exec.d/tool"), "").unwrap();
        let mut environment = Environment::default();
        assert!(matches!(apply(&mut environment, layer.path(), None), Err(ExecDError::Run { .. })));
    }
}
