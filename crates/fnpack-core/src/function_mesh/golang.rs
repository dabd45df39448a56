//! Go functions, which are their own instances.

use serde_json::{Value, json};

use super::{Instance, InstanceError, LogLevel, shell};

/// What follows the common beginning of all commands.
pub(super) fn start(instance: &Instance) -> Result<String, InstanceError> {
    for (what, value) in [("tenant", &instance.tenant), ("namespace", &instance.namespace)] {
        shell::word(what, value)?;
    }
    let input = instance.inputs.first().ok_or(InstanceError::Missing { what: "input topic" })?;
    shell::address("input topic", input)?;
    if let Some(output) = &instance.output {
        shell::address("output topic", output)?;
    }
    if let Some(subscription) = &instance.subscription {
        shell::word("subscription name", subscription)?;
    }
    let (binary, configuration) = (&instance.artifact, escaped(instance, input));
    Ok(format!(
        "GO_FUNCTION_CONF={configuration} && goFunctionConfigs=${{GO_FUNCTION_CONF}} && \
         echo goFunctionConfigs=\"'${{goFunctionConfigs}}'\" && ls -l {binary} && chmod +x {binary} && \
         exec {binary} -instance-conf ${{goFunctionConfigs}}"
    ))
}

/// For the shell: each quote gets a backslash, and what had one already (the user configuration) is lost by that.
fn escaped(instance: &Instance, input: &str) -> String {
    let document = configuration(instance, input).to_string();
    // Three values are left to the shell. They come first, and one of them is a number.
    let rest = document.strip_prefix('{').unwrap_or_default();
    let uid = &instance.uid;
    let by_shell = format!(
        "{{\"pulsarServiceURL\":\"${{brokerServiceURL}}\",\"instanceID\":${{SHARD_ID}},\"funcID\":\"${{SHARD_ID}}-{uid}\",{rest}"
    );
    by_shell.replace('"', r#"\""#)
}

/// The instance's configuration, less what only the shell knows.
fn configuration(instance: &Instance, input: &str) -> Value {
    let user_config = match instance.user_config.is_empty() {
        true => String::new(),
        false => Value::Object(instance.user_config.clone()).to_string(),
    };
    json!({
        "funcVersion": "0",
        "maxBufTuples": 100,
        "port": instance.ports.control,
        "clusterName": instance.cluster,
        "killAfterIdleMs": 0,
        "tenant": instance.tenant,
        "nameSpace": instance.namespace,
        "name": instance.name,
        "logTopic": "",
        "processingGuarantees": 0,
        "secretsMap": "",
        "runtime": 3,
        "autoAck": true,
        "parallelism": instance.parallelism,
        "subscriptionType": 0,
        "timeoutMs": 0,
        "subscriptionName": instance.subscription.as_deref().unwrap_or_default(),
        "cleanupSubscription": false,
        "sourceSpecsTopic": input,
        "sourceSchemaType": "",
        "isRegexPatternSubscription": false,
        "receiverQueueSize": 0,
        "sinkSpecsTopic": instance.output.as_deref().unwrap_or_default(),
        "sinkSchemaType": "",
        "cpu": instance.resources.cpu_millis.div_ceil(1000),
        "ram": instance.resources.memory_request,
        "disk": 0,
        "maxMessageRetries": 0,
        "deadLetterTopic": "",
        "expectedHealthCheckInterval": -1,
        "userConfig": user_config,
        "metricsPort": instance.ports.metrics,
    })
}

/// What `LOGGING_LEVEL` is; it is always set.
pub(super) fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Unset | LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Warning => "warn",
        LogLevel::Error => "error",
    }
}
