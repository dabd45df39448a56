//! `fnpack new` and `fnpack package`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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
