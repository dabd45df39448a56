//! What an image is made of, told from its manifest, config and labels alone.
//!
//! Reads the labels of the CNB platform specification ("Image labels") and fnpack's own. Labels are
//! foreign text: one that is damaged is left out and named in [`Inspection::damaged`].

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::digest::{DiffId, Digest};
use crate::image::Image;
use crate::target::Target;

/// All that is known of an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Digest of the manifest.
    pub digest: Digest,
    /// System and processor.
    pub target: Target,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Bytes of all compressed layers.
    pub size: u64,
    /// How a container is started.
    pub start: Start,
    /// The run image, if the image was made by buildpacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// In the order they ran.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub buildpacks: Vec<Buildpack>,
    /// Sorted by type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<Process>,
    /// What the Pulsar buildpacks recorded of the function: `io.fnpack.function.…` without the prefix.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub function: BTreeMap<String, String>,
    /// What the run image, here or below, offers to functions: `io.buildpacks.base.runner.…` without the prefix.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub runner: BTreeMap<String, String>,
    /// Lowest first.
    pub layers: Vec<LayerInspection>,
    /// Labels that are there and cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<String>,
}

/// How a container is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Start {
    /// `user[:group]`; empty means root.
    pub user: String,
    /// Where the process starts.
    pub working_folder: String,
    /// Program and fixed arguments.
    pub entrypoint: Vec<String>,
    /// Default arguments.
    pub arguments: Vec<String>,
}

/// The run image under a function image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Base {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its name and digest at the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Other names of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<String>,
    /// Distribution and release, where labels tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// How many layers it has; unknown if its top layer is not found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// Whether the image allows a rebase.
    pub rebasable: bool,
}

/// A buildpack that took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Buildpack {
    /// Such as `fnpack/golang`.
    pub id: String,
    /// Its version.
    pub version: String,
}

/// Something the launcher can start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Whether it is started when nothing else is asked for.
    pub default: bool,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerInspection {
    /// The compressed blob.
    pub digest: Digest,
    /// The uncompressed tar.
    pub diff_id: DiffId,
    /// Compressed bytes.
    pub size: u64,
    /// What made it, from the history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
}

const FUNCTION_PREFIX: &str = "io.fnpack.function.";
const RUNNER_PREFIX: &str = "io.buildpacks.base.runner.";
const LIFECYCLE_METADATA: &str = "io.buildpacks.lifecycle.metadata";
const BUILD_METADATA: &str = "io.buildpacks.build.metadata";

impl Inspection {
    /// Looks at an image.
    pub fn of(image: &Image) -> Self {
        let mut damaged = Vec::new();
        let lifecycle = label(image, LIFECYCLE_METADATA, &mut damaged);
        let build = label(image, BUILD_METADATA, &mut damaged);
        let config = &image.config().config;
        Self {
            digest: image.digest(),
            target: image.target(),
            created: image.config().created.clone(),
            size: image.layers().iter().map(|layer| layer.descriptor.size).sum(),
            start: Start {
                user: config.user.clone(),
                working_folder: config.working_dir.clone(),
                entrypoint: config.entrypoint.clone().unwrap_or_default(),
                arguments: config.cmd.clone().unwrap_or_default(),
            },
            base: lifecycle.as_ref().map(|metadata| base(image, metadata)),
            buildpacks: build.as_ref().map(buildpacks).unwrap_or_default(),
            processes: build.as_ref().map(processes).unwrap_or_default(),
            function: labels_below(FUNCTION_PREFIX, image),
            runner: labels_below(RUNNER_PREFIX, image),
            layers: layers(image),
            damaged,
        }
    }
}

