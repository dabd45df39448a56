//! Which program a build tool is: the project's wrapper, or the build image's own.

use std::io;
use std::path::Path;

use fnpack_buildpack::Variables;

use crate::error::JavaError;
use crate::jdk::on_path;
use crate::tool::Tool;

/// A program, with the arguments that come before all others.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// For messages.
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) arguments: Vec<String>,
}

impl Program {
    /// A wrapper is run by the shell: whether it may be executed is often lost on the way here, and lines that end
    /// as on Windows are mended.
    pub(crate) fn choose(variables: &Variables, root: &Path, tool: Tool) -> Result<Self, JavaError> {
        let wrapper = root.join(tool.wrapper());
        if wrapper.is_file() {
            mend(&wrapper).map_err(|source| JavaError::Prepare { tool, source })?;
            let arguments = vec![wrapper.display().to_string()];
            return Ok(Self { name: tool.wrapper().to_owned(), path: "sh".to_owned(), arguments });
        }
        let program = on_path(variables, tool.program()).ok_or(JavaError::ToolMissing(tool))?;
        Ok(Self { name: tool.program().to_owned(), path: program.display().to_string(), arguments: Vec::new() })
    }
}

fn mend(script: &Path) -> io::Result<()> {
    let bytes = fs_err::read(script)?;
    if !bytes.contains(&b'\r') {
        return Ok(());
    }
    fs_err::write(script, bytes.into_iter().filter(|byte| *byte != b'\r').collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_is_the_wrapper_first() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        let variables: Variables = [("PATH".into(), bin.clone().into())].into();
        let missing = Program::choose(&variables, folder.path(), Tool::Maven).unwrap_err();
        assert!(matches!(missing, JavaError::ToolMissing(Tool::Maven)));

        fs_err::create_dir(&bin).unwrap();
        fs_err::write(bin.join("mvn"), "").unwrap();
        let own = Program::choose(&variables, folder.path(), Tool::Maven).unwrap();
        assert_eq!((own.name.as_str(), own.path, own.arguments), ("mvn", bin.join("mvn").display().to_string(), vec![]));

        let wrapper = folder.path().join("mvnw");
        fs_err::write(&wrapper, "#!/bin/sh\r\necho\r\n").unwrap();
        let chosen = Program::choose(&variables, folder.path(), Tool::Maven).unwrap();
        let expected = ("mvnw", "sh".to_owned(), vec![wrapper.display().to_string()]);
        assert_eq!((chosen.name.as_str(), chosen.path, chosen.arguments), expected);
        assert_eq!(fs_err::read(&wrapper).unwrap(), b"#!/bin/sh\necho\n");
    }
}
