//! The user's settings: build-time environment variables, as buildpacks of this field name them.
//!
//! | Variable | Meaning |
//! |---|---|
//! | `BP_GO_TARGETS` | folder of the main package, relative to the source folder, such as `./cmd/orders`; its module is the nearest `go.mod` above |
//! | `BP_GO_BUILD_LDFLAGS` | more flags for the linker, such as `-X main.version=1` |
//! | `BP_FUNCTION_NAME` | file name of the binary; `function` if not given |
//!
//! Go's own variables (`GOPROXY`, `GOFLAGS`, `GOPRIVATE`, `NETRC`, …) reach Go as they are.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::platform::Variables;

/// The settings of one build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Relative to the application folder, without `.` and `..`.
    pub(crate) target: Option<PathBuf>,
    pub(crate) linker_flags: String,
    pub(crate) function_name: String,
}

/// Why a setting cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("BP_GO_TARGETS names several packages, `{0}`, but an image holds one function")]
    SeveralTargets(String),
    #[error("BP_GO_TARGETS is `{0}`, which is not a folder inside the source folder")]
    TargetOutside(String),
    #[error("BP_FUNCTION_NAME is `{0}`, which is not a file name")]
    FunctionName(String),
    #[error("{0} is not UTF-8")]
    Encoding(&'static str),
}

impl Settings {
    pub(crate) fn from_variables(variables: &Variables) -> Result<Self, SettingsError> {
        let function_name = text(variables, "BP_FUNCTION_NAME")?.unwrap_or("function").to_owned();
        if !is_file_name(&function_name) {
            return Err(SettingsError::FunctionName(function_name));
        }
        Ok(Self {
            target: text(variables, "BP_GO_TARGETS")?.map(inside).transpose()?,
            linker_flags: text(variables, "BP_GO_BUILD_LDFLAGS")?.unwrap_or_default().to_owned(),
            function_name,
        })
    }
}

/// Empty values are none.
fn text<'a>(variables: &'a Variables, name: &'static str) -> Result<Option<&'a str>, SettingsError> {
    let Some(value) = variables.get(OsStr::new(name)) else { return Ok(None) };
    let value = value.to_str().ok_or(SettingsError::Encoding(name))?.trim();
    Ok(Some(value).filter(|value| !value.is_empty()))
}

fn is_file_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == name)
}

fn inside(target: &str) -> Result<PathBuf, SettingsError> {
    if target.contains(':') {
        return Err(SettingsError::SeveralTargets(target.to_owned()));
    }
    let normal = |component| match component {
        Component::CurDir => Some(Path::new("")),
        Component::Normal(name) => Some(Path::new(name)),
        _ => None,
    };
    let inside: Option<PathBuf> = Path::new(target).components().map(normal).collect();
    inside.ok_or_else(|| SettingsError::TargetOutside(target.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_variables(&pairs.iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    #[test]
    fn settings_defaults() {
        let expected = Settings { target: None, linker_flags: String::new(), function_name: "function".into() };
        assert_eq!(settings(&[]).unwrap(), expected);
        assert_eq!(settings(&[("BP_GO_TARGETS", " "), ("BP_FUNCTION_NAME", "")]).unwrap(), expected);
    }

    #[test]
    fn settings_target_is_inside_the_source() {
        for (target, expected) in [
            ("./cmd/a", Some("cmd/a")),
            ("cmd/a/", Some("cmd/a")),
            (".", Some("")),
            ("..", None),
            ("./a/../b", None),
            ("/cmd/a", None),
            ("./a:./b", None),
        ] {
            let found = settings(&[("BP_GO_TARGETS", target)]).ok().map(|settings| settings.target.unwrap());
            assert_eq!(found.as_deref(), expected.map(Path::new), "{target}");
        }
    }

    #[test]
    fn settings_function_name_is_a_file_name() {
        for (name, valid) in
            [("orders", true), ("orders.v1", true), (".", false), ("..", false), ("a/b", false), ("a/", false), ("/", false)]
        {
            assert_eq!(settings(&[("BP_FUNCTION_NAME", name)]).is_ok(), valid, "{name}");
        }
    }
}
