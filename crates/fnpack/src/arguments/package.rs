//! `fnpack new` and `fnpack package`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use fnpack_core::package::Format;

use super::SourceArguments;

#[derive(Debug, Args)]
pub(crate) struct NewArguments {
    /// Language of the function
    #[arg(value_name = "LANGUAGE")]
    pub(crate) language: LanguageArgument,
    /// Folder to make; its name becomes the function's
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Add a Dockerfile that makes the image of the package
    #[arg(long)]
    pub(crate) dockerfile: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LanguageArgument {
    /// A Maven project
    Java,
    /// One module
    Python,
    /// One module
    Go,
}

pub(super) const NEW_EXAMPLES: &str = "\
Examples:
  fnpack new java orders && fnpack build orders orders
  fnpack new python orders --dockerfile";

#[derive(Debug, Args)]
pub(crate) struct PackageArguments {
    #[command(flatten)]
    pub(crate) from: SourceArguments,
    /// The package, or a folder for it [default: the current folder, under the name of the source's folder]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Form of the package [default: that of the function]
    #[arg(long, value_name = "FORM")]
    pub(crate) format: Option<PackageFormat>,
    /// Print what the package is as JSON instead of its path
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PackageFormat {
    /// A jar with all dependencies in it
    Jar,
    /// A jar with its dependencies as jars
    Nar,
    /// One Python module
    Py,
    /// Python modules as Pulsar takes them
    Zip,
    /// A program compiled from Go
    Go,
}

impl From<PackageFormat> for Format {
    fn from(format: PackageFormat) -> Self {
        match format {
            PackageFormat::Jar => Self::Jar,
            PackageFormat::Nar => Self::Nar,
            PackageFormat::Py => Self::Py,
            PackageFormat::Zip => Self::Zip,
            PackageFormat::Go => Self::Go,
        }
    }
}

pub(super) const PACKAGE_EXAMPLES: &str = "\
Examples:
  fnpack package                                            # the source is the current folder
  fnpack package examples/java/order-enricher -o order-enricher.jar
  fnpack package my-function -o dist/ --json
  fnpack package my-function --format zip -o orders.zip --run-image my-runner   # Python wheels that fit this runner";
