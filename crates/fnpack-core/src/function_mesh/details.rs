//! `--function_details`: the function as Pulsar's instances of Java and Python read it (`FunctionDetails` of
//! `Function.proto`, in the JSON form of protocol buffers).

use fnpack_artifact::Language;
use serde_json::{Map, Value, json};

use super::{Instance, InstanceError, Window};

/// What runs in place of a function that takes windows.
const WINDOW_EXECUTOR: &str = "org.apache.pulsar.functions.windowing.WindowFunctionExecutor";
const WINDOW_KEY: &str = "__WINDOWCONFIGS__";

/// The whole document; what has its default value is left out, as protocol buffers do.
pub(super) fn of(instance: &Instance) -> Result<Value, InstanceError> {
    let class = instance.class_name.as_deref().ok_or(InstanceError::Missing { what: "class name" })?;
    let (class, user_config) = match instance.window {
        Some(window) => (WINDOW_EXECUTOR, with_window(&instance.user_config, class, window)),
        None => (class, instance.user_config.clone()),
    };
    let mut details = Map::new();
    let mut put = |key: &str, value: Value| details.insert(key.to_owned(), value);
    put("tenant", json!(instance.tenant));
    put("namespace", json!(instance.namespace));
    put("name", json!(instance.name));
    put("className", json!(class));
    if !user_config.is_empty() {
        put("userConfig", json!(Value::Object(user_config).to_string()));
    }
    if instance.language == Language::Python {
        put("runtime", json!("PYTHON"));
    }
    put("autoAck", json!(true));
    put("parallelism", json!(instance.parallelism));
    put("source", source(instance));
    put("sink", sink(instance));
    let resources = instance.resources;
    put("resources", json!({"cpu": f64::from(resources.cpu_millis) / 1000.0, "ram": resources.memory_request.to_string()}));
    put("componentType", json!("FUNCTION"));
    Ok(Value::Object(details))
}

fn source(instance: &Instance) -> Value {
    let mut source = Map::new();
    if let Some(class) = &instance.input_type {
        source.insert("typeClassName".to_owned(), json!(class));
    }
    let topics: Map<String, Value> = instance.inputs.iter().map(|topic| (topic.clone(), json!({}))).collect();
    source.insert("inputSpecs".to_owned(), Value::Object(topics));
    if let Some(name) = &instance.subscription {
        source.insert("subscriptionName".to_owned(), json!(name));
    }
    source.insert("subscriptionPosition".to_owned(), json!("EARLIEST"));
    Value::Object(source)
}

fn sink(instance: &Instance) -> Value {
    let mut sink = Map::new();
    if let Some(class) = &instance.output_type {
        sink.insert("typeClassName".to_owned(), json!(class));
    }
    if let Some(topic) = &instance.output {
        sink.insert("topic".to_owned(), json!(topic));
    }
    sink.insert("forwardSourceMessageProperty".to_owned(), json!(true));
    Value::Object(sink)
}

/// The function's own class and the shape of its windows travel in the user configuration.
fn with_window(user_config: &Map<String, Value>, class: &str, window: Window) -> Map<String, Value> {
    let description = json!({
        "actualWindowFunctionClassName": class,
        "windowLengthCount": window.length,
        "slidingIntervalCount": window.slide,
        "maxLagMs": 0,
        "watermarkEmitIntervalMs": 1000,
    });
    let mut all = user_config.clone();
    all.insert(WINDOW_KEY.to_owned(), description);
    all
}
