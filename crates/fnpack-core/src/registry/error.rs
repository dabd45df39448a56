//! What can go wrong with a registry, told apart by what the user can do about it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::clock::Clock;
use super::credentials::CredentialsError;
use super::peer_certificate::PeerCertificate;
use crate::digest::Digest;
use crate::image::{BlobError, ImageError};
use crate::pem::PemFault;

/// What was asked: method and address, without the query, which may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Such as `GET`.
    pub method: &'static str,
    /// The address without its query.
    pub url: String,
}

impl fmt::Display for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.url)
    }
}

/// An answer that is an error, in the registry's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{request} was answered with {status}{}", in_brackets(message))]
pub struct Refusal {
    /// What was asked.
    pub request: Request,
    /// The HTTP status.
    pub status: u16,
    /// The registry's codes and messages, or what could be made of the body; may be empty.
    pub message: String,
    /// How long to wait by `Retry-After`.
    pub retry_after: Option<Duration>,
    /// Blobs and manifests that the registry says it does not have, of those that a manifest names.
    pub unknown_blobs: Vec<Digest>,
    /// Which logins were used or looked for.
    pub login: LoginTrace,
}

/// Which logins were used or looked for when a request was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LoginTrace {
    /// The server asked for none.
    #[default]
    NotAsked,
    /// None was found; what was looked at, one clause each.
    NotFound(Vec<String>),
    /// One was sent; where it is from.
    Sent(String),
}

impl fmt::Display for LoginTrace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => formatter.write_str("no login was sent"),
            Self::NotFound(looked_at) if looked_at.is_empty() => formatter.write_str("no logins are set up"),
            Self::NotFound(looked_at) => formatter.write_str(&looked_at.join("; ")),
            Self::Sent(source) => write!(formatter, "the login of {source} was sent"),
        }
    }
}

/// What is wrong with a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFault {
    /// No trusted authority signed it.
    UnknownIssuer,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It is for other names.
    OtherName,
    /// Something rarer; the cause says what.
    Invalid,
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::UnknownIssuer => "is signed by an authority that is not trusted",
            Self::Expired => "has expired",
            Self::NotYetValid => "is not valid yet",
            Self::OtherName => "is for another host name",
            Self::Invalid => "is not valid",
        })
    }
}

