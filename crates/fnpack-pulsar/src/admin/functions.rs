//! Functions: made from uploaded code or from a package, watched and deleted.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::multipart::Form;
use super::name::part;
use super::{Admin, AdminError, Content, FunctionName};

/// A worker that has just started does not lead yet and answers 503.
const MOST_TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(500);

/// Where a function's code comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A file, uploaded under a name that workers keep: Python code is found by it.
    File {
        /// The file.
        path: PathBuf,
        /// Its name at the worker.
        name: String,
    },
    /// An address that workers fetch from: `function://tenant/namespace/name@version`. Not for Python zips and
    /// wheels, which workers store under a wrong name then.
    Url(String),
}

/// How a function does.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FunctionStatus {
    /// Instances wanted.
    pub num_instances: u32,
    /// Instances that run.
    pub num_running: u32,
    /// Each of them.
    #[serde(deserialize_with = "statuses")]
    pub instances: Vec<InstanceStatus>,
}

/// How an instance does.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceStatus {
    /// Whether it runs.
    pub running: bool,
    /// Why not.
    pub error: Option<String>,
    /// How often it was started again.
    pub num_restarts: u64,
    /// Messages that came.
    pub num_received: u64,
    /// Messages that the function took without error.
    pub num_successfully_processed: u64,
    /// Errors of the function.
    pub num_user_exceptions: u64,
    /// The last of them.
    #[serde(deserialize_with = "super::null_as_default")]
    pub latest_user_exceptions: Vec<Exception>,
    /// The last errors of the instance itself.
    #[serde(deserialize_with = "super::null_as_default")]
    pub latest_system_exceptions: Vec<Exception>,
}

/// An error inside an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Exception {
    /// Its text, with stack trace.
    pub exception_string: String,
}

impl FunctionStatus {
    /// Whether all instances run.
    pub fn is_running(&self) -> bool {
        self.num_instances > 0 && self.num_running == self.num_instances
    }
}

impl Admin {
    /// Makes a function. `config` has the keys of Pulsar's `FunctionConfig`.
    ///
    /// What the worker keeps of an earlier function of this name, or of a try before it was ready, is cleared
    /// away: otherwise the name could never be used again.
    pub fn create_function(&self, name: &FunctionName, config: &Value, code: &Code) -> Result<(), AdminError> {
        self.register("POST", name, config, code)
    }

    /// Gives a function new code and configuration.
    pub fn update_function(&self, name: &FunctionName, config: &Value, code: &Code) -> Result<(), AdminError> {
        self.register("PUT", name, config, code)
    }

    /// Deletes a function and the package that the worker made of its code; `false` if there was none.
    pub fn delete_function(&self, name: &FunctionName) -> Result<bool, AdminError> {
        let deleted = self.delete(&name.path())?;
        self.clear_away(name, "0")?;
        Ok(deleted)
    }

    /// The configuration of a function; `None` if there is no such function.
    pub fn function(&self, name: &FunctionName) -> Result<Option<Value>, AdminError> {
        self.find(&name.path())
    }

    /// The functions of a namespace.
    pub fn functions(&self, tenant: &str, namespace: &str) -> Result<Vec<String>, AdminError> {
        let (tenant, namespace) = (part("tenant", tenant)?, part("namespace", namespace)?);
        self.get(&format!("/admin/v3/functions/{tenant}/{namespace}"))
    }

    /// How a function does; `None` if there is no such function.
    pub fn function_status(&self, name: &FunctionName) -> Result<Option<FunctionStatus>, AdminError> {
        self.find(&format!("{}/status", name.path()))
    }

    fn register(&self, method: &'static str, name: &FunctionName, config: &Value, code: &Code) -> Result<(), AdminError> {
        let form = Form::new().text("functionConfig", "application/json", &config.to_string());
        let form = match code {
            Code::File { path, name } => form.file("data", path, name),
            Code::Url(url) => form.text("url", "text/plain", url),
        };
        let mut result = self.call(method, &name.path(), &Content::Form(&form));
        for _ in 1..MOST_TRIES {
            let Err(error) = &result else { break };
            match (error.status(), error.reason().and_then(|reason| stale_version(name, reason))) {
                (Some(503), _) => sleep(PAUSE),
                (Some(500), Some(version)) if self.clear_away(name, &version)? => {}
                _ => break,
            }
            result = self.call(method, &name.path(), &Content::Form(&form));
        }
        result.map(drop)
    }

    /// Deletes a package that a worker made of uploaded code; `false` if it is somebody's own.
    fn clear_away(&self, name: &FunctionName, version: &str) -> Result<bool, AdminError> {
        let package = name.package(version);
        match self.package_metadata(&package) {
            // Workers describe nothing.
            Ok(Some(metadata)) if metadata.description.is_none() && metadata.contact.is_none() && metadata.properties.is_empty() => {
                self.delete(&package.path())
            }
            // A cluster without package service keeps nothing there.
            Err(error) if error.status().is_none() => Err(error),
            _ => Ok(false),
        }
    }
}

/// The version of the package that is in the way, if it is of the kind that workers make.
fn stale_version(name: &FunctionName, reason: &str) -> Option<String> {
    let (_, behind) = reason.split_once(&format!("function://{name}@"))?;
    let (version, rest) = behind.split_once('\'')?;
    let made_by_worker = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    (made_by_worker && rest.contains("already exists")).then(|| version.to_owned())
}

fn statuses<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<InstanceStatus>, D::Error> {
    #[derive(Deserialize)]
    struct Instance {
        status: InstanceStatus,
    }
    Ok(Vec::<Instance>::deserialize(deserializer)?.into_iter().map(|instance| instance.status).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_package_of_the_worker_is_recognised() {
        let name = FunctionName::new("public", "default", "f").unwrap();
        for (reason, expected) in [
            ("Package 'function://public/default/f@0' metadata already exists", Some("0")),
            ("Package 'function://public/default/f@12' metadata already exists", Some("12")),
            ("Package 'function://public/default/f@1.0' metadata already exists", None),
            ("Package 'function://public/default/g@0' metadata already exists", None),
            ("Package 'function://public/default/f@0' metadata does not exist", None),
            ("function://public/default/f@", None),
            ("", None),
        ] {
            assert_eq!(stale_version(&name, reason).as_deref(), expected, "{reason}");
        }
    }

    #[test]
    fn status_is_read_with_gaps() {
        let text = r#"{"numInstances":1,"numRunning":0,"instances":[{"instanceId":0,"status":{"running":false,"error":"UNAVAILABLE: io exception","numRestarts":2,"latestUserExceptions":[{"exceptionString":"e","timestampMs":1}],"workerId":"w"}}]}"#;
        let status: FunctionStatus = serde_json::from_str(text).unwrap();
        assert!(!status.is_running());
        let [instance] = &status.instances[..] else { panic!("{status:?}") };
        assert_eq!(instance.error.as_deref(), Some("UNAVAILABLE: io exception"));
        assert_eq!(instance.latest_user_exceptions[0].exception_string, "e");
        assert!(serde_json::from_str::<FunctionStatus>("{}").unwrap().instances.is_empty());
    }
}
