//! `<layers>/<layer>.toml`: what a layer is for (CNB buildpack spec, "Layer Content Metadata").

use serde::{Deserialize, Serialize};
use toml::{Spanned, Table, Value};

use super::TomlError;

/// The content of `<layer>.toml`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LayerToml {
    /// Restored metadata has none: the buildpack must choose anew in every build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<LayerTypes>,
    /// For the buildpack's next build; free.
    pub metadata: Table,
}

/// What a layer is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LayerTypes {
    /// It goes into the image.
    pub launch: bool,
    /// Later buildpacks see it.
    pub build: bool,
    /// It is kept for the next build.
    pub cache: bool,
}

impl LayerTypes {
    /// Whether it is for anything at all.
    pub fn any(self) -> bool {
        self.launch || self.build || self.cache
    }
}

/// Reads `<layer>.toml`.
pub fn parse(text: &str) -> Result<LayerToml, TomlError> {
    let raw: RawLayer = super::parse(text)?;
    for (key, value) in [("launch", &raw.launch), ("build", &raw.build), ("cache", &raw.cache)] {
        if let Some(value) = value {
            return Err(TomlError::at(text, value.span(), format!("`{key}` is not allowed at the top: it belongs into `[types]`")));
        }
    }
    Ok(LayerToml { types: raw.types, metadata: raw.metadata })
}

impl LayerToml {
    /// The text of `<layer>.toml`.
    pub fn to_toml(&self) -> String {
        super::write(self)
    }
}

#[derive(Deserialize)]
struct RawLayer {
    types: Option<LayerTypes>,
    #[serde(default)]
    metadata: Table,
    launch: Option<Spanned<Value>>,
    build: Option<Spanned<Value>>,
    cache: Option<Spanned<Value>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let text = "[types]\nlaunch = true\nbuild = false\ncache = true\n\n[metadata]\nkey = \"value\"\n";
        let layer = parse(text).unwrap();
        assert_eq!(layer.types, Some(LayerTypes { launch: true, build: false, cache: true }));
        assert_eq!(layer.to_toml(), text);
        assert_eq!(LayerToml { types: None, ..layer }.to_toml(), "[metadata]\nkey = \"value\"\n");
        assert_eq!(parse("").unwrap(), LayerToml::default());
    }

    #[test]
    fn errors_name_line_and_key() {
        for (text, message) in [
            ("launch = true", "line 1: `launch` is not allowed at the top: it belongs into `[types]`"),
            ("\ncache = 'x'\n[types]", "line 2: `cache` is not allowed at the top: it belongs into `[types]`"),
            ("[types]\nlaunch = 'yes'", "line 2: invalid type: string \"yes\", expected a boolean, in `types.launch`"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }
}
