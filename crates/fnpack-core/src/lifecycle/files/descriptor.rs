//! `lifecycle.toml`: what a lifecycle says of itself (CNB platform spec, "lifecycle.toml").

use serde::{Deserialize, Serialize};

use super::TomlError;
use crate::builder::labels::LifecycleApis;

/// The content of lifecycle.toml.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleToml {
    /// The lifecycle itself.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// What it speaks.
    #[serde(default)]
    pub apis: LifecycleApis,
}

/// The lifecycle itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// Its version.
    #[serde(default)]
    pub version: String,
}

/// Reads lifecycle.toml.
pub fn parse(text: &str) -> Result<LifecycleToml, TomlError> {
    super::parse(text)
}

impl LifecycleToml {
    /// The text of lifecycle.toml.
    pub fn to_toml(&self) -> String {
        super::write(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let text = "[lifecycle]\nversion = \"1.2.3\"\n\n[apis.buildpack]\ndeprecated = []\nsupported = [\"0.10\"]\n\n\
                    [apis.platform]\ndeprecated = [\"0.9\"]\nsupported = [\"0.12\", \"0.13\"]\n";
        assert_eq!(parse(text).unwrap().to_toml(), text);
    }
}
