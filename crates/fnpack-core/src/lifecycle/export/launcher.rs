//! The layers with the launcher and a link to it for each process type.

use std::path::{Path, PathBuf};

use super::assembly::Assembly;
use super::{ExportError, ExportInput};
use crate::digest::DiffId;
use crate::layers::{FilesLayer, Owner};
use crate::lifecycle::label::LayerRecord;

/// The folder of the launcher.
pub(super) const LIFECYCLE_FOLDER: &str = "/cnb/lifecycle";
/// The launcher.
pub(super) const LAUNCHER: &str = "/cnb/lifecycle/launcher";
/// The folder of links; the launcher starts the process of the name it is called by.
pub(super) const PROCESS_FOLDER: &str = "/cnb/process";

const MODE: u32 = 0o755;

pub(super) fn add(input: &ExportInput<'_>, assembly: &mut Assembly<'_>) -> Result<DiffId, ExportError> {
    let contents = folders(LIFECYCLE_FOLDER).file(LAUNCHER, MODE, Owner::ROOT, input.launcher.program);
    assembly.add("buildpacksio/lifecycle:launcher", &contents, "Buildpacks Application Launcher".to_owned())
}

/// No layer without processes.
pub(super) fn add_process_types(input: &ExportInput<'_>, assembly: &mut Assembly<'_>) -> Result<LayerRecord, ExportError> {
    if input.built.processes.is_empty() {
        return Ok(LayerRecord::default());
    }
    let mut contents = folders(PROCESS_FOLDER);
    for process in &input.built.processes {
        contents = contents.symlink(process_path(&process.process_type)?, LAUNCHER, MODE, Owner::ROOT);
    }
    assembly.add("buildpacksio/lifecycle:process-types", &contents, "Buildpacks Process Types".to_owned()).map(LayerRecord::of)
}

/// The link of a process type; one that would lead elsewhere is refused.
pub(super) fn process_path(process_type: &str) -> Result<PathBuf, ExportError> {
    let forbidden = |letter: char| letter.is_control() || r"/><:|&\".contains(letter);
    if matches!(process_type, "" | "." | "..") || process_type.contains(forbidden) {
        return Err(ExportError::ProcessType { process_type: process_type.to_owned() });
    }
    Ok(Path::new(PROCESS_FOLDER).join(process_type))
}

fn folders(inner: &str) -> FilesLayer {
    FilesLayer::new().directory("/cnb", MODE, Owner::ROOT).directory(inner, MODE, Owner::ROOT)
}
