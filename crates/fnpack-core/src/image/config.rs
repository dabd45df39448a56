//! The image config (OCI image specification, `config.md`).
//!
//! Own types, because a config that is read and written again must keep what it does not know:
//! Docker's `Healthcheck`, `OnBuild` and `Shell` among them. `oci-spec` drops such keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ImageError;
use crate::digest::DiffId;
use crate::target::Target;

/// Unknown keys, kept in the order of their names.
type Rest = BTreeMap<String, Value>;

/// The config of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// RFC 3339; made images carry a constant or `SOURCE_DATE_EPOCH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Processor, in Go's words.
    #[serde(default)]
    pub architecture: String,
    /// Variant of the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Operating system, in Go's words.
    #[serde(default)]
    pub os: String,
    /// What a container is started with.
    #[serde(default, deserialize_with = "null_is_default")]
    pub config: ContainerConfig,
    /// The layers' diff IDs.
    pub rootfs: RootFs,
    /// One entry a step; entries without a layer say so.
    #[serde(default, deserialize_with = "null_is_default")]
    pub history: Vec<History>,
    /// Keys that fnpack does not know.
    #[serde(flatten)]
    pub rest: Rest,
}

/// What a container is started with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// `user[:group]`, names or numbers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// `NAME=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub env: Vec<String>,
    /// The program and its fixed arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Default arguments, or program and arguments without an entrypoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Where the process starts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Labels, sorted by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub labels: BTreeMap<String, String>,
    /// Keys that fnpack does not know: `ExposedPorts`, `Volumes`, `StopSignal`, `Healthcheck`, …
    #[serde(flatten)]
    pub rest: Rest,
}

/// The layers' diff IDs, lowest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub diff_ids: Vec<DiffId>,
}

/// One step in the making of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command or a description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether the step made no layer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

impl ImageConfig {
    /// A config without layers.
    pub fn new(target: &Target) -> Self {
        Self {
            created: Some(super::CONSTANT_TIME.to_owned()),
            architecture: target.arch.clone(),
            variant: target.variant.clone(),
            os: target.os.clone(),
            config: ContainerConfig::default(),
            rootfs: RootFs::of(Vec::new()),
            history: Vec::new(),
            rest: Rest::new(),
        }
    }

    /// Reads a config's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ImageError> {
        serde_json::from_slice(bytes).map_err(|source| ImageError::Unreadable { document: "config", source })
    }

    /// The bytes that are hashed: fields in declared order, no blanks.
    ///
    /// # Panics
    ///
    /// Never: strings, lists and string-keyed maps always have a JSON form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an image config has a JSON form")
    }

    /// The target that the config names.
    pub fn target(&self) -> Target {
        let variant = self.variant.clone().filter(|variant| !variant.is_empty());
        Target { os: self.os.clone(), arch: self.architecture.clone(), variant }
    }

    /// Gives layers without a history entry an empty one, so that what is added lines up.
    pub fn pad_history(&mut self, layers: usize) {
        let described = self.history.iter().filter(|entry| !entry.empty_layer).count();
        for _ in described..layers {
            self.history.push(History::default());
        }
    }
}

impl ContainerConfig {
    /// A variable's value; the last entry of the name counts.
    pub fn env_value(&self, name: &str) -> Option<&str> {
        self.env.iter().rev().find_map(|entry| entry.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
    }

    /// Sets a variable, in place if it is there, at the end if not.
    pub fn set_env(&mut self, name: &str, value: &str) {
        let entry = format!("{name}={value}");
        match self.env.iter_mut().find(|entry| entry.split_once('=').is_some_and(|(key, _)| key == name)) {
            Some(place) => *place = entry,
            None => self.env.push(entry),
        }
    }
}

impl RootFs {
    /// Of these layers, lowest first.
    pub fn of(diff_ids: Vec<DiffId>) -> Self {
        Self { kind: "layers".to_owned(), diff_ids }
    }
}

fn null_is_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
