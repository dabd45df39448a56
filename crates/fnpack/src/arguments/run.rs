//! `fnpack run`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use fnpack_artifact::Language;
use fnpack_core::function_mesh::{LogLevel, Window};
use fnpack_core::pipeline::Address;

use super::{NetworkKind, PullArguments};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("how").required(true).args(["standalone", "pulsar", "raw"])))]
pub(crate) struct RunArguments {
    /// Function image, by name or as `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`; or a function package: a file
    /// that `fnpack build` takes, too. With `--raw` any image
    #[arg(value_name = "IMAGE|PACKAGE")]
    pub(crate) image: String,
    /// Start a Pulsar of its own for the function, and end it afterwards
    #[arg(long)]
    pub(crate) standalone: bool,
    /// Pulsar that is there already, `pulsar://HOST:PORT`
    #[arg(long, value_name = "URL")]
    pub(crate) pulsar: Option<String>,
    /// Start the image's own process instead of the function, as `docker run` does
    #[arg(long)]
    pub(crate) raw: bool,
    /// Variable for the process; NAME alone takes the value from here
    #[arg(short, long = "env", value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Folder of this machine that the process sees, read-only unless `:rw`
    #[arg(long = "volume", value_name = "HERE:THERE[:ro|rw]")]
    pub(crate) volumes: Vec<String>,
    #[command(flatten)]
    pub(crate) pull: PullArguments,
    #[command(flatten)]
    pub(crate) messages: MessageArguments,
    #[command(flatten)]
    pub(crate) function: FunctionArguments,
    #[command(flatten)]
    pub(crate) broker: BrokerArguments,
    #[command(flatten)]
    pub(crate) process: RawArguments,
}

/// What goes in and what comes out.
#[derive(Debug, Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct MessageArguments {
    /// Message to send; a file that is there: one message a line; `-`: a line of standard input each [default: none, stay until Ctrl-C]
    #[arg(long = "input", value_name = "TEXT|FILE", conflicts_with = "raw")]
    pub(crate) inputs: Vec<String>,
    /// Compare the answers with the lines of a file; exit code 1 if they differ
    #[arg(long, value_name = "FILE", conflicts_with = "raw", requires = "inputs")]
    pub(crate) expect: Option<PathBuf>,
    /// How long to wait for an answer, since the last one
    #[arg(long, value_name = "SECONDS", default_value_t = 60, conflicts_with = "raw")]
    pub(crate) timeout: u64,
    /// Print what the instance logs
    #[arg(long, conflicts_with = "raw")]
    pub(crate) show_logs: bool,
    /// How much the instance logs [default: what Function Mesh sets]
    #[arg(long, value_name = "LEVEL", conflicts_with = "raw")]
    pub(crate) log_level: Option<LevelKind>,
}

/// What the instance is told of the function.
#[derive(Debug, Args)]
#[command(next_help_heading = "Function")]
pub(crate) struct FunctionArguments {
    /// Start it exactly as this does: the same command, user, rights and variables
    #[arg(long, value_name = "PLATFORM", conflicts_with = "raw")]
    pub(crate) under: Option<PlatformKind>,
    /// Runner to put a package on [default: that of its language]
    #[arg(long, value_name = "IMAGE", conflicts_with = "raw")]
    pub(crate) run_image: Option<Address>,
    /// Tenant of the function
    #[arg(long, value_name = "NAME", default_value = "public", conflicts_with = "raw")]
    pub(crate) tenant: String,
    /// Namespace of the function
    #[arg(long, value_name = "NAME", default_value = "default", conflicts_with = "raw")]
    pub(crate) namespace: String,
    /// Name of the function [default: one that no other has]
    #[arg(long, value_name = "NAME", conflicts_with = "raw")]
    pub(crate) name: Option<String>,
    /// What the function reads from its context, a JSON object
    #[arg(long, value_name = "JSON", conflicts_with = "raw")]
    pub(crate) user_config: Option<String>,
    /// How many messages a window function gets at once, and after how many it gets the next [default: 1]
    #[arg(long, value_name = "LENGTH[:SLIDE]", value_parser = window, conflicts_with = "raw")]
    pub(crate) window: Option<Window>,
    /// Language, for images that do not say it
    #[arg(long, value_name = "go|java|python", conflicts_with = "raw")]
    pub(crate) language: Option<Language>,
    /// Path of the function in the image, instead of what the image says
    #[arg(long, value_name = "PATH", conflicts_with = "raw")]
    pub(crate) artifact: Option<String>,
    /// Class of the function, instead of what the image says
    #[arg(long, value_name = "NAME", conflicts_with = "raw")]
    pub(crate) class_name: Option<String>,
    /// Java class of the input, instead of what the image says
    #[arg(long, value_name = "CLASS", conflicts_with = "raw")]
    pub(crate) input_type: Option<String>,
    /// Java class of the output, instead of what the image says
    #[arg(long, value_name = "CLASS", conflicts_with = "raw")]
    pub(crate) output_type: Option<String>,
}

