//! What commands that build a function have in common.

use std::path::PathBuf;

use clap::Args;
use fnpack_core::pipeline::Address;
use fnpack_core::reference::Reference;
use fnpack_core::target::Target;

use super::{BuildpackArguments, NetworkKind, PullArguments};

#[derive(Debug, Args)]
pub(crate) struct SourceArguments {
    /// Folder with the function's source, or a ready jar, NAR, Python zip, wheel or module, or Go program [default: the
    /// current folder]
    #[arg(value_name = "PATH")]
    source: Option<PathBuf>,
    /// The same as PATH, as `pack` has it
    #[arg(short, long, value_name = "PATH", conflicts_with = "source")]
    path: Option<PathBuf>,
    /// Builder image [default: that of project.toml, else that of the language found in the source, made if it is
    /// missing]
    #[arg(short = 'B', long, value_name = "NAME")]
    pub(crate) builder: Option<Reference>,
    #[command(flatten)]
    pub(crate) buildpacks: BuildpackArguments,
    /// Runner to put the function on, instead of the builder's
    #[arg(long, value_name = "IMAGE")]
    pub(crate) run_image: Option<Address>,
    #[command(flatten)]
    pub(crate) pull: PullArguments,
    /// Class or module of the function, where there are several
    #[arg(long, value_name = "NAME")]
    pub(crate) class_name: Option<String>,
    /// Leave out of the function's jar what every runner brings
    #[arg(long)]
    pub(crate) strip_provided: bool,
    /// Variable for the buildpacks; NAME alone takes the value from here
    #[arg(short, long = "env", value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// File with a NAME=VALUE a line; `--env` is stronger
    #[arg(long = "env-file", value_name = "FILE")]
    pub(crate) env_files: Vec<PathBuf>,
    /// Folder of this machine that the build sees, read-only unless `:rw`; below `/platform/bindings` it is a service
    /// binding
    #[arg(long = "volume", value_name = "HERE:THERE[:ro|rw]")]
    pub(crate) volumes: Vec<String>,
    /// Network of bin/build; bin/detect never has one
    #[arg(long, value_name = "KIND", default_value = "host")]
    pub(crate) network: NetworkKind,
    /// Target of the function [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Target>,
    /// Forget what earlier builds cached
    #[arg(long)]
    pub(crate) clear_cache: bool,
}

impl SourceArguments {
    /// Where the function is.
    pub(crate) fn path(&self) -> PathBuf {
        self.source.clone().or_else(|| self.path.clone()).unwrap_or_else(|| ".".into())
    }
}
