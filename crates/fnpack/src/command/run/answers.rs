//! Messages from the command line, and what is expected for them.

use std::io::{self, Read};
use std::path::Path;

use fnpack_core::pipeline::one_line;

use crate::error::{Class, CommandError};

/// How many differences are told.
const TOLD: usize = 10;
/// How much of a message is shown.
const SHOWN: usize = 120;

/// The messages of `--input`, in order.
pub(super) fn messages(inputs: &[String]) -> Result<Vec<Vec<u8>>, CommandError> {
    let mut messages = Vec::new();
    for input in inputs {
        match input.as_str() {
            "-" => messages.extend(lines(&standard_input()?)),
            file if Path::new(file).is_file() => messages.extend(lines_of(Path::new(file))?),
            text => messages.push(text.as_bytes().to_vec()),
        }
    }
    if messages.is_empty() && !inputs.is_empty() {
        return Err(CommandError::message(Class::Usage, "there is no message in what `--input` names").hint("write one message a line"));
    }
    Ok(messages)
}

/// The lines of a file.
pub(super) fn lines_of(file: &Path) -> Result<Vec<Vec<u8>>, CommandError> {
    fs_err::read(file).map(|bytes| lines(&bytes)).map_err(|error| CommandError::new(Class::Usage, error))
}

fn standard_input() -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|error| CommandError::new(Class::Usage, error))?;
    Ok(bytes)
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            line.strip_suffix(b"\r").unwrap_or(line).to_vec()
        })
        .collect()
}

/// A message, for people.
pub(super) fn shown(message: &[u8]) -> String {
    one_line(&String::from_utf8_lossy(message), SHOWN)
}

/// What is different, line by line; nothing if all is as expected.
pub(super) fn differences(expected: &[Vec<u8>], answers: &[Vec<u8>]) -> Vec<String> {
    let longer = expected.len().max(answers.len());
    let different = (0..longer).filter(|at| expected.get(*at) != answers.get(*at));
    let mut told: Vec<String> = Vec::new();
    let mut left_out = 0;
    for at in different {
        if told.len() >= TOLD * 3 {
            left_out += 1;
            continue;
        }
        told.push(format!("line {}", at + 1));
        told.push(line('-', expected.get(at)));
        told.push(line('+', answers.get(at)));
    }
    if left_out > 0 {
        told.push(format!("and {left_out} more"));
    }
    told
}

fn line(mark: char, message: Option<&Vec<u8>>) -> String {
    match message {
        Some(message) => format!("  {mark} {}", shown(message)),
        None => format!("  {mark} (nothing)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(lines: &[&str]) -> Vec<Vec<u8>> {
        lines.iter().map(|line| line.as_bytes().to_vec()).collect()
    }

    #[test]
    fn messages_are_texts_and_lines_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("messages");
        fs_err::write(&file, "one\r\ntwo\n\nfour").unwrap();
        let inputs = ["zero".to_owned(), file.display().to_string()];
        assert_eq!(messages(&inputs).unwrap(), bytes(&["zero", "one", "two", "", "four"]));
        assert!(messages(&[]).unwrap().is_empty());
        fs_err::write(&file, "").unwrap();
        assert!(messages(&inputs[1..]).is_err());
    }

    #[test]
    fn differences_are_told_by_line() {
        assert!(differences(&bytes(&["a", "b"]), &bytes(&["a", "b"])).is_empty());
        let told = differences(&bytes(&["a", "b", "c"]), &bytes(&["a", "x"]));
        assert_eq!(told, ["line 2", "  - b", "  + x", "line 3", "  - c", "  + (nothing)"]);
        assert_eq!(differences(&[], &bytes(&["surplus"])), ["line 1", "  - (nothing)", "  + surplus"]);
        let many = vec![b"a".to_vec(); 25];
        assert_eq!(differences(&many, &[]).last().unwrap(), "and 15 more");
    }
}