/// The broker and the topics.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pulsar")]
pub(crate) struct BrokerArguments {
    /// REST interface of `--pulsar` [default: port 8080 of the same host]
    #[arg(long, value_name = "URL", conflicts_with_all = ["standalone", "raw"])]
    pub(crate) pulsar_web: Option<String>,
    /// File with the token that `--pulsar` wants
    #[arg(long, value_name = "FILE", conflicts_with_all = ["standalone", "raw"])]
    pub(crate) token_file: Option<PathBuf>,
    /// Topic that the function reads; it is kept [default: a new one, deleted afterwards]
    #[arg(long, value_name = "TOPIC", conflicts_with = "raw")]
    pub(crate) input_topic: Option<String>,
    /// Topic that the function writes; it is kept [default: a new one, deleted afterwards]
    #[arg(long, value_name = "TOPIC", conflicts_with = "raw")]
    pub(crate) output_topic: Option<String>,
}

/// What only an image's own process has.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --raw")]
pub(crate) struct RawArguments {
    /// Program instead of the image's entrypoint
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["standalone", "pulsar"])]
    pub(crate) entrypoint: Option<String>,
    /// User instead of the image's
    #[arg(short, long, value_name = "USER[:GROUP]", conflicts_with_all = ["standalone", "pulsar"])]
    pub(crate) user: Option<String>,
    /// Folder to start in instead of the image's
    #[arg(short, long, value_name = "DIR", conflicts_with_all = ["standalone", "pulsar"])]
    pub(crate) workdir: Option<PathBuf>,
    /// Network of the process
    #[arg(long, value_name = "KIND", default_value = "host", conflicts_with_all = ["standalone", "pulsar"])]
    pub(crate) network: NetworkKind,
    /// Arguments for the process
    #[arg(last = true, value_name = "ARGS", conflicts_with_all = ["standalone", "pulsar"])]
    pub(crate) arguments: Vec<String>,
}

/// Who else starts functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlatformKind {
    /// Function Mesh on Kubernetes, operator v0.27.2
    FunctionMesh,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LevelKind {
    /// Everything
    Debug,
    /// What is done
    Info,
    /// What should be known
    Warn,
    /// What failed
    Error,
}

impl From<LevelKind> for LogLevel {
    fn from(kind: LevelKind) -> Self {
        match kind {
            LevelKind::Debug => Self::Debug,
            LevelKind::Info => Self::Info,
            LevelKind::Warn => Self::Warning,
            LevelKind::Error => Self::Error,
        }
    }
}

/// `LENGTH` or `LENGTH:SLIDE`, neither 0.
fn window(text: &str) -> Result<Window, String> {
    let (length, slide) = text.split_once(':').unwrap_or((text, text));
    let count = |text: &str| match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(format!("`{text}` is not a number of messages")),
    };
    Ok(Window { length: count(length)?, slide: count(slide)? })
}

pub(super) const EXAMPLES: &str = "\
Examples:
  fnpack run my-function --standalone --input hello
  fnpack run my-function --standalone --input messages.txt --expect answers.txt
  fnpack run my-function --standalone --under function-mesh --input hello   # as it will run in Kubernetes
  fnpack run orders.jar --standalone --input hello                          # a package, on the default runner
  fnpack run my-function --pulsar pulsar://localhost:6650 --show-logs       # until Ctrl-C
  fnpack run my-function --standalone --user-config '{\"greeting\": \"hello\"}' --input world
  fnpack run --raw my-function
  fnpack run --raw my-function --entrypoint bash -- -c 'ls -l /pulsar/function'

Exit codes: 0 every message was answered; 1 the function failed, its instance ended, or the answers are not those expected; 130 Ctrl-C.
With --raw: the process's own.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_is_a_length_and_a_slide() {
        assert_eq!(window("10"), Ok(Window { length: 10, slide: 10 }));
        assert_eq!(window("10:5"), Ok(Window { length: 10, slide: 5 }));
        for bad in ["", "0", "10:", ":5", "10:0", "1:2:3", "-1", "ten"] {
            assert!(window(bad).is_err(), "{bad}");
        }
    }
}
