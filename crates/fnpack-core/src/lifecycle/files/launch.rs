//! `<layers>/launch.toml`: what a buildpack adds to the image beside layers (CNB buildpack spec,
//! "launch.toml").

use serde::{Deserialize, Serialize};
use toml::{Spanned, Table, Value};

use super::TomlError;
use crate::lifecycle::api::BuildpackApi;

/// The content of launch.toml.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Launch {
    /// In the order given.
    pub processes: Vec<Process>,
    /// The type of the process that is marked as default.
    pub default_process: Option<String>,
    /// In the order given.
    pub labels: Vec<Label>,
    /// In the order given.
    pub slices: Vec<Slice>,
    /// The legacy bill of materials.
    pub bom: Vec<BomEntry>,
    /// Whether a working folder was left out because the buildpack's API does not know it.
    pub ignored_working_dir: bool,
}

/// A way to start the image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// Its name; a file name in the image.
    pub process_type: String,
    /// Program and arguments that always count. One string for buildpacks that have shell processes.
    pub command: Vec<String>,
    /// Arguments that the user's replace.
    pub args: Vec<String>,
    /// Whether it is started without a shell.
    pub direct: bool,
    /// Relative ones are below the application folder, which is the default.
    pub working_dir: Option<String>,
    /// The execution environments it is for; none means all.
    pub exec_env: Vec<String>,
    /// Which buildpack defined it.
    pub buildpack_id: String,
}

/// A label of the image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Such as `org.opencontainers.image.title`.
    pub key: String,
    /// Any text.
    pub value: String,
}

/// Parts of the application folder that become a layer of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Glob patterns relative to the application folder.
    #[serde(default)]
    pub paths: Vec<String>,
}

/// An entry of the legacy bill of materials, in launch.toml and build.toml.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BomEntry {
    /// What it is about.
    pub name: String,
    /// Free.
    #[serde(default)]
    pub metadata: Table,
}

/// Reads launch.toml of the buildpack `buildpack_id`.
pub fn parse(text: &str, api: BuildpackApi, buildpack_id: &str) -> Result<Launch, TomlError> {
    let raw: RawLaunch = super::parse(text)?;
    let mut launch = Launch { labels: raw.labels, slices: raw.slices, bom: bom_entries(text, raw.bom)?, ..Launch::default() };
    for process in raw.processes {
        let (span, process) = (process.span(), process.into_inner());
        launch.ignored_working_dir |= process.working_dir.is_some() && !api.has_process_working_dir();
        let default = process.default;
        let process = process.checked(text, api, buildpack_id)?;
        if default && let Some(first) = launch.default_process.replace(process.process_type.clone()) {
            let reason = format!("process `{}` is marked as default, and so is `{first}`", process.process_type);
            return Err(TomlError::at(text, span, reason));
        }
        launch.processes.push(process);
    }
    Ok(launch)
}

/// Checks what launch.toml and build.toml say in `[[bom]]`.
pub(super) fn bom_entries(text: &str, entries: Vec<Spanned<Table>>) -> Result<Vec<BomEntry>, TomlError> {
    let checked = |entry: Spanned<Table>| {
        let span = entry.span();
        let table = entry.into_inner();
        if table.contains_key("version") {
            return Err(TomlError::at(text, span, "`bom.version` is not allowed: the version belongs into `bom.metadata`"));
        }
        table.try_into().map_err(|error: toml::de::Error| TomlError::at(text, span, format!("{}, in `bom`", error.message())))
    };
    entries.into_iter().map(checked).collect()
}

