//! What a user can type. What it means is decided in `command`.

mod buildpacks;
mod image;
mod index;
mod package;
mod registry;
mod run;
mod source;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use fnpack_core::executor::Network;
use fnpack_core::pipeline::{Address, PullPolicy};
use fnpack_core::reference::Reference;
use fnpack_core::target::Target;

pub(crate) use buildpacks::BuildpackArguments;
pub(crate) use image::{
    ArchiveFormat, ImageBuildArguments, ImageCommand, ImportArguments, LoadArguments, PlatformsArguments, SaveArguments,
};
pub(crate) use index::IndexCommand;
pub(crate) use package::{LanguageArgument, NewArguments, PackageArguments};
pub(crate) use registry::{AccessArguments, LoginArguments, LogoutArguments};
pub(crate) use run::{FunctionArguments, PlatformKind, RunArguments};
pub(crate) use source::SourceArguments;

/// Package Apache Pulsar functions: source to function image, without a daemon, root or a registry
#[derive(Debug, Parser)]
#[command(
    name = "fnpack",
    disable_version_flag = true,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 120
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: GlobalArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct GlobalArguments {
    /// Folder of the local store [default: `$FNPACK_STORE`, `$XDG_DATA_HOME/fnpack` or `~/.local/share/fnpack`]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub(crate) store: Option<PathBuf>,
    /// Never use the network for images
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) offline: bool,
    /// File with certificates of authorities that registries are trusted by, beside the system's
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub(crate) registry_ca: Option<PathBuf>,
    /// How the commands of a build are run
    #[arg(
        long,
        global = true,
        value_name = "KIND",
        default_value = "auto",
        env = "FNPACK_EXECUTOR",
        hide_env_values = true,
        help_heading = "Everywhere"
    )]
    pub(crate) executor: ExecutorKind,
    /// Print results only
    #[arg(short, long, global = true, help_heading = "Everywhere")]
    pub(crate) quiet: bool,
    /// Print more of what is done
    #[arg(short, long, global = true, help_heading = "Everywhere", conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Print no colours
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) no_color: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExecutorKind {
    /// The sandbox; inside a builder's container where it does not work, that container
    Auto,
    /// Namespaces of their own, over an image
    Sandbox,
    /// This container, if it is a builder's
    Here,
    /// This machine with its own toolchains: no isolation
    Host,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a project of a function that builds at once
    #[command(after_help = package::NEW_EXAMPLES)]
    New(NewArguments),
    /// Build a function image from source, or from a ready jar, zip, wheel, module or program
    #[command(after_help = BUILD_EXAMPLES)]
    Build(Box<BuildArguments>),
    /// Build a function package from source
    #[command(
        after_help = package::PACKAGE_EXAMPLES,
        mut_arg("source", |path| path.help("Folder with the function's source [default: the current folder]")),
        mut_arg("run_image", |name| name.help("Runner that the package is for, instead of the builder's"))
    )]
    Package(Box<PackageArguments>),
    /// Run a function, or an image's process, in the sandbox
    #[command(after_help = run::EXAMPLES)]
    Run(Box<RunArguments>),
    /// Put a function image on another run image, without building
    #[command(after_help = REBASE_EXAMPLES)]
    Rebase(RebaseArguments),
    /// Show what images are made of
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(InspectArguments),
    /// Work with images of the store
    #[command(subcommand)]
    Image(ImageCommand),
    /// Make one name stand for images of several targets
    #[command(subcommand)]
    Index(IndexCommand),
    /// Make and look into builders
    #[command(subcommand)]
    Builder(BuilderCommand),
    /// Care for the local store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Keep a login for a registry, once it is proven right
    #[command(after_help = registry::LOGIN_EXAMPLES)]
    Login(LoginArguments),
    /// Forget the login for a registry
    Logout(LogoutArguments),
    /// Prove that images can be pulled and pushed, before a build needs it
    #[command(after_help = registry::ACCESS_EXAMPLES)]
    Access(AccessArguments),
    /// Show what works on this machine, and what to change
    #[command(after_help = "Examples:\n  fnpack doctor\n  fnpack doctor --require sandbox   # exit code 5 if builds cannot be isolated")]
    Doctor(DoctorArguments),
    /// Print a shell completion script
    #[command(after_help = "Examples:\n  fnpack completion bash > /etc/bash_completion.d/fnpack")]
    Completion { shell: clap_complete::Shell },
    /// Write the man pages into a folder
    #[command(hide = true)]
    Manual { folder: PathBuf },
    /// Print the version
    Version,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    /// Name of the image to make
    #[arg(value_name = "NAME")]
    pub(crate) name: Reference,
    #[command(flatten)]
    pub(crate) from: SourceArguments,
    /// Further name for the result
    #[arg(short, long = "tag", value_name = "NAME")]
    pub(crate) tags: Vec<Reference>,
    /// Send the image to its registry, under each of its names; whether it may is asked before the build
    #[arg(long)]
    pub(crate) publish: bool,
    /// Load the image into the container engine of this machine (docker, podman), under each of its names: what the engine
    /// lacks of it. The image stays in the store if that fails
    #[arg(long)]
    pub(crate) load: bool,
    /// Image in a registry with what builds cached: brought here where this machine has no cache of NAME, sent after the build
    #[arg(long, value_name = "NAME")]
    pub(crate) cache_image: Option<Reference>,
    /// Process type that the image starts
    #[arg(short = 'D', long, value_name = "TYPE")]
    pub(crate) default_process: Option<String>,
    /// Image whose layers are reused [default: NAME]
    #[arg(long, value_name = "NAME")]
    pub(crate) previous_image: Option<Reference>,
    /// Application folder in the build and in the image
    #[arg(long, value_name = "DIR", default_value = "/pulsar/function")]
    pub(crate) workspace: PathBuf,
    /// Time to record as the image's creation, in seconds since 1970, or `now`
    #[arg(long, value_name = "TIME", env = "SOURCE_DATE_EPOCH", hide_env_values = true)]
    pub(crate) creation_time: Option<String>,
    /// File to write the image's digest to
    #[arg(long, value_name = "FILE")]
    pub(crate) digest_file: Option<PathBuf>,
    /// File to write where the time went to, as JSON
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) timings_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PullArguments {
    /// When registries are asked for images
    #[arg(long, value_name = "POLICY", default_value = "if-not-present")]
    pub(crate) pull_policy: PullKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PullKind {
    /// Each time: what the store has may be older
    Always,
    /// When the store has none of the name
    IfNotPresent,
    /// Not at all
    Never,
}

impl From<PullKind> for PullPolicy {
    fn from(kind: PullKind) -> Self {
        match kind {
            PullKind::Always => Self::Always,
            PullKind::IfNotPresent => Self::IfNotPresent,
            PullKind::Never => Self::Never,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NetworkKind {
    /// This machine's
    Host,
    /// A loopback of its own
    None,
}

impl From<NetworkKind> for Network {
    fn from(kind: NetworkKind) -> Self {
        match kind {
            NetworkKind::Host => Self::Host,
            NetworkKind::None => Self::None,
        }
    }
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct RebaseArguments {
    /// Function image: a name in the store, with `--publish` in its registry; or `docker://NAME`, `oci:DIR[:REF]`,
    /// `oci-archive:FILE[:REF]` or `docker-archive:FILE[:REF]`, whose result needs a `-t`
    #[arg(value_name = "NAME")]
    pub(crate) name: Address,
    /// The new runner [default: the one it was built on, as it is now]
    #[arg(long, value_name = "IMAGE")]
    pub(crate) run_image: Option<Address>,
    /// Rebase where the image is, in its registry: no layer passes through here. An index is rebased target by target
    #[arg(long)]
    pub(crate) publish: bool,
    /// Load the result into the container engine of this machine (docker, podman), under each of its names
    #[arg(long)]
    pub(crate) load: bool,
    /// Image to put on the runner, in place of the one that NAME has now
    #[arg(long, value_name = "NAME")]
    pub(crate) previous_image: Option<Reference>,
    /// Name for the result instead of NAME, or another place of the same forms
    #[arg(short, long = "tag", value_name = "NAME")]
    pub(crate) tags: Vec<Address>,
    /// Rebase although facts speak against it
    #[arg(long)]
    pub(crate) force: bool,
    /// Say what would be done, change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// Images: names, looked up in the store and then in their registry, `docker://NAME`, `oci:DIR[:REF]`, `oci-archive:FILE[:REF]`,
    /// `docker-archive:FILE[:REF]` or `docker-daemon:NAME`
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) names: Vec<Address>,
    /// Form of the answer
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    pub(crate) output: OutputForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputForm {
    /// For people
    Table,
    /// For programs
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BuilderCommand {
    /// Make a builder image from a builder.toml
    #[command(after_help = "Examples:\n  fnpack builder create fnpack/golang-builder -c builders/golang-builder/builder.toml")]
    Create {
        /// Name of the builder to make
        #[arg(value_name = "NAME")]
        name: Reference,
        /// The builder.toml
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
        /// Target of the builder [default: this machine's]
        #[arg(long, value_name = "OS/ARCH")]
        platform: Option<Target>,
        /// Send the builder to its registry
        #[arg(long)]
        publish: bool,
        /// Load the builder into the container engine of this machine (docker, podman)
        #[arg(long)]
        load: bool,
    },
    /// Show what a builder holds
    #[command(
        after_help = "Examples:\n  fnpack builder inspect fnpack/golang-builder\n  fnpack builder inspect -o json fnpack/golang-builder"
    )]
    Inspect {
        /// Builder: a name, looked up in the store and then in its registry, `docker://NAME`, `oci:DIR[:REF]`,
        /// `oci-archive:FILE[:REF]` or `docker-archive:FILE[:REF]`
        #[arg(value_name = "NAME")]
        name: Address,
        /// Form of the answer
        #[arg(short, long, value_name = "FORM", default_value = "table")]
        output: OutputForm,
    },
    /// List the builders of the store
    Ls {
        /// Form of the answer
        #[arg(short, long, value_name = "FORM", default_value = "table")]
        output: OutputForm,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Check that everything the store names is there and whole
    #[command(after_help = "Examples:\n  fnpack store check\n  fnpack store check --deep   # reads every byte")]
    Check {
        /// Read and hash every blob
        #[arg(long)]
        deep: bool,
    },
    /// Remove what no image and no build of the last 30 days needs
    #[command(after_help = "Examples:\n  fnpack store gc --dry-run\n  fnpack store gc")]
    Gc {
        /// Say what would go, remove nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Fail unless this works
    #[arg(long, value_name = "WHAT")]
    pub(crate) require: Vec<Requirement>,
    /// Form of the answer
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    pub(crate) output: OutputForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Requirement {
    /// Isolated build steps
    Sandbox,
}

const BUILD_EXAMPLES: &str = "\
Examples:
  fnpack build my-function                                  # the source is the current folder
  fnpack build my-function examples/go/exclamation
  fnpack build my-function target/orders.jar                # a ready artifact: nothing is started
  fnpack build my-function --load                           # into docker or podman, too
  fnpack build my-function -B fnpack/golang-builder --run-image stack/go-runner:next
  fnpack build ghcr.io/acme/my-function:1 --publish --cache-image ghcr.io/acme/my-function:cache
  fnpack build my-function -b from=builder -b ./my-buildpack # a buildpack of your own after the builder's
  fnpack build my-function -e BP_GO_TARGETS=./cmd/orders    # one of several main packages
  fnpack build my-function --volume ./proxy:/goproxy -e GOPROXY=file:///goproxy";

const REBASE_EXAMPLES: &str = "\
Examples:
  fnpack rebase my-function --run-image stack/go-runner:next
  fnpack rebase my-function                                  # the same runner, as it is in the store now
  fnpack rebase my-function --run-image stack/go-runner:next -t my-function:next
  fnpack rebase ghcr.io/acme/my-function:1 --run-image ghcr.io/acme/go-runner:next --publish
  fnpack rebase oci:layout:1 --run-image stack/go-runner:next -t oci:layout:2";

const INSPECT_EXAMPLES: &str = "\
Examples:
  fnpack inspect my-function
  fnpack inspect docker://ghcr.io/acme/my-function:1        # as its registry has it; no layer is fetched
  fnpack inspect docker-daemon:my-function                  # as docker or podman has it
  fnpack inspect -o json my-function | jq .processes";
