//! Running a build tool: its words go on as they come, and the last of them choose the hint if it fails.

use std::io::{self, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use fnpack_buildpack::{Variables, pass_on};

use crate::error::JavaError;

/// Maven ends colours that it never began.
const RESET: &str = "\u{1b}[0m";

/// A program with what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// For messages; the arguments may hold passwords.
    pub(crate) name: String,
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
}

impl Invocation {
    /// Runs it in a folder. Paths in its words are made relative to the source folder. What it said last is returned
    /// if it failed.
    pub(crate) fn run(&self, variables: &Variables, folder: &Path, application: &Path) -> Result<Result<(), String>, JavaError> {
        self.start(variables, folder, application, &mut io::stdout())
            .map_err(|source| JavaError::Run { program: self.name.clone(), source })
    }

    /// Both streams are one, as the tools mix them.
    fn start(&self, variables: &Variables, folder: &Path, application: &Path, sink: &mut impl Write) -> io::Result<Result<(), String>> {
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(&self.program);
        // Sources are UTF-8, and hints are chosen by English words.
        command.args(&self.arguments).current_dir(folder).env_clear().envs(variables).env("LC_ALL", "C.UTF-8");
        let mut child = command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).spawn()?;
        // It holds the other end of the pipe, which would never close.
        drop(command);
        let root = format!("{}/", application.display());
        let output = pass_on(BufReader::new(reader), sink, |line| line.replace(&root, "").replace(RESET, ""))?;
        Ok(if child.wait()?.success() { Ok(()) } else { Err(output) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invocation_passes_words_on() {
        let shell =
            |script: &str| Invocation { name: "sh".into(), program: "sh".into(), arguments: ["-c", script].map(str::to_owned).to_vec() };
        let variables: Variables = [("PATH".into(), "/usr/bin:/bin".into()), ("X".into(), "1".into())].into();
        let folder = tempfile::tempdir().unwrap();
        let said = format!("[ERROR] {}/src/A.java:[1,2] x1", folder.path().display());
        for (script, failed) in [(format!("echo '{said}' | tail -1 >&2"), false), (format!("echo '{said}'; exit 3"), true)] {
            let mut sink = Vec::new();
            let result = shell(&script).start(&variables, folder.path(), folder.path(), &mut sink).unwrap();
            assert_eq!(String::from_utf8(sink).unwrap(), "[ERROR] src/A.java:[1,2] x1\n");
            assert_eq!(result.err().as_deref(), failed.then_some("[ERROR] src/A.java:[1,2] x1\n"));
        }
    }

    #[test]
    fn invocation_of_nothing_is_an_error() {
        let invocation = Invocation { name: "mvn".into(), program: "/nowhere/mvn".into(), arguments: vec!["-Dpassword=x".into()] };
        let error = invocation.run(&Variables::new(), Path::new("/"), Path::new("/")).unwrap_err();
        assert_eq!(error.to_string(), "run `mvn`");
    }
}
