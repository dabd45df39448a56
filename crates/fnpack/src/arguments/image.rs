//! `fnpack image …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fnpack_core::pipeline::Address;
use fnpack_core::reference::Reference;
use fnpack_core::target::Target;

use super::{InspectArguments, NetworkKind, OutputForm, PullArguments};

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Build an image from a Dockerfile
    #[command(after_help = "Examples:\n  fnpack image build -t stack/build -f stack/stack.build.Dockerfile stack")]
    Build(Box<ImageBuildArguments>),
    /// List the images of the store
    Ls {
        /// Form of the answer
        #[arg(short, long, value_name = "FORM", default_value = "table")]
        output: OutputForm,
    },
    /// Show what images are made of; the same as `fnpack inspect`
    Inspect(InspectArguments),
    /// Remove names; `fnpack store gc` frees the space
    Rm {
        /// Names to remove
        #[arg(value_name = "NAME", required = true)]
        names: Vec<Reference>,
    },
    /// Give an image a further name
    Tag {
        /// Image in the store
        #[arg(value_name = "NAME")]
        name: Reference,
        /// Its further name
        #[arg(value_name = "NEW")]
        new: Reference,
    },
    /// Write an image to a file that docker, podman and skopeo read
    #[command(after_help = "Examples:\n  fnpack image save -o fn.tar my-function\n  docker load -i fn.tar")]
    Save(SaveArguments),
    /// Take images from a file of `fnpack image save`, `docker save` or skopeo
    Load(LoadArguments),
    /// Make an image of a root file system in a tar
    #[command(after_help = "Examples:\n  fnpack image import rootfs.tar debian:trixie-slim")]
    Import(ImportArguments),
    /// Copy an image from anywhere to anywhere, byte for byte
    #[command(after_help = COPY_EXAMPLES)]
    Copy(CopyArguments),
    /// Send an image to its registry
    Push {
        /// Image in the store
        #[arg(value_name = "NAME")]
        name: Reference,
        /// Name to send it as
        #[arg(value_name = "AS")]
        destination: Option<Reference>,
        #[command(flatten)]
        platforms: PlatformsArguments,
    },
    /// Get an image from its registry
    Pull {
        /// Image in a registry
        #[arg(value_name = "NAME")]
        name: Reference,
        #[command(flatten)]
        platforms: PlatformsArguments,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CopyArguments {
    /// Image: a name, looked up in the store and then in its registry, `docker://NAME`, `oci:DIR[:REF]`,
    /// `oci-archive:FILE[:REF]`, `docker-archive:FILE[:REF]` or `docker-daemon:NAME`
    #[arg(value_name = "FROM")]
    pub(crate) from: Address,
    /// Where to: a name in the store, or `docker://NAME`, `oci:…`, `oci-archive:…`, `docker-archive:…`, or
    /// `docker-daemon:NAME`: the container engine of this machine, docker or podman
    #[arg(value_name = "TO")]
    pub(crate) to: Address,
    #[command(flatten)]
    pub(crate) platforms: PlatformsArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PlatformsArguments {
    /// Take an index whole, for all targets
    #[arg(long, conflicts_with = "platform")]
    pub(crate) all: bool,
    /// Target to take from an index [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Target>,
}

const COPY_EXAMPLES: &str = "\
Examples:
  fnpack image copy my-function docker://ghcr.io/acme/my-function:1
  fnpack image copy --all docker://ghcr.io/acme/runner:1 docker://localhost:5000/runner:1   # with its signatures
  fnpack image copy my-function docker-daemon:my-function                                   # what the engine lacks of it
  fnpack image copy my-function oci-archive:my-function.tar                                 # for kind, k3s, containerd
  fnpack image copy oci-archive:my-function.tar my-function";

#[derive(Debug, Args)]
pub(crate) struct ImageBuildArguments {
    /// Build context
    #[arg(value_name = "CONTEXT", default_value = ".")]
    pub(crate) context: PathBuf,
    /// Name for the result
    #[arg(short, long = "tag", value_name = "NAME", required = true)]
    pub(crate) tags: Vec<Reference>,
    /// Send the image to its registry, under each of its names
    #[arg(long)]
    pub(crate) publish: bool,
    /// Load the image into the container engine of this machine (docker, podman), under each of its names
    #[arg(long)]
    pub(crate) load: bool,
    #[command(flatten)]
    pub(crate) pull: PullArguments,
    /// The Dockerfile [default: CONTEXT/Dockerfile]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Value for an ARG; NAME alone takes the value from here
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    pub(crate) build_args: Vec<String>,
    /// Stage to build
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    /// Label for the result
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,
    /// Target of the image [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Target>,
    /// Network of RUN
    #[arg(long, value_name = "KIND", default_value = "host")]
    pub(crate) network: NetworkKind,
    /// Run every step again
    #[arg(long)]
    pub(crate) no_cache: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SaveArguments {
    /// Image: a name, `docker://NAME`, `oci:DIR`, …
    #[arg(value_name = "IMAGE")]
    pub(crate) name: Address,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// What the file is; docker before 25 reads only `docker`
    #[arg(long, value_name = "FORMAT", default_value = "oci")]
    pub(crate) format: ArchiveFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ArchiveFormat {
    /// A tar of an OCI image layout
    Oci,
    /// What `docker save` writes
    Docker,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    /// File to read, or an image in it: `oci:DIR[:REF]`, `oci-archive:FILE[:REF]`, `docker-archive:FILE[:REF]`
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Name for the image, if it has none in the file
    #[arg(short, long, value_name = "NAME")]
    pub(crate) tag: Option<Reference>,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// Tar of a root file system, plain or in gzip or zstd
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Name for the image
    #[arg(value_name = "NAME")]
    pub(crate) name: Reference,
    /// Target of the programs in it [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Target>,
}
