//! What can go wrong when a cluster is administered.

use std::path::PathBuf;

/// A failure of an administrative call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The address or the options of the connection cannot be used.
    #[error("cannot use `{web}` as the address of a cluster")]
    Address {
        /// As given.
        web: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// Nobody answered.
    #[error("no answer to {request}")]
    Unreachable {
        /// Method and address.
        request: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The cluster says no.
    #[error("{request} was refused with status {status} ({reason})")]
    Refused {
        /// Method and address.
        request: String,
        /// The HTTP status.
        status: u16,
        /// What the cluster says of it.
        reason: String,
    },
    /// The answer is not what the interface promises.
    #[error("the answer to {request} cannot be read")]
    Unexpected {
        /// Method and address.
        request: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file to be sent cannot be read.
    #[error("cannot read `{path}`", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A name that clusters take and then cannot work with, or that would address something else.
    #[error("`{name}` cannot be the {what}")]
    Name {
        /// Of what it is to be the name.
        what: &'static str,
        /// The name.
        name: String,
    },
}

impl AdminError {
    /// The status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// What the cluster says of a refusal.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused { reason, .. } => Some(reason),
            _ => None,
        }
    }
}
