//! `fnpack run`: a function by the real instance of its image, or with `--raw` an image's own process.
//!
//! ```text
//! instance    puts the parts together and says how it ended
//!  ├ subject      the image, or one made of a function package for this run
//!  ├ function     what the image and the command line say of the function
//!  ├ pulsar       the broker: a given one, or one of our own
//!  ├ exchange     messages in, answers out
//!  ├ started      the instance's sandbox, and its log with known causes of failure
//!  └ conversation sends, receives and watches, until there is an end
//! ```

mod answers;
mod causes;
mod conversation;
mod exchange;
mod function;
mod ground;
mod instance;
mod log;
mod pulsar;
mod raw;
mod started;
mod subject;

use std::process::ExitCode;

use super::Session;
use crate::arguments::RunArguments;
use crate::error::CommandError;

/// Runs what was asked for and gives the exit code.
pub(super) fn run(arguments: &RunArguments, session: &Session<'_>) -> Result<ExitCode, CommandError> {
    if arguments.raw { raw::run(arguments, session) } else { instance::run(arguments, session) }
}
