//! How Gradle is called.

use std::io;
use std::path::{Path, PathBuf};

use fnpack_buildpack::{FunctionPlatform, Variables};

use crate::build::BuildRequest;
use crate::command::Invocation;
use crate::connection::{self, Properties};
use crate::error::JavaError;
use crate::program::Program;
use crate::project::Project;
use crate::tool::Tool;

/// Does what the project's own files do not.
const INIT_SCRIPT: &str = include_str!("gradle/init.gradle");

/// What a service binding of type `gradle` may hold besides scripts. Gradle looks for it in its home folder alone.
const PROPERTIES: &str = "gradle.properties";

/// The files of service bindings of type `gradle`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GradleFiles {
    pub(crate) properties: Option<PathBuf>,
    pub(crate) scripts: Vec<PathBuf>,
}

impl GradleFiles {
    pub(crate) fn of(platform: &FunctionPlatform) -> io::Result<Self> {
        let mut scripts = Vec::new();
        for binding in platform.bindings().iter().filter(|binding| binding.kind == "gradle") {
            for entry in fs_err::read_dir(&binding.folder)? {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                scripts.extend(Some(path).filter(|_| name.ends_with(".gradle") || name.ends_with(".gradle.kts")));
            }
        }
        scripts.sort_unstable();
        Ok(Self { properties: platform.file("gradle", PROPERTIES), scripts })
    }
}

/// Where libraries are copied to.
pub(crate) fn libraries(request: &BuildRequest) -> PathBuf {
    request.layers.tool.join("libraries")
}

/// Removes what was copied: the layer has it all once already.
pub(crate) fn remove_libraries(request: &BuildRequest) -> Result<(), JavaError> {
    let libraries = libraries(request);
    let removed = if libraries.exists() { fs_err::remove_dir_all(libraries) } else { Ok(()) };
    removed.map_err(|source| JavaError::Prepare { tool: Tool::Gradle, source })
}

/// Compiles the module and copies its libraries.
pub(crate) fn run(request: &BuildRequest, project: &Project, module: &Path, release: Option<u16>) -> Result<Result<(), String>, JavaError> {
    let prepare = |source| JavaError::Prepare { tool: Tool::Gradle, source };
    let layer = &request.layers.tool;
    let home = layer.join("home");
    let script = layer.join("init.gradle");
    fs_err::create_dir_all(&home).map_err(prepare)?;
    fs_err::write(&script, INIT_SCRIPT).map_err(prepare)?;
    remove_libraries(request)?;
    let properties = connection::properties(&request.variables, &layer.join("trust.p12")).map_err(prepare)?;
    let _linked = LinkedProperties::new(&home, request.gradle.properties.as_deref()).map_err(prepare)?;
    let application = fs_err::canonicalize(&request.application).map_err(prepare)?;
    let root = application.join(&project.root);
    let program = Program::choose(&request.variables, &root, Tool::Gradle)?;
    let mut arguments = program.arguments.clone();
    arguments.extend(["--no-daemon", "--console=plain", "--init-script"].map(str::to_owned));
    arguments.push(script.display().to_string());
    for script in &request.gradle.scripts {
        arguments.extend(["--init-script".to_owned(), script.display().to_string()]);
    }
    arguments.push(format!("-Dfnpack.libraries={}", libraries(request).display()));
    arguments.push(format!("-Dfnpack.module={}", application.join(module).display()));
    arguments.extend(release.map(|release| format!("-Dfnpack.release={release}")));
    // What the script does cannot be kept for later runs, and need not.
    arguments.push("-Dorg.gradle.configuration-cache=false".to_owned());
    arguments.extend(connection::arguments(&properties));
    let path = task_path(&project.root, module);
    arguments.extend(request.settings.gradle.arguments.clone().unwrap_or_else(|| vec![format!("{path}assemble")]));
    arguments.push(format!("{path}fnpackLibraries"));
    let invocation = Invocation { name: program.name, program: program.path, arguments };
    invocation.run(&variables(request, &home, &properties), &root, &application)
}

/// The client's own properties, for the wrapper, and for what Gradle starts.
fn variables(request: &BuildRequest, home: &Path, properties: &Properties) -> Variables {
    let mut variables = request.variables.clone();
    variables.insert("GRADLE_USER_HOME".into(), home.into());
    variables.insert("JAVA_HOME".into(), request.jdk.home.clone().into());
    let options = variables.entry("GRADLE_OPTS".into()).or_default();
    // Gradle's start script takes them as the shell would.
    for argument in connection::arguments(properties).into_iter().filter(|argument| !argument.contains('\'')) {
        options.push(format!(" '{argument}'"));
    }
    variables
}

/// `:` for the root, `:services:orders:` for a module.
fn task_path(root: &Path, module: &Path) -> String {
    let inside = module.strip_prefix(root).unwrap_or(module);
    inside.components().fold(":".to_owned(), |path, part| format!("{path}{}:", part.as_os_str().display()))
}

/// Passwords lie in the file that is linked, and go with the link: no layer keeps them.
struct LinkedProperties(Option<PathBuf>);

impl LinkedProperties {
    fn new(home: &Path, file: Option<&Path>) -> io::Result<Self> {
        let link = home.join(PROPERTIES);
        if fs_err::symlink_metadata(&link).is_ok() {
            fs_err::remove_file(&link)?;
        }
        let Some(file) = file else { return Ok(Self(None)) };
        fs_err::os::unix::fs::symlink(file, &link)?;
        Ok(Self(Some(link)))
    }
}

impl Drop for LinkedProperties {
    fn drop(&mut self) {
        if let Some(link) = &self.0 {
            // The next build removes what this one could not.
            let _ = fs_err::remove_file(link);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_path_of_modules() {
        for (root, module, path) in [("", "", ":"), ("", "services/orders", ":services:orders:"), ("a", "a", ":"), ("a", "a/b", ":b:")] {
            assert_eq!(task_path(Path::new(root), Path::new(module)), path);
        }
    }

    #[test]
    fn linked_properties_go_with_the_build() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        fs_err::write(&secret, "password=x").unwrap();
        let link = folder.path().join(PROPERTIES);
        let linked = LinkedProperties::new(folder.path(), Some(&secret)).unwrap();
        assert_eq!(fs_err::read_link(&link).unwrap(), secret);
        drop(linked);
        assert!(fs_err::symlink_metadata(&link).is_err() && secret.exists());
        std::os::unix::fs::symlink("/left/by/a/killed/build", &link).unwrap();
        drop(LinkedProperties::new(folder.path(), None).unwrap());
        assert!(fs_err::symlink_metadata(&link).is_err());
    }
}
