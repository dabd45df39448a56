//! What fnpack carries inside, so that it is one file to install: the programs that go into builders
//! and images, and the files of the default builders.

use fnpack_artifact::Language;
use fnpack_core::reference::Reference;
use fnpack_core::target::Target;

/// The CNB launcher, for this program's own architecture.
pub(crate) static LAUNCHER: &[u8] = include_bytes!(concat!(env!("FNPACK_EMBED"), "/launcher"));
/// The CNB lifecycle.
pub(crate) static LIFECYCLE: &[u8] = include_bytes!(concat!(env!("FNPACK_EMBED"), "/lifecycle"));

/// All that makes a default builder.
#[derive(Debug)]
pub(crate) struct DefaultBuilder {
    /// Its language, as users say it, or several.
    pub(crate) languages: &'static str,
    /// The builder's name.
    pub(crate) name: &'static str,
    /// Files whose presence says that the source is of this language.
    pub(crate) markers: &'static [&'static str],
    /// Files that say so where no language has a marker; `*` and an ending.
    pub(crate) sources: &'static [&'static str],
    /// `builder.toml`.
    pub(crate) builder_toml: &'static str,
    /// The buildpacks that `builder.toml` names.
    pub(crate) buildpacks: &'static [EmbeddedBuildpack],
    /// The build image.
    pub(crate) build_stack: EmbeddedStack,
    /// The run images, one a language.
    pub(crate) run_stacks: &'static [EmbeddedStack],
}

/// A buildpack as values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EmbeddedBuildpack {
    /// Its folder in `buildpacks/`.
    pub(crate) name: &'static str,
    /// `buildpack.toml`.
    pub(crate) toml: &'static str,
    /// `bin/build`; `bin/detect` is the same program.
    pub(crate) program: &'static [u8],
}

/// A stack image as values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EmbeddedStack {
    /// The image's name.
    pub(crate) name: &'static str,
    /// The Dockerfile's path in the repository.
    pub(crate) file: &'static str,
    /// Its text.
    pub(crate) dockerfile: &'static str,
    /// Build arguments.
    pub(crate) arguments: &'static [(&'static str, &'static str)],
    /// Whether functions run on it.
    pub(crate) is_runner: bool,
    /// What making it fetches besides the base image, for the announcement; may be nothing.
    pub(crate) fetches: &'static str,
}

const GOLANG: EmbeddedBuildpack = EmbeddedBuildpack {
    name: "golang",
    toml: include_str!("../../../buildpacks/golang/buildpack.toml"),
    program: include_bytes!(concat!(env!("FNPACK_EMBED"), "/buildpack-golang")),
};

const JAVA: EmbeddedBuildpack = EmbeddedBuildpack {
    name: "java",
    toml: include_str!("../../../buildpacks/java/buildpack.toml"),
    program: include_bytes!(concat!(env!("FNPACK_EMBED"), "/buildpack-java")),
};

const PYTHON: EmbeddedBuildpack = EmbeddedBuildpack {
    name: "python",
    toml: include_str!("../../../buildpacks/python/buildpack.toml"),
    program: include_bytes!(concat!(env!("FNPACK_EMBED"), "/buildpack-python")),
};

const fn build_stack(name: &'static str, arguments: &'static [(&'static str, &'static str)], fetches: &'static str) -> EmbeddedStack {
    EmbeddedStack {
        name,
        file: "stack/stack.build.Dockerfile",
        dockerfile: include_str!("../../../stack/stack.build.Dockerfile"),
        arguments,
        is_runner: false,
        fetches,
    }
}

const fn runner_stack(name: &'static str, file: &'static str, dockerfile: &'static str) -> EmbeddedStack {
    EmbeddedStack { name, file, dockerfile, arguments: &[], is_runner: true, fetches: "" }
}

const GO_RUNNER: EmbeddedStack =
    runner_stack("stack/go-runner", "stack/stack.go-runner.run.Dockerfile", include_str!("../../../stack/stack.go-runner.run.Dockerfile"));

