//! The language of a source, by the names of its files. Whether it is a function, its buildpack decides.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};

use fnpack_core::root::{DirEntry, Root};
use fnpack_core::source::Source;
use rustix::fs::FileType;

use crate::embedded::{DEFAULT_BUILDERS, DefaultBuilder, FUNCTION_BUILDER};
use crate::error::{Class, CommandError};

/// How like a name must be to what was looked for, to be taken for a slip of the pen.
const NEAR: f64 = 0.85;
/// A function deeper down is not what the user meant.
const DEEPEST: usize = 3;
/// A source is not searched without end for a hint.
const MOST_FOLDERS: usize = 500;
/// More would not help.
const MOST_HINTS: usize = 3;
/// What tools make or fetch.
const FOREIGN_FOLDERS: [&str; 6] = ["node_modules", "vendor", "target", "build", "venv", "__pycache__"];

/// A language that a source has files of.
#[derive(Debug)]
pub(super) struct Found {
    /// Its builder.
    pub(super) builder: &'static DefaultBuilder,
    /// The files that tell.
    files: Vec<String>,
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.builder.languages, self.files.join(", "))
    }
}

/// The builder for the one language that the source has files of.
pub(in crate::command) fn builder_of(source: &Source) -> Result<&'static DefaultBuilder, CommandError> {
    let found = found(source);
    match found.as_slice() {
        [only] => Ok(only.builder),
        [] => Err(none(source)),
        [first, ..] => {
            let text = format!("`{}` has the files of several languages", source.path().display());
            let hint = format!(
                "say which with `--builder {}`, for example, or with `builder` in project.toml; `{}` takes the first that accepts the source",
                first.builder.name, FUNCTION_BUILDER.name
            );
            Err(CommandError::message(Class::Usage, text).details(found.iter().map(Found::to_string)).hint(hint))
        }
    }
}

/// The languages that the source has files of. Single files of a language count only where no language has more than that.
pub(super) fn found(source: &Source) -> Vec<Found> {
    let names = file_names(source.root(), Path::new(""));
    let by = |patterns: fn(&DefaultBuilder) -> &'static [&'static str]| -> Vec<Found> {
        let all = DEFAULT_BUILDERS.iter().map(|builder| Found { builder, files: matching(&names, patterns(builder)) });
        all.filter(|found| !found.files.is_empty()).collect()
    };
    let strong = by(|builder| builder.markers);
    if strong.is_empty() { by(|builder| builder.sources) } else { strong }
}

fn none(source: &Source) -> CommandError {
    let names = file_names(source.root(), Path::new(""));
    let mut details: Vec<String> = DEFAULT_BUILDERS.iter().map(|builder| looked_for(builder, &names)).collect();
    let below = below(source);
    details.extend(below.iter().map(|(marker, folder)| format!("found {}: fnpack build NAME {}", marker.display(), folder.display())));
    let hint = match below.first() {
        Some((_, folder)) => format!("name the function's folder: `fnpack build NAME {}`", folder.display()),
        None => "name the folder that has the function's source, or a builder with `--builder`".to_owned(),
    };
    CommandError::message(Class::YourCode, format!("no buildpack accepted `{}`", source.path().display())).details(details).hint(hint)
}

fn looked_for(builder: &DefaultBuilder, names: &[String]) -> String {
    let patterns: Vec<&str> = builder.markers.iter().chain(builder.sources).copied().collect();
    let near = patterns.iter().find_map(|pattern| near(pattern, names));
    let near = near.map(|name| format!(" (found {name})")).unwrap_or_default();
    format!("{}: looked for {}: not found{near}", builder.languages, patterns.join(", "))
}

/// A name that is almost the one looked for, such as one with other capitals.
fn near<'a>(pattern: &str, names: &'a [String]) -> Option<&'a String> {
    let like = |name: &&String| match pattern.strip_prefix('*') {
        Some(ending) => name.to_lowercase().ends_with(ending),
        None => strsim::jaro_winkler(&name.to_lowercase(), pattern) > NEAR,
    };
    names.iter().filter(like).max()
}

/// Functions in folders below: what tells of them, and the folder, both as the user would type them.
fn below(source: &Source) -> Vec<(PathBuf, PathBuf)> {
    let root = source.root();
    let mut found = Vec::new();
    let mut folders: VecDeque<PathBuf> = folder_names(root, Path::new("")).into();
    for _ in 0..MOST_FOLDERS {
        let Some(folder) = folders.pop_front() else { break };
        let names = file_names(root, &folder);
        let marker = DEFAULT_BUILDERS.iter().find_map(|builder| matching(&names, builder.markers).into_iter().next());
        match marker {
            Some(marker) => found.push((folder.join(marker), source.path().join(&folder))),
            None if folder.components().count() < DEEPEST => folders.extend(folder_names(root, &folder)),
            None => {}
        }
        if found.len() == MOST_HINTS {
            break;
        }
    }
    found
}

/// The names that fit one of the patterns: a name, or `*` and an ending.
fn matching(names: &[String], patterns: &[&str]) -> Vec<String> {
    let fits = |name: &String, pattern: &str| pattern.strip_prefix('*').map_or(name == pattern, |ending| name.ends_with(ending));
    let of = |pattern: &&str| names.iter().find(|name| fits(name, pattern)).cloned();
    patterns.iter().filter_map(of).collect()
}

fn file_names(root: &Root, folder: &Path) -> Vec<String> {
    let is_file = |entry: &DirEntry| root.is_file(folder.join(&entry.name));
    entries(root, folder).filter(is_file).filter_map(|entry| entry.name.into_string().ok()).collect()
}

fn folder_names(root: &Root, folder: &Path) -> Vec<PathBuf> {
    let own = |name: &str| !name.starts_with('.') && !FOREIGN_FOLDERS.contains(&name);
    let names = entries(root, folder).filter(|entry| entry.kind == FileType::Directory).filter_map(|entry| entry.name.into_string().ok());
    names.filter(|name| own(name)).map(|name| folder.join(name)).collect()
}

/// What cannot be read has nothing to tell here; the build itself will say why.
fn entries(root: &Root, folder: &Path) -> impl Iterator<Item = DirEntry> {
    root.read_dir(folder).unwrap_or_default().into_iter()
}

#[cfg(test)]
mod tests;
