//! What Python itself says of a file that is not Python: the parser that searches for functions can tell that, but often
//! not where the mistake is.

use std::path::Path;
use std::process::{Command, Stdio};

use fnpack_artifact::python::{NoFunction, Position};
use fnpack_buildpack::Variables;

/// Prints `LINE: WORDS` if it does not compile, and nothing else; nothing of the file is run.
const QUESTION: &str = "\
import sys
try:
    compile(open(sys.argv[1], 'rb').read(), sys.argv[1], 'exec')
except SyntaxError as error:
    print('%s: %s' % (error.lineno or 1, error.msg))
";

/// The same reason, with Python's own words for `broken` files of `folder` where there is a Python to ask.
pub(crate) fn explained(reason: NoFunction, broken: &[(String, Position)], folder: &Path, variables: &Variables) -> NoFunction {
    let NoFunction::Absent { files, remarks } = reason else { return reason };
    let remark = |remark: String| {
        let file = broken.iter().find(|(file, place)| remark.starts_with(&format!("{file}:{place}: "))).map(|(file, _)| file);
        let said = file.and_then(|file| Some(format!("{file}:{}", ask(&folder.join(file), variables)?)));
        said.unwrap_or(remark)
    };
    NoFunction::Absent { files, remarks: remarks.into_iter().map(remark).collect() }
}

/// None if there is no Python, or it sees no fault.
fn ask(file: &Path, variables: &Variables) -> Option<String> {
    let mut command = Command::new("python3");
    command.args(["-I", "-S", "-B", "-X", "utf8", "-W", "ignore", "-c", QUESTION]).arg(file);
    command.env_clear().envs(variables.get(std::ffi::OsStr::new("PATH")).map(|path| ("PATH", path)));
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!said.is_empty()).then_some(said)
}

#[cfg(test)]
mod tests {
    use fnpack_artifact::python::Search;

    use super::*;

    #[test]
    fn explained_has_the_line_of_the_mistake() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("f.py"), "class F:\n    def process(self, input, context)\n        return input\n").unwrap();
        let search = Search::folder(folder.path(), true).unwrap();
        let of = |variables| explained(search.choose(None).unwrap_err(), search.broken(), folder.path(), &variables).to_string();
        let variables: Variables = std::env::vars_os().collect();
        assert!(of(variables).ends_with("(f.py:2: expected ':')"));
        let without_python: Variables = [("PATH".into(), "/nowhere".into())].into();
        assert!(of(without_python).ends_with(": not Python)"));
    }

    #[test]
    fn explained_leaves_other_reasons() {
        let reason = NoFunction::Several(vec!["a.A".into(), "b.B".into()]);
        assert_eq!(explained(reason.clone(), &[], Path::new("/"), &Variables::new()).to_string(), reason.to_string());
    }
}
