//! `fnpack index …`.

use clap::Subcommand;
use fnpack_core::pipeline::Address;
use fnpack_core::reference::Reference;

use super::OutputForm;

#[derive(Debug, Subcommand)]
pub(crate) enum IndexCommand {
    /// Make an index of images for different targets
    #[command(after_help = "Examples:\n  fnpack index create my-function:1 my-function:1-amd64 my-function:1-arm64")]
    Create {
        /// Name of the index
        #[arg(value_name = "NAME")]
        name: Reference,
        /// Images, one a target
        #[arg(value_name = "IMAGE", required = true)]
        images: Vec<Address>,
    },
    /// Show what an index names
    Inspect {
        /// Index: a name, looked up in the store and then in its registry, `docker://NAME`, `oci:DIR`, …
        #[arg(value_name = "INDEX")]
        index: Address,
        /// Form of the answer
        #[arg(short, long, value_name = "FORM", default_value = "table")]
        output: OutputForm,
    },
    /// Send an index and all that it names to its registry
    Push {
        /// Index in the store
        #[arg(value_name = "NAME")]
        name: Reference,
        /// Name to send it as
        #[arg(value_name = "AS")]
        destination: Option<Reference>,
    },
}
