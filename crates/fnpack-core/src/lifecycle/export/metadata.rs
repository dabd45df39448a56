//! The order of the layers, and the label that records them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::fs::Stat;

use super::assembly::Assembly;
use super::{ExportError, ExportInput, launcher, sbom, slices};
use crate::digest::DiffId;
use crate::layers::{Attributes, Entry, EntryKind, FolderLayer, PathsLayer};
use crate::lifecycle::built::{BuiltBuildpack, BuiltLayer};
use crate::lifecycle::label::{
    BuildpackLayerRecord, BuildpackRecord, LayerRecord, LifecycleMetadata, RunImageNames, RunImageRecord, StackRecord, StoreRecord,
    layers_folder,
};
use crate::lifecycle::values::json_of_table;

/// Adds every layer, lowest first, and records it.
pub(super) fn with_layers(input: &ExportInput<'_>, assembly: &mut Assembly<'_>) -> Result<LifecycleMetadata, ExportError> {
    let previous = input.previous.map(LifecycleMetadata::of).unwrap_or_default();
    let buildpacks = input.built.buildpacks.iter().map(|buildpack| add_buildpack(input, assembly, buildpack, &previous));
    // The order of these fields is the order of the layers.
    Ok(LifecycleMetadata {
        buildpacks: buildpacks.collect::<Result<_, _>>()?,
        sbom: add_sbom(input, assembly)?,
        app: add_app(input, assembly)?,
        launcher: LayerRecord::of(launcher::add(input, assembly)?),
        config: LayerRecord::of(add_folder(
            input,
            assembly,
            "config",
            "buildpacksio/lifecycle:config",
            "Buildpacks Launcher Config".to_owned(),
        )?),
        process_types: launcher::add_process_types(input, assembly)?,
        run_image: run_image(input),
        stack: Some(StackRecord { run_image: input.run_image.names.clone() }),
        rest: BTreeMap::new(),
    })
}

fn add_buildpack(
    input: &ExportInput<'_>,
    assembly: &mut Assembly<'_>,
    buildpack: &BuiltBuildpack,
    previous: &LifecycleMetadata,
) -> Result<BuildpackRecord, ExportError> {
    let mut layers = BTreeMap::new();
    for layer in buildpack.layers.iter().filter(|layer| layer.launch) {
        let recorded = previous.layer(&buildpack.id, &layer.name).map(|record| record.sha.as_str());
        let diff_id = add_layer(input, assembly, (buildpack, layer), recorded)?;
        layers.insert(layer.name.clone(), BuildpackLayerRecord::of(layer, diff_id.to_string()));
    }
    let store = buildpack.store.as_ref().map(|store| StoreRecord { metadata: json_of_table(store) });
    Ok(BuildpackRecord { id: buildpack.id.clone(), version: buildpack.version.clone(), layers, store })
}

fn add_layer(
    input: &ExportInput<'_>,
    assembly: &mut Assembly<'_>,
    (buildpack, layer): (&BuiltBuildpack, &BuiltLayer),
    recorded: Option<&str>,
) -> Result<DiffId, ExportError> {
    let name = format!("{}:{}", buildpack.id, layer.name);
    let created_by = format!("Layer: '{}', Created by buildpack: {}@{}", layer.name, buildpack.id, buildpack.version);
    if layer.present {
        let inside = layers_folder(&buildpack.id).join(&layer.name);
        add_folder(input, assembly, inside, &name, created_by)
    } else if layer.cache {
        Err(ExportError::CachedWithoutContents { layer: name })
    } else {
        assembly.reuse(&name, recorded, created_by)
    }
}

fn add_sbom(input: &ExportInput<'_>, assembly: &mut Assembly<'_>) -> Result<Option<LayerRecord>, ExportError> {
    if !input.platform_api.has_sbom_layer() || !input.layers.root.is_dir(sbom::LAUNCH) {
        return Ok(None);
    }
    let created_by = "Software Bill-of-Materials".to_owned();
    add_folder(input, assembly, sbom::LAUNCH, "buildpacksio/lifecycle:launch.sbom", created_by).map(LayerRecord::of).map(Some)
}

fn add_folder(
    input: &ExportInput<'_>,
    assembly: &mut Assembly<'_>,
    inside: impl AsRef<Path>,
    name: &str,
    created_by: String,
) -> Result<DiffId, ExportError> {
    assembly.add(name, &folder(input, inside.as_ref())?, created_by)
}

/// A folder of the layers folder as a layer, with the folders above it.
pub(super) fn folder<'a>(input: &ExportInput<'a>, inside: &Path) -> Result<FolderLayer<'a>, ExportError> {
    let mut parents = input.layers.parents.clone();
    for folder in inside.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
        let stat = input.layers.root.symlink_metadata(folder).map_err(ExportError::Layers)?;
        parents.push(folder_entry(input, folder, &stat));
    }
    Ok(FolderLayer {
        parents,
        attributes: Attributes::owned_by(input.owner),
        ..FolderLayer::new(input.layers.root, inside, input.layers.at.join(inside))
    })
}

/// The layers folder and each buildpack's belong to who ran the build.
fn folder_entry(input: &ExportInput<'_>, folder: &Path, stat: &Stat) -> Entry {
    let name = if folder.as_os_str().is_empty() { input.layers.at.to_owned() } else { input.layers.at.join(folder) };
    Entry {
        uid: input.owner.uid,
        gid: input.owner.gid,
        ..Entry::new(name.into_os_string().into_encoded_bytes(), EntryKind::Directory, stat.st_mode & 0o7777)
    }
}

fn add_app(input: &ExportInput<'_>, assembly: &mut Assembly<'_>) -> Result<Vec<LayerRecord>, ExportError> {
    let divided = slices::divide(input.app.root, &input.built.slices)?;
    let rest = divided.len();
    let mut records = Vec::with_capacity(rest);
    for (number, paths) in (1..).zip(divided) {
        let contents = PathsLayer {
            root: input.app.root,
            inside: PathBuf::new(),
            at: input.app.at.to_owned(),
            parents: input.app.parents.clone(),
            attributes: Attributes::owned_by(input.owner),
            paths,
        };
        let created_by = if number == rest { "Application Layer".to_owned() } else { format!("Application Slice: {number}") };
        records.push(LayerRecord::of(assembly.add(&format!("slice-{number}"), &contents, created_by)?));
    }
    Ok(records)
}

/// Of the image as it was before extensions: a rebase replaces that one.
fn run_image(input: &ExportInput<'_>) -> RunImageRecord {
    let names = input.run_image.names.clone();
    RunImageRecord {
        top_layer: input.run_image.image.layers().last().map(|layer| layer.diff_id.to_string()).unwrap_or_default(),
        reference: input.run_image.reference.to_owned(),
        names: if input.platform_api.has_run_toml() { names } else { RunImageNames::default() },
    }
}
