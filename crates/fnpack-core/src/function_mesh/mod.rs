//! What Function Mesh starts in the container of a function.
//!
//! Function Mesh takes no notice of an image's entrypoint: its operator writes a shell command of its own for
//! each language, and the pod runs it as 10000:10001 without capabilities. An [`Instance`] says of what function;
//! [`Instance::container`] gives the command and the environment as the operator v0.27.2 writes them, down to the
//! blanks, so that a function which starts here starts there.
//!
//! The operator puts some values into the shell as they are. Those that a shell would take apart are refused
//! here ([`InstanceError::Unsafe`]): under Function Mesh they would break the container's start, or do worse.

mod details;
mod golang;
mod java;
mod python;
mod shell;
#[cfg(test)]
mod tests;

use std::fmt;

use fnpack_artifact::Language;
use serde_json::{Map, Value};

use crate::executor::User;

/// Who runs in the pods of functions; the file system's group is the same as the user's.
pub const fn user() -> User {
    User { uid: 10000, gid: 10001, groups: Vec::new() }
}

/// A function as one of its instances is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// What it is written in.
    pub language: Language,
    /// Absolute path of the function in the image.
    pub artifact: String,
    /// What Pulsar calls it by; Go functions have none.
    pub class_name: Option<String>,
    /// Tenant of the function.
    pub tenant: String,
    /// Namespace of the function.
    pub namespace: String,
    /// Name of the function.
    pub name: String,
    /// Name of the cluster.
    pub cluster: String,
    /// Names this function among all that ever were; Kubernetes' uid of the object.
    pub uid: String,
    /// Topics that it reads. Go functions read the first only.
    pub inputs: Vec<String>,
    /// Topic that its answers go to.
    pub output: Option<String>,
    /// The Java class of the input; an instance looks into the function's class for one that is not said.
    pub input_type: Option<String>,
    /// The Java class of the output.
    pub output_type: Option<String>,
    /// Name of the subscription, instead of one made of the function's name.
    pub subscription: Option<String>,
    /// What the function reads from its context.
    pub user_config: Map<String, Value>,
    /// The windows that it wants its input in.
    pub window: Option<Window>,
    /// How many instances there are.
    pub parallelism: u32,
    /// Which of them this is, from 0.
    pub shard: u32,
    /// What Kubernetes is asked for.
    pub resources: Resources,
    /// Where the instance listens.
    pub ports: Ports,
    /// How much it logs.
    pub log_level: LogLevel,
    /// The broker.
    pub broker: Broker,
}

/// A broker as instances are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// URL of the binary protocol, `pulsar://…`.
    pub service: String,
    /// URL of the REST interface, `http://…`.
    pub web: String,
    /// What proves who the instance is.
    pub authentication: Option<Authentication>,
    /// File in the container with the certificates (PEM) that brokers are checked with, if the connection is
    /// encrypted.
    pub trust: Option<String>,
}

/// What proves who the instance is; it is never in a command, only in the environment.
#[derive(Clone, PartialEq, Eq)]
pub struct Authentication {
    /// The client's plugin, a Java class.
    pub plugin: String,
    /// What the plugin wants to know.
    pub parameters: String,
}

impl fmt::Debug for Authentication {
    /// Without the secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Authentication").field("plugin", &self.plugin).finish_non_exhaustive()
    }
}

/// A window of so many messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many messages it holds.
    pub length: u32,
    /// After how many the next one begins.
    pub slide: u32,
}

/// What Kubernetes is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a processor.
    pub cpu_millis: u32,
    /// Bytes of memory that are set aside.
    pub memory_request: u64,
    /// Bytes of memory that are never exceeded.
    pub memory_limit: u64,
}

impl Default for Resources {
    /// Small, and enough for a Java instance.
    fn default() -> Self {
        Self { cpu_millis: 100, memory_request: 256 << 20, memory_limit: 1 << 30 }
    }
}

/// Where an instance listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// For those who look after it.
    pub control: u16,
    /// For its metrics.
    pub metrics: u16,
}

impl Default for Ports {
    /// Those of every pod.
    fn default() -> Self {
        Self { control: 9093, metrics: 9094 }
    }
}

/// How much an instance logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// What the manifest leaves unsaid.
    #[default]
    Unset,
    /// Everything.
    Debug,
    /// What is done.
    Info,
    /// What should be known.
    Warning,
    /// What failed.
    Error,
}

/// A container's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables beside the image's.
    pub environment: Vec<(String, String)>,
    /// What will not work, although it starts.
    pub caveats: Vec<Caveat>,
}

