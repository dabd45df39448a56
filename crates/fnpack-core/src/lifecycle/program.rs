//! How `bin/detect` and `bin/build` are called (CNB buildpack spec, "Buildpack Interface"), and why
//! one may not start.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::buildpacks::Buildpack;
use super::context::{Context, Place};
use super::environment::{EnvFolder, EnvironmentError, Variables};
use crate::executor::{Command, Network, Privilege};

/// Which program of a buildpack is called, with the paths it works on, as it sees them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call<'a> {
    Detect { plan: &'a Path },
    Build { layers: &'a Path, plan: &'a Path },
}

impl Call<'_> {
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Detect { .. } => "bin/detect",
            Self::Build { .. } => "bin/build",
        }
    }
}

/// What user and builder give to the environment of every buildpack.
#[derive(Debug)]
pub(super) struct GivenEnvironment {
    platform: EnvFolder,
    build_config: EnvFolder,
}

impl GivenEnvironment {
    pub(super) fn read(context: &Context) -> Result<Self, EnvironmentError> {
        let read = |place: &Place| EnvFolder::read(&place.root, Path::new("env"), &place.shown("env"));
        let build_config = context.places.build_config.as_ref().filter(|_| context.api.has_build_config());
        Ok(Self { platform: read(&context.places.platform)?, build_config: build_config.map(read).transpose()?.unwrap_or_default() })
    }

    /// The environment of one buildpack, `variables` being what the build image and layers make.
    fn for_buildpack(&self, buildpack: &Buildpack, mut variables: Variables) -> Variables {
        if !buildpack.toml.clear_env {
            self.platform.apply_as_platform(&mut variables);
        }
        self.build_config.apply_as_build_config(&mut variables);
        variables
    }
}

/// The command that calls a buildpack's program.
pub(super) fn command(context: &Context, buildpack: &Buildpack, call: Call<'_>, given: &GivenEnvironment, variables: Variables) -> Command {
    let places = &context.places;
    let folder = places.buildpacks.shown(&buildpack.folder);
    let platform = &places.platform.path;
    let arguments: Vec<&Path> = match &call {
        Call::Detect { plan } => vec![platform, plan],
        Call::Build { layers, plan } => vec![layers, platform, plan],
    };
    let program = folder.join(call.program()).into_os_string();
    let mut environment = given.for_buildpack(buildpack, variables);
    environment.extend(own_variables(context, buildpack, call, folder));
    Command {
        arguments: std::iter::once(program).chain(arguments.into_iter().map(|path| path.as_os_str().to_owned())).collect(),
        environment,
        working_folder: places.app.clone(),
        user: context.user.clone(),
        network: match call {
            Call::Detect { .. } => Network::None,
            Call::Build { .. } => context.network,
        },
        privilege: Privilege::None,
    }
}

/// The `CNB_*` variables; nobody can set them otherwise.
fn own_variables(context: &Context, buildpack: &Buildpack, call: Call<'_>, folder: PathBuf) -> Variables {
    let mut variables = vec![("CNB_BUILDPACK_DIR", folder.into_os_string())];
    if buildpack.api.has_path_variables() {
        variables.push(("CNB_PLATFORM_DIR", context.places.platform.path.clone().into_os_string()));
        match call {
            Call::Detect { plan } => variables.push(("CNB_BUILD_PLAN_PATH", plan.into())),
            Call::Build { layers, plan } => {
                variables.extend([("CNB_LAYERS_DIR", layers.into()), ("CNB_BP_PLAN_PATH", plan.into())]);
            }
        }
    }
    if buildpack.api.has_targets() {
        variables.extend(target_variables(context));
    }
    if buildpack.api.has_execution_environments() {
        variables.push(("CNB_EXEC_ENV", context.execution_environment.clone().into()));
    }
    variables.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

/// What is not known has no variable.
fn target_variables(context: &Context) -> impl Iterator<Item = (&'static str, OsString)> {
    let target = &context.run_target.target;
    let distro = context.run_target.distro.clone().unwrap_or_default();
    let all = [
        ("CNB_TARGET_OS", target.os.clone()),
        ("CNB_TARGET_ARCH", target.arch.clone()),
        ("CNB_TARGET_ARCH_VARIANT", target.variant.clone().unwrap_or_default()),
        ("CNB_TARGET_DISTRO_NAME", distro.name),
        ("CNB_TARGET_DISTRO_VERSION", distro.version),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.into()))
}

/// Why a buildpack's program did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such file.
    #[error("the buildpack has no `{}`", program.display())]
    Missing {
        /// As buildpacks see it.
        program: PathBuf,
    },
    /// It is a folder, or something stranger.
    #[error("`{}` is not a file", program.display())]
    NotAFile {
        /// As buildpacks see it.
        program: PathBuf,
    },
    /// Nobody may execute it.
    #[error("`{}` is not executable", program.display())]
    NotExecutable {
        /// As buildpacks see it.
        program: PathBuf,
    },
    /// It was saved by an editor of another system.
    #[error(
        "the first line of `{}` ends in a carriage return, so that an interpreter `{interpreter}\\r` is looked for: save it with Unix line ends",
        program.display()
    )]
    CarriageReturn {
        /// As buildpacks see it.
        program: PathBuf,
        /// What the line means.
        interpreter: String,
    },
    /// The file is as it should be, what runs it is not.
    #[error("cannot run `{}` with the interpreter `{interpreter}`", program.display())]
    Interpreter {
        /// As buildpacks see it.
        program: PathBuf,
        /// What its first line names.
        interpreter: String,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
    /// Something else.
    #[error("cannot run `{}`", program.display())]
    Kernel {
        /// As buildpacks see it.
        program: PathBuf,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
}

impl StartError {
    /// Looks for the reason why a buildpack's program did not start.
    pub(super) fn explain(place: &Place, buildpack: &Buildpack, call: Call<'_>, source: io::Error) -> Self {
        let path = buildpack.folder.join(call.program());
        let program = place.shown(&path);
        let Ok(Some(stat)) = place.root.try_metadata(&path) else {
            return Self::Missing { program };
        };
        if !place.root.is_file(&path) {
            return Self::NotAFile { program };
        }
        if stat.st_mode & 0o111 == 0 {
            return Self::NotExecutable { program };
        }
        match first_line(place, &path).as_deref().and_then(|line| line.strip_prefix("#!")) {
            Some(line) if line.ends_with('\r') => Self::CarriageReturn { program, interpreter: shown(line) },
            Some(line) => Self::Interpreter { program, interpreter: shown(line), source },
            None => Self::Kernel { program, source },
        }
    }
}

fn shown(line: &str) -> String {
    line.trim().chars().filter(|letter| !letter.is_control()).collect()
}

/// As far as the kernel looks for an interpreter (`BINPRM_BUF_SIZE`).
fn first_line(place: &Place, path: &Path) -> Option<String> {
    let mut start = Vec::new();
    place.root.open_file(path).ok()?.take(256).read_to_end(&mut start).ok()?;
    let line = start.split(|byte| *byte == b'\n').next()?;
    Some(String::from_utf8_lossy(line).into_owned())
}
