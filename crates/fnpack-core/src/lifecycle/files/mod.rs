//! The TOML files of the CNB specifications, a module each.
//!
//! What is read came from buildpacks, builders or users: unknown keys are passed over, known ones
//! must have their type, and an error names file, line and key. What is written has exactly the keys
//! that the specification lists, in a fixed order.

pub mod build;
pub mod descriptor;
pub mod group;
pub mod launch;
pub mod layer;
pub mod metadata;
pub mod order;
pub mod plan;
pub mod project_metadata;
pub mod run;
pub mod stack;
pub mod store;
pub mod system;

use std::ops::Range;
use std::path::PathBuf;

use rustix::fs::FileType;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::root::{Root, RootError};

/// More than any real file has; a larger one is refused before it is parsed.
const SIZE_LIMIT: u64 = 4 << 20;

/// A file that is not as its specification says.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It could not be read.
    #[error("cannot read `{}`", file.display())]
    Unreadable {
        /// The path as the buildpack sees it.
        file: PathBuf,
        /// The reason.
        #[source]
        source: RootError,
    },
    /// It is a symlink, which may lead out of what the buildpack owns.
    #[error("`{}` is a symlink to `{}`: it must be a file", file.display(), target.display())]
    Symlink {
        /// The path as the buildpack sees it.
        file: PathBuf,
        /// What the symlink says.
        target: PathBuf,
    },
    /// Its text is wrong.
    #[error("invalid `{}`", file.display())]
    Invalid {
        /// The path as the buildpack sees it.
        file: PathBuf,
        /// Where and why.
        #[source]
        source: TomlError,
    },
}

/// What is wrong at which line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct TomlError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, with the key.
    pub reason: String,
}

impl TomlError {
    /// An error at a place that `toml::Spanned` told.
    fn at(text: &str, span: Range<usize>, reason: impl Into<String>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        Self { line, reason: reason.into() }
    }

    fn from_toml(text: &str, mut error: toml::de::Error) -> Self {
        let span = error.span().unwrap_or_default();
        // Without its input the error shows the keys that led to the value, on a second line.
        error.set_input(None);
        let shown = error.to_string();
        let reason = shown.trim_end().replace("\nin `", ", in `").replace(char::is_control, "\u{fffd}");
        Self::at(text, span, reason)
    }
}

/// Reads a value from TOML.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, TomlError> {
    toml::from_str(text).map_err(|error| TomlError::from_toml(text, error))
}

/// The TOML of a value of these modules.
fn write<T: Serialize>(value: &T) -> String {
    toml::to_string(value).expect("these types have no maps with other keys than strings, and no nulls")
}

/// A file that a buildpack wrote.
pub(crate) struct Source<'a> {
    /// The folder that holds it.
    pub root: &'a Root,
    /// Where it is in there.
    pub path: PathBuf,
    /// How it is called in errors: the path as the buildpack sees it.
    pub shown: PathBuf,
}

impl Source<'_> {
    /// Reads and parses the file; `None` if it does not exist. A symlink is refused.
    pub(crate) fn read_if_present<T>(&self, parse: impl FnOnce(&str) -> Result<T, TomlError>) -> Result<Option<T>, FileError> {
        let unreadable = |source| FileError::Unreadable { file: self.shown.clone(), source };
        let Some(stat) = self.root.try_symlink_metadata(&self.path).map_err(unreadable)? else { return Ok(None) };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            let target = self.root.read_link(&self.path).map_err(unreadable)?;
            return Err(FileError::Symlink { file: self.shown.clone(), target });
        }
        let text = self.root.read_to_string(&self.path, SIZE_LIMIT).map_err(unreadable)?;
        parse(&text).map(Some).map_err(|source| FileError::Invalid { file: self.shown.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lifecycle::api::BuildpackApi;

    /// Fragments that often meet in these files, so that nonsense gets past the parser.
    const FRAGMENTS: [&str; 20] = [
        "[[processes]]\n",
        "[[requires]]\n",
        "[[or]]\n",
        "[[bom]]\n",
        "[types]\n",
        "[metadata]\n",
        "type",
        "command",
        "direct",
        "version",
        "launch",
        "name",
        " = ",
        "true\n",
        "1979-05-27\n",
        "'a'\n",
        "[ 'a', ",
        "]\n",
        "\u{1b}",
        "é",
    ];

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_with_a_line(picks in prop::collection::vec(0..FRAGMENTS.len(), 0..40)) {
            let text: String = picks.iter().map(|pick| FRAGMENTS[*pick]).collect();
            let lines = text.matches('\n').count() + 1;
            let errors = [
                launch::parse(&text, BuildpackApi::NEWEST, "a").err(),
                launch::parse(&text, BuildpackApi::OLDEST, "a").err(),
                build::parse(&text).err(),
                plan::parse_build_plan(&text).err(),
                layer::parse(&text).err(),
                metadata::parse(&text).err(),
                order::parse(&text).err(),
            ];
            for error in errors.into_iter().flatten() {
                prop_assert!((1..=lines).contains(&error.line), "{error} in {text}");
                prop_assert!(!error.reason.contains(char::is_control), "{error} in {text}");
            }
        }
    }

    #[test]
    fn error_text_has_no_control_characters() {
        let error = store::parse("[metadata]\n\"\\u001b[31m\" = 1\n\"\\u001b[31m\" = 2").unwrap_err();
        assert_eq!(error.line, 3);
        assert!(!error.reason.contains('\u{1b}'), "{error}");
    }
}
