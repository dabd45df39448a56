//! Why a distribution cannot be had.

use std::io;
use std::path::PathBuf;

/// A failure to fetch or to put together a distribution.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DistributionError {
    /// Certificates or proxy cannot be used.
    #[error("cannot set up the connection to `{repository}`")]
    Connection {
        /// The repository.
        repository: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// Nobody answers, or the answer breaks off.
    #[error("cannot fetch `{url}`")]
    Fetch {
        /// What was asked for.
        url: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The repository does not give it.
    #[error("cannot fetch `{url}`: status {status}")]
    Refused {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// What came is not what was asked for.
    #[error("`{url}` is not the file that it should be: its SHA-256 is {found}")]
    Damaged {
        /// What was asked for.
        url: String,
        /// What its hash is.
        found: String,
    },
    /// The cache folder.
    #[error("cannot {action} `{path}`", path = path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// An archive of the distribution.
    #[error("cannot take `{path}` apart", path = path.display())]
    Archive {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: zip::result::ZipError,
    },
    /// An archive does not have what it should.
    #[error("`{path}` has no {what}", path = path.display())]
    Missing {
        /// Which archive.
        path: PathBuf,
        /// What it should have.
        what: String,
    },
}

impl DistributionError {
    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
