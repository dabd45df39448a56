//! `<layers>/build.toml`: what a buildpack leaves to others (CNB buildpack spec, "build.toml").

use serde::Deserialize;
use toml::{Spanned, Table};

use super::TomlError;
use super::launch::{BomEntry, bom_entries};

/// The content of build.toml.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Build {
    /// Names of plan entries that the buildpack was given and did not provide.
    pub unmet: Vec<String>,
    /// The legacy bill of materials.
    pub bom: Vec<BomEntry>,
}

/// Reads build.toml.
pub fn parse(text: &str) -> Result<Build, TomlError> {
    let raw: RawBuild = super::parse(text)?;
    Ok(Build { unmet: raw.unmet.into_iter().map(|unmet| unmet.name).collect(), bom: bom_entries(text, raw.bom)? })
}

#[derive(Deserialize)]
struct RawBuild {
    #[serde(default)]
    unmet: Vec<RawUnmet>,
    #[serde(default)]
    bom: Vec<Spanned<Table>>,
}

#[derive(Deserialize)]
struct RawUnmet {
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmet_names_are_read() {
        let build = parse("[[unmet]]\nname = 'go'\n[[bom]]\nname = 'x'\nmetadata.a = 1\n").unwrap();
        assert_eq!(build.unmet, ["go"]);
        assert_eq!(build.bom[0].metadata["a"].as_integer(), Some(1));
        assert_eq!(parse("[[unmet]]").unwrap_err().to_string(), "line 1: missing field `name`, in `unmet`");
    }
}