/// Something that Function Mesh does and its users do not expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Caveat {
    /// The quotes around keys and values are lost in the shell.
    #[error("Function Mesh breaks the user configuration of Go functions: the instance reads no valid JSON and ends")]
    GoUserConfig,
    /// Only the first topic is written into the instance's configuration.
    #[error("Function Mesh gives Go functions only the first of their input topics")]
    GoTopics,
    /// The configuration that it writes has no place for them.
    #[error("Function Mesh gives Go functions neither credentials nor certificates: a broker that wants them refuses the function")]
    GoSecurity,
}

/// Why no command can be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstanceError {
    /// A shell would not take it for one word.
    #[error("the {what} `{value}` has `{character}` in it, which Function Mesh gives to a shell as it is")]
    Unsafe {
        /// Which value.
        what: &'static str,
        /// The value.
        value: String,
        /// The first of the characters.
        character: char,
    },
    /// It is needed and empty.
    #[error("the function has no {what}")]
    Missing {
        /// Which value.
        what: &'static str,
    },
}

impl Instance {
    /// Name of the pod.
    pub fn pod(&self) -> String {
        format!("{}-function-{}", self.name, self.shard)
    }

    /// What is started for this instance.
    pub fn container(&self) -> Result<Container, InstanceError> {
        self.check()?;
        let start = match self.language {
            Language::Go => golang::start(self)?,
            Language::Java => java::start(self)?,
            Language::Python => python::start(self)?,
        };
        let command = format!("SHARD_ID=${{POD_NAME##*-}} && echo shardId=${{SHARD_ID}} && {start}");
        Ok(Container {
            command: vec!["bash".to_owned(), "-c".to_owned(), command],
            environment: self.environment(),
            caveats: self.caveats(),
        })
    }

    /// The same without what Function Mesh breaks: a Go function is started as Pulsar's own workers do, without a
    /// shell, and so gets its user configuration, credentials and certificates.
    pub fn repaired_container(&self) -> Result<Container, InstanceError> {
        if self.language != Language::Go {
            return self.container();
        }
        self.check()?;
        Ok(Container { command: golang::arguments(self)?, environment: self.environment(), caveats: Vec::new() })
    }

    fn check(&self) -> Result<(), InstanceError> {
        shell::word("name", &self.name)?;
        shell::word("cluster name", &self.cluster)?;
        shell::word("uid", &self.uid)?;
        shell::word("path", &self.artifact)?;
        shell::address("broker URL", &self.broker.service)?;
        shell::address("web URL", &self.broker.web)?;
        self.broker.trust.iter().try_for_each(|file| shell::word("file of certificates", file))?;
        match (self.language, self.class_name.as_deref()) {
            (Language::Java | Language::Python, None | Some("")) => Err(InstanceError::Missing { what: "class name" }),
            _ => Ok(()),
        }
    }

    fn environment(&self) -> Vec<(String, String)> {
        let fixed =
            [("POD_NAME", self.pod()), ("brokerServiceURL", self.broker.service.clone()), ("webServiceURL", self.broker.web.clone())];
        let logging = (self.language == Language::Go).then(|| ("LOGGING_LEVEL", golang::level(self.log_level).to_owned()));
        let secrets = self.broker.authentication.iter().flat_map(|authentication| {
            [
                ("clientAuthenticationPlugin", authentication.plugin.clone()),
                ("clientAuthenticationParameters", authentication.parameters.clone()),
            ]
        });
        fixed.into_iter().chain(secrets).chain(logging).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn caveats(&self) -> Vec<Caveat> {
        let all = [
            (!self.user_config.is_empty(), Caveat::GoUserConfig),
            (self.inputs.len() > 1, Caveat::GoTopics),
            (self.broker.authentication.is_some() || self.broker.trust.is_some(), Caveat::GoSecurity),
        ];
        let go = self.language == Language::Go;
        all.into_iter().filter(|(met, _)| go && *met).map(|(_, caveat)| caveat).collect()
    }

    /// The arguments that instances of Java and Python share.
    fn shared_arguments(&self) -> Result<String, InstanceError> {
        let details = shell::quoted(&details::of(self)?.to_string());
        let (uid, Ports { control, metrics }, cluster) = (&self.uid, self.ports, &self.cluster);
        let authentication = match self.broker.authentication {
            Some(_) => " --client_auth_plugin $clientAuthenticationPlugin --client_auth_params $clientAuthenticationParameters",
            None => "",
        };
        let security = match &self.broker.trust {
            Some(file) => format!("true --tls_allow_insecure false --hostname_verification_enabled true --tls_trust_cert_path {file}"),
            None => "false".to_owned(),
        };
        Ok(format!(
            "--instance_id ${{SHARD_ID}} --function_id ${{SHARD_ID}}-{uid} --function_version 0 --function_details {details} \
             --pulsar_serviceurl $brokerServiceURL --max_buffered_tuples 100 --port {control} --metrics_port {metrics} \
             --expected_healthcheck_interval 0 --cluster_name {cluster}{authentication} --use_tls {security}"
        ))
    }
}
