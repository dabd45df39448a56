//! `.dockerignore` (Docker build reference, "Build context", `.dockerignore` files).

use super::glob::{Flavour, Glob, GlobError};

/// Which paths of a build context do not exist for the build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    glob: Glob,
    /// `!`: brings back what an earlier rule took out.
    includes: bool,
}

/// A line that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not a pattern")]
pub struct IgnoreError {
    /// The line, counted from 1.
    pub line: usize,
    /// The pattern.
    #[source]
    pub source: GlobError,
}

impl Ignore {
    /// Reads the rules: one a line, `#` starts a comment only at the start of a line.
    pub fn parse(text: &str) -> Result<Self, IgnoreError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rules = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (includes, pattern) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line),
            };
            let pattern = clean(pattern);
            // A lone `!` says nothing, and `.` would be the context itself: Docker passes over both.
            if pattern.is_empty() {
                continue;
            }
            let glob = Glob::new(&pattern, Flavour::Ignore).map_err(|source| IgnoreError { line: index + 1, source })?;
            rules.push(Rule { glob, includes });
        }
        Ok(Self { rules })
    }

    /// Whether a path, relative to the context, is left out: the last rule that fits it or a folder
    /// above it decides.
    pub fn excludes(&self, path: &str) -> bool {
        let mut excluded = false;
        for rule in &self.rules {
            // A rule that could change nothing need not be tried.
            if rule.includes == excluded && rule.glob.matches_or_above(path) {
                excluded = !rule.includes;
            }
        }
        excluded
    }

    /// Whether something may be brought back below a folder that is left out.
    pub fn brings_back(&self) -> bool {
        self.rules.iter().any(|rule| rule.includes)
    }
}

/// The path without empty parts, `.` and `..`, which all mean the context at its top.
pub(super) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_decide_in_order() {
        for (rules, path, expected) in [
            ("", "a", false),
            ("a", "a", true),
            ("a", "a/b", true),
            ("a", "b/a", false),
            ("/a", "a", true),
            ("a/", "a/b", true),
            ("./a", "a", true),
            ("x/../a", "a", true),
            ("*/temp*", "b/temporary.txt", true),
            ("*/temp*", "temporary.txt", false),
            ("*/*/temp*", "a/b/temp", true),
            ("temp?", "tempa", true),
            ("temp?", "temp", false),
            ("**/*.go", "main.go", true),
            ("**/*.go", "a/b/main.go", true),
            ("**/node_modules", "a/node_modules/x/y", true),
            ("**", "a/b", true),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("a/**/c", "a/c", true),
            ("a/**/c", "a/x/y/c", true),
            ("a/**/c", "ax/c", false),
            ("*.md\n!README.md", "README.md", false),
            ("*.md\n!README.md", "OTHER.md", true),
            ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true),
            ("!README.md\n*.md", "README.md", true),
            ("a\n!a/b", "a/b/c", false),
            ("a\n!a/b", "a/c", true),
            ("*\n!src", "src/main.go", false),
            ("*\n! src ", "src/main.go", false),
            ("# a", "a", false),
            ("# a", "# a", false),
            (" a ", "a", true),
            ("a\r\nb\r\n", "b", true),
            ("\u{feff}a", "a", true),
            (".", "a", false),
            ("!", "a", false),
            ("[ab]", "b", true),
            ("\\#a", "#a", true),
            ("a b", "a b", true),
        ] {
            assert_eq!(Ignore::parse(rules).unwrap().excludes(path), expected, "{rules:?} {path}");
        }
    }

    #[test]
    fn bad_pattern_names_its_line() {
        let error = Ignore::parse("a\n\n[b").unwrap_err();
        assert_eq!((error.to_string().as_str(), error.source.to_string().as_str()), ("line 3 is not a pattern", "`[b` is not a pattern"));
    }
}
