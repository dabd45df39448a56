//! A launch from start to end: what was given, the environment, and becoming the process.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::api::{ApiError, PlatformApi};
use crate::environment::Environment;
use crate::exec_d::{self, ExecDError};
use crate::files;
use crate::metadata::{Metadata, MetadataError};
use crate::process::{self, ProcessError, Request, StartCommand, Style};
use crate::shell;

/// What the launcher was started with.
pub(crate) struct Launch<'a> {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Takes what the user should know although it goes on.
    pub(crate) warn: &'a mut dyn FnMut(&str),
}

/// Why there is no process, by the exit code that platforms expect.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    PlatformApi(ApiError),
    #[error("read metadata")]
    Metadata(#[source] MetadataError),
    #[error("initialize launcher")]
    BuildpackApi(#[source] ApiError),
    #[error("launch")]
    Launch(#[source] LaunchError),
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("determine start command")]
    Process(#[from] ProcessError),
    #[error("change to {which} directory `{path}`")]
    ChangeFolder { which: &'static str, path: PathBuf, source: io::Error },
    #[error("read the layers of `{buildpack}`")]
    Layers { buildpack: String, source: io::Error },
    #[error("exec.d")]
    ExecD(#[from] ExecDError),
    #[error("path lookup: `{0}` is not an executable file in $PATH", command.display())]
    NotInPath { command: OsString },
    #[error("path lookup: `{0}` is not an executable file", path.display())]
    NotExecutable { path: PathBuf },
    #[error("{style} exec of `{path}`")]
    Exec { style: &'static str, path: PathBuf, source: io::Error },
}

impl Launch<'_> {
    /// Does not return unless it fails.
    pub(crate) fn become_process(mut self) -> Result<Infallible, Failure> {
        let api = PlatformApi::parse(&self.variable("CNB_PLATFORM_API").to_string_lossy()).map_err(Failure::PlatformApi)?;
        let layers = self.folder("CNB_LAYERS_DIR", "/layers");
        let metadata = Metadata::read(&layers).map_err(Failure::Metadata)?;
        metadata.check_apis().map_err(Failure::BuildpackApi)?;
        self.warn_of_process_type();
        self.start(api, &layers, &metadata).map_err(Failure::Launch)
    }

    fn start(self, api: PlatformApi, layers: &Path, metadata: &Metadata) -> Result<Infallible, LaunchError> {
        let execution_environment = self.variable("CNB_EXEC_ENV").to_string_lossy().into_owned();
        let execution_environment = if execution_environment.is_empty() { "production" } else { &execution_environment };
        let request = Request { program: &self.program, arguments: &self.arguments, api, execution_environment };
        let start = process::start_command(metadata, &request)?;
        let application = self.folder("CNB_APP_DIR", "/workspace");
        change_folder("app", &application)?;
        let layers = Layers::read(layers, metadata)?;
        let environment = layers.environment(self.environment, start.process_type.as_deref())?;
        match start.style {
            Style::Direct => become_direct(&start, &application, &environment),
            Style::Tokens | Style::Script => {
                let profiles = layers.profiles(&application, start.process_type.as_deref())?;
                become_shell(&self.program, &start, &profiles, (&application, &environment))
            }
        }
    }

    /// `CNB_PROCESS_TYPE` chose the process in Platform APIs before 0.4, and images still set it.
    fn warn_of_process_type(&mut self) {
        let wanted = self.variable("CNB_PROCESS_TYPE").to_string_lossy().into_owned();
        if !wanted.is_empty() {
            (self.warn)("CNB_PROCESS_TYPE is not supported in this Platform API");
            (self.warn)(&format!("run with entry point `/cnb/process/{wanted}` to start the process type `{wanted}`"));
        }
    }

    fn variable(&self, name: &str) -> &OsStr {
        self.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str()).unwrap_or_default()
    }

    fn folder(&self, name: &str, default: &str) -> PathBuf {
        let value = self.variable(name);
        PathBuf::from(if value.is_empty() { OsStr::new(default) } else { value })
    }
}

/// The layer folders of each buildpack, in build order.
struct Layers(Vec<(String, Vec<PathBuf>)>);

impl Layers {
    fn read(folder: &Path, metadata: &Metadata) -> Result<Self, LaunchError> {
        let of_buildpack = |id: &String| match files::folders_in(&folder.join(id.replace('/', "_"))) {
            Ok(layers) => Ok((id.clone(), layers)),
            Err(source) => Err(LaunchError::Layers { buildpack: id.clone(), source }),
        };
        metadata.buildpacks.iter().map(|buildpack| of_buildpack(&buildpack.id)).collect::<Result<_, _>>().map(Self)
    }

    fn environment(&self, given: Vec<(OsString, OsString)>, process_type: Option<&str>) -> Result<Environment, LaunchError> {
        let mut environment = Environment::of_image(given);
        for (buildpack, layers) in &self.0 {
            let applied = environment.apply_layers(layers, process_type);
            applied.map_err(|source| LaunchError::Layers { buildpack: buildpack.clone(), source })?;
        }
        for layer in self.0.iter().flat_map(|(_, layers)| layers) {
            exec_d::apply(&mut environment, layer, process_type)?;
        }
        Ok(environment)
    }

    /// What bash sources: `profile.d` of each layer, then the application's own `.profile`.
    fn profiles(&self, application: &Path, process_type: Option<&str>) -> Result<Vec<PathBuf>, LaunchError> {
        let mut profiles = Vec::new();
        for (buildpack, layers) in &self.0 {
            for layer in layers {
                let common = layer.join("profile.d");
                let special = process_type.map(|process_type| common.join(process_type));
                for folder in [Some(common), special].into_iter().flatten() {
                    let found = files::files_in(&folder);
                    profiles.extend(found.map_err(|source| LaunchError::Layers { buildpack: buildpack.clone(), source })?);
                }
            }
        }
        profiles.extend(Some(application.join(".profile")).filter(|profile| profile.exists()));
        Ok(profiles)
    }
}

fn become_direct(start: &StartCommand, application: &Path, environment: &Environment) -> Result<Infallible, LaunchError> {
    change_folder("working", &working_folder(start, application))?;
    let path = look_up(&start.command, environment.get("PATH").unwrap_or_default())?;
    Err(exec("direct", path, (&start.command, &start.arguments), environment))
}

fn become_shell(
    program: &OsStr,
    start: &StartCommand,
    profiles: &[PathBuf],
    (application, environment): (&Path, &Environment),
) -> Result<Infallible, LaunchError> {
    let arguments = shell::arguments(program, start, profiles, &working_folder(start, application));
    Err(exec("bash", shell::BASH.into(), (OsStr::new("bash"), &arguments), environment))
}

/// Relative ones are in the application folder.
fn working_folder(start: &StartCommand, application: &Path) -> PathBuf {
    start.working_folder.as_ref().map_or_else(|| application.to_path_buf(), |folder| application.join(folder))
}

fn change_folder(which: &'static str, path: &Path) -> Result<(), LaunchError> {
    std::env::set_current_dir(path).map_err(|source| LaunchError::ChangeFolder { which, path: path.to_path_buf(), source })
}

fn exec(style: &'static str, path: PathBuf, (name, arguments): (&OsStr, &[OsString]), environment: &Environment) -> LaunchError {
    let source = Command::new(&path).arg0(name).args(arguments).env_clear().envs(environment.iter()).exec();
    LaunchError::Exec { style, path, source }
}

/// The file that a command names, looked for in the process's own `PATH` unless it has a slash. An empty part of
/// `PATH` is not taken for the working folder.
fn look_up(command: &OsStr, path: &OsStr) -> Result<PathBuf, LaunchError> {
    if command.as_bytes().contains(&b'/') {
        let path = PathBuf::from(command);
        return if is_executable(&path) { Ok(path) } else { Err(LaunchError::NotExecutable { path }) };
    }
    let parts = path.as_bytes().split(|&byte| byte == b':').filter(|part| !part.is_empty());
    let mut candidates = parts.map(|part| Path::new(OsStr::from_bytes(part)).join(command));
    let found = candidates.find(|candidate| !command.is_empty() && is_executable(candidate));
    found.ok_or_else(|| LaunchError::NotInPath { command: command.to_owned() })
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_up_finds_only_executable_files() {
        let folder = tempfile::tempdir().unwrap();
        for (name, mode) in [("tool", 0o755), ("text", 0o644)] {
            fs_err::write(folder.path().join(name), "").unwrap();
            fs_err::set_permissions(folder.path().join(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        fs_err::create_dir(folder.path().join("folder")).unwrap();
        let path = OsString::from(format!("/nowhere::{}", folder.path().display()));
        for (command, found) in [("tool", true), ("text", false), ("folder", false), ("", false), ("absent", false)] {
            assert_eq!(look_up(OsStr::new(command), &path).is_ok(), found, "{command}");
        }
        let absolute = folder.path().join("tool");
        assert_eq!(look_up(absolute.as_os_str(), OsStr::new("")).unwrap(), absolute);
        assert!(matches!(look_up(folder.path().join("text").as_os_str(), &path), Err(LaunchError::NotExecutable { .. })));
    }

    #[test]
    fn working_folder_is_in_the_application() {
        let start = |working_folder: Option<&str>| StartCommand {
            process_type: None,
            command: OsString::new(),
            arguments: Vec::new(),
            style: Style::Direct,
            working_folder: working_folder.map(PathBuf::from),
        };
        for (folder, expected) in [(None, "/app"), (Some("sub"), "/app/sub"), (Some("/other"), "/other")] {
            assert_eq!(working_folder(&start(folder), Path::new("/app")), Path::new(expected));
        }
    }
}