fn label(image: &Image, key: &str, damaged: &mut Vec<String>) -> Option<Value> {
    let value = serde_json::from_str(image.label(key)?).ok().filter(Value::is_object);
    if value.is_none() {
        damaged.push(key.to_owned());
    }
    value
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn base(image: &Image, metadata: &Value) -> Base {
    let run_image = &metadata["runImage"];
    let top_layer: Option<DiffId> = text(run_image, "topLayer").and_then(|top| top.parse().ok());
    let name = image.label("io.buildpacks.base.distro.name");
    let version = image.label("io.buildpacks.base.distro.version").unwrap_or_default();
    Base {
        image: text(run_image, "image").or_else(|| text(&metadata["stack"]["runImage"], "image")),
        reference: text(run_image, "reference"),
        mirrors: texts(run_image.get("mirrors")),
        distribution: name.map(|name| format!("{name} {version}").trim_end().to_owned()),
        layers: top_layer.and_then(|top| image.diff_ids().iter().position(|diff_id| *diff_id == top)).map(|place| place + 1),
        rebasable: image.label("io.buildpacks.rebasable") != Some("false"),
    }
}

fn buildpacks(build: &Value) -> Vec<Buildpack> {
    items(build, "buildpacks")
        .filter_map(|entry| Some(Buildpack { id: text(entry, "id")?, version: text(entry, "version").unwrap_or_default() }))
        .collect()
}

fn processes(build: &Value) -> Vec<Process> {
    let default = text(build, "buildpack-default-process-type");
    items(build, "processes")
        .filter_map(|entry| {
            let kind = text(entry, "type")?;
            let command = texts(entry.get("command")).into_iter().chain(texts(entry.get("args"))).collect();
            Some(Process { default: default.as_ref() == Some(&kind), kind, command })
        })
        .collect()
}

fn labels_below(prefix: &str, image: &Image) -> BTreeMap<String, String> {
    let labels = image.config().config.labels.iter();
    labels.filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone()))).collect()
}

fn layers(image: &Image) -> Vec<LayerInspection> {
    let mut history = image.config().history.iter().filter(|entry| !entry.empty_layer);
    image
        .layers()
        .iter()
        .map(|layer| LayerInspection {
            digest: layer.descriptor.digest,
            diff_id: layer.diff_id,
            size: layer.descriptor.size,
            created_by: history.next().and_then(|entry| entry.created_by.clone()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(labels: &[(&str, &str)]) -> Image {
        Image::empty(&"linux/amd64".parse().unwrap()).with_config(|config| {
            config.config.labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        })
    }

    #[test]
    fn labels_of_both_command_forms_are_read() {
        let inspection = Inspection::of(&image(&[
            (LIFECYCLE_METADATA, r#"{"runImage":{"image":"stack/run","reference":"r","topLayer":"x","mirrors":["m"]}}"#),
            (
                BUILD_METADATA,
                r#"{"buildpacks":[{"id":"a","version":"1"},{"id":3}],"buildpack-default-process-type":"web",
                "processes":[{"type":"web","command":["run","x"],"args":["y"]},{"type":"old","command":"run"}]}"#,
            ),
            ("io.fnpack.function.language", "go"),
            ("io.buildpacks.base.runner.libc", "musl 1.2.5"),
        ]));
        let base = inspection.base.unwrap();
        assert_eq!((base.image.as_deref(), base.layers, base.mirrors), (Some("stack/run"), None, vec!["m".to_owned()]));
        assert_eq!(inspection.buildpacks, [Buildpack { id: "a".into(), version: "1".into() }]);
        let commands: Vec<(String, bool)> =
            inspection.processes.into_iter().map(|process| (process.command.join(" "), process.default)).collect();
        assert_eq!(commands, [("run x y".to_owned(), true), ("run".to_owned(), false)]);
        assert_eq!((inspection.function["language"].as_str(), inspection.runner["libc"].as_str()), ("go", "musl 1.2.5"));
    }

    #[test]
    fn damaged_labels_are_named_and_left_out() {
        let inspection = Inspection::of(&image(&[(LIFECYCLE_METADATA, "["), (BUILD_METADATA, "3")]));
        assert_eq!(inspection.damaged, [LIFECYCLE_METADATA, BUILD_METADATA]);
        assert!(inspection.base.is_none() && inspection.buildpacks.is_empty());
    }
}
