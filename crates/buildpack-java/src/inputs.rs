//! A fingerprint of everything that a function is made of, so that an unchanged one is not built again.
//!
//! Counted are all files of the application folder, the JDK, the settings, and the variables and files that the tools
//! are given. Libraries are pinned by their versions, which never change in a repository; where something floats
//! (snapshots, ranges, links that lead out of the source folder) there is no fingerprint, and the tool is asked.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use fnpack_buildpack::Fingerprint;

use crate::build::BuildRequest;
use crate::build_files::BuildFiles;

/// What variables begin with that the tools, Java or this buildpack heed.
const PREFIXES: [&str; 6] = ["BP_", "MAVEN_", "GRADLE_", "ORG_GRADLE_PROJECT_", "JAVA_TOOL_", "JDK_JAVA_"];

/// Where things are kept does not change what is built, nor where they will be.
const WITHOUT_EFFECT: [&str; 4] = ["BP_LAUNCH_APP_DIR", "BP_FUNCTION_NAME", "GRADLE_USER_HOME", "MAVEN_USER_HOME"];

/// The fingerprint, if there can be one.
pub(crate) fn fingerprint(request: &BuildRequest, files: &BuildFiles) -> io::Result<Option<String>> {
    if !files.are_pinned() {
        return Ok(None);
    }
    let mut inputs = Fingerprint::default();
    for field in [env!("CARGO_PKG_VERSION"), &request.jdk.version, &request.settings.runner_java.to_string()] {
        inputs.add(field.as_bytes());
    }
    for (name, value) in request.variables.iter().filter(|(name, _)| has_effect(name)) {
        inputs.add(name.as_bytes());
        inputs.add(value.as_bytes());
    }
    for file in request.given_files() {
        inputs.add_file(file, file.file_name().map_or(Path::new(""), Path::new))?;
    }
    let counted = inputs.add_folder(&request.application, |_, _| Ok(true))?;
    Ok(counted.then(|| inputs.finish()))
}

fn has_effect(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !WITHOUT_EFFECT.contains(&&*name)
}
