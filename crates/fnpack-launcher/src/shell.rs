//! Shell processes: bash sources what the buildpacks left in `profile.d`, then becomes the command
//! (CNB buildpack spec, "Launch", shell commands).

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::process::{StartCommand, Style};

/// Where bash is in every image that has one.
pub(crate) const BASH: &str = "/bin/bash";

/// The arguments for bash. `program` becomes `$0` of the profile scripts.
pub(crate) fn arguments(program: &OsStr, start: &StartCommand, profiles: &[PathBuf], working_folder: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["-c".into(), script(start, profiles, working_folder), program.into(), start.command.clone()];
    arguments.extend(start.arguments.iter().cloned());
    arguments
}

fn script(start: &StartCommand, profiles: &[PathBuf], working_folder: &Path) -> OsString {
    let mut script = OsString::new();
    for profile in profiles {
        push_line(&mut script, "source ", profile);
    }
    push_line(&mut script, "cd ", working_folder);
    script.push(match start.style {
        Style::Script | Style::Direct => r#"exec bash -c "$@""#.to_owned(),
        Style::Tokens => expanding(start.arguments.len()),
    });
    script
}

/// Each word is expanded by itself, as the spec has it: neither split nor globbed.
fn expanding(arguments: usize) -> String {
    let words: Vec<String> = (0..=arguments).map(|index| format!(r#""$(eval echo \"${{{index}}}\")""#)).collect();
    format!(r#"exec bash -c '{}' "$@""#, words.join(" "))
}

fn push_line(script: &mut OsString, word: &str, path: &Path) {
    script.push(word);
    script.push(quoted(path.as_os_str()));
    script.push("\n");
}

/// In single quotes, which bash takes as they are; a quote inside leaves and re-enters them.
fn quoted(text: &OsStr) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut bytes = vec![b'\''];
    for &byte in text.as_bytes() {
        match byte {
            b'\'' => bytes.extend(br"'\''"),
            _ => bytes.push(byte),
        }
    }
    bytes.push(b'\'');
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn start(style: Style, command: &str, words: &[&str]) -> StartCommand {
        StartCommand {
            process_type: None,
            command: command.into(),
            arguments: words.iter().map(OsString::from).collect(),
            style,
            working_folder: None,
        }
    }

    /// What the process prints; bash is on every machine that runs these tests.
    fn printed(start: &StartCommand, profiles: &[PathBuf], folder: &Path) -> String {
        let output = Command::new(BASH).args(arguments(OsStr::new("self"), start, profiles, folder)).env("WHO", "a  *").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn shell_expands_each_word_once() {
        let many: Vec<&str> = (1..=12).map(|_| "$WHO").collect();
        let expected = "[a  *]".repeat(12);
        assert_eq!(printed(&start(Style::Tokens, "printf", &[&["[%s]"], &many[..]].concat()), &[], Path::new("/")), expected);
    }

    #[test]
    fn shell_evaluates_a_script() {
        assert_eq!(printed(&start(Style::Script, "printf %s one | tr o 0; pwd", &[]), &[], Path::new("/tmp")), "0ne/tmp\n");
    }

    #[test]
    fn shell_sources_profiles_with_odd_names_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("it's \"$(odd)\".sh");
        fs_err::write(&odd, "export SEEN=\"$0\"").unwrap();
        let second = folder.path().join("second.sh");
        fs_err::write(&second, "export SEEN=\"$SEEN two\"").unwrap();
        let text = printed(&start(Style::Tokens, "printf", &["%s", "$SEEN"]), &[odd, second], folder.path());
        assert_eq!(text, "self two");
    }
}
