//! How Maven is called.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use fnpack_buildpack::{FunctionPlatform, Variables};

use crate::build::BuildRequest;
use crate::command::Invocation;
use crate::connection::{self, Properties};
use crate::error::JavaError;
use crate::program::Program;
use crate::project::Project;
use crate::tool::Tool;

/// Copies what a module needs at run time. The version is pinned, so that builds repeat.
const COPY_LIBRARIES: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// Where it copies to, in the module.
pub(crate) const LIBRARIES: &str = "target/dependency";

/// Settings of the transports that Maven has had since 3.9, so that they heed the proxy.
const TRANSPORT: [&str; 2] = ["-Daether.connector.http.useSystemProperties=true", "-Daether.transport.apache.useSystemProperties=true"];

/// Works with every Maven 3, where `--no-transfer-progress` is newer.
const WITHOUT_PROGRESS: &str = "-Dorg.slf4j.simpleLogger.log.org.apache.maven.cli.transfer.Slf4jMavenTransferListener=warn";

/// The files of service bindings of type `maven`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MavenFiles {
    pub(crate) settings: Option<PathBuf>,
    pub(crate) settings_security: Option<PathBuf>,
}

impl MavenFiles {
    pub(crate) fn of(platform: &FunctionPlatform) -> Self {
        Self { settings: platform.file("maven", "settings.xml"), settings_security: platform.file("maven", "settings-security.xml") }
    }
}

/// Compiles the module, with those it needs, and copies its libraries.
pub(crate) fn run(request: &BuildRequest, project: &Project, module: &Path, release: Option<u16>) -> Result<Result<(), String>, JavaError> {
    let prepare = |source| JavaError::Prepare { tool: Tool::Maven, source };
    let layer = &request.layers.tool;
    let properties = connection::properties(&request.variables, &layer.join("trust.p12")).map_err(prepare)?;
    let application = fs_err::canonicalize(&request.application).map_err(prepare)?;
    let root = application.join(&project.root);
    let program = Program::choose(&request.variables, &root, Tool::Maven)?;
    let mut arguments = program.arguments;
    arguments.extend(["--batch-mode", WITHOUT_PROGRESS].map(str::to_owned));
    if connection::has_proxy(&properties) {
        arguments.extend(TRANSPORT.map(str::to_owned));
    }
    arguments.push(format!("-Dmaven.repo.local={}", layer.join("repository").display()));
    if let Some(settings) = &request.maven.settings {
        arguments.extend(["--settings".to_owned(), settings.display().to_string()]);
    }
    arguments.extend(request.maven.settings_security.iter().map(|file| format!("-Dsettings.security={}", file.display())));
    if let Some(release) = release {
        // Compiler plugins from before 3.6 do not know the first.
        arguments.extend(["release", "source", "target"].map(|name| format!("-Dmaven.compiler.{name}={release}")));
    }
    let inside = module.strip_prefix(&project.root).unwrap_or(module);
    if !inside.as_os_str().is_empty() {
        arguments.extend(["--projects".to_owned(), inside.display().to_string(), "--also-make".to_owned()]);
    }
    let default = || ["-DskipTests", "package"].map(str::to_owned).to_vec();
    arguments.extend(request.settings.maven.arguments.clone().unwrap_or_else(default));
    arguments.extend([COPY_LIBRARIES, "-DincludeScope=runtime", "-Dmdep.prependGroupId=true"].map(str::to_owned));
    let invocation = Invocation { name: program.name, program: program.path, arguments };
    invocation.run(&variables(request, &properties), &root, &application)
}

/// The wrapper keeps the Maven it fetches in the layer too.
fn variables(request: &BuildRequest, properties: &Properties) -> Variables {
    let mut variables = request.variables.clone();
    variables.insert("MAVEN_USER_HOME".into(), request.layers.tool.join("home").into());
    variables.insert("JAVA_HOME".into(), request.jdk.home.clone().into());
    let options = variables.entry("MAVEN_OPTS".into()).or_default();
    for argument in connection::arguments(properties) {
        options.push(" ");
        options.push(OsString::from(argument));
    }
    variables
}
