//! Go functions, which are their own instances.

use serde_json::{Map, Value, json};

use super::{Authentication, Broker, Instance, InstanceError, LogLevel, shell};

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

/// Program and arguments without a shell.
pub(super) fn arguments(instance: &Instance) -> Result<Vec<String>, InstanceError> {
    let input = instance.inputs.first().ok_or(InstanceError::Missing { what: "input topic" })?;
    let Broker { service, web, authentication, trust } = &instance.broker;
    let mut document = Map::new();
    let mut put = |key: &str, value: Value| document.insert(key.to_owned(), value);
    put("pulsarServiceURL", json!(service));
    put("instanceID", json!(instance.shard));
    put("funcID", json!(format!("{}-{}", instance.shard, instance.uid)));
    put("pulsarWebServiceUrl", json!(web));
    if let Some(Authentication { plugin, parameters }) = authentication {
        put("clientAuthenticationPlugin", json!(plugin));
        put("clientAuthenticationParameters", json!(parameters));
    }
    if let Some(file) = trust {
        put("tlsTrustCertsFilePath", json!(file));
        put("tlsHostnameVerificationEnable", json!(true));
    }
    document.extend(configuration(instance, input));
    Ok(vec![instance.artifact.clone(), "-instance-conf".to_owned(), Value::Object(document).to_string()])
}

/// For the shell: each quote gets a backslash, and what had one already (the user configuration) is lost by that.
fn escaped(instance: &Instance, input: &str) -> String {
    let document = Value::Object(configuration(instance, input)).to_string();
    // Three values are left to the shell. They come first, and one of them is a number.
    let rest = document.strip_prefix('{').unwrap_or_default();
    let uid = &instance.uid;
    let by_shell =
        format!("{{\"pulsarServiceURL\":\"${{brokerServiceURL}}\",\"instanceID\":${{SHARD_ID}},\"funcID\":\"${{SHARD_ID}}-{uid}\",{rest}");
    by_shell.replace('"', r#"\""#)
}

/// The instance's configuration, less what only the shell knows.
fn configuration(instance: &Instance, input: &str) -> Map<String, Value> {
    let user_config = if instance.user_config.is_empty() { String::new() } else { Value::Object(instance.user_config.clone()).to_string() };
    let ports = instance.ports;
    let pairs = [
        ("funcVersion", json!("0")),
        ("maxBufTuples", json!(100)),
        ("port", json!(ports.control)),
        ("clusterName", json!(instance.cluster)),
        ("killAfterIdleMs", json!(0)),
        ("tenant", json!(instance.tenant)),
        ("nameSpace", json!(instance.namespace)),
        ("name", json!(instance.name)),
        ("logTopic", json!("")),
        ("processingGuarantees", json!(0)),
        ("secretsMap", json!("")),
        ("runtime", json!(3)),
        ("autoAck", json!(true)),
        ("parallelism", json!(instance.parallelism)),
        ("subscriptionType", json!(0)),
        ("timeoutMs", json!(0)),
        ("subscriptionName", json!(instance.subscription.as_deref().unwrap_or_default())),
        ("cleanupSubscription", json!(false)),
        ("sourceSpecsTopic", json!(input)),
        ("sourceSchemaType", json!("")),
        ("isRegexPatternSubscription", json!(false)),
        ("receiverQueueSize", json!(0)),
        ("sinkSpecsTopic", json!(instance.output.as_deref().unwrap_or_default())),
        ("sinkSchemaType", json!("")),
        ("cpu", json!(instance.resources.cpu_millis.div_ceil(1000))),
        ("ram", json!(instance.resources.memory_request)),
        ("disk", json!(0)),
        ("maxMessageRetries", json!(0)),
        ("deadLetterTopic", json!("")),
        ("expectedHealthCheckInterval", json!(-1)),
        ("userConfig", json!(user_config)),
        ("metricsPort", json!(ports.metrics)),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
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
