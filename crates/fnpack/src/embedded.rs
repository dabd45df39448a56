//! What fnpack carries inside, so that it is one file to install: the programs that go into builders
//! and images, and the files of the default builders.

use fnpack_core::target::Target;

/// The CNB launcher, for this program's own architecture.
pub(crate) static LAUNCHER: &[u8] = include_bytes!(concat!(env!("FNPACK_EMBED"), "/launcher"));
/// The CNB lifecycle.
pub(crate) static LIFECYCLE: &[u8] = include_bytes!(concat!(env!("FNPACK_EMBED"), "/lifecycle"));
/// `bin/detect` and `bin/build` of the Go buildpack.
static BUILDPACK_GOLANG: &[u8] = include_bytes!(concat!(env!("FNPACK_EMBED"), "/buildpack-golang"));

/// All that makes one language's default builder.
#[derive(Debug)]
pub(crate) struct DefaultBuilder {
    /// The language, as users say it.
    pub(crate) language: &'static str,
    /// The builder's name.
    pub(crate) name: &'static str,
    /// A file whose presence says that the source is of this language.
    pub(crate) marker: &'static str,
    /// `builder.toml`.
    pub(crate) builder_toml: &'static str,
    /// The buildpack's folder, as `builder.toml` names it.
    pub(crate) buildpack: EmbeddedBuildpack,
    /// Name and Dockerfile of the build image.
    pub(crate) build_stack: EmbeddedStack,
    /// Name and Dockerfile of the run image.
    pub(crate) run_stack: EmbeddedStack,
    /// What making it fetches besides the base image, for the announcement.
    pub(crate) fetches: &'static str,
}

/// A buildpack as values.
#[derive(Debug)]
pub(crate) struct EmbeddedBuildpack {
    /// `buildpack.toml`.
    pub(crate) toml: &'static str,
    /// `bin/build`; `bin/detect` is the same program.
    pub(crate) program: &'static [u8],
}

/// A stack image as values.
#[derive(Debug)]
pub(crate) struct EmbeddedStack {
    /// The image's name.
    pub(crate) name: &'static str,
    /// The Dockerfile's name below `stack/`.
    pub(crate) file: &'static str,
    /// Its text.
    pub(crate) dockerfile: &'static str,
}

/// The default builders, one a language.
pub(crate) static DEFAULT_BUILDERS: [DefaultBuilder; 1] = [DefaultBuilder {
    language: "Go",
    name: "fnpack/golang-builder",
    marker: "go.mod",
    builder_toml: include_str!("../../../builders/golang-builder/builder.toml"),
    buildpack: EmbeddedBuildpack { toml: include_str!("../../../buildpacks/golang/buildpack.toml"), program: BUILDPACK_GOLANG },
    build_stack: EmbeddedStack {
        name: "stack/build",
        file: "stack.build.Dockerfile",
        dockerfile: include_str!("../../../stack/stack.build.Dockerfile"),
    },
    run_stack: EmbeddedStack {
        name: "stack/go-runner",
        file: "stack.go-runner.run.Dockerfile",
        dockerfile: include_str!("../../../stack/stack.go-runner.run.Dockerfile"),
    },
    fetches: "about 50 MB of Debian packages (Go) from the mirror that the base names",
}];

/// The target of the embedded programs: only for it can builders be made.
pub(crate) fn target() -> Target {
    Target::of_this_program()
}
