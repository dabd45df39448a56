//! The two build tools: what their files are called, and where their results lie.

use std::fmt;

/// What builds a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Maven,
    Gradle,
}

impl Tool {
    /// In the order in which they are looked for.
    pub(crate) const ALL: [Self; 2] = [Self::Maven, Self::Gradle];

    /// A folder with one of these is a project.
    pub(crate) const fn files(self) -> &'static [&'static str] {
        match self {
            Self::Maven => &["pom.xml"],
            Self::Gradle => &["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"],
        }
    }

    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::Maven => "mvn",
            Self::Gradle => "gradle",
        }
    }

    /// The script that fetches the version a project wants.
    pub(crate) const fn wrapper(self) -> &'static str {
        match self {
            Self::Maven => "mvnw",
            Self::Gradle => "gradlew",
        }
    }

    /// Where a module's jars are.
    pub(crate) const fn output_folder(self) -> &'static str {
        match self {
            Self::Maven => "target",
            Self::Gradle => "build/libs",
        }
    }

    pub(crate) const fn module_setting(self) -> &'static str {
        match self {
            Self::Maven => "BP_MAVEN_BUILT_MODULE",
            Self::Gradle => "BP_GRADLE_BUILT_MODULE",
        }
    }

    pub(crate) const fn artifact_setting(self) -> &'static str {
        match self {
            Self::Maven => "BP_MAVEN_BUILT_ARTIFACT",
            Self::Gradle => "BP_GRADLE_BUILT_ARTIFACT",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Maven => "Maven",
            Self::Gradle => "Gradle",
        })
    }
}
