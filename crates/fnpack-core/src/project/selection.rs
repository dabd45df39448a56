//! Which files of a source take part in a build: `include` or `exclude` of a project.toml, in the language of
//! `.gitignore`.

use std::path::Path;

use crate::dockerfile::{Ignore, IgnoreError};

/// Which files of a source take part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    #[default]
    All,
    /// Only those that fit.
    Include(Patterns),
    /// All but those that fit.
    Exclude(Patterns),
}

/// Patterns of `.gitignore`, in the order in which they count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns(Ignore);

/// A pattern that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pattern {} cannot be used", .0.line)]
pub struct PatternError(#[source] pub IgnoreError);

impl Selection {
    /// Whether a path, relative to the source, takes part.
    pub fn takes(&self, path: &Path, is_folder: bool) -> bool {
        match self {
            Self::All => true,
            Self::Include(patterns) => patterns.fit(path, is_folder),
            Self::Exclude(patterns) => !patterns.fit(path, is_folder),
        }
    }

    /// Whether something below a folder that does not take part itself may do so.
    pub fn reaches_below(&self) -> bool {
        match self {
            Self::All | Self::Include(_) => true,
            Self::Exclude(patterns) => patterns.0.brings_back(),
        }
    }
}

impl Patterns {
    /// Reads the patterns of a list.
    pub fn new(patterns: &[String]) -> Result<Self, PatternError> {
        let lines: Vec<String> = patterns.iter().map(|pattern| anchored(pattern)).collect();
        Ignore::parse(&lines.join("\n")).map(Self).map_err(PatternError)
    }

    fn fit(&self, path: &Path, is_folder: bool) -> bool {
        let path = path.to_string_lossy();
        if is_folder { self.0.excludes(&format!("{path}/")) } else { self.0.excludes(&path) }
    }
}

/// A line of `.gitignore` as one of `.dockerignore`: there a name fits at the top only, here at any depth; and with a
/// slash at the end it fits folders alone.
fn anchored(pattern: &str) -> String {
    // One pattern is one line, so that a fault is told by its number in the list.
    let pattern = pattern.lines().next().unwrap_or_default().trim();
    let (mark, pattern) = pattern.strip_prefix('!').map_or(("", pattern), |rest| ("!", rest));
    let (pattern, below) = pattern.strip_suffix('/').map_or((pattern, ""), |rest| (rest, "/**"));
    let depth = if pattern.contains('/') || pattern.is_empty() || pattern == "**" { "" } else { "**/" };
    format!("{mark}{depth}{}{below}", pattern.strip_prefix('/').unwrap_or(pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_gitignore() {
        for (pattern, path, fits) in [
            ("*.md", "README.md", true),
            ("*.md", "docs/a.md", true),
            ("/*.md", "README.md", true),
            ("/*.md", "docs/a.md", false),
            ("docs", "a/docs/b", true),
            ("a/docs", "a/docs/b", true),
            ("a/docs", "b/a/docs", false),
            ("target/", "target/", true),
            ("target/", "sub/target/", true),
            ("target/", "target/classes/a", true),
            ("target/", "target", false),
            ("**", "a/b", true),
            ("a/**/c", "a/x/y/c", true),
            ("", "a", false),
        ] {
            let patterns = Patterns::new(&[pattern.to_owned()]).unwrap();
            let folder = path.strip_suffix('/');
            assert_eq!(patterns.fit(Path::new(folder.unwrap_or(path)), folder.is_some()), fits, "{pattern} {path}");
        }
    }

    #[test]
    fn later_patterns_are_stronger() {
        let lines = ["*".to_owned(), "!src/".to_owned(), "src/*.txt".to_owned()];
        let include = Selection::Include(Patterns::new(&lines).unwrap());
        let exclude = Selection::Exclude(Patterns::new(&lines).unwrap());
        for (path, fits) in [("a", true), ("src/main.go", false), ("src/a.txt", true)] {
            assert_eq!(include.takes(Path::new(path), false), fits, "{path}");
            assert_eq!(exclude.takes(Path::new(path), false), !fits, "{path}");
        }
        assert!(exclude.reaches_below() && include.reaches_below());
    }

    #[test]
    fn pattern_that_is_none_is_told_by_its_number() {
        let error = Patterns::new(&["a".to_owned(), "[b".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "pattern 2 cannot be used");
    }
}
