//! The build: choose the toolchain, compile unless nothing changed, and leave the binary alone in its folder.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fnpack_artifact::Facts;
use fnpack_artifact::golang;
use fnpack_buildpack::{Variables, empty};
use libcnb::Target;
use serde::{Deserialize, Serialize};

use crate::build_constraint::BuildTags;
use crate::error::GolangError;
use crate::go_command::{self, Go};
use crate::inputs;
use crate::project::{self, Project, as_argument};
use crate::settings::Settings;

/// The file in the function layer.
const BINARY: &str = "function";

/// All that a build needs to know.
pub(crate) struct BuildRequest {
    pub(crate) application: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) variables: Variables,
    pub(crate) target: Target,
    pub(crate) layers: LayerFolders,
    /// Of the binary in the function layer, if one is there.
    pub(crate) earlier: Option<Record>,
}

/// The layers, all of them kept for later builds and in no image.
pub(crate) struct LayerFolders {
    pub(crate) toolchain: PathBuf,
    pub(crate) modules: PathBuf,
    pub(crate) build_cache: PathBuf,
    pub(crate) function: PathBuf,
}

/// What a binary was made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The fingerprint of it; empty if there is none.
    pub(crate) inputs: String,
}

/// Makes the binary in the function layer.
pub(crate) fn build(request: &BuildRequest, say: &mut dyn FnMut(&str)) -> Result<Record, GolangError> {
    let project = find(request)?;
    let package = only_package(&project)?;
    for file in &project.cgo_files {
        say(&format!("warning: {} imports \"C\"; functions are built without cgo, so that they run on any base", file.display()));
    }
    let module = request.application.join(&project.module);
    let go = Go::choose(&go_variables(request), &module, &request.layers.toolchain)?;
    say(&format!("Go {} for {}/{}, package {}", go.version, request.target.os, request.target.arch, as_argument(package)));
    let arguments = build_arguments(request, &project, package);
    let inputs = fingerprint(request, &go, &arguments)?;
    if let Some(record) = unchanged(request, &inputs) {
        say("nothing has changed since the last build: taking its binary");
        return Ok(record);
    }
    if let Err(output) = go.run(&arguments, &module, &project.module)? {
        let proxy = go_command::proxy(&request.variables);
        return Err(GolangError::Build { package: as_argument(package), output, proxy, cgo_files: project.cgo_files.clone() });
    }
    Ok(Record { inputs })
}

/// What the binary in the function layer says of itself; `artifact` is where it will be in the image.
pub(crate) fn facts(request: &BuildRequest, artifact: &Path) -> Result<Facts, GolangError> {
    golang::facts(&request.layers.function.join(BINARY), &artifact.to_string_lossy()).map_err(GolangError::Unfit)
}

fn find(request: &BuildRequest) -> Result<Project, GolangError> {
    let tags = BuildTags::new(&request.target.os, &request.target.arch, &request.variables);
    let found = project::find(&request.application, request.settings.target.as_deref(), &tags).map_err(GolangError::Look)?;
    found.map_err(GolangError::Absent)
}

fn only_package(project: &Project) -> Result<&Path, GolangError> {
    match project.packages.as_slice() {
        [only] => Ok(only),
        several => Err(GolangError::SeveralFunctions(several.to_vec())),
    }
}

/// The user's variables, with those that the result and the layers depend on set over them.
fn go_variables(request: &BuildRequest) -> Variables {
    let mut variables = request.variables.clone();
    // The toolchain knows its own root, and another one's would break it.
    variables.remove(OsStr::new("GOROOT"));
    let layers = &request.layers;
    let set: [(&str, OsString); 6] = [
        ("CGO_ENABLED", "0".into()),
        ("GOOS", request.target.os.clone().into()),
        ("GOARCH", request.target.arch.clone().into()),
        ("GOMODCACHE", layers.modules.clone().into()),
        ("GOCACHE", layers.build_cache.clone().into()),
        ("GOPATH", layers.modules.join("gopath").into()),
    ];
    variables.extend(set.map(|(name, value)| (name.into(), value)));
    variables.extend(processor_level(&request.target).map(|(name, value)| (name.into(), value.into())));
    variables
}

/// OCI's variant of a processor in Go's words.
fn processor_level(target: &Target) -> Option<(&'static str, String)> {
    let variant = target.arch_variant.as_deref().filter(|variant| !variant.is_empty())?;
    match target.arch.as_str() {
        "arm" => Some(("GOARM", variant.trim_start_matches('v').to_owned())),
        "amd64" => Some(("GOAMD64", variant.to_owned())),
        _ => None,
    }
}

/// Without paths of this machine, the state of version control, and symbols: the same source gives the same binary,
/// a third smaller. Stack traces are complete all the same.
fn build_arguments(request: &BuildRequest, project: &Project, package: &Path) -> Vec<OsString> {
    let linker_flags = linker_flags(request);
    let package = package.strip_prefix(&project.module).unwrap_or(package);
    let fixed = ["build", "-trimpath", "-buildvcs=false", "-modcacherw", &linker_flags, "-o"].map(OsString::from);
    let last = [request.layers.function.join(BINARY).into(), as_argument(package).into()];
    fixed.into_iter().chain(last).collect()
}

/// Go takes one `-ldflags` only, so those of `GOFLAGS` are taken over.
fn linker_flags(request: &BuildRequest) -> String {
    let go_flags = request.variables.get(OsStr::new("GOFLAGS")).map(|flags| flags.to_string_lossy()).unwrap_or_default();
    let of_go_flags = go_flags.split_whitespace().filter_map(|flag| flag.trim_start_matches('-').strip_prefix("ldflags="));
    let users = Some(request.settings.linker_flags.as_str()).filter(|flags| !flags.is_empty());
    let all: Vec<&str> = ["-ldflags=-s -w"].into_iter().chain(of_go_flags).chain(users).collect();
    all.join(" ")
}

/// Empty if there is none.
fn fingerprint(request: &BuildRequest, go: &Go, arguments: &[OsString]) -> Result<String, GolangError> {
    let module = request.settings.target.clone().unwrap_or_default().into_os_string();
    let counted: Vec<OsString> = [env!("CARGO_PKG_VERSION").into(), OsString::from(&go.version), module]
        .into_iter()
        .chain(arguments.iter().filter(|argument| !Path::new(argument).is_absolute()).cloned())
        .collect();
    let inputs = inputs::fingerprint(&request.application, go.variables(), &counted).map_err(GolangError::Look)?;
    Ok(inputs.unwrap_or_default())
}

/// The record of the binary in the layer, if it was made of the same.
fn unchanged(request: &BuildRequest, inputs: &str) -> Option<Record> {
    let earlier = request.earlier.as_ref()?;
    let same = !inputs.is_empty() && earlier.inputs == inputs && request.layers.function.join(BINARY).is_file();
    same.then(|| earlier.clone())
}

/// Empties the application folder, dot files too, and puts the binary there.
pub(crate) fn leave_only_the_function(request: &BuildRequest) -> Result<(), GolangError> {
    let artifact = request.application.join(&request.settings.function_name);
    empty(&request.application).map_err(GolangError::Take)?;
    fs_err::copy(request.layers.function.join(BINARY), &artifact).map_err(GolangError::Take)?;
    fs_err::set_permissions(&artifact, PermissionsExt::from_mode(0o755)).map_err(GolangError::Take)
}

#[cfg(test)]
mod tests;
