//! The user's settings: build-time environment variables, as buildpacks of this field name them.
//!
//! | Variable | Meaning |
//! |---|---|
//! | `BP_FUNCTION_CLASS` | the function, where there are several: `package.module.Class`, or a bare module |
//! | `BP_FUNCTION_NAME` | base name of the file that Pulsar is given; `function` if not given |
//! | `BP_FUNCTION_PACKAGE` | `true` leaves what a function package is made of |
//! | `BP_PYTHON_SOURCE` | the folder that goes on Python's path; `src` if code is there, else the source folder |
//! | `BP_PYTHON_REQUIREMENTS` | the file that names the dependencies, where there are several |
//! | `BP_PYTHON_IMPORT_CHECK` | `false` leaves out the import of the function at the end of the build |
//! | `BP_RUNNER_PYTHON`, `BP_RUNNER_LIBC` | the runner's Python and C library: `3.13`, `glibc 2.41`; the build image's if not given |

use std::path::PathBuf;

use fnpack_artifact::python::wheel::{Libc, Version};
use fnpack_buildpack::{SettingError, Variables, file_name, inside, text};

/// The settings of one build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) class: Option<String>,
    pub(crate) function_name: String,
    pub(crate) is_package: bool,
    pub(crate) source: Option<PathBuf>,
    pub(crate) requirements: Option<PathBuf>,
    pub(crate) import_check: bool,
    pub(crate) runner_python: Option<Version>,
    pub(crate) runner_libc: Option<(Libc, Option<Version>)>,
}

/// Why a setting cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("{name} is `{value}`, which is neither `true` nor `false`")]
    Truth { name: &'static str, value: String },
    #[error("BP_RUNNER_PYTHON is `{0}`, which is not a Python release such as `3.13`")]
    Python(String),
    #[error("BP_RUNNER_LIBC is `{0}`, which is not a C library such as `glibc 2.41` or `musl 1.2`")]
    Libc(String),
}

impl Settings {
    pub(crate) fn from_variables(variables: &Variables) -> Result<Self, SettingsError> {
        let python = text(variables, "BP_RUNNER_PYTHON")?;
        let libc = text(variables, "BP_RUNNER_LIBC")?;
        Ok(Self {
            class: text(variables, "BP_FUNCTION_CLASS")?.map(str::to_owned),
            function_name: file_name(variables, "BP_FUNCTION_NAME")?.unwrap_or("function").to_owned(),
            is_package: truth(variables, "BP_FUNCTION_PACKAGE")?.unwrap_or(false),
            source: inside(variables, "BP_PYTHON_SOURCE")?,
            requirements: inside(variables, "BP_PYTHON_REQUIREMENTS")?,
            import_check: truth(variables, "BP_PYTHON_IMPORT_CHECK")?.unwrap_or(true),
            runner_python: python.map(|text| text.parse().map_err(|_| SettingsError::Python(text.to_owned()))).transpose()?,
            runner_libc: libc.map(|text| parse_libc(text).ok_or_else(|| SettingsError::Libc(text.to_owned()))).transpose()?,
        })
    }
}

fn truth(variables: &Variables, name: &'static str) -> Result<Option<bool>, SettingsError> {
    let value = text(variables, name)?;
    value.map(|value| value.parse().map_err(|_| SettingsError::Truth { name, value: value.to_owned() })).transpose()
}

fn parse_libc(text: &str) -> Option<(Libc, Option<Version>)> {
    let mut words = text.split_whitespace();
    let libc = [Libc::Glibc, Libc::Musl].into_iter().find(|libc| Some(libc.as_str()) == words.clone().next())?;
    let version = words.nth(1).map(|version| version.parse().ok());
    match (version, words.next()) {
        (Some(None), _) | (_, Some(_)) => None,
        (version, None) => Some((libc, version.flatten())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let variables = pairs.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Settings::from_variables(&variables).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_defaults() {
        let expected = Settings {
            class: None,
            function_name: "function".into(),
            is_package: false,
            source: None,
            requirements: None,
            import_check: true,
            runner_python: None,
            runner_libc: None,
        };
        assert_eq!(settings(&[("BP_FUNCTION_CLASS", " ")]), Ok(expected));
    }

    #[test]
    fn settings_of_the_runner() {
        for (python, libc, expected) in [
            ("3.13", "glibc 2.41", Ok((Version(3, 13), (Libc::Glibc, Some(Version(2, 41)))))),
            ("3.12.4", "musl 1.2.5", Ok((Version(3, 12), (Libc::Musl, Some(Version(1, 2)))))),
            ("3.12", "musl", Ok((Version(3, 12), (Libc::Musl, None)))),
            ("3", "musl", Err("BP_RUNNER_PYTHON is `3`, which is not a Python release such as `3.13`")),
            ("3.12", "uclibc 1.0", Err("BP_RUNNER_LIBC is `uclibc 1.0`, which is not a C library such as `glibc 2.41` or `musl 1.2`")),
            ("3.12", "musl x", Err("BP_RUNNER_LIBC is `musl x`, which is not a C library such as `glibc 2.41` or `musl 1.2`")),
            ("3.12", "musl 1.2 x", Err("BP_RUNNER_LIBC is `musl 1.2 x`, which is not a C library such as `glibc 2.41` or `musl 1.2`")),
        ] {
            let found = settings(&[("BP_RUNNER_PYTHON", python), ("BP_RUNNER_LIBC", libc)]);
            let found = found.map(|settings| (settings.runner_python.unwrap(), settings.runner_libc.unwrap()));
            assert_eq!(found, expected.map_err(str::to_owned), "{python} {libc}");
        }
        assert!(settings(&[("BP_PYTHON_IMPORT_CHECK", "no")]).is_err());
    }
}
