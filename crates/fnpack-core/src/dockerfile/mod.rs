//! A Dockerfile to an image, without a daemon.
//!
//! [`parse`] makes typed values of the text, [`build`] carries them out through a [`Host`], which has
//! the images, root file systems and earlier results; [`check()`] only looks. Answers the Dockerfile
//! reference (BuildKit's reading of it) for `ARG`, `FROM`, `RUN`, `COPY`, `ENV`, `LABEL`, `USER`,
//! `WORKDIR`, `ENTRYPOINT` and `CMD`. The rest of the language is known by name and refused by name;
//! nothing is ever skipped. `# syntax=` is accepted and has no effect: there is one parser.
//!
//! Where it differs from Docker: a `COPY` of which no source fits anything is an error also with
//! wildcards; `apt-get update` that could not reach its servers is an error although it ends well;
//! copied files have a constant time; a here-document has line feeds only, also in a file with
//! carriage returns.

mod check;
mod context;
mod engine;
mod error;
mod expand;
mod host;
pub mod parse;

pub use check::{Finding, Severity, check};
pub use context::glob::GlobError;
pub use context::{Context, ContextError, Ignore, IgnoreError};
pub use engine::{CopyError, Origin, Plan, UserError, WriteError, build};
pub use error::{DockerfileError, Place};
pub use expand::ExpandError;
pub use host::{Delta, Event, Host, HostError, StepInfo, Workspace};
