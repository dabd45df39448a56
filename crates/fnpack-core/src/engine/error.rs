//! What can go wrong with an engine, told apart by what the user can do about it.

use std::io;
use std::path::PathBuf;

use crate::archive::ArchiveError;
use crate::pem::PemFault;

/// Why an engine was not asked, or did not do it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// None is named and none is where they are.
    #[error("there is no docker or podman engine here")]
    NoEngine {
        /// What was looked at, one clause each.
        looked_at: Vec<String>,
    },
    /// An address that cannot be used.
    #[error("{named_by} names the engine `{address}`: {reason}")]
    Address {
        /// Where the address is written.
        named_by: String,
        /// The address.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An engine behind SSH.
    #[error("{named_by} names the engine `{address}`, and fnpack does not speak SSH")]
    Ssh {
        /// Where the address is written.
        named_by: String,
        /// The address.
        address: String,
    },
    /// Docker's settings cannot be read.
    #[error("cannot read docker's settings in `{}`", path.display())]
    DockerConfig {
        /// The `config.json`.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A context of docker that is not there or damaged.
    #[error("cannot read the docker context `{name}` in `{}`", path.display())]
    Context {
        /// Its name.
        name: String,
        /// Its `meta.json`.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The certificates for an engine cannot be used.
    #[error("cannot use the certificates in `{}`", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nobody listens, or the way is barred.
    #[error("cannot connect to the engine at `{place}`")]
    NotConnected {
        /// Its socket or address.
        place: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// It does not speak TLS, or one of the two does not trust the other.
    #[error("cannot speak TLS to the engine at `{place}`")]
    Tls {
        /// Its address.
        place: String,
        /// What is wrong.
        #[source]
        source: Box<rustls::Error>,
    },
    /// The socket is for others.
    #[error("this user may not use the engine at `{place}`")]
    Forbidden {
        /// Its socket.
        place: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// Something else listens there.
    #[error("what listens at `{place}` is not a docker or podman engine: {reason}")]
    NotAnEngine {
        /// Its socket or address.
        place: String,
        /// By what it is known.
        reason: String,
    },
    /// The connection ended in the middle.
    #[error("the engine at `{place}` hung up ({request})")]
    HungUp {
        /// Its socket or address.
        place: String,
        /// Method and path.
        request: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// It says nothing for too long.
    #[error("the engine at `{place}` does not answer ({request})")]
    TimedOut {
        /// Its socket or address.
        place: String,
        /// Method and path.
        request: String,
    },
    /// An answer that is an error, in the engine's own words.
    #[error("the engine at `{place}` answered {request} with {status}: {message}")]
    Refused {
        /// Its socket or address.
        place: String,
        /// Method and path.
        request: String,
        /// The HTTP status.
        status: u16,
        /// Its `message`.
        message: String,
    },
    /// An answer that is not what the interface promises.
    #[error("cannot read what the engine at `{place}` answered to {request}")]
    Unreadable {
        /// Its socket or address.
        place: String,
        /// Method and path.
        request: String,
        /// The fault.
        #[source]
        source: serde_json::Error,
    },
    /// It has no such image.
    #[error("there is no image `{name}` in the engine at `{place}`")]
    NoSuchImage {
        /// As users write it.
        name: String,
        /// Its socket or address.
        place: String,
    },
    /// It refuses an image while it takes it.
    #[error("the engine at `{place}` does not take `{name}`: {message}")]
    NotTaken {
        /// As users write it.
        name: String,
        /// Its socket or address.
        place: String,
        /// Its own words.
        message: String,
    },
    /// What it has afterwards is something else.
    #[error("the engine at `{place}` has {actual} as `{name}`, not {expected}")]
    OtherImage {
        /// As users write it.
        name: String,
        /// Its socket or address.
        place: String,
        /// The Id that it should have.
        expected: String,
        /// The Id that it has.
        actual: String,
    },
    /// What it gave is no image, or none for the target.
    #[error("cannot use what the engine at `{place}` gave for `{name}`")]
    NotExported {
        /// As asked for.
        name: String,
        /// Its socket or address.
        place: String,
        /// What is wrong with it.
        #[source]
        source: Box<ArchiveError>,
    },
    /// The image could not be read to be sent.
    #[error(transparent)]
    Packing(#[from] ArchiveError),
    /// The file for an image of an engine cannot be written.
    #[error("cannot write what the engine sends to `{}`", path.display())]
    Scratch {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// An image of an engine that is longer than any honest one.
    #[error("the image `{name}` of the engine at `{place}` is longer than {limit} bytes")]
    TooLong {
        /// As users write it.
        name: String,
        /// Its socket or address.
        place: String,
        /// The limit.
        limit: u64,
    },
    /// No pipe could be made.
    #[error("cannot make a pipe to send an image through")]
    Pipe(#[source] io::Error),
}

impl From<PemFault> for EngineError {
    fn from(PemFault { path, source }: PemFault) -> Self {
        Self::Certificates { path, source }
    }
}