/// A cause from the transport.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why something could not be asked of a registry, or what it refused.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The settings of the client cannot be used.
    #[error("cannot use the proxy `{proxy}`")]
    Proxy {
        /// Its address, without name and password.
        proxy: String,
        /// The reason.
        #[source]
        source: Cause,
    },
    /// The name has no address.
    #[error("the host name `{host}` is unknown here ({request})")]
    UnknownHost {
        /// The name.
        host: String,
        /// What was asked.
        request: Request,
        /// In the words of the resolver.
        #[source]
        source: Cause,
    },
    /// Nobody listens, or the way is barred.
    #[error("cannot connect to `{host}` ({request})")]
    CannotConnect {
        /// Host and port.
        host: String,
        /// What was asked.
        request: Request,
        /// The reason.
        #[source]
        source: Cause,
    },
    /// The proxy is not there, or does not lead to the host.
    #[error("the proxy `{proxy}` gives no connection to `{host}` ({request})")]
    NoWayThroughProxy {
        /// Its address, without name and password.
        proxy: String,
        /// Host and port.
        host: String,
        /// What was asked.
        request: Request,
        /// The reason.
        #[source]
        source: Cause,
    },
    /// The server's certificate was not accepted.
    #[error("the certificate of `{host}` {fault}{}", presented.as_ref().map(|shown| format!(" ({shown})")).unwrap_or_default())]
    Certificate {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        fault: CertificateFault,
        /// The certificate, where it could be looked at.
        presented: Option<Box<PeerCertificate>>,
        /// Whether it is the clock, where the time is what is wrong.
        clock: Clock,
        /// In the words of the TLS library.
        #[source]
        source: Cause,
    },
    /// The server wants a certificate of ours, and got none or not the right one.
    #[error(
        "`{host}` {}",
        if *shown { "does not accept the client certificate that it was shown" } else { "asks for a client certificate, and there is none for it" }
    )]
    ClientCertificate {
        /// Host and port.
        host: String,
        /// Whether it was shown one.
        shown: bool,
        /// In the words of the TLS library.
        #[source]
        source: Cause,
    },
    /// The server does not speak TLS, or not as we do.
    #[error("cannot agree on TLS with `{host}`; a registry of plain HTTP must be named as such")]
    Tls {
        /// Host and port.
        host: String,
        /// In the words of the TLS library.
        #[source]
        source: Cause,
    },
    /// Nothing came for too long.
    #[error("`{host}` stopped answering ({request})")]
    TimedOut {
        /// Host and port.
        host: String,
        /// What was asked.
        request: Request,
        /// Which limit it was.
        #[source]
        source: Cause,
    },
    /// The connection broke on the way.
    #[error("the connection to `{host}` broke ({request})")]
    Broken {
        /// Host and port.
        host: String,
        /// What was asked.
        request: Request,
        /// The reason.
        #[source]
        source: Cause,
    },
    /// 401.
    #[error("`{host}` asks for a valid login: {}", source.login)]
    Unauthorized {
        /// Host and port.
        host: String,
        /// The answer.
        source: Box<Refusal>,
    },
    /// 403.
    #[error("`{host}` does not allow this: {}", source.login)]
    Forbidden {
        /// Host and port.
        host: String,
        /// The answer.
        source: Box<Refusal>,
    },
    /// 404.
    #[error("`{host}` does not have it")]
    NotFound {
        /// Host and port.
        host: String,
        /// The answer.
        source: Box<Refusal>,
    },
    /// 404 for the image asked for.
    #[error("there is no image `{reference}`")]
    NoSuchImage {
        /// The name as users write it.
        reference: String,
        /// The answer.
        source: Box<Refusal>,
    },
    /// 429, after all tries.
    #[error("`{host}` limits requests{}", waited(*attempts, source.retry_after))]
    RateLimited {
        /// Host and port.
        host: String,
        /// How often it was tried.
        attempts: u32,
        /// The last answer.
        source: Box<Refusal>,
    },
    /// The tag points to another image, and the registry keeps tags for ever.
    #[error("`{host}` does not let the tag be moved to another image")]
    ImmutableTag {
        /// Host and port.
        host: String,
        /// The answer.
        source: Box<Refusal>,
    },
    /// The owner of the repository has used up what is granted.
    #[error("the quota at `{host}` is used up")]
    Quota {
        /// Host and port.
        host: String,
        /// The answer.
        source: Box<Refusal>,
    },
    /// A manifest names what the registry has not, though it took it or said that it is there.
    #[error("`{host}` does not have all that the manifest names")]
    BlobsUnknown {
        /// Host and port.
        host: String,
        /// The answer.
        source: Box<Refusal>,
    },
    /// The registry has narrower rules for names than the specification.
    #[error("`{host}` does not allow this image name")]
    NameRefused {
        /// Host and port.
        host: String,
        /// The answer.
        source: Box<Refusal>,
    },
    /// The configuration of registries forbids it.
    #[error("`{reference}` is blocked by `{origin}`")]
    Blocked {
        /// The image.
        reference: String,
        /// The file.
        origin: String,
    },
    /// Neither the mirrors nor the registry itself gave it.
    #[error("neither a mirror nor the registry gives `{reference}` ({})", mirrors.join("; "))]
    NoPlace {
        /// The image.
        reference: String,
        /// What each mirror said.
        mirrors: Vec<String>,
        /// What the registry said.
        source: Box<RegistryError>,
    },
    /// A file with certificates cannot be used.
    #[error("cannot use the certificates in `{}`", path.display())]
    CertificateFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: Cause,
    },
    /// The registry's disk is full.
    #[error("the storage of `{host}` is full")]
    StorageFull {
        /// Host and port.
        host: String,
        /// The answer.
        source: Box<Refusal>,
    },
    /// 413: the registry, or a proxy before it, has a limit.
    #[error("`{host}` does not take so much in one request")]
    TooLarge {
        /// Host and port.
        host: String,
        /// The answer.
        source: Box<Refusal>,
    },
    /// 5xx, after all tries.
    #[error("`{host}` has a fault of its own{}", waited(*attempts, None))]
    Failed {
        /// Host and port.
        host: String,
        /// How often it was tried.
        attempts: u32,
        /// The last answer.
        source: Box<Refusal>,
    },
    /// What arrived has another digest than what was sent.
    #[error("what arrives at `{host}` is not what is sent to it")]
    Garbled {
        /// Host and port.
        host: String,
        /// The answer.
        source: Box<Refusal>,
    },
    /// Any other status.
    #[error("`{host}` rejects the request")]
    Rejected {
        /// Host and port.
        host: String,
        /// The answer.
        source: Box<Refusal>,
    },
    /// The answer breaks the specification.
    #[error("`{host}` does not answer as a registry does: {reason} ({request})")]
    Protocol {
        /// Host and port.
        host: String,
        /// What was asked.
        request: Request,
        /// What is wrong, one clause.
        reason: String,
    },
    /// A login would have been sent where others can read it.
    #[error("`{host}` wants logins sent to `{realm}`, which is not encrypted")]
    UnsafeTokenService {
        /// The registry.
        host: String,
        /// The token service.
        realm: String,
    },
    /// A document is longer than any honest one.
    #[error("{what} of `{reference}` is longer than {limit} bytes")]
    TooLong {
        /// `the manifest`, `the config`.
        what: &'static str,
        /// The image.
        reference: String,
        /// The limit.
        limit: u64,
    },
    /// Bytes that are not those asked for.
    #[error("{what} of `{reference}` is {actual} and not {expected}")]
    DigestMismatch {
        /// `the manifest`, `the config`.
        what: &'static str,
        /// The image.
        reference: String,
        /// What was asked for or promised.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// The registry says that it took something else.
    #[error("`{host}` takes {what} for {actual}, and it is {expected}")]
    NotWhatWasSent {
        /// Host and port.
        host: String,
        /// `the manifest`, `the config`, `the blob`.
        what: &'static str,
        /// What was sent.
        expected: Digest,
        /// What it says.
        actual: Digest,
    },
    /// The image is for other targets.
    #[error("`{reference}` is not there for {target}, only for {}", available.join(", "))]
    NoTarget {
        /// The image.
        reference: String,
        /// The target asked for.
        target: String,
        /// Those that there are.
        available: Vec<String>,
    },
    /// What came is no image.
    #[error("`{reference}` is not an image that can be used")]
    Image {
        /// The image.
        reference: String,
        /// The reason.
        #[source]
        source: ImageError,
    },
    /// What was to be sent could not be read.
    #[error("cannot read what was to be sent to `{host}`")]
    Unreadable {
        /// Host and port.
        host: String,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// A blob to be sent could not be read, or what came is wrong.
    #[error("cannot transfer a blob of `{reference}`")]
    Blob {
        /// The image.
        reference: String,
        /// The reason.
        #[source]
        source: Box<BlobError>,
    },
    /// The logins could not be looked up.
    #[error("cannot look up the login for `{host}`")]
    Credentials {
        /// The registry.
        host: String,
        /// The reason.
        #[source]
        source: CredentialsError,
    },
}

impl From<PemFault> for RegistryError {
    fn from(PemFault { path, source }: PemFault) -> Self {
        Self::CertificateFile { path, source }
    }
}

impl RegistryError {
    /// Whether the same request may well succeed a little later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Broken { .. } | Self::TimedOut { .. } | Self::Garbled { .. } => true,
            Self::Failed { source, .. } => matches!(source.status, 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// Whether the registry was asked, and has no image of the name.
    pub fn is_no_such_image(&self) -> bool {
        match self {
            Self::NoSuchImage { .. } => true,
            Self::NoPlace { source, .. } => source.is_no_such_image(),
            _ => false,
        }
    }

    /// The registry's answer, if one came.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Unauthorized { source, .. }
            | Self::Forbidden { source, .. }
            | Self::NotFound { source, .. }
            | Self::NoSuchImage { source, .. }
            | Self::RateLimited { source, .. }
            | Self::StorageFull { source, .. }
            | Self::TooLarge { source, .. }
            | Self::ImmutableTag { source, .. }
            | Self::Quota { source, .. }
            | Self::NameRefused { source, .. }
            | Self::BlobsUnknown { source, .. }
            | Self::Garbled { source, .. }
            | Self::Failed { source, .. }
            | Self::Rejected { source, .. } => Some(source),
            Self::NoPlace { source, .. } => source.refusal(),
            _ => None,
        }
    }

    /// Sorts an answer by what can be done about it.
    pub(super) fn refused(host: String, refusal: Refusal) -> Self {
        let source = Box::new(refusal);
        match source.status {
            400..=499 if is_immutable(&source.message) => Self::ImmutableTag { host, source },
            400..=499 if is_over_quota(&source.message) => Self::Quota { host, source },
            400 | 404 if lacks_blobs(&source) => Self::BlobsUnknown { host, source },
            400 | 404 if source.message.starts_with("NAME_INVALID") => Self::NameRefused { host, source },
            400 if source.message.starts_with("DIGEST_INVALID") => Self::Garbled { host, source },
            401 => Self::Unauthorized { host, source },
            403 => Self::Forbidden { host, source },
            404 => Self::NotFound { host, source },
            413 => Self::TooLarge { host, source },
            429 => Self::RateLimited { host, attempts: 1, source },
            507 => Self::StorageFull { host, source },
            500.. if is_full(&source.message) => Self::StorageFull { host, source },
            500.. => Self::Failed { host, attempts: 1, source },
            _ => Self::Rejected { host, source },
        }
    }

    /// The same error after so many tries.
    pub(super) fn after(mut self, tries: u32) -> Self {
        if let Self::RateLimited { attempts, .. } | Self::Failed { attempts, .. } = &mut self {
            *attempts = tries;
        }
        self
    }

    /// A 404 as the lack of an image.
    pub(super) fn of_image(self, reference: &str) -> Self {
        match self {
            Self::NotFound { source, .. } => Self::NoSuchImage { reference: reference.to_owned(), source },
            other => other,
        }
    }
}

/// Only a manifest that is sent can name what is not there.
fn lacks_blobs(refusal: &Refusal) -> bool {
    refusal.request.method == "PUT" && refusal.request.url.contains("/manifests/") && refusal.message.contains("BLOB_UNKNOWN")
}

/// Harbor, Quay, ECR, ACR and Artifact Registry each have a code of their own for it, but share a word.
fn is_immutable(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("immutable") || message.contains("tag already exists") || message.contains("cannot be overwritten")
}

/// The words of Harbor, Quay and GitLab.
fn is_over_quota(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["quota", "exceed the configured upper limit", "storage limit"].iter().any(|words| message.contains(words))
}

/// `distribution` passes the errno of its file system driver on.
fn is_full(message: &str) -> bool {
    message.contains("no space left") || message.contains("\"Err\":28") || message.contains("Err:28")
}

fn in_brackets(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

fn waited(attempts: u32, retry_after: Option<Duration>) -> String {
    let tries = if attempts > 1 { format!(", tried {attempts} times") } else { String::new() };
    match retry_after {
        Some(wait) => format!("{tries}, asks to wait {} s", wait.as_secs()),
        None => tries,
    }
}
