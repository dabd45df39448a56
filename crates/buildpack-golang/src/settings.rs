//! The user's settings: build-time environment variables, as buildpacks of this field name them.
//!
//! | Variable | Meaning |
//! |---|---|
//! | `BP_GO_TARGETS` | folder of the main package, relative to the source folder, such as `./cmd/orders`; its module is the nearest `go.mod` above |
//! | `BP_GO_BUILD_LDFLAGS` | more flags for the linker, such as `-X main.version=1` |
//! | `BP_FUNCTION_NAME` | file name of the binary; `function` if not given |
//!
//! Go's own variables (`GOPROXY`, `GOFLAGS`, `GOPRIVATE`, `NETRC`, …) reach Go as they are.

use std::path::PathBuf;

use fnpack_buildpack::{SettingError, Variables, file_name, inside, text};

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
    #[error(transparent)]
    Setting(#[from] SettingError),
}

impl Settings {
    pub(crate) fn from_variables(variables: &Variables) -> Result<Self, SettingsError> {
        if let Some(several) = text(variables, "BP_GO_TARGETS")?.filter(|targets| targets.contains(':')) {
            return Err(SettingsError::SeveralTargets(several.to_owned()));
        }
        Ok(Self {
            target: inside(variables, "BP_GO_TARGETS")?,
            linker_flags: text(variables, "BP_GO_BUILD_LDFLAGS")?.unwrap_or_default().to_owned(),
            function_name: file_name(variables, "BP_FUNCTION_NAME")?.unwrap_or("function").to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
}
