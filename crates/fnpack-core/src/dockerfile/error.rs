//! Why a build of a Dockerfile failed.

use std::fmt;
use std::path::{Path, PathBuf};

use super::engine::{CopyError, UserError};
use super::host::HostError;
use super::parse::{ParseError, Problem};
use crate::executor::{ExecutorError, ExitStatus};
use crate::reference::ReferenceError;
use crate::target::{Target, TargetError};

/// A line of a file, shown as `Dockerfile:12`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as the user named it.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
}

impl Place {
    /// A line of a file.
    pub fn new(file: &Path, line: usize) -> Self {
        Self { file: file.to_owned(), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file.display(), self.line)
    }
}

/// A build of a Dockerfile failed.
#[derive(Debug, thiserror::Error)]
pub enum DockerfileError {
    /// The text is wrong.
    #[error("{place}: {problem}")]
    Invalid {
        /// Where.
        place: Place,
        /// The mistake.
        problem: Problem,
    },
    /// `--target` names no stage.
    #[error("{} has no stage `{stage}`{}", file.display(), list("stages", stages))]
    UnknownTarget {
        /// The file.
        file: PathBuf,
        /// The name asked for.
        stage: String,
        /// The names there are.
        stages: Vec<String>,
    },
    /// `COPY --from` names the stage it is in, or a later one.
    #[error("{place}: `--from={stage}` is not an earlier stage")]
    LaterStage {
        /// Where.
        place: Place,
        /// The name or number.
        stage: String,
    },
    /// `FROM $BASE` with an empty `BASE`.
    #[error("{place}: `{written}` is empty after expansion{}", unset_note(unset))]
    EmptyName {
        /// Where.
        place: Place,
        /// The word as written.
        written: String,
        /// The variables in it that are not set.
        unset: Vec<String>,
    },
    /// Not an image name.
    #[error("{place}: not an image name")]
    Reference {
        /// Where.
        place: Place,
        /// What is wrong with it.
        #[source]
        source: ReferenceError,
    },
    /// `--platform` with something else.
    #[error("{place}: not a platform")]
    Platform {
        /// Where.
        place: Place,
        /// What is wrong with it.
        #[source]
        source: TargetError,
    },
    /// The base cannot be had.
    #[error("{place}: cannot get the image `{reference}` for {target}")]
    Base {
        /// Where.
        place: Place,
        /// The name in its familiar form.
        reference: String,
        /// The target asked for.
        target: Box<Target>,
        /// The cause.
        #[source]
        source: HostError,
    },
    /// The base carries `ONBUILD` instructions, which would have to be carried out now.
    #[error("{place}: the image `{reference}` has `ONBUILD` instructions, which are not supported yet")]
    OnBuild {
        /// Where.
        place: Place,
        /// The image.
        reference: String,
    },
    /// No root file system for a step.
    #[error("{place}: cannot open the root file system for this step")]
    Open {
        /// Where.
        place: Place,
        /// The cause.
        #[source]
        source: HostError,
    },
    /// A step's changes cannot be made a layer.
    #[error("{place}: cannot make a layer of what this step changed")]
    Commit {
        /// Where.
        place: Place,
        /// The cause.
        #[source]
        source: HostError,
    },
    /// The user of a `RUN`, or of `--chown`, is not there.
    #[error("{place}: cannot tell who `{name}` is")]
    User {
        /// Where.
        place: Place,
        /// As written.
        name: String,
        /// The cause.
        #[source]
        source: UserError,
    },
    /// The root file system refuses what a `RUN` or `WORKDIR` needs.
    #[error("{place}: cannot prepare `{path}` in the image")]
    Prepare {
        /// Where.
        place: Place,
        /// The folder or file.
        path: String,
        /// The cause.
        #[source]
        source: HostError,
    },
    /// A command could not be run at all.
    #[error("{place}: cannot run `{command}`")]
    Run {
        /// Where.
        place: Place,
        /// The command as written.
        command: String,
        /// The cause.
        #[source]
        source: ExecutorError,
    },
    /// A command ran and failed.
    #[error("{place}: `{command}` failed with {status}")]
    RunFailed {
        /// Where.
        place: Place,
        /// The command as written.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// apt could not reach its servers, said so in a warning and ended well. The layer would hold an
    /// empty package list.
    #[error("{place}: apt could not reach {}, although `{command}` ended well", quoted(hosts))]
    PackageLists {
        /// Where.
        place: Place,
        /// The command as written.
        command: String,
        /// The servers it named.
        hosts: Vec<String>,
    },
    /// Files cannot be copied.
    #[error("{place}: cannot copy {what}")]
    Copy {
        /// Where.
        place: Place,
        /// Sources and destination.
        what: String,
        /// The cause.
        #[source]
        source: Box<CopyError>,
    },
}

impl ParseError {
    /// The same mistake with the name of its file.
    pub fn in_file(self, file: &Path) -> DockerfileError {
        DockerfileError::Invalid { place: Place::new(file, self.line), problem: self.problem }
    }
}

/// Names in backticks, with commas.
pub(super) fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn list(what: &str, names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" ({what}: {})", quoted(names)) }
}

fn unset_note(unset: &[String]) -> String {
    if unset.is_empty() { String::new() } else { format!(" ({} has no value; give one with `--build-arg`)", quoted(unset)) }
}