#[derive(Deserialize)]
struct RawLaunch {
    #[serde(default)]
    processes: Vec<Spanned<RawProcess>>,
    #[serde(default)]
    labels: Vec<Label>,
    #[serde(default)]
    slices: Vec<Slice>,
    #[serde(default)]
    bom: Vec<Spanned<Table>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawProcess {
    r#type: Spanned<String>,
    command: Spanned<Value>,
    #[serde(default)]
    args: Vec<String>,
    direct: Option<Spanned<bool>>,
    #[serde(default)]
    default: bool,
    working_dir: Option<String>,
    #[serde(default)]
    exec_env: Vec<String>,
}

impl RawProcess {
    fn checked(self, text: &str, api: BuildpackApi, buildpack_id: &str) -> Result<Process, TomlError> {
        if let Some(direct) = &self.direct
            && !api.has_shell_processes()
        {
            let reason = format!("`processes.direct` does not exist in Buildpack API {api}: all processes are direct");
            return Err(TomlError::at(text, direct.span(), reason));
        }
        Ok(Process {
            command: command(text, api, self.command)?,
            process_type: process_type(text, self.r#type)?,
            args: self.args,
            direct: self.direct.map_or(!api.has_shell_processes(), Spanned::into_inner),
            working_dir: self.working_dir.filter(|_| api.has_process_working_dir()),
            exec_env: if api.has_execution_environments() { self.exec_env } else { Vec::new() },
            buildpack_id: buildpack_id.to_owned(),
        })
    }
}

fn command(text: &str, api: BuildpackApi, command: Spanned<Value>) -> Result<Vec<String>, TomlError> {
    let span = command.span();
    let parts = match command.into_inner() {
        Value::String(command) if api.has_shell_processes() => Some(vec![command]),
        Value::Array(parts) if !api.has_shell_processes() => {
            parts.into_iter().map(|part| if let Value::String(part) = part { Some(part) } else { None }).collect()
        }
        _ => None,
    };
    match parts {
        Some(parts) if parts.first().is_some_and(|program| !program.is_empty()) => Ok(parts),
        Some(_) => Err(TomlError::at(text, span, "`processes.command` is empty")),
        None => {
            let wanted = if api.has_shell_processes() { "a string" } else { "an array of strings" };
            Err(TomlError::at(text, span, format!("`processes.command` must be {wanted} in Buildpack API {api}")))
        }
    }
}

/// A type becomes the name of a symlink below `/cnb/process`, so it must not lead elsewhere.
fn process_type(text: &str, process_type: Spanned<String>) -> Result<String, TomlError> {
    let name = process_type.get_ref();
    let forbidden = |letter: char| letter.is_control() || r"/><:|&\".contains(letter);
    if name.is_empty() || name == "." || name == ".." || name.contains(forbidden) {
        let reason = format!(r"`processes.type` is `{}`, it must be a file name without any of `/ > < : | & \`", name.escape_debug());
        return Err(TomlError::at(text, process_type.span(), reason));
    }
    Ok(process_type.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(text: &str) -> BuildpackApi {
        text.parse().unwrap()
    }

    fn parse(version: &str, text: &str) -> Result<Launch, String> {
        super::parse(text, api(version), "fnpack/golang").map_err(|error| error.to_string())
    }

    #[test]
    fn process_of_a_direct_api() {
        let text = r#"
            [[processes]]
            type = "function"
            command = ["/layers/run", "--fast"]
            args = ["x"]
            default = true
            working-dir = "sub"
            exec-env = ["test"]
            unknown = 1
            [[labels]]
            key = "a"
            value = "b"
            [[slices]]
            paths = ["static/*"]
        "#;
        let launch = parse("0.12", text).unwrap();
        let process = Process {
            process_type: "function".into(),
            command: vec!["/layers/run".into(), "--fast".into()],
            args: vec!["x".into()],
            direct: true,
            working_dir: Some("sub".into()),
            exec_env: vec!["test".into()],
            buildpack_id: "fnpack/golang".into(),
        };
        assert_eq!(launch.processes, [process]);
        assert_eq!(launch.default_process.as_deref(), Some("function"));
        assert_eq!(launch.labels, [Label { key: "a".into(), value: "b".into() }]);
        assert_eq!(launch.slices, [Slice { paths: vec!["static/*".into()] }]);
        assert!(parse("0.11", text).unwrap().processes[0].exec_env.is_empty());
    }

    #[test]
    fn process_of_a_shell_api() {
        let text = "[[processes]]\ntype = 'web'\ncommand = 'run it'\nworking-dir = 'x'\n";
        let launch = parse("0.8", text).unwrap();
        assert_eq!((launch.processes[0].direct, launch.processes[0].command.as_slice()), (false, ["run it".to_owned()].as_slice()));
        assert_eq!(launch.processes[0].working_dir.as_deref(), Some("x"));
        let old = parse("0.7", text).unwrap();
        assert_eq!((old.processes[0].working_dir.as_deref(), old.ignored_working_dir), (None, true));
        assert!(parse("0.8", &format!("{text}direct = true\n")).unwrap().processes[0].direct);
    }

    #[test]
    fn errors_name_line_and_key() {
        for (version, text, message) in [
            (
                "0.10",
                "[[processes]]\ntype = 'a'\ncommand = 'x'",
                "line 3: `processes.command` must be an array of strings in Buildpack API 0.10",
            ),
            ("0.8", "[[processes]]\ntype = 'a'\ncommand = ['x']", "line 3: `processes.command` must be a string in Buildpack API 0.8"),
            (
                "0.9",
                "[[processes]]\ntype = 'a'\ncommand = ['x', 1]",
                "line 3: `processes.command` must be an array of strings in Buildpack API 0.9",
            ),
            ("0.9", "[[processes]]\ntype = 'a'\ncommand = []", "line 3: `processes.command` is empty"),
            (
                "0.9",
                "[[processes]]\ntype = 'a'\ncommand = ['x']\ndirect = false",
                "line 4: `processes.direct` does not exist in Buildpack API 0.9: all processes are direct",
            ),
            (
                "0.9",
                "[[processes]]\ntype = '../x'\ncommand = ['x']",
                r"line 2: `processes.type` is `../x`, it must be a file name without any of `/ > < : | & \`",
            ),
            ("0.9", "[[processes]]\ntype = 'a'", "line 1: missing field `command`, in `processes`"),
            ("0.9", "\n[[labels]]\nkey = 'a'\nvalue = 3", "line 4: invalid type: integer `3`, expected a string, in `labels.value`"),
            ("0.9", "[[bom]]\nname = 'a'\nversion = '1'", "line 1: `bom.version` is not allowed: the version belongs into `bom.metadata`"),
            (
                "0.9",
                "[[processes]]\ntype='a'\ncommand=['x']\ndefault=true\n[[processes]]\ntype='b'\ncommand=['x']\ndefault=true",
                "line 5: process `b` is marked as default, and so is `a`",
            ),
        ] {
            assert_eq!(parse(version, text).unwrap_err(), message, "{text}");
        }
    }
}
