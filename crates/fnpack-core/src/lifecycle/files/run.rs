//! `run.toml`: the run images of a builder (CNB platform spec, "run.toml").

use serde::{Deserialize, Serialize};

use super::TomlError;

/// The content of run.toml.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunToml {
    /// First choice first.
    #[serde(default)]
    pub images: Vec<RunImage>,
}

/// A run image and where else it can be found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunImage {
    /// Its name.
    pub image: String,
    /// The same image in other registries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<String>,
}

/// Reads run.toml.
pub fn parse(text: &str) -> Result<RunToml, TomlError> {
    super::parse(text)
}

impl RunToml {
    /// The text of run.toml.
    pub fn to_toml(&self) -> String {
        super::write(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let text = "[[images]]\nimage = \"example.com/run\"\nmirrors = [\"mirror.example.com/run\"]\n\n[[images]]\nimage = \"other\"\n";
        assert_eq!(parse(text).unwrap().to_toml(), text);
    }
}
