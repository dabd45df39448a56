//! Which repository has the lower layers of an image: its run image's, as the exporter wrote it down (CNB
//! platform specification, "`io.buildpacks.lifecycle.metadata`").

use serde::Deserialize;

use crate::image::Image;
use crate::reference::Reference;

const LABEL: &str = "io.buildpacks.lifecycle.metadata";

/// The run image below an image.
pub(super) struct Base {
    repository: String,
    layers: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    run_image: RunImage,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunImage {
    top_layer: String,
    #[serde(default)]
    reference: String,
    #[serde(default)]
    image: String,
}

impl Base {
    /// Reads the label. It only serves to save work, so one that makes no sense counts as none.
    pub(super) fn of(image: &Image) -> Option<Self> {
        let Metadata { run_image } = serde_json::from_str(image.label(LABEL)?).ok()?;
        let top = image.layers().iter().position(|layer| layer.diff_id.to_string() == run_image.top_layer)?;
        let name: Reference = run_image.reference.parse().or_else(|_| run_image.image.parse()).ok()?;
        Some(Self { repository: name.name(), layers: top + 1 })
    }

    /// The repository that has the layer of this position, `host/path`.
    pub(super) fn repository_of(&self, position: usize) -> Option<String> {
        (position < self.layers).then(|| self.repository.clone())
    }
}
