//! The instance of Python functions.

use super::{Instance, InstanceError, LogLevel};

const INSTANCE: &str = "/pulsar/instances/python-instance";
const LOG_FOLDER: &str = "/pulsar/conf/python-log/";
const LOG_FILE: &str = "/pulsar/conf/python-log/python_instance_logging.ini";
const LOG_CONFIGURATION: &str = include_str!("python_instance_logging.ini");

/// What follows the common beginning of all commands.
pub(super) fn start(instance: &Instance) -> Result<String, InstanceError> {
    let level = level(instance.log_level);
    let configuration = LOG_CONFIGURATION.replace("{level}", level.unwrap_or("INFO"));
    let levels = level.map(|level| format!("sed -i.bak 's/^level=.*/level={level}/g' {LOG_FILE} && ")).unwrap_or_default();
    let (name, file, shared) = (&instance.name, &instance.artifact, instance.shared_arguments()?);
    Ok(format!(
        "sed -i.bak 's/^  Log.setLevel/#&/' {INSTANCE}/log.py && mkdir -p {LOG_FOLDER} logs/functions && \
         echo \"{configuration}\" > {LOG_FILE} && {levels}exec python {INSTANCE}/python_instance_main.py --py {file} \
         --logging_directory logs/functions --logging_file {name}-${{SHARD_ID}}.log --logging_config_file {LOG_FILE} \
         --install_usercode_dependencies true {shared}"
    ))
}

/// In the words of Python's `logging`.
fn level(level: LogLevel) -> Option<&'static str> {
    match level {
        LogLevel::Unset => None,
        LogLevel::Debug => Some("DEBUG"),
        LogLevel::Info => Some("INFO"),
        LogLevel::Warning => Some("WARNING"),
        LogLevel::Error => Some("ERROR"),
    }
}
