//! Software bills of materials: from the folders of buildpacks to `<layers>/sbom` (CNB buildpack
//! spec, "Bill-of-Materials"; platform spec, "SBOM").

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::merge::Merged;
use super::outputs::Outputs;
use crate::builder::ModuleId;
use crate::lifecycle::buildpacks::{Buildpack, escaped};
use crate::lifecycle::context::Context;
use crate::lifecycle::files::launch::BomEntry;
use crate::lifecycle::values::json_of_table;
use crate::root::RootError;

const FOLDER: &str = "sbom";

/// How a file ends, and the media type that buildpack.toml must declare for it.
const FORMATS: [(&str, &str); 3] =
    [("cdx.json", "application/vnd.cyclonedx+json"), ("spdx.json", "application/spdx+json"), ("syft.json", "application/vnd.syft+json")];

/// Why a bill of materials cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// buildpack.toml does not announce it.
    #[error("`{}` is `{media_type}`, which `sbom-formats` in buildpack.toml does not have", file.display())]
    Undeclared {
        /// The file as the buildpack sees it.
        file: PathBuf,
        /// What should be declared.
        media_type: &'static str,
    },
    /// It cannot be copied.
    #[error("cannot keep `{}`", file.display())]
    Copy {
        /// The file as the buildpack sees it.
        file: PathBuf,
        /// The reason.
        #[source]
        source: RootError,
    },
}

/// Takes away what an earlier build left.
pub(super) fn start(context: &Context) -> Result<(), RootError> {
    context.places.layers.root.remove_all(FOLDER)
}

/// Copies the bills of one buildpack to where export and the next build look for them.
pub(super) fn keep(context: &Context, folder: &Path, buildpack: &Buildpack, outputs: &Outputs) -> Result<(), SbomError> {
    if !context.api.has_sbom_layer() {
        return Ok(());
    }
    let layers = &context.places.layers;
    let names = layers.root.read_dir(folder).map_err(|source| SbomError::Copy { file: layers.shown(folder), source })?;
    for name in names.into_iter().filter_map(|entry| entry.name.into_string().ok()) {
        let Some((subject, format, media_type)) = parse_name(&name) else { continue };
        let from = folder.join(&name);
        if !declares(buildpack, media_type) {
            return Err(SbomError::Undeclared { file: layers.shown(from), media_type });
        }
        for to in destinations(&escaped(&buildpack.module.id), subject, format, outputs) {
            copy(context, &from, &to).map_err(|source| SbomError::Copy { file: layers.shown(&from), source })?;
        }
    }
    Ok(())
}

/// Writes the legacy bills, which are there even if they are empty.
pub(super) fn finish(context: &Context, merged: &Merged) -> Result<(), RootError> {
    if !context.api.has_legacy_bom_files() {
        return Ok(());
    }
    for (stage, entries) in [("launch", &merged.launch_bom), ("build", &merged.build_bom)] {
        let folder = Path::new(FOLDER).join(stage);
        make_folders(context, &folder)?;
        context.places.write(&context.places.layers, &folder.join("sbom.legacy.json"), &legacy(entries))?;
    }
    Ok(())
}

/// `<subject>.sbom.<format>`: the subject is a layer, `launch` or `build`.
fn parse_name(name: &str) -> Option<(&str, &'static str, &'static str)> {
    FORMATS.iter().find_map(|(format, media_type)| {
        let subject = name.strip_suffix(format)?.strip_suffix(".sbom.")?;
        (!subject.is_empty()).then_some((subject, *format, *media_type))
    })
}

/// Parameters of a media type, after `;`, do not count.
fn declares(buildpack: &Buildpack, media_type: &str) -> bool {
    let essence = |declared: &String| declared.split(';').next().is_some_and(|essence| essence.trim() == media_type);
    buildpack.toml.sbom_formats.iter().any(essence)
}

/// A bill about a layer that the buildpack did not describe goes nowhere.
fn destinations(buildpack: &str, subject: &str, format: &str, outputs: &Outputs) -> Vec<PathBuf> {
    let folder = |stage: &str| Path::new(FOLDER).join(stage).join(buildpack);
    let file = format!("sbom.{format}");
    if subject == "launch" || subject == "build" {
        return vec![folder(subject).join(file)];
    }
    let Some(layer) = outputs.layers.iter().find(|layer| layer.name == subject) else { return Vec::new() };
    let stage = if layer.launch { "launch" } else { "build" };
    let cache = layer.cache.then_some("cache");
    cache.into_iter().chain([stage]).map(|stage| folder(stage).join(subject).join(&file)).collect()
}

fn copy(context: &Context, from: &Path, to: &Path) -> Result<(), RootError> {
    let layers = &context.places.layers;
    if let Some(parent) = to.parent() {
        make_folders(context, parent)?;
    }
    let mut source = layers.root.open_file(from)?;
    let mut copy = layers.root.create_file(to, 0o644)?;
    io::copy(&mut source, &mut copy).map_err(|source| RootError { action: "copy", path: from.to_owned(), source })?;
    context.places.hand_over(layers, to)
}

fn make_folders(context: &Context, path: &Path) -> Result<(), RootError> {
    let mut folder = PathBuf::new();
    for name in path {
        folder.push(name);
        context.places.make_folder(&context.places.layers, &folder)?;
    }
    Ok(())
}

/// As upstream writes it: `null` for no entries, and a line end.
fn legacy(entries: &[(ModuleId, BomEntry)]) -> String {
    let entry = |(module, entry): &(ModuleId, BomEntry)| {
        json!({
            "name": entry.name,
            "metadata": json_of_table(&entry.metadata),
            "buildpack": { "id": module.id, "version": module.version },
        })
    };
    let entries: Vec<_> = entries.iter().map(entry).collect();
    let value = if entries.is_empty() { json!(null) } else { json!(entries) };
    format!("{value}\n")
}
