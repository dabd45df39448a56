//! `<layers>/config/metadata.toml`: what the launcher needs to start the image (CNB platform spec,
//! "metadata.toml").

use serde::{Deserialize, Serialize};

use super::TomlError;
use super::launch::{Label, Process, Slice};
use crate::lifecycle::api::PlatformApi;
use crate::lifecycle::built::Built;

/// The content of metadata.toml.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Metadata {
    /// The type of the process that is started by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buildpack_default_process_type: Option<String>,
    /// The buildpacks that took part, in group order.
    #[serde(default)]
    pub buildpacks: Vec<MetadataBuildpack>,
    /// Sorted by type.
    #[serde(default)]
    pub processes: Vec<MetadataProcess>,
    /// In the order given.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// In the order given.
    #[serde(default)]
    pub slices: Vec<Slice>,
}

/// A buildpack that took part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataBuildpack {
    /// Such as `fnpack/golang`.
    pub id: String,
    /// Such as `0.1.0`.
    pub version: String,
    /// The Buildpack API that it is written for.
    #[serde(default)]
    pub api: String,
    /// An address for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
}

/// A way to start the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MetadataProcess {
    /// Its name.
    pub r#type: String,
    /// What is run.
    pub command: MetadataCommand,
    /// See [`Process::args`].
    #[serde(default)]
    pub args: Vec<String>,
    /// Always told, though later Buildpack APIs only have direct ones.
    pub direct: bool,
    /// Which buildpack defined it.
    pub buildpack_id: String,
    /// See [`Process::working_dir`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// See [`Process::exec_env`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exec_env: Vec<String>,
}

/// What is run: a string before arguments could be overridden, then an array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MetadataCommand {
    /// Program or shell command; its arguments are in `args`.
    Text(String),
    /// Program and arguments that always count.
    Array(Vec<String>),
}

/// Reads metadata.toml.
pub fn parse(text: &str) -> Result<Metadata, TomlError> {
    super::parse(text)
}

impl Metadata {
    /// What a launcher of this Platform API needs of a build.
    pub fn of(built: &Built, api: PlatformApi) -> Self {
        let buildpacks = built.buildpacks.iter().map(|buildpack| MetadataBuildpack {
            id: buildpack.id.clone(),
            version: buildpack.version.clone(),
            api: buildpack.api.clone(),
            homepage: buildpack.homepage.clone(),
        });
        Self {
            buildpack_default_process_type: built.default_process.clone(),
            buildpacks: buildpacks.collect(),
            processes: built.processes.iter().map(|process| MetadataProcess::of(process, api)).collect(),
            labels: built.labels.clone(),
            slices: built.slices.clone(),
        }
    }

    /// The text of metadata.toml.
    pub fn to_toml(&self) -> String {
        super::write(self)
    }
}

impl MetadataProcess {
    /// A process in the form of this Platform API.
    pub fn of(process: &Process, api: PlatformApi) -> Self {
        let (command, args) = match process.command.split_first() {
            Some((program, rest)) if !api.has_command_arrays() => {
                (MetadataCommand::Text(program.clone()), rest.iter().chain(&process.args).cloned().collect())
            }
            _ => (MetadataCommand::Array(process.command.clone()), process.args.clone()),
        };
        Self {
            r#type: process.process_type.clone(),
            command,
            args,
            direct: process.direct,
            buildpack_id: process.buildpack_id.clone(),
            working_dir: process.working_dir.clone(),
            exec_env: process.exec_env.clone(),
        }
    }
}

impl From<MetadataProcess> for Process {
    fn from(process: MetadataProcess) -> Self {
        Self {
            process_type: process.r#type,
            command: match process.command {
                MetadataCommand::Text(command) => vec![command],
                MetadataCommand::Array(command) => command,
            },
            args: process.args,
            direct: process.direct,
            working_dir: process.working_dir,
            exec_env: process.exec_env,
            buildpack_id: process.buildpack_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process() -> Process {
        Process {
            process_type: "function".into(),
            command: vec!["/run".into(), "--fast".into()],
            args: vec!["x".into()],
            direct: true,
            working_dir: Some("/app".into()),
            exec_env: Vec::new(),
            buildpack_id: "fnpack/golang".into(),
        }
    }

    #[test]
    fn command_has_the_form_of_the_api() {
        let metadata = |api: &str| {
            let built = Built { processes: vec![process()], default_process: Some("function".into()), ..Built::default() };
            Metadata::of(&built, api.parse().unwrap()).to_toml()
        };
        let expected = "\
buildpack-default-process-type = \"function\"
buildpacks = []
labels = []
slices = []

[[processes]]
type = \"function\"
command = [\"/run\", \"--fast\"]
args = [\"x\"]
direct = true
buildpack-id = \"fnpack/golang\"
working-dir = \"/app\"
";
        assert_eq!(metadata("0.10"), expected);
        let flat = expected
            .replace("command = [\"/run\", \"--fast\"]", "command = \"/run\"")
            .replace("args = [\"x\"]", "args = [\"--fast\", \"x\"]");
        assert_eq!(metadata("0.9"), flat);
    }

    #[test]
    fn process_round_trips() {
        let written = Metadata { processes: vec![MetadataProcess::of(&process(), PlatformApi::NEWEST)], ..Metadata::default() };
        let read = parse(&written.to_toml()).unwrap();
        assert_eq!(read, written);
        assert_eq!(read.processes.into_iter().map(Process::from).collect::<Vec<_>>(), [process()]);
    }
}
