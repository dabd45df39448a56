//! The user's settings: build-time environment variables, as buildpacks of this field name them.
//!
//! | Variable | Meaning |
//! |---|---|
//! | `BP_FUNCTION_CLASS` | the function's class, where the jar has several |
//! | `BP_FUNCTION_NAME` | base name of the jar; `function` if not given |
//! | `BP_MAVEN_BUILT_MODULE`, `BP_GRADLE_BUILT_MODULE` | folder of the module with the function, where there are several |
//! | `BP_MAVEN_BUILD_ARGUMENTS` | what Maven is told; `-DskipTests package` if not given |
//! | `BP_GRADLE_BUILD_ARGUMENTS` | what Gradle is told; `assemble` of the module if not given |
//! | `BP_MAVEN_BUILT_ARTIFACT`, `BP_GRADLE_BUILT_ARTIFACT` | the jar, in the module's folder, where the build makes several |
//! | `BP_STRIP_PROVIDED` | `true` takes out of the jar what every runner brings |
//! | `BP_RUNNER_JAVA` | the Java feature release of the runner; the platform says it; 17 if nobody does |

use std::path::PathBuf;

use fnpack_buildpack::{SettingError, Variables, file_name, inside, text};

use crate::tool::Tool;

/// What runners have if nothing is said: the lowest that maintained releases of Pulsar run on.
const DEFAULT_RUNNER_JAVA: u16 = 17;

/// The settings of one build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) function_class: Option<String>,
    pub(crate) function_name: String,
    pub(crate) maven: ToolSettings,
    pub(crate) gradle: ToolSettings,
    pub(crate) strip_provided: bool,
    pub(crate) runner_java: u16,
}

/// The settings of one build tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ToolSettings {
    /// Relative to the application folder.
    pub(crate) module: Option<PathBuf>,
    pub(crate) arguments: Option<Vec<String>>,
    /// Relative to the module.
    pub(crate) artifact: Option<PathBuf>,
}

