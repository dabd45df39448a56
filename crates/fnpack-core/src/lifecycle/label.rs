//! What an image's labels record of how it was made.
//!
//! The labels are read from foreign images: a damaged one counts as absent, and what fnpack does not
//! know is kept. The same value has a form in TOML, in analyzed.toml.
//!
//! Answers the CNB platform specification, "Labels".

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml::Table;

use super::buildpacks::escaped;
use super::built::BuiltLayer;
use super::files::run::RunImage;
use super::values::{json_of_table, table_of_json};
use crate::digest::DiffId;
use crate::image::Image;

/// Of which layers an image consists and why.
pub const LIFECYCLE_METADATA: &str = "io.buildpacks.lifecycle.metadata";
/// Which buildpacks made the image and how it is started.
pub const BUILD_METADATA: &str = "io.buildpacks.build.metadata";
/// Of which source the image was made.
pub const PROJECT_METADATA: &str = "io.buildpacks.project.metadata";
/// The execution environment that the image was made for.
pub const EXEC_ENV: &str = "io.buildpacks.exec-env";

/// The content of [`LIFECYCLE_METADATA`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LifecycleMetadata {
    /// The application's layers: slices, then the rest.
    #[serde(default, deserialize_with = "or_default")]
    pub app: Vec<LayerRecord>,
    /// The layer with the bill of materials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sbom: Option<LayerRecord>,
    /// In group order.
    #[serde(default, deserialize_with = "or_default")]
    pub buildpacks: Vec<BuildpackRecord>,
    /// The layer with the launcher's metadata.toml.
    #[serde(default)]
    pub config: LayerRecord,
    /// The layer with the launcher.
    #[serde(default)]
    pub launcher: LayerRecord,
    /// The layer with a link for each process type.
    #[serde(default, rename = "process-types")]
    pub process_types: LayerRecord,
    /// The image below.
    #[serde(default, rename = "runImage", alias = "run-image")]
    pub run_image: RunImageRecord,
    /// The image below, as platforms before 0.12 read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<StackRecord>,
    /// Keys that fnpack does not know.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// A layer by diff ID; empty where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// The diff ID as text.
    #[serde(default)]
    pub sha: String,
}

/// What a buildpack left.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BuildpackRecord {
    /// Its id.
    #[serde(rename = "key")]
    pub id: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// Its layers by name.
    #[serde(default, deserialize_with = "or_default")]
    pub layers: BTreeMap<String, BuildpackLayerRecord>,
    /// Its store.toml.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreRecord>,
}

/// A buildpack's layer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BuildpackLayerRecord {
    /// The diff ID as text.
    #[serde(default)]
    pub sha: String,
    /// `[metadata]` of the layer's TOML file.
    #[serde(default, alias = "metadata")]
    pub data: Value,
    /// Whether later buildpacks saw it.
    #[serde(default)]
    pub build: bool,
    /// Whether it is in the image.
    #[serde(default)]
    pub launch: bool,
    /// Whether it was kept for the next build.
    #[serde(default)]
    pub cache: bool,
}

impl BuildpackLayerRecord {
    /// Of what a build left, under the diff ID (or another mark of its contents) `sha`.
    pub fn of(layer: &BuiltLayer, sha: String) -> Self {
        Self { sha, data: json_of_table(&layer.metadata), build: layer.build, launch: layer.launch, cache: layer.cache }
    }
}

/// A buildpack's store.toml.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StoreRecord {
    /// `[metadata]`.
    #[serde(default)]
    pub metadata: Value,
}

/// The run image under an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunImageRecord {
    /// The diff ID of its top layer: what is above belongs to the application.
    #[serde(default, rename = "topLayer", alias = "top-layer")]
    pub top_layer: String,
    /// Name and digest at the time.
    #[serde(default)]
    pub reference: String,
    /// The name to look for a newer one under, and its mirrors.
    #[serde(flatten)]
    pub names: RunImageNames,
}

/// The names of a run image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunImageNames {
    /// The first choice.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// The same image elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub mirrors: Vec<String>,
}

/// The run image as older platforms read it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackRecord {
    /// Its names.
    #[serde(default, rename = "runImage", alias = "run-image")]
    pub run_image: RunImageNames,
}

impl LifecycleMetadata {
    /// Reads an image's label; none or a damaged one is the empty value.
    pub fn of(image: &Image) -> Self {
        image.label(LIFECYCLE_METADATA).and_then(|label| serde_json::from_str(label).ok()).unwrap_or_default()
    }

    /// The record of a buildpack.
    pub fn buildpack(&self, id: &str) -> Option<&BuildpackRecord> {
        self.buildpacks.iter().find(|buildpack| buildpack.id == id)
    }

    /// The record of a buildpack's layer.
    pub fn layer(&self, buildpack: &str, layer: &str) -> Option<&BuildpackLayerRecord> {
        self.buildpack(buildpack)?.layers.get(layer)
    }

