//! Reading settings from build-time variables.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::Variables;

/// Why a setting cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// Not text.
    #[error("{0} is not UTF-8")]
    Encoding(&'static str),
    /// A path or nothing where a name is wanted.
    #[error("{name} is `{value}`, which is not a file name")]
    FileName {
        /// The variable.
        name: &'static str,
        /// What it says.
        value: String,
    },
    /// A place that the build does not have.
    #[error("{name} is `{value}`, which is not a folder inside the source folder")]
    Outside {
        /// The variable.
        name: &'static str,
        /// What it says.
        value: String,
    },
}

/// A setting without blanks around it; an empty one is none.
pub fn text<'a>(variables: &'a Variables, name: &'static str) -> Result<Option<&'a str>, SettingError> {
    let Some(value) = variables.get(OsStr::new(name)) else { return Ok(None) };
    let value = value.to_str().ok_or(SettingError::Encoding(name))?.trim();
    Ok(Some(value).filter(|value| !value.is_empty()))
}

/// A setting that must be a plain file name.
pub fn file_name<'a>(variables: &'a Variables, name: &'static str) -> Result<Option<&'a str>, SettingError> {
    let valid = |value: &&str| {
        let mut components = Path::new(value).components();
        matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == *value)
    };
    match text(variables, name)? {
        Some(value) if !valid(&value) => Err(SettingError::FileName { name, value: value.to_owned() }),
        value => Ok(value),
    }
}

/// A setting that must be a folder in the source folder: relative to it, without `.` and `..`.
pub fn inside(variables: &Variables, name: &'static str) -> Result<Option<PathBuf>, SettingError> {
    let relative = |value: &str| {
        let inside: Option<PathBuf> = Path::new(value).components().map(plain).collect();
        inside.ok_or_else(|| SettingError::Outside { name, value: value.to_owned() })
    };
    text(variables, name)?.map(relative).transpose()
}

fn plain(component: Component<'_>) -> Option<&Path> {
    match component {
        Component::CurDir => Some(Path::new("")),
        Component::Normal(name) => Some(Path::new(name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(value: &str) -> Variables {
        [("X".into(), value.into())].into()
    }

    #[test]
    fn text_is_trimmed_and_empty_is_none() {
        for (value, expected) in [("", None), (" ", None), (" a b ", Some("a b"))] {
            assert_eq!(text(&variables(value), "X").unwrap(), expected);
        }
        assert_eq!(text(&Variables::new(), "X").unwrap(), None);
    }

    #[test]
    fn file_name_is_no_path() {
        for (value, valid) in
            [("orders", true), ("orders.v1", true), (".", false), ("..", false), ("a/b", false), ("a/", false), ("/", false)]
        {
            assert_eq!(file_name(&variables(value), "X").is_ok(), valid, "{value}");
        }
    }

    #[test]
    fn inside_is_relative_and_stays() {
        for (value, expected) in
            [("./cmd/a", Some("cmd/a")), ("cmd/a/", Some("cmd/a")), (".", Some("")), ("..", None), ("./a/../b", None), ("/cmd/a", None)]
        {
            let found = inside(&variables(value), "X").ok().flatten();
            assert_eq!(found.as_deref(), expected.map(Path::new), "{value}");
        }
    }
}
