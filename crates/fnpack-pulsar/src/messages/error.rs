//! What can go wrong between this client and a broker.

use std::io;
use std::time::Duration;

/// A failure of the message client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The service address cannot be read.
    #[error("`{url}` is no address of a Pulsar service ({reason})")]
    ServiceUrl {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nobody answers at the address.
    #[error("cannot connect to `{address}`")]
    Connect {
        /// `host:port`.
        address: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The certificates given cannot be used, or the server's name cannot have one.
    #[error("cannot speak TLS to `{address}`")]
    Tls {
        /// `host:port`.
        address: String,
        /// The reason.
        #[source]
        source: rustls::Error,
    },
    /// The connection ended.
    #[error("the connection to `{address}` broke")]
    Broken {
        /// `host:port`.
        address: String,
        /// How.
        #[source]
        source: io::Error,
    },
    /// The broker is silent.
    #[error("`{address}` did not answer to {request} within {} s", waited.as_secs())]
    TimedOut {
        /// `host:port`.
        address: String,
        /// What was asked.
        request: &'static str,
        /// For how long.
        waited: Duration,
    },
    /// The broker says no.
    #[error("the broker refused {request}: {code}, {message}")]
    Refused {
        /// What was asked, and of which topic.
        request: String,
        /// Why, in kind.
        code: ErrorCode,
        /// Why, in the broker's words.
        message: String,
    },
    /// The topic was moved, deleted or terminated; a new producer or consumer finds where it is now.
    #[error("the broker closed the {what} of topic `{topic}`")]
    Closed {
        /// `producer` or `consumer`.
        what: &'static str,
        /// Its topic.
        topic: String,
    },
    /// A message cannot be read; the next can.
    #[error("message {id} cannot be read")]
    Unreadable {
        /// Which.
        id: String,
        /// Why.
        #[source]
        source: PayloadError,
    },
    /// A message is larger than the broker takes.
    #[error("a message of {size} bytes is more than the {limit} bytes that the broker takes")]
    TooLarge {
        /// Of the message.
        size: usize,
        /// What the broker announced.
        limit: usize,
    },
    /// Topics were handed from broker to broker without an end.
    #[error("no broker takes topic `{topic}`: {hops} of them sent to the next")]
    Wandering {
        /// The topic.
        topic: String,
        /// So many were asked.
        hops: u32,
    },
}

/// Bytes that are no frame of the protocol; found as the source of [`MessageError::Broken`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Longer than any frame may be.
    #[error("a frame of {0} bytes, more than any may have")]
    TooLong(usize),
    /// The lengths inside do not fit the frame.
    #[error("a frame that ends in the middle of its {0}")]
    Truncated(&'static str),
    /// The protobuf inside is broken.
    #[error("a {what} that is no protobuf message")]
    Protobuf {
        /// Command or metadata.
        what: &'static str,
        /// Where.
        #[source]
        source: prost::DecodeError,
    },
}

/// Why the payload of a message cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// Frame damaged on the way.
    #[error("its checksum is wrong")]
    Checksum,
    /// No metadata, or lengths that do not fit.
    #[error("its parts do not fit together")]
    Malformed,
    /// Nobody knows this number.
    #[error("its compression is of the unknown kind {0}")]
    UnknownCompression(i32),
    /// The compressed bytes are broken or do not have the announced length.
    #[error("it cannot be decompressed ({0})")]
    Compression(&'static str),
    /// It announces more than any message may have.
    #[error("it would have {0} bytes, more than any message may have")]
    TooLong(u32),
    /// End-to-end encryption is not supported.
    #[error("it is encrypted with `{0}`")]
    Encrypted(String),
    /// Messages in chunks are not supported.
    #[error("it is one of {0} chunks of a message")]
    Chunked(i32),
}

/// `ServerError` of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub i32);

impl ErrorCode {
    /// The login is missing or wrong.
    pub const AUTHENTICATION: Self = Self(3);
    /// The login has no right to this.
    pub const AUTHORIZATION: Self = Self(4);
    /// Somebody else has the exclusive subscription.
    pub const CONSUMER_BUSY: Self = Self(5);
    /// The topic is being loaded or moved; to be tried again.
    pub const SERVICE_NOT_READY: Self = Self(6);
    /// There is no such topic, and it is not made by itself.
    pub const TOPIC_NOT_FOUND: Self = Self(11);
    /// The topic's schema is another.
    pub const INCOMPATIBLE_SCHEMA: Self = Self(18);
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self.0 {
            1 => "metadata error",
            2 => "persistence error",
            3 => "authentication failed",
            4 => "not authorized",
            5 => "consumer busy",
            6 => "service not ready",
            7 | 8 => "backlog quota exceeded",
            9 => "checksum error",
            10 => "unsupported version",
            11 => "topic not found",
            12 => "subscription not found",
            13 => "consumer not found",
            14 => "too many requests",
            15 => "topic terminated",
            16 => "producer busy",
            17 => "invalid topic name",
            18 => "incompatible schema",
            22 => "not allowed",
            25 => "producer fenced",
            other => return write!(formatter, "error {other}"),
        };
        formatter.write_str(text)
    }
}
