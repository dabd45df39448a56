//! `fnpack login`, `fnpack logout`, `fnpack access`.

use clap::Args;
use fnpack_core::reference::Reference;

use super::OutputForm;

#[derive(Debug, Args)]
pub(crate) struct LoginArguments {
    /// Registry
    #[arg(value_name = "HOST")]
    pub(crate) registry: String,
    /// Name of the account; asked for at the terminal if left out
    #[arg(short, long, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// Read the password, or an access token, from standard input; without this it is asked for at the terminal
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogoutArguments {
    /// Registry
    #[arg(value_name = "HOST")]
    pub(crate) registry: String,
}

#[derive(Debug, Args)]
pub(crate) struct AccessArguments {
    /// Images that will be pulled or pushed
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<Reference>,
    /// Prove only that they can be pulled
    #[arg(long)]
    pub(crate) pull_only: bool,
    /// Form of the answer
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    pub(crate) output: OutputForm,
}

pub(super) const LOGIN_EXAMPLES: &str = "\
Examples:
  fnpack login registry.example.com
  fnpack login registry.example.com -u me --password-stdin < token
  pass show registry | fnpack login docker.io -u me --password-stdin";

pub(super) const ACCESS_EXAMPLES: &str = "\
Examples:
  fnpack access registry.example.com/team/my-function
  fnpack access --pull-only registry.example.com/stack/go-runner";