    /// The form in analyzed.toml, whose keys differ in places.
    pub fn to_toml(&self) -> Table {
        let mut value = json_of(self);
        rename(&mut value, "runImage", "run-image");
        rename(&mut value["run-image"], "topLayer", "top-layer");
        rename(&mut value["stack"], "runImage", "run-image");
        for buildpack in value["buildpacks"].as_array_mut().into_iter().flatten() {
            for layer in buildpack["layers"].as_object_mut().into_iter().flat_map(|layers| layers.values_mut()) {
                rename(layer, "data", "metadata");
            }
        }
        table_of_json(&value)
    }
}

impl From<&RunImage> for RunImageNames {
    fn from(entry: &RunImage) -> Self {
        Self { image: entry.image.clone(), mirrors: entry.mirrors.clone() }
    }
}

impl LayerRecord {
    /// Of this layer.
    pub fn of(diff_id: DiffId) -> Self {
        Self { sha: diff_id.to_string() }
    }
}

/// A buildpack's folder below the layers folder.
pub(super) fn layers_folder(buildpack_id: &str) -> PathBuf {
    PathBuf::from(escaped(buildpack_id))
}

/// The JSON of a value made of strings, lists and maps with text as keys.
pub(super) fn json_of(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn rename(value: &mut Value, from: &str, to: &str) {
    if let Some(fields) = value.as_object_mut()
        && let Some(value) = fields.remove(from)
    {
        fields.insert(to.to_owned(), value);
    }
}

/// Null, and a value of another shape than today's, count as the default: one field must not make the
/// rest of the label unusable.
fn or_default<'de, D: serde::Deserializer<'de>, T: Default + serde::de::DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: &str = concat!(
        r#"{"app":[{"sha":"sha256:a"}],"sbom":{"sha":"sha256:b"},"#,
        r#""buildpacks":[{"key":"fnpack/go","version":"1.0","layers":{"dist":{"sha":"sha256:c","data":{"n":1},"build":true,"launch":true,"cache":false}},"#,
        r#""store":{"metadata":{"k":"v"}}}],"#,
        r#""config":{"sha":"sha256:d"},"launcher":{"sha":"sha256:e"},"process-types":{"sha":"sha256:f"},"#,
        r#""runImage":{"topLayer":"sha256:0","reference":"r@sha256:1","image":"r","mirrors":["m"]},"#,
        r#""stack":{"runImage":{"image":"r","mirrors":["m"]}},"new":{"key":null}}"#
    );

    #[test]
    fn label_comes_back_with_unknown_keys() {
        let metadata: LifecycleMetadata = serde_json::from_str(LABEL).unwrap();
        assert_eq!(serde_json::to_string(&metadata).unwrap(), LABEL);
        assert_eq!(metadata.layer("fnpack/go", "dist").unwrap().data["n"], 1);
    }

    #[test]
    fn label_of_older_or_damaged_images_is_read_as_far_as_possible() {
        for (label, shas) in [
            (r#"{"app":{"sha":"x"},"config":{"sha":"y"}}"#, (0, "y")),
            (r#"{"app":null,"buildpacks":null,"config":{"sha":"y"}}"#, (0, "y")),
            (r#"{"app":[{"sha":"x"}]}"#, (1, "")),
        ] {
            let metadata: LifecycleMetadata = serde_json::from_str(label).unwrap();
            assert_eq!((metadata.app.len(), metadata.config.sha.as_str()), shas, "{label}");
        }
        let image = Image::empty(&"linux/amd64".parse().unwrap());
        let labelled = |text: &str| image.with_config(|config| drop(config.config.labels.insert(LIFECYCLE_METADATA.into(), text.into())));
        assert_eq!(LifecycleMetadata::of(&image), LifecycleMetadata::default());
        assert_eq!(LifecycleMetadata::of(&labelled("{")), LifecycleMetadata::default());
        assert_eq!(LifecycleMetadata::of(&labelled(LABEL)).config.sha, "sha256:d");
    }

    #[test]
    fn toml_form_has_its_own_keys() {
        let metadata: LifecycleMetadata = serde_json::from_str(LABEL).unwrap();
        let table = metadata.to_toml();
        assert_eq!(table["run-image"]["top-layer"].as_str(), Some("sha256:0"));
        assert_eq!(table["stack"]["run-image"]["image"].as_str(), Some("r"));
        assert_eq!(table["buildpacks"][0]["layers"]["dist"]["metadata"]["n"].as_integer(), Some(1));
        let back: LifecycleMetadata = serde_json::from_value(super::super::values::json_of_table(&table)).unwrap();
        let known = LifecycleMetadata { rest: BTreeMap::new(), ..metadata };
        assert_eq!(LifecycleMetadata { rest: BTreeMap::new(), ..back }, known);
    }
}
