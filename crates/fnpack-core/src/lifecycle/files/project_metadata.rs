//! `project-metadata.toml`: where the source came from (CNB platform spec, "project-metadata.toml").

use serde::{Deserialize, Serialize};
use toml::Table;

use super::TomlError;

/// The content of project-metadata.toml, and in JSON of the label `io.buildpacks.project.metadata`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProjectMetadata {
    /// Where the source came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ProjectSource>,
}

/// Where the source came from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProjectSource {
    /// Such as `git`.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// What names the state of the source, such as a commit.
    #[serde(default)]
    pub version: Table,
    /// What else is known, such as branches.
    #[serde(default)]
    pub metadata: Table,
}

/// Reads project-metadata.toml.
pub fn parse(text: &str) -> Result<ProjectMetadata, TomlError> {
    super::parse(text)
}

impl ProjectMetadata {
    /// The text of project-metadata.toml.
    pub fn to_toml(&self) -> String {
        super::write(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let text = "[source]\ntype = \"git\"\n\n[source.version]\ncommit = \"63a73f1\"\n\n[source.metadata]\nrefs = [\"main\"]\n";
        assert_eq!(parse(text).unwrap().to_toml(), text);
        assert_eq!(parse("").unwrap().to_toml(), "");
    }
}
