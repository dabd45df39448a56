//! Which buildpacks a build takes.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct BuildpackArguments {
    /// Buildpack in place of the builder's order: a folder, an archive, `ID[@VERSION]` of the builder, an image, or
    /// `from=builder` for all of the builder's
    #[arg(short = 'b', long = "buildpack", value_name = "BUILDPACK", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Buildpack to run before those of the builder
    #[arg(long = "pre-buildpack", value_name = "BUILDPACK", value_delimiter = ',', conflicts_with = "only")]
    pub(crate) before: Vec<String>,
    /// Buildpack to run after those of the builder
    #[arg(long = "post-buildpack", value_name = "BUILDPACK", value_delimiter = ',', conflicts_with = "only")]
    pub(crate) after: Vec<String>,
    /// The project.toml [default: that in PATH, if there is one]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) descriptor: Option<PathBuf>,
}
