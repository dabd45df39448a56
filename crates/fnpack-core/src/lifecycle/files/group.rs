//! `group.toml`: the buildpacks that take part (CNB platform spec, "group.toml").

use serde::{Deserialize, Serialize};

use super::TomlError;
use crate::builder::ModuleId;

/// The content of group.toml.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Group {
    /// The buildpacks, in the order in which they build.
    #[serde(default)]
    pub group: Vec<GroupMember>,
    /// The image extensions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_extensions: Vec<GroupMember>,
}

/// A module that takes part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// Such as `fnpack/golang`.
    pub id: String,
    /// Such as `0.1.0`.
    pub version: String,
    /// The Buildpack API that it is written for.
    #[serde(default)]
    pub api: String,
    /// An address for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
}

impl GroupMember {
    /// `id@version`.
    pub fn module(&self) -> ModuleId {
        ModuleId::new(&self.id, &self.version)
    }
}

/// Reads group.toml.
pub fn parse(text: &str) -> Result<Group, TomlError> {
    super::parse(text)
}

impl Group {
    /// The text of group.toml.
    pub fn to_toml(&self) -> String {
        super::write(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let text = "[[group]]\nid = \"a/b\"\nversion = \"1\"\napi = \"0.10\"\nhomepage = \"https://example.com\"\n";
        assert_eq!(parse(text).unwrap().to_toml(), text);
        assert_eq!(parse("[[group]]\nid = 'a'").unwrap_err().to_string(), "line 1: missing field `version`, in `group`");
    }
}