/// Why a setting cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    Setting(SettingError),
    #[error("BP_RUNNER_JAVA is `{0}`, which is not a Java feature release such as `17`")]
    RunnerJava(String),
    #[error("{name} is `{value}`, which is neither `true` nor `false`")]
    Truth { name: &'static str, value: String },
    #[error("{name} has a quotation mark without its pair: `{value}`")]
    Quotation { name: &'static str, value: String },
}

impl From<SettingError> for SettingsError {
    fn from(error: SettingError) -> Self {
        Self::Setting(error)
    }
}

impl Settings {
    pub(crate) fn from_variables(variables: &Variables) -> Result<Self, SettingsError> {
        Ok(Self {
            function_class: text(variables, "BP_FUNCTION_CLASS")?.map(str::to_owned),
            function_name: file_name(variables, "BP_FUNCTION_NAME")?.unwrap_or("function").to_owned(),
            maven: ToolSettings {
                module: inside(variables, "BP_MAVEN_BUILT_MODULE")?,
                arguments: words(variables, "BP_MAVEN_BUILD_ARGUMENTS")?,
                artifact: inside(variables, "BP_MAVEN_BUILT_ARTIFACT")?,
            },
            gradle: ToolSettings {
                module: inside(variables, "BP_GRADLE_BUILT_MODULE")?,
                arguments: words(variables, "BP_GRADLE_BUILD_ARGUMENTS")?,
                artifact: inside(variables, "BP_GRADLE_BUILT_ARTIFACT")?,
            },
            strip_provided: truth(variables, "BP_STRIP_PROVIDED")?,
            runner_java: runner_java(variables)?,
        })
    }

    pub(crate) fn of(&self, tool: Tool) -> &ToolSettings {
        match tool {
            Tool::Maven => &self.maven,
            Tool::Gradle => &self.gradle,
        }
    }
}

/// Older Javas count `1.8` as 8.
fn runner_java(variables: &Variables) -> Result<u16, SettingsError> {
    let Some(value) = text(variables, "BP_RUNNER_JAVA")? else { return Ok(DEFAULT_RUNNER_JAVA) };
    feature_release(value).ok_or_else(|| SettingsError::RunnerJava(value.to_owned()))
}

/// `17` of `17`, `17.0.15` and `17-ea`, `8` of `1.8.0_412`.
pub(crate) fn feature_release(version: &str) -> Option<u16> {
    let version = version.strip_prefix("1.").unwrap_or(version);
    let digits = version.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(version.len());
    version.get(..digits)?.parse().ok().filter(|release| *release > 0)
}

fn truth(variables: &Variables, name: &'static str) -> Result<bool, SettingsError> {
    match text(variables, name)? {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(SettingsError::Truth { name, value: other.to_owned() }),
    }
}

fn words(variables: &Variables, name: &'static str) -> Result<Option<Vec<String>>, SettingsError> {
    let Some(value) = text(variables, name)? else { return Ok(None) };
    split(value).map(Some).ok_or_else(|| SettingsError::Quotation { name, value: value.to_owned() })
}

/// Words between blanks; quotation marks, single or double, keep blanks in.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quotation = None;
    for letter in text.chars() {
        match quotation {
            Some(mark) if letter == mark => quotation = None,
            None if letter == '"' || letter == '\'' => {
                quotation = Some(letter);
                word.get_or_insert_default();
            }
            None if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quotation.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_variables(&pairs.iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    #[test]
    fn settings_defaults() {
        let expected = Settings {
            function_class: None,
            function_name: "function".into(),
            maven: ToolSettings::default(),
            gradle: ToolSettings::default(),
            strip_provided: false,
            runner_java: 17,
        };
        assert_eq!(settings(&[]).unwrap(), expected);
        assert_eq!(settings(&[("BP_FUNCTION_CLASS", " "), ("BP_STRIP_PROVIDED", "false")]).unwrap(), expected);
    }

    #[test]
    fn settings_are_read() {
        let found = settings(&[
            ("BP_MAVEN_BUILT_MODULE", "./services/orders"),
            ("BP_MAVEN_BUILD_ARGUMENTS", "-P prod  -Dname='a b' package"),
            ("BP_GRADLE_BUILT_ARTIFACT", "build/libs/a.jar"),
            ("BP_STRIP_PROVIDED", "true"),
            ("BP_RUNNER_JAVA", "21"),
        ])
        .unwrap();
        assert_eq!(found.of(Tool::Maven).module.as_deref(), Some("services/orders".as_ref()));
        assert_eq!(found.of(Tool::Maven).arguments.clone().unwrap(), ["-P", "prod", "-Dname=a b", "package"]);
        assert_eq!(found.of(Tool::Gradle).artifact.as_deref(), Some("build/libs/a.jar".as_ref()));
        assert_eq!((found.strip_provided, found.runner_java), (true, 21));
    }

    #[test]
    fn settings_that_cannot_be_used() {
        for (name, value, said) in [
            ("BP_RUNNER_JAVA", "new", "BP_RUNNER_JAVA is `new`, which is not a Java feature release such as `17`"),
            ("BP_STRIP_PROVIDED", "yes", "BP_STRIP_PROVIDED is `yes`, which is neither `true` nor `false`"),
            ("BP_MAVEN_BUILD_ARGUMENTS", "-D'x", "BP_MAVEN_BUILD_ARGUMENTS has a quotation mark without its pair: `-D'x`"),
            ("BP_MAVEN_BUILT_MODULE", "../x", "BP_MAVEN_BUILT_MODULE is `../x`, which is not a folder inside the source folder"),
            ("BP_FUNCTION_NAME", "a/b", "BP_FUNCTION_NAME is `a/b`, which is not a file name"),
        ] {
            assert_eq!(settings(&[(name, value)]).unwrap_err().to_string(), said);
        }
    }

    #[test]
    fn feature_release_of_versions() {
        for (version, release) in
            [("17", Some(17)), ("21.0.2", Some(21)), ("1.8.0_412", Some(8)), ("25-ea", Some(25)), ("", None), ("0", None)]
        {
            assert_eq!(feature_release(version), release, "{version}");
        }
    }

    #[test]
    fn split_keeps_quoted_blanks() {
        for (text, words) in [("a  b", &["a", "b"][..]), ("'a b' \"\"", &["a b", ""]), ("a\"'\"b", &["a'b"]), ("", &[])] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        assert_eq!(split("'a"), None);
    }
}
