//! What is known before a build: the previous image and the run image.
//!
//! Answers the CNB platform specification, "analyzer" and "analyzed.toml".

use serde::{Deserialize, Serialize};
use toml::Table;

use super::label::{LifecycleMetadata, json_of};
use super::values::{json_of_table, table_of_json};
use crate::image::Image;

/// The result of looking at the images that a build starts from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Analyzed {
    /// Name and digest of the image made by the build before; none if there is none.
    pub previous_image: Option<String>,
    /// What that image's label says; empty if there is no image or no readable label.
    pub metadata: LifecycleMetadata,
    /// The run image.
    pub run_image: Option<AnalyzedRunImage>,
    /// Name and digest of the build image, where image extensions extend it.
    pub build_image: Option<String>,
}

/// The run image as found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalyzedRunImage {
    /// Name and digest.
    #[serde(default)]
    pub reference: String,
    /// The name as asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// Whether image extensions change it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub extend: bool,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<RunTarget>,
}

/// System, processor and distribution of a run image; what buildpacks see as `CNB_TARGET_*`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunTarget {
    /// Such as `linux`.
    #[serde(default)]
    pub os: String,
    /// Such as `amd64`.
    #[serde(default)]
    pub arch: String,
    /// Such as `v8`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arch_variant: String,
    /// From labels of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distro: Option<Distribution>,
}

/// A distribution and its release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// Such as `debian`.
    #[serde(default)]
    pub name: String,
    /// Such as `13`.
    #[serde(default)]
    pub version: String,
}

/// Why analyzed.toml cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzedError {
    /// It is not TOML.
    #[error("cannot read analyzed.toml")]
    Syntax(#[source] toml::de::Error),
    /// A known key has a value of another kind.
    #[error("cannot read the values of analyzed.toml")]
    Values(#[source] serde_json::Error),
}

/// The shape of the file, apart from `[metadata]`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct AnalyzedFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<ImageIdentifier>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    build_image: Option<ImageIdentifier>,
    #[serde(default)]
    metadata: serde_json::Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_image: Option<AnalyzedRunImage>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct ImageIdentifier {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reference: String,
}

impl Analyzed {
    /// From images and the names they were found under.
    pub fn of(previous: Option<(&str, &Image)>, run_image: AnalyzedRunImage) -> Self {
        Self {
            previous_image: previous.map(|(reference, _)| reference.to_owned()),
            metadata: previous.map(|(_, image)| LifecycleMetadata::of(image)).unwrap_or_default(),
            run_image: Some(run_image),
            build_image: None,
        }
    }

    /// Reads analyzed.toml. A `[metadata]` that cannot be understood counts as empty, as the label it
    /// was made from would.
    pub fn parse(text: &str) -> Result<Self, AnalyzedError> {
        let table: Table = text.parse().map_err(AnalyzedError::Syntax)?;
        let file: AnalyzedFile = serde_json::from_value(json_of_table(&table)).map_err(AnalyzedError::Values)?;
        let reference = |image: Option<ImageIdentifier>| image.map(|image| image.reference).filter(|reference| !reference.is_empty());
        Ok(Self {
            previous_image: reference(file.image),
            metadata: serde_json::from_value(file.metadata).unwrap_or_default(),
            run_image: file.run_image,
            build_image: reference(file.build_image),
        })
    }

    /// Writes analyzed.toml. `[image]` is there even without a previous image.
    pub fn encode(&self) -> String {
        let identifier = |reference: &String| ImageIdentifier { reference: reference.clone() };
        let file = AnalyzedFile {
            image: Some(self.previous_image.as_ref().map(identifier).unwrap_or_default()),
            build_image: self.build_image.as_ref().map(identifier),
            metadata: serde_json::Value::Null,
            run_image: self.run_image.clone(),
        };
        let mut table = table_of_json(&json_of(&file));
        table.insert("metadata".to_owned(), self.metadata.to_toml().into());
        table.to_string()
    }
}

impl AnalyzedRunImage {
    /// Of an image by the name asked for and the name with digest.
    pub fn of(image: &Image, name: &str, reference: &str) -> Self {
        Self { reference: reference.to_owned(), image: name.to_owned(), extend: false, target: Some(RunTarget::of(image)) }
    }
}

impl RunTarget {
    /// From an image's config and its labels `io.buildpacks.base.distro.*`.
    pub fn of(image: &Image) -> Self {
        let target = image.target();
        let label = |key| image.label(key).unwrap_or_default().to_owned();
        let distro = Distribution { name: label("io.buildpacks.base.distro.name"), version: label("io.buildpacks.base.distro.version") };
        Self {
            os: target.os,
            arch: target.arch,
            arch_variant: target.variant.unwrap_or_default(),
            distro: Some(distro).filter(|distro| *distro != Distribution::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::label::LIFECYCLE_METADATA;

    fn image(labels: &[(&str, &str)]) -> Image {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Image::empty(&"linux/arm64/v8".parse().unwrap()).with_config(|config| config.config.labels = labels)
    }

    #[test]
    fn analyzed_file_comes_back() {
        let run = image(&[("io.buildpacks.base.distro.name", "debian"), ("io.buildpacks.base.distro.version", "13")]);
        let previous =
            image(&[(LIFECYCLE_METADATA, r#"{"config":{"sha":"sha256:1"},"buildpacks":[{"key":"a/b","layers":{"l":{"data":{"x":1}}}}]}"#)]);
        let run_image = AnalyzedRunImage::of(&run, "stack/run", "stack/run@sha256:2");
        let analyzed = Analyzed::of(Some(("app@sha256:3", &previous)), run_image);
        let text = analyzed.encode();
        assert_eq!(Analyzed::parse(&text).unwrap(), analyzed, "{text}");
        for part in ["[image]\nreference = \"app@sha256:3\"", "[run-image.target.distro]\nname = \"debian\"", "arch-variant = \"v8\""] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn image_table_is_there_without_a_previous_image() {
        let analyzed = Analyzed::of(None, AnalyzedRunImage::default());
        assert!(analyzed.encode().contains("[image]\n"), "{}", analyzed.encode());
        assert_eq!(Analyzed::parse(&analyzed.encode()).unwrap(), analyzed);
    }

    #[test]
    fn foreign_metadata_counts_as_empty_and_other_faults_are_errors() {
        assert_eq!(Analyzed::parse("[metadata]\nconfig = 1\n").unwrap().metadata, LifecycleMetadata::default());
        assert_eq!(Analyzed::parse("").unwrap(), Analyzed::default());
        assert!(matches!(Analyzed::parse("["), Err(AnalyzedError::Syntax(_))));
        assert!(matches!(Analyzed::parse("image = 1"), Err(AnalyzedError::Values(_))));
    }
}
