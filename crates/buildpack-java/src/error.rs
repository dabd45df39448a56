//! Everything that can go wrong in a build, and what the user may do about it.

use std::io;
use std::path::PathBuf;

use fnpack_artifact::java::{Interface, JarError, Unusable};

use crate::project::Absent;
use crate::settings::SettingsError;
use crate::tool::Tool;

/// Why there is no function.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JavaError {
    #[error("settings of the build")]
    Settings(#[source] SettingsError),
    #[error("look through the source folder")]
    Look(#[source] io::Error),
    #[error("{0}")]
    Absent(Absent),
    #[error("several modules may hold the function: {}", names(.modules))]
    SeveralModules { tool: Tool, modules: Vec<PathBuf> },
    #[error("there is no JDK: neither JAVA_HOME is set nor is `javac` in the PATH of the build")]
    JdkMissing,
    #[error("there is a Java that cannot compile: `java` is in the PATH of the build, and `javac` is not")]
    CompilerMissing,
    #[error("JAVA_HOME is `{}`, where there is no bin/javac", .0.display())]
    JdkNamed(PathBuf),
    #[error("see which Java the JDK is")]
    JdkVersion(#[source] io::Error),
    #[error("which Java `{}` is, is not known", .0.display())]
    JdkUnknown(PathBuf),
    #[error("there is no `{}` in the PATH of the build, and no `{}` in the source folder", .0.program(), .0.wrapper())]
    ToolMissing(Tool),
    #[error("prepare {tool}")]
    Prepare { tool: Tool, source: io::Error },
    #[error("run `{program}`")]
    Run { program: String, source: io::Error },
    #[error("{tool} could not build the project, see its words above")]
    Build { tool: Tool, output: String, java: u16 },
    #[error("{tool} made no jar in {}", .folder.display())]
    NoJar { tool: Tool, folder: PathBuf },
    #[error("{setting} names `{}`, which {tool} did not make", .path.display())]
    NoSuchJar { tool: Tool, setting: &'static str, path: PathBuf },
    #[error("read what {tool} made")]
    Jar { tool: Tool, source: JarError },
    #[error("there is no function among the classes of `{jar}` ({classes}){}", reasons(.misses))]
    NoFunction { jar: String, classes: usize, misses: Vec<Unusable> },
    #[error("`{jar}` has several functions: {}", .functions.join(", "))]
    SeveralFunctions { jar: String, functions: Vec<String> },
    #[error("BP_FUNCTION_CLASS does not name a function")]
    Unusable { source: Unusable, functions: Vec<String> },
    #[error("class `{class}` is for Java {needed}, but the runner has Java {runner}")]
    ClassLevel { class: String, needed: u16, runner: u16, is_own: bool },
    #[error("put the function together")]
    Assemble(#[source] JarError),
    #[error("take the function")]
    Take(#[source] io::Error),
}

impl From<JavaError> for libcnb::Error<JavaError> {
    fn from(error: JavaError) -> Self {
        Self::BuildpackError(error)
    }
}

fn names(folders: &[PathBuf]) -> String {
    let name = |folder: &PathBuf| if folder.as_os_str().is_empty() { ".".to_owned() } else { folder.display().to_string() };
    folders.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn reasons(misses: &[Unusable]) -> String {
    let said: Vec<String> = misses.iter().map(ToString::to_string).collect();
    if said.is_empty() { String::new() } else { format!(": {}", said.join("; ")) }
}

fn what_functions_are() -> String {
    format!(
        "a function is a public class with a public constructor without parameters that implements {}; name it in BP_FUNCTION_CLASS",
        Interface::ALL.map(Interface::name).join(", ")
    )
}

impl JavaError {
    /// What helps, where that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::SeveralModules { tool, modules } => {
                Some(format!("name one of them: {}={}", tool.module_setting(), names(modules.get(..1)?)))
            }
            Self::JdkMissing | Self::CompilerMissing => Some("use a build image with a JDK".to_owned()),
            Self::ToolMissing(tool) => {
                let command = if *tool == Tool::Maven { "mvn wrapper:wrapper" } else { "gradle wrapper" };
                Some(format!("add the wrapper to the source with `{command}`, or use a build image with {tool}"))
            }
            Self::Build { tool, output, java } => build_hint(*tool, output, *java),
            Self::NoJar { tool, .. } => Some(format!("see that {tool}'s arguments package the module, and that it makes a jar")),
            Self::NoFunction { .. } => Some(what_functions_are()),
            Self::SeveralFunctions { functions, .. } => Some(format!("name one of them: BP_FUNCTION_CLASS={}", functions.first()?)),
            Self::Unusable { functions, .. } if functions.is_empty() => Some(what_functions_are()),
            Self::Unusable { functions, .. } => Some(format!("name one that is a function: {}", functions.join(", "))),
            Self::ClassLevel { needed, runner, is_own, .. } => Some(if *is_own {
                format!("compile for Java {runner} (maven.compiler.release, options.release), or use a runner with Java {needed}")
            } else {
                format!("use a version of that library for Java {runner}, or a runner with Java {needed}")
            }),
            _ => None,
        }
    }
}

/// Words of the tools, and what helps. The first that is found counts, so causes stand before what they cause.
const HINTS: [(&[&str], &str); 17] = [
    (
        &[
            "main class org.gradle.wrapper.GradleWrapperMain",
            "main class org.apache.maven.wrapper.MavenWrapperMain",
            "Unable to access jarfile",
        ],
        "the wrapper is not complete: add the folder gradle/wrapper or .mvn/wrapper, jar and properties, to the source",
    ),
    (
        &["PKIX path building failed", "unable to find valid certification path", "SSL certificate problem"],
        "the certificate of a repository or proxy is not trusted in the build: give its CA certificate to the build (SSL_CERT_FILE)",
    ),
    (
        &[
            "Failed to fetch",
            "Failed to download",
            "Could not install Gradle distribution",
            "at org.gradle.wrapper.Download",
            "at org.gradle.wrapper.Install",
        ],
        "the wrapper's distribution cannot be had: name a mirror in the wrapper's properties (distributionUrl), or remove the wrapper to use \
         the build image's own",
    ),
    (
        &["status code: 401", "401 Unauthorized", "status code 401", "Not authorized", "authentication failed"],
        "a repository wants to know who asks: give the build a service binding of type `maven` with a settings.xml, or of type `gradle` with a gradle.properties",
    ),
    (
        &["status code: 403", "403 Forbidden", "status code 403"],
        "a repository refuses; name a mirror in the settings.xml of a service binding of type `maven`, or another repository in the project",
    ),
    (&["status code: 407", "407 Proxy Authentication"], "the proxy wants to know who asks: HTTPS_PROXY=http://user:password@host:port"),
    (
        &[
            "UnknownHostException",
            "Unknown host",
            "Temporary failure in name resolution",
            "Name or service not known",
            "nodename nor servname",
        ],
        "a repository's host is not known here: is there a network in the build, or a proxy to name in HTTPS_PROXY",
    ),
    (
        &[
            "Connection refused",
            "connect timed out",
            "Connect timed out",
            "Connection timed out",
            "Network is unreachable",
            "No route to host",
        ],
        "a repository cannot be reached: is there a network in the build, or a proxy to name in HTTPS_PROXY",
    ),
    (&["Non-parseable POM", "Malformed POM", "Non-readable POM", "not well-formed"], "correct the pom.xml at the line that Maven names"),
    (
        &["Non-resolvable parent POM", "Non-resolvable import POM"],
        "see that the parent or imported pom is in a repository that the project names",
    ),
    (&["Could not find the selected project in the reactor"], "BP_MAVEN_BUILT_MODULE must be a module that the pom.xml above it lists"),
    (
        &["Unsupported class file major version", "Could not determine java version", "What went wrong:\nBUG! exception in phase"],
        "this Gradle is too old for the build image's Java: set a newer one in gradle/wrapper/gradle-wrapper.properties",
    ),
    (
        &["No plugin found for prefix", "not found in any of the following sources", "Unresolveable build extension"],
        "see that the plugin's name and version are right, and that a repository has it",
    ),
    (
        &["Could not find artifact", "Could not find ", "was not found in", "Cannot find a version"],
        "no repository has that dependency: see that its name and version are right, and that the project names the repository",
    ),
    (&["COMPILATION ERROR", "Compilation failed; see the compiler", "Compilation error."], "correct what the compiler names"),
    (&["There are test failures", "There were failing tests"], "correct the tests, or leave them out of the arguments of the build"),
    (&["ENOSPC", "No space left on device"], "make room on the disk"),
];

/// Words of a compiler that is older than what the project wants.
const OLD_COMPILER: [&str; 4] = ["invalid target release", "invalid source release", "release version", "Cannot find a Java installation"];

fn build_hint(tool: Tool, output: &str, java: u16) -> Option<String> {
    if OLD_COMPILER.iter().any(|words| output.contains(words)) {
        return Some(format!(
            "the build image has Java {java}, and the project wants another: compile for Java {java}, or use a build image with that JDK"
        ));
    }
    if output.contains("is no longer supported. Use") && tool == Tool::Maven {
        return Some("the project sets no Java release, and its compiler plugin is old: set maven.compiler.release, and maven-compiler-plugin 3.13.0".to_owned());
    }
    let (_, hint) = HINTS.iter().find(|(words, _)| words.iter().any(|words| output.contains(words)))?;
    Some((*hint).to_owned())
}

#[cfg(test)]
mod tests {
    use fnpack_buildpack::explained;

    use super::*;

    #[test]
    fn hint_by_the_words_of_the_tool() {
        for (tool, output, expected) in [
            (Tool::Maven, "[ERROR] Non-parseable POM /x/pom.xml: end tag expected @3:4", "correct the pom.xml"),
            (Tool::Maven, "Could not find artifact a:b:jar:1 in central", "no repository has that dependency"),
            (
                Tool::Maven,
                "Could not transfer artifact a:b: repo.example.com: Name or service not known",
                "a repository's host is not known",
            ),
            (Tool::Maven, "Could not transfer artifact a:b: PKIX path building failed", "the certificate"),
            (
                Tool::Maven,
                "Could not transfer artifact a:b: status code: 401, reason phrase: Unauthorized (401)",
                "a repository wants to know",
            ),
            (Tool::Maven, "Could not transfer artifact a:b: Connect to x:443 failed: Connection refused", "a repository cannot be reached"),
            (Tool::Maven, "[ERROR] COMPILATION ERROR :\n[ERROR] cannot find symbol", "correct what the compiler names"),
            (Tool::Maven, "Fatal error compiling: error: invalid target release: 25", "the build image has Java 17"),
            (Tool::Maven, "Source option 5 is no longer supported. Use 7 or later.", "the project sets no Java release"),
            (Tool::Gradle, "Error: Could not find or load main class org.gradle.wrapper.GradleWrapperMain", "the wrapper is not complete"),
            (
                Tool::Gradle,
                "java.net.ConnectException: Connection refused\n\tat org.gradle.wrapper.Download.download(Download.java:51)\n\
                 \tat org.gradle.wrapper.GradleWrapperMain.main(GradleWrapperMain.java:61)",
                "the wrapper's distribution cannot be had",
            ),
            (Tool::Maven, "wget: Failed to fetch https://repo.example.com/maven.zip", "the wrapper's distribution cannot be had"),
            (Tool::Gradle, "Unsupported class file major version 69", "this Gradle is too old"),
            (Tool::Gradle, "> Could not find org.example:none:1.0.", "no repository has that dependency"),
            (Tool::Gradle, "something else", ""),
        ] {
            let hint = JavaError::Build { tool, output: output.into(), java: 17 }.hint().unwrap_or_default();
            assert!(hint.starts_with(expected) && (!expected.is_empty() || hint.is_empty()), "{output}: {hint}");
        }
    }

    #[test]
    fn hint_names_a_choice() {
        for (error, expected) in [
            (
                JavaError::SeveralModules { tool: Tool::Maven, modules: vec!["a".into(), "".into()] },
                "several modules may hold the function: a, .\nhint: name one of them: BP_MAVEN_BUILT_MODULE=a",
            ),
            (
                JavaError::SeveralFunctions { jar: "x.jar".into(), functions: vec!["x.A".into(), "x.B".into()] },
                "`x.jar` has several functions: x.A, x.B\nhint: name one of them: BP_FUNCTION_CLASS=x.A",
            ),
            (
                JavaError::ToolMissing(Tool::Gradle),
                "there is no `gradle` in the PATH of the build, and no `gradlew` in the source folder\n\
                 hint: add the wrapper to the source with `gradle wrapper`, or use a build image with Gradle",
            ),
            (
                JavaError::ClassLevel { class: "x.A".into(), needed: 21, runner: 17, is_own: true },
                "class `x.A` is for Java 21, but the runner has Java 17\n\
                 hint: compile for Java 17 (maven.compiler.release, options.release), or use a runner with Java 21",
            ),
        ] {
            assert_eq!(explained(&error, error.hint().as_deref()), expected);
        }
    }

    #[test]
    fn no_function_says_what_was_looked_for() {
        let misses = vec![Unusable::NotPublic("x.A".into()), Unusable::Abstract("x.B".into())];
        let error = JavaError::NoFunction { jar: "x.jar".into(), classes: 7, misses };
        let said = "there is no function among the classes of `x.jar` (7): class `x.A` is not public; class `x.B` is abstract";
        assert_eq!(error.to_string(), said);
    }
}
