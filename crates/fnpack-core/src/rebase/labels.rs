//! The labels that a rebase reads and writes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{NewBase, RebaseError};
use crate::digest::DiffId;
use crate::image::Image;
use crate::reference::Reference;

/// Where the exporter records of what an image is made (CNB platform specification, "Labels").
pub(super) const LIFECYCLE_METADATA: &str = "io.buildpacks.lifecycle.metadata";

/// Labels that describe the base and go with it.
const BASE_PREFIXES: [&str; 2] = ["io.buildpacks.stack.", "io.buildpacks.base."];

/// The content of [`LIFECYCLE_METADATA`], kept as JSON so that unknown keys survive.
#[derive(Debug)]
pub(super) struct LifecycleMetadata(Map<String, Value>);

impl LifecycleMetadata {
    /// Reads the label of an image.
    pub(super) fn of(name: &str, image: &Image) -> Result<Self, RebaseError> {
        let unreadable = |source| RebaseError::NotABuildpackImage { name: name.to_owned(), source };
        let label = image.label(LIFECYCLE_METADATA).ok_or_else(|| unreadable(None))?;
        serde_json::from_str(label).map(Self).map_err(|source| unreadable(Some(source)))
    }

    /// The recorded diff ID of the base's top layer.
    pub(super) fn top_layer(&self) -> Option<&str> {
        self.0.get("runImage")?.get("topLayer")?.as_str()
    }

    /// Every diff ID recorded as the application's.
    pub(super) fn own_layers(&self) -> Vec<DiffId> {
        let mut found = Vec::new();
        for (key, value) in &self.0 {
            if !matches!(key.as_str(), "runImage" | "stack") {
                collect_shas(value, &mut found);
            }
        }
        found
    }

    /// The same with another base. The name is recorded anew unless it is one of the recorded names.
    pub(super) fn with_base(mut self, base: NewBase<'_>, top_layer: DiffId) -> Self {
        let run_image = self.0.entry("runImage").or_insert_with(|| json!({}));
        if !run_image.is_object() {
            *run_image = json!({});
        }
        let known = known_names(run_image).iter().any(|name| name == base.reference);
        run_image["topLayer"] = json!(top_layer);
        run_image["reference"] = json!(base.reference.with_digest(base.image.digest()).to_string());
        if !known {
            let name = json!(base.reference.familiar());
            run_image["image"] = name.clone();
            if let Some(run_image) = run_image.as_object_mut() {
                run_image.remove("mirrors");
            }
            self.0.insert("stack".to_owned(), json!({ "runImage": { "image": name } }));
        }
        self
    }

    /// The label's text.
    pub(super) fn encode(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}

fn known_names(run_image: &Value) -> Vec<Reference> {
    let image = run_image.get("image").and_then(Value::as_str);
    let mirrors = run_image.get("mirrors").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    image.into_iter().chain(mirrors).filter_map(|name| name.parse().ok()).collect()
}

/// Labels are foreign: their depth is bounded by the JSON reader, so recursion is too.
fn collect_shas(value: &Value, found: &mut Vec<DiffId>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_shas(item, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("sha", Value::String(sha)) => found.extend(sha.parse::<DiffId>()),
                    (_, value) => collect_shas(value, found),
                }
            }
        }
        _ => {}
    }
}

/// Takes away what described the old base and copies what describes the new one: a label that the
/// new base lacks must not stay.
pub(super) fn replace_base_labels(labels: &mut BTreeMap<String, String>, base: &BTreeMap<String, String>) {
    let describes_base = |key: &str| BASE_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
    labels.retain(|key, _| !describes_base(key));
    labels.extend(base.iter().filter(|(key, _)| describes_base(key)).map(|(key, value)| (key.clone(), value.clone())));
}
