//! `project-metadata.toml`: where the source came from (CNB platform spec, "project-metadata.toml").

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toml::Table;

use super::TomlError;
use crate::lifecycle::values::json_of_table;

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
    /// The content of the label.
    pub fn to_label(&self) -> Value {
        let Some(source) = &self.source else { return json!({}) };
        let mut label = json!({ "type": source.kind });
        for (key, table) in [("version", &source.version), ("metadata", &source.metadata)] {
            if !table.is_empty() {
                label[key] = json_of_table(table);
            }
        }
        json!({ "source": label })
    }

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

    #[test]
    fn label_has_times_as_text() {
        let metadata = parse("[source]\ntype = \"git\"\n[source.metadata]\nwhen = 1979-05-27T07:32:00Z\n").unwrap();
        let expected = json!({"source": {"type": "git", "metadata": {"when": "1979-05-27T07:32:00Z"}}});
        assert_eq!(metadata.to_label(), expected);
        assert_eq!(parse("").unwrap().to_label(), json!({}));
    }
}