const JAVA_RUNNER: EmbeddedStack = runner_stack(
    "stack/java-runner",
    "stack/stack.java-runner.run.Dockerfile",
    include_str!("../../../stack/stack.java-runner.run.Dockerfile"),
);

const PYTHON_RUNNER: EmbeddedStack = runner_stack(
    "stack/python-runner",
    "stack/stack.python-runner.run.Dockerfile",
    include_str!("../../../stack/stack.python-runner.run.Dockerfile"),
);

/// The default builders, one a language.
pub(crate) static DEFAULT_BUILDERS: [DefaultBuilder; 3] = [
    DefaultBuilder {
        languages: "Go",
        name: "fnpack/golang-builder",
        markers: &["go.mod"],
        sources: &[],
        builder_toml: include_str!("../../../builders/golang-builder/builder.toml"),
        buildpacks: &[GOLANG],
        build_stack: build_stack(
            "stack/build-go",
            &[("LANGUAGES", "go")],
            "about 50 MB of Debian packages (Go) from the mirror that the base names",
        ),
        run_stacks: &[GO_RUNNER],
    },
    DefaultBuilder {
        languages: "Java",
        name: "fnpack/java-builder",
        markers: &["pom.xml", "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"],
        sources: &[],
        builder_toml: include_str!("../../../builders/java-builder/builder.toml"),
        buildpacks: &[JAVA],
        build_stack: build_stack(
            "stack/build-java",
            &[("LANGUAGES", "java")],
            "about 100 MB of Debian packages (JDK) from the mirror that the base names, Maven (9 MB) from Maven Central",
        ),
        run_stacks: &[JAVA_RUNNER],
    },
    DefaultBuilder {
        languages: "Python",
        name: "fnpack/python-builder",
        markers: &["pyproject.toml", "requirements.txt", "setup.py", "Pipfile"],
        sources: &["*.py"],
        builder_toml: include_str!("../../../builders/python-builder/builder.toml"),
        buildpacks: &[PYTHON],
        build_stack: build_stack(
            "stack/build-python",
            &[("LANGUAGES", "python")],
            "about 20 MB of Debian packages (Python) from the mirror that the base names, uv (25 MB) from PyPI",
        ),
        run_stacks: &[PYTHON_RUNNER],
    },
];

/// The builder for all languages: its groups are tried one after the other.
pub(crate) static FUNCTION_BUILDER: DefaultBuilder = DefaultBuilder {
    languages: "Go, Java and Python",
    name: "fnpack/function-builder",
    markers: &[],
    sources: &[],
    builder_toml: include_str!("../../../builders/function-builder/builder.toml"),
    buildpacks: &[GOLANG, JAVA, PYTHON],
    build_stack: build_stack(
        "stack/build",
        &[],
        "about 170 MB of Debian packages (Go, JDK, Python) from the mirror that the base names, Maven (9 MB) from Maven Central, uv (25 MB) from PyPI",
    ),
    run_stacks: &[GO_RUNNER, JAVA_RUNNER, PYTHON_RUNNER],
};

/// The names of all images that fnpack makes of what it carries.
pub(crate) fn names() -> Vec<Reference> {
    let builders = || DEFAULT_BUILDERS.iter().chain([&FUNCTION_BUILDER]);
    let stacks = builders().flat_map(|builder| builder.run_stacks.iter().chain([&builder.build_stack])).map(|stack| stack.name);
    builders().map(|builder| builder.name).chain(stacks).filter_map(|name| name.parse().ok()).collect()
}

/// The default runner of a language.
pub(crate) const fn runner(language: Language) -> &'static EmbeddedStack {
    match language {
        Language::Go => &GO_RUNNER,
        Language::Java => &JAVA_RUNNER,
        Language::Python => &PYTHON_RUNNER,
    }
}

/// The target of the embedded programs: only for it can builders be made.
pub(crate) fn target() -> Target {
    Target::of_this_program()
}
