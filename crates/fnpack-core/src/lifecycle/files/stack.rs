//! `stack.toml`: the run image of a builder of the old style (CNB platform spec before 0.12,
//! "stack.toml").

use serde::{Deserialize, Serialize};

use super::TomlError;
use super::run::RunImage;

/// The content of stack.toml.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StackToml {
    /// The only run image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_image: Option<RunImage>,
}

/// Reads stack.toml.
pub fn parse(text: &str) -> Result<StackToml, TomlError> {
    super::parse(text)
}

impl StackToml {
    /// The text of stack.toml.
    pub fn to_toml(&self) -> String {
        super::write(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let text = "[run-image]\nimage = \"example.com/run\"\nmirrors = [\"mirror.example.com/run\"]\n";
        assert_eq!(parse(text).unwrap().to_toml(), text);
        assert_eq!(parse("[build-image]\nimage = 'x'").unwrap(), StackToml::default());
    }
}
