//! The config of the image: how it is started, its environment, its labels.

use serde_json::{Map, Value, json};

use super::launcher::{LAUNCHER, LIFECYCLE_FOLDER, PROCESS_FOLDER, process_path};
use super::{ExportError, ExportInput};
use crate::image::{CONSTANT_TIME, ContainerConfig, History, Image, Layer};
use crate::lifecycle::files::launch::Process;
use crate::lifecycle::files::metadata::MetadataProcess;
use crate::lifecycle::label::{BUILD_METADATA, EXEC_ENV, LIFECYCLE_METADATA, LifecycleMetadata, PROJECT_METADATA, json_of};

/// The process that is started by default: the user's choice, else the buildpacks'.
pub(super) fn default_process(input: &ExportInput<'_>) -> Result<Option<String>, ExportError> {
    let processes = &input.built.processes;
    for process in processes {
        process_path(&process.process_type)?;
    }
    let Some(wanted) = input.process_type.filter(|wanted| !wanted.is_empty()) else { return Ok(input.built.default_process.clone()) };
    if processes.iter().any(|process| process.process_type == wanted) {
        return Ok(Some(wanted.to_owned()));
    }
    let names: Vec<String> = processes.iter().map(|process| format!("`{}`", process.process_type)).collect();
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Err(ExportError::UnknownProcess { process_type: wanted.to_owned(), known })
}

/// The run image (extended, if it was) with the layers on it and the config of an application.
pub(super) fn image(
    input: &ExportInput<'_>,
    metadata: &LifecycleMetadata,
    additions: Vec<(Layer, History)>,
    default_process: Option<&str>,
) -> Image {
    let base = input.run_image.extended.unwrap_or(input.run_image.image);
    base.appended(additions).with_config(|config| {
        config.created = Some(created(input));
        let container = &mut config.config;
        set_environment(input, container);
        container.working_dir = input.app.at.to_string_lossy().into_owned();
        let entrypoint = default_process.map_or_else(|| LAUNCHER.to_owned(), |process_type| format!("{PROCESS_FOLDER}/{process_type}"));
        container.entrypoint = Some(vec![entrypoint]);
        container.cmd = None;
        set_labels(input, metadata, container);
    })
}

fn created(input: &ExportInput<'_>) -> String {
    let epoch = input.source_date_epoch.filter(|_| input.platform_api.has_source_date_epoch());
    epoch.map_or_else(|| CONSTANT_TIME.to_owned(), rfc3339)
}

fn set_environment(input: &ExportInput<'_>, container: &mut ContainerConfig) {
    let path = [PROCESS_FOLDER, LIFECYCLE_FOLDER].into_iter().chain(container.env_value("PATH")).collect::<Vec<_>>().join(":");
    container.set_env("CNB_LAYERS_DIR", &input.layers.at.to_string_lossy());
    container.set_env("CNB_APP_DIR", &input.app.at.to_string_lossy());
    container.set_env("CNB_PLATFORM_API", &input.platform_api.to_string());
    container.set_env("CNB_DEPRECATION_MODE", "quiet");
    container.set_env("PATH", &path);
}

fn set_labels(input: &ExportInput<'_>, metadata: &LifecycleMetadata, container: &mut ContainerConfig) {
    let mut set = |key: &str, value: String| container.labels.insert(key.to_owned(), value);
    set(LIFECYCLE_METADATA, json_of(metadata).to_string());
    set(BUILD_METADATA, Value::Object(build_metadata(input)).to_string());
    set(PROJECT_METADATA, input.project_metadata.map_or_else(|| "{}".to_owned(), Value::to_string));
    if let Some(environment) = input.execution_environment.filter(|_| input.platform_api.has_execution_environments()) {
        set(EXEC_ENV, environment.to_owned());
    }
    for label in &input.built.labels {
        set(&label.key, label.value.clone());
    }
}

fn build_metadata(input: &ExportInput<'_>) -> Map<String, Value> {
    let mut metadata = Map::new();
    if !input.platform_api.has_legacy_bom_files() {
        metadata.insert("bom".to_owned(), json!([]));
    }
    let buildpacks = input.built.buildpacks.iter().map(|buildpack| {
        let mut record = json!({ "id": buildpack.id, "version": buildpack.version });
        if let Some(homepage) = &buildpack.homepage {
            record["homepage"] = json!(homepage);
        }
        record
    });
    metadata.insert("buildpacks".to_owned(), buildpacks.collect());
    let launcher = input.launcher;
    let source = json!({ "git": { "repository": launcher.repository, "commit": launcher.commit } });
    metadata.insert("launcher".to_owned(), json!({ "version": launcher.version, "source": source }));
    let processes = input.built.processes.iter().map(|process| process_record(input, process));
    metadata.insert("processes".to_owned(), processes.collect());
    if let Some(default) = &input.built.default_process {
        metadata.insert("buildpack-default-process-type".to_owned(), json!(default));
    }
    metadata
}

fn process_record(input: &ExportInput<'_>, process: &Process) -> Value {
    let process = MetadataProcess::of(process, input.platform_api);
    let mut record = json!({ "type": process.r#type, "command": process.command, "args": process.args, "direct": process.direct });
    if let Some(folder) = &process.working_dir {
        record["working-dir"] = json!(folder);
    }
    record["buildpackID"] = json!(process.buildpack_id);
    if !process.exec_env.is_empty() {
        record["exec-env"] = json!(process.exec_env);
    }
    record
}

/// A time since 1970 as the config writes it. Years beyond 9999 have no such form and become the last
/// that has.
pub(super) fn rfc3339(seconds: i64) -> String {
    let seconds = seconds.clamp(-62_135_596_800, 253_402_300_799);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// Year, month and day of a day since 1970, counted in eras of 400 years that start in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (315_532_801, CONSTANT_TIME),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (i64::MAX, "9999-12-31T23:59:59Z"),
            (i64::MIN, "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
