//! The instance of Java functions.

use super::{Instance, InstanceError, LogLevel};

const LOG_FOLDER: &str = "/pulsar/conf/java-log/";
const LOG_FILE: &str = "/pulsar/conf/java-log/java_instance_log4j.xml";
const LOG_CONFIGURATION: &str = include_str!("java_instance_log4j.xml");

/// The two jars that the instance's own jar lacks.
const CLASS_PATH: &str = "/pulsar/instances/java-instance.jar:\
    $(echo /pulsar/lib/com.fasterxml.jackson.dataformat-jackson-dataformat-yaml-*.jar):\
    $(echo /pulsar/lib/org.yaml-snakeyaml-*.jar)";

/// What follows the common beginning of all commands.
pub(super) fn start(instance: &Instance) -> Result<String, InstanceError> {
    let level = level(instance.log_level);
    let configuration = LOG_CONFIGURATION.replace("{level}", level.unwrap_or("INFO"));
    // A place that is not filled keeps the blanks around it.
    let levels = level.map(|level| format!("-Dpulsar.log.level={level} -Dbk.log.level={level}")).unwrap_or_default();
    let no_options = "";
    let (name, jar, direct_memory) = (&instance.name, &instance.artifact, instance.resources.memory_limit / 5);
    let shared = instance.shared_arguments()?;
    Ok(format!(
        "mkdir -p {LOG_FOLDER} && echo \"{configuration}\" > {LOG_FILE} && exec java -cp {CLASS_PATH} \
         -Dpulsar.functions.instance.classpath=/pulsar/lib/* -Dlog4j.configurationFile={LOG_FILE} \
         -Dpulsar.function.log.dir=logs/functions -Dpulsar.function.log.file={name}-${{SHARD_ID}} -Dpulsar.allocator.exit_on_oom=true \
         {levels} -XX:MaxRAMPercentage=70 -XX:MaxDirectMemorySize={direct_memory} -XX:+UseG1GC -XX:+HeapDumpOnOutOfMemoryError \
         -XX:HeapDumpPath=/pulsar/tmp/heapdump-%p.hprof -XX:+ExitOnOutOfMemoryError \
         -Xlog:gc*:file=/pulsar/logs/gc.log:time,level,tags:filecount=5,filesize=10M {no_options} \
         org.apache.pulsar.functions.instance.JavaInstanceMain --jar {jar} {shared} --pending_async_requests 1000"
    ))
}

/// In the words of log4j.
fn level(level: LogLevel) -> Option<&'static str> {
    match level {
        LogLevel::Unset => None,
        LogLevel::Debug => Some("DEBUG"),
        LogLevel::Info => Some("INFO"),
        LogLevel::Warning => Some("WARN"),
        LogLevel::Error => Some("ERROR"),
    }
}
