//! The three plans: what one buildpack's detect offers and asks for (CNB buildpack spec, "Build
//! Plan"), what a whole group agreed on (platform spec, "plan.toml"), and what one buildpack is given
//! for its build (buildpack spec, "Buildpack Plan").

use serde::{Deserialize, Serialize};
use toml::{Spanned, Table, Value};

use super::TomlError;

/// What one buildpack offers and asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BuildPlan {
    /// Its alternatives, first choice first; there is at least one in a plan that was read.
    pub alternatives: Vec<Alternative>,
}

/// One way in which a buildpack would take part.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alternative {
    /// Names of dependencies that it offers.
    pub provides: Vec<String>,
    /// Dependencies that it asks for.
    pub requires: Vec<Require>,
}

/// A dependency that a buildpack asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Require {
    /// What providers call it.
    pub name: String,
    /// For the provider; free.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub metadata: Table,
}

/// The content of plan.toml: every dependency of a group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Sorted by the dependency's name.
    #[serde(default)]
    pub entries: Vec<PlanEntry>,
}

/// One dependency, who offers it and all that was asked of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanEntry {
    /// In group order.
    #[serde(default)]
    pub providers: Vec<Provider>,
    /// In group order, all of one name.
    #[serde(default)]
    pub requires: Vec<Require>,
}

/// A module that offers a dependency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Its id.
    pub id: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// Whether it is an image extension.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub extension: bool,
}

/// What one buildpack is asked to provide.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BuildpackPlan {
    /// In the order of plan.toml.
    pub entries: Vec<Require>,
}

/// Reads what a buildpack's detect wrote.
pub fn parse_build_plan(text: &str) -> Result<BuildPlan, TomlError> {
    let raw: RawBuildPlan = super::parse(text)?;
    let first = RawAlternative { provides: raw.provides, requires: raw.requires };
    let alternatives = std::iter::once(first).chain(raw.or).map(|alternative| alternative.checked(text));
    Ok(BuildPlan { alternatives: alternatives.collect::<Result<_, _>>()? })
}

/// Reads plan.toml.
pub fn parse_plan(text: &str) -> Result<Plan, TomlError> {
    super::parse(text)
}

impl Plan {
    /// The text of plan.toml.
    pub fn to_toml(&self) -> String {
        super::write(self)
    }
}

impl BuildpackPlan {
    /// The text of the file that `bin/build` is given.
    pub fn to_toml(&self) -> String {
        super::write(self)
    }
}

#[derive(Deserialize)]
struct RawBuildPlan {
    #[serde(default)]
    provides: Vec<RawProvide>,
    #[serde(default)]
    requires: Vec<RawRequire>,
    #[serde(default)]
    or: Vec<RawAlternative>,
}

#[derive(Deserialize)]
struct RawAlternative {
    #[serde(default)]
    provides: Vec<RawProvide>,
    #[serde(default)]
    requires: Vec<RawRequire>,
}

#[derive(Deserialize)]
struct RawProvide {
    name: String,
}

#[derive(Deserialize)]
struct RawRequire {
    name: String,
    version: Option<Spanned<Value>>,
    #[serde(default)]
    metadata: Table,
}

impl RawAlternative {
    fn checked(self, text: &str) -> Result<Alternative, TomlError> {
        let requires = self.requires.into_iter().map(|require| require.checked(text)).collect::<Result<_, _>>()?;
        Ok(Alternative { provides: self.provides.into_iter().map(|provide| provide.name).collect(), requires })
    }
}

impl RawRequire {
    fn checked(self, text: &str) -> Result<Require, TomlError> {
        match self.version {
            Some(version) => {
                Err(TomlError::at(text, version.span(), "`requires.version` is not allowed: the version belongs into `requires.metadata`"))
            }
            None => Ok(Require { name: self.name, metadata: self.metadata }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_plan_has_its_alternatives() {
        let text = "
            [[provides]]
            name = 'go'
            [[requires]]
            name = 'go'
            metadata.version = '1.24'
            [[or]]
            [[or.requires]]
            name = 'bash'
        ";
        let plan = parse_build_plan(text).unwrap();
        assert_eq!(plan.alternatives.len(), 2);
        assert_eq!(plan.alternatives[0].provides, ["go"]);
        assert_eq!(plan.alternatives[0].requires[0].metadata["version"].as_str(), Some("1.24"));
        assert_eq!(plan.alternatives[1].requires[0].name, "bash");
        assert_eq!(parse_build_plan("").unwrap().alternatives, [Alternative::default()]);
    }

    #[test]
    fn build_plan_errors_name_line_and_key() {
        for (text, message) in [
            (
                "[[requires]]\nname = 'a'\nversion = '1'",
                "line 3: `requires.version` is not allowed: the version belongs into `requires.metadata`",
            ),
            (
                "[[or]]\n[[or.requires]]\nname = 'a'\nversion = 1",
                "line 4: `requires.version` is not allowed: the version belongs into `requires.metadata`",
            ),
            ("[[provides]]\nnames = 'a'", "line 1: missing field `name`, in `provides`"),
            ("provides = 3", "line 1: invalid type: integer `3`, expected a sequence, in `provides`"),
            ("[[provides]\n", "line 1: unclosed array table, expected `]`"),
        ] {
            assert_eq!(parse_build_plan(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn plan_round_trips() {
        let text = "\
[[entries]]

[[entries.providers]]
id = \"fnpack/golang\"
version = \"0.1.0\"

[[entries.requires]]
name = \"go\"

[entries.requires.metadata]
version = \"1.24\"
";
        assert_eq!(parse_plan(text).unwrap().to_toml(), text);
    }
}
