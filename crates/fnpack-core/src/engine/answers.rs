//! The documents of the Docker Engine API, as far as they are looked at.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::digest::{DiffId, Digest};
use crate::reference::Reference;

/// `GET /info`.
#[derive(Debug, Deserialize)]
pub(super) struct Information {
    #[serde(default, rename = "DriverStatus")]
    driver_status: Option<Vec<Vec<String>>>,
}

/// An entry of `GET /images/json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Summary {
    pub(super) id: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    pub(super) created: i64,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// `GET /images/NAME/json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Details {
    pub(super) id: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default, rename = "RootFS")]
    layers: Layers,
}

#[derive(Debug, Default, Deserialize)]
struct Layers {
    #[serde(default, rename = "Layers")]
    diff_ids: Option<Vec<String>>,
}

/// A line of what `POST /images/load` says. Errors come with a good status.
#[derive(Debug, Deserialize)]
pub(super) struct LoadMessage {
    #[serde(default)]
    error: Option<String>,
    #[serde(default, rename = "errorDetail")]
    detail: Option<ErrorDetail>,
}

#[derive(Debug, Deserialize)]
struct ErrorDetail {
    #[serde(default)]
    message: Option<String>,
}

impl Information {
    /// Whether images are in containerd's store, which a driver of its status tells.
    pub(super) fn is_over_containerd(&self) -> bool {
        let status = self.driver_status.iter().flatten();
        status.flatten().any(|value| value.starts_with("io.containerd."))
    }
}

impl Summary {
    pub(super) fn is_called(&self, names: &[Reference]) -> bool {
        contain(self.repo_tags.as_deref(), names)
    }

    pub(super) fn shared_labels(&self, labels: &BTreeMap<String, String>) -> usize {
        self.labels.iter().flatten().filter(|(key, value)| labels.get(*key) == Some(value)).count()
    }
}

impl Details {
    /// The Id; none if it is no digest.
    pub(super) fn digest(&self) -> Option<Digest> {
        // Some of Podman's interfaces leave the algorithm out.
        self.id.parse().or_else(|_| format!("sha256:{}", self.id).parse()).ok()
    }

    pub(super) fn is_called(&self, name: &Reference) -> bool {
        contain(self.repo_tags.as_deref(), std::slice::from_ref(name))
    }

    /// The layers, lowest first, as far as they can be read.
    pub(super) fn diff_ids(&self) -> Vec<DiffId> {
        self.layers.diff_ids.iter().flatten().map_while(|text| text.parse().ok()).collect()
    }
}

impl LoadMessage {
    /// What went wrong, if anything did.
    pub(super) fn failure(self) -> Option<String> {
        self.detail.and_then(|detail| detail.message).or(self.error)
    }
}

fn contain(tags: Option<&[String]>, names: &[Reference]) -> bool {
    tags.into_iter().flatten().filter_map(|tag| tag.parse::<Reference>().ok()).any(|tag| names.contains(&tag))
}
