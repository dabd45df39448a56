//! The operating system and processor that an image is for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `os/architecture[/variant]` in the words of the OCI image specification (Go's `GOOS`, `GOARCH`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// Such as `linux`.
    pub os: String,
    /// Such as `amd64`, `arm64`.
    pub arch: String,
    /// Such as `v8`; empty values are read as none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// Why a text is not a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not `os/architecture` or `os/architecture/variant`")]
pub struct TargetError {
    /// The text as given.
    pub text: String,
}

impl Target {
    /// The target that this program was compiled for. Only the command line asks, for its default;
    /// no station does.
    pub fn of_this_program() -> Self {
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            other => other,
        };
        Self { os: std::env::consts::OS.to_owned(), arch: arch.to_owned(), variant: None }
    }

    /// Whether something made for `self` can be taken where `wanted` is asked for: system and
    /// architecture are equal, the variant only counts if both name one.
    pub fn satisfies(&self, wanted: &Target) -> bool {
        self.os == wanted.os
            && self.arch == wanted.arch
            && match (&self.variant, &wanted.variant) {
                (Some(have), Some(want)) => have == want,
                _ => true,
            }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.arch)?;
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (os, arch, variant) = match parts.as_slice() {
            [os, arch] => (os, arch, None),
            [os, arch, variant] if !variant.is_empty() => (os, arch, Some((*variant).to_owned())),
            _ => return Err(TargetError { text: text.to_owned() }),
        };
        if os.is_empty() || arch.is_empty() {
            return Err(TargetError { text: text.to_owned() });
        }
        Ok(Self { os: (*os).to_owned(), arch: (*arch).to_owned(), variant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in ["linux/amd64", "linux/arm/v7"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for bad in ["", "linux", "/amd64", "linux/", "linux/arm/", "a/b/c/d"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }

    #[test]
    fn variant_counts_only_where_both_name_one() {
        let target = |text: &str| text.parse::<Target>().unwrap();
        assert!(target("linux/arm64/v8").satisfies(&target("linux/arm64")));
        assert!(target("linux/arm64").satisfies(&target("linux/arm64/v8")));
        assert!(!target("linux/arm/v6").satisfies(&target("linux/arm/v7")));
        assert!(!target("linux/amd64").satisfies(&target("linux/arm64")));
    }
}
