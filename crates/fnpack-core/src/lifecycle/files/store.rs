//! `<layers>/store.toml`: what a buildpack keeps for its next build (CNB buildpack spec, "store.toml").

use serde::{Deserialize, Serialize};
use toml::Table;

use super::TomlError;

/// The content of store.toml.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Store {
    /// Free.
    #[serde(default)]
    pub metadata: Table,
}

/// Reads store.toml.
pub fn parse(text: &str) -> Result<Store, TomlError> {
    super::parse(text)
}

impl Store {
    /// The text of store.toml.
    pub fn to_toml(&self) -> String {
        super::write(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let text = "[metadata]\nwhen = 1979-05-27T07:32:00Z\n\n[metadata.deep]\nlist = [1, 2.5]\n";
        assert_eq!(parse(text).unwrap().to_toml(), text);
    }
}
