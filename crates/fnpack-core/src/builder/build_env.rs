//! `[[build.env]]`: variables that a builder gives to every build (CNB platform spec, "Operator-Defined Variables").

use super::document::{DocumentError, Section};

/// One variable, to be a file in `/cnb/build-config/env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildEnv {
    /// The variable.
    pub name: String,
    /// Its value.
    pub value: String,
    /// How it meets a value that is there already.
    pub rule: EnvRule,
}

/// How a variable meets a value that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvRule {
    /// No suffix: the user's value is kept, as with [`EnvRule::Default`].
    None,
    /// Only if there is none.
    Default,
    /// Always.
    Override,
    /// Behind it, after the delimiter.
    Append(String),
    /// Before it, followed by the delimiter.
    Prepend(String),
}

impl EnvRule {
    /// The suffix of the file's name, with its dot.
    pub fn suffix(&self) -> &'static str {
        match self {
            Self::None => "",
            Self::Default => ".default",
            Self::Override => ".override",
            Self::Append(_) => ".append",
            Self::Prepend(_) => ".prepend",
        }
    }

    /// What stands between the old and the new value.
    pub fn delimiter(&self) -> Option<&str> {
        match self {
            Self::Append(delimiter) | Self::Prepend(delimiter) => Some(delimiter),
            Self::None | Self::Default | Self::Override => None,
        }
    }
}

impl BuildEnv {
    /// The files below `/cnb/build-config/env` that say this: name and contents.
    pub fn files(&self) -> impl Iterator<Item = (String, &str)> {
        let delimiter = self.rule.delimiter().map(|delimiter| (format!("{}.delim", self.name), delimiter));
        std::iter::once((format!("{}{}", self.name, self.rule.suffix()), self.value.as_str())).chain(delimiter)
    }

    pub(super) fn read_all(build: &mut Section<'_>) -> Result<Vec<Self>, DocumentError> {
        let mut variables: Vec<Self> = Vec::new();
        for mut section in build.sections("env")? {
            let variable = Self::read(&mut section)?;
            for other in variables.iter().filter(|other| other.name == variable.name) {
                check_together(&section, other, &variable)?;
            }
            section.end()?;
            variables.push(variable);
        }
        Ok(variables)
    }

    fn read(section: &mut Section<'_>) -> Result<Self, DocumentError> {
        let name = section.required_string("name")?;
        if name.contains(['=', '/', '.', '\0']) {
            return Err(section.refused("name", name, "it is also a file's name, so it cannot have `=`, `/` or `.` in it"));
        }
        let value = section.string("value")?.unwrap_or_default();
        let (suffix, delimiter) = (section.string("suffix")?, section.string("delim")?);
        let with_delimiter = |rule: fn(String) -> EnvRule| delimiter.map(rule).ok_or_else(|| section.missing("delim"));
        let rule = match suffix.as_deref().unwrap_or_default() {
            "" | "none" => EnvRule::None,
            "default" => EnvRule::Default,
            "override" => EnvRule::Override,
            "append" => with_delimiter(EnvRule::Append)?,
            "prepend" => with_delimiter(EnvRule::Prepend)?,
            other => return Err(section.refused("suffix", other, "it is one of none, default, override, append, prepend")),
        };
        if !section.strings("exec-env")?.is_empty() {
            return Err(section.unsupported("exec-env", "leave it out, the variable is then for every execution environment"));
        }
        Ok(Self { name, value, rule })
    }
}

/// Variables of one name become files of which one must not overwrite the other.
fn check_together(section: &Section<'_>, earlier: &BuildEnv, later: &BuildEnv) -> Result<(), DocumentError> {
    if earlier.rule.suffix() == later.rule.suffix() {
        return Err(section.refused("name", &later.name, "there is an earlier `build.env` of this name and suffix"));
    }
    match (earlier.rule.delimiter(), later.rule.delimiter()) {
        (Some(first), Some(second)) if first != second => {
            Err(section.refused("delim", second, "an earlier `build.env` of this name has another one"))
        }
        _ => Ok(()),
    }
}
