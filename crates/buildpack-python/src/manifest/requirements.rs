//! `requirements.txt` (pip, "Requirements file format"), as far as it matters here: `uv` reads it itself.

use std::path::{Component, Path, PathBuf};

use fnpack_artifact::python::wheel::Requirement;

use super::{ManifestError, Wanted, read};

/// How many files may name each other.
const FILES_LIMIT: usize = 64;

pub(super) fn wanted(text: &str) -> Wanted {
    let lines: Vec<String> = lines(text).collect();
    let direct: Vec<Requirement> = lines.iter().filter(|line| !line.starts_with('-')).filter_map(|line| Requirement::parse(line)).collect();
    let is_open = direct.iter().any(|requirement| !requirement.versions.contains("==") && !requirement.versions.contains('@'));
    Wanted { direct, is_open, ..Wanted::default() }
}

/// Adds the files that a file names. False if something outside of files counts too.
pub(super) fn inputs(source: &Path, file: &Path, files: &mut Vec<PathBuf>) -> Result<bool, ManifestError> {
    let text = read(source, file)?;
    for line in lines(&text) {
        if let Some(named) = named_file(&line) {
            let Some(named) = joined(file, named).filter(|_| files.len() < FILES_LIMIT) else { return Ok(false) };
            if files.contains(&named) {
                continue;
            }
            files.push(named.clone());
            if !inputs(source, &named, files)? {
                return Ok(false);
            }
        } else if is_local(&line) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Logical lines without comments and hashes.
fn lines(text: &str) -> impl Iterator<Item = String> + '_ {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let lines: Vec<String> = joined
        .lines()
        .map(|line| line.split(" #").next().unwrap_or_default().split(" --hash").next().unwrap_or_default().trim().to_owned())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    lines.into_iter()
}

fn named_file(line: &str) -> Option<&str> {
    let options = ["-r", "--requirement", "-c", "--constraint"];
    let rest = options.iter().find_map(|option| {
        let rest = line.strip_prefix(option)?;
        rest.starts_with([' ', '=', '\t']).then_some(rest).or_else(|| (option.len() == 2).then_some(rest))
    })?;
    Some(rest.trim_start_matches(['=', ' ', '\t']).trim())
}

/// Inside the source folder, by the words of the paths alone.
fn joined(file: &Path, named: &str) -> Option<PathBuf> {
    let mut joined: PathBuf = file.parent().unwrap_or(Path::new("")).to_owned();
    for component in Path::new(named).components() {
        match component {
            Component::Normal(name) => joined.push(name),
            Component::CurDir => {}
            Component::ParentDir if joined.pop() => {}
            _ => return None,
        }
    }
    Some(joined)
}

/// A project or an archive in a folder.
fn is_local(line: &str) -> bool {
    line.starts_with(['.', '/'])
        || line.starts_with("-e")
        || line.starts_with("--editable")
        || line.contains("file:")
        || (line.contains('/') && !line.contains("://") && !line.starts_with('-'))
        || Path::new(line).extension().is_some_and(|ending| ending == "whl")
}
