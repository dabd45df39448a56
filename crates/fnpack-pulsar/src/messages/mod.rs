//! Producing to and consuming from topics, over Pulsar's binary protocol.
//!
//! ```text
//! Client      finds the broker of a topic, keeps connections        (client.rs, lookup.rs)
//!  ├ Producer, Consumer   what the user holds                       (producer.rs, consumer.rs)
//!  └ Connection           requests and their answers, keep-alive    (connection.rs)
//!     ├ frames, payloads  bytes to commands and messages            (frame.rs, payload.rs)
//!     └ Wire              TCP, or TLS over it                       (wire.rs)
//! ```
//!
//! The client blocks; a thread of each connection reads. It works with any cluster since Pulsar 2.8: through
//! proxies, with TLS and token login, with partitioned topics, with batches and compression of any kind. It
//! does not encrypt, take part in transactions or put chunks together, and sends each message by itself.

mod checksum;
mod client;
mod connection;
mod consumer;
mod error;
mod frame;
mod lookup;
mod payload;
mod producer;
mod protocol;
mod service_url;
mod wire;

pub use client::{Client, ClientOptions};
pub use consumer::{Consumer, Message, Position};
pub use error::{ErrorCode, FrameError, MessageError, PayloadError};
pub use producer::{Outgoing, Producer};

use std::fmt;

/// Numbers of schema types in the protocol.
const STRING: i32 = 1;
const AUTO_CONSUME: i32 = 21;

/// How the bytes of a topic are to be understood, as registered at the broker.
///
/// A topic that is used without schema first keeps a function with typed input from starting: topics of a
/// Java `Function<String, …>` are to be used with [`Schema::String`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Schema {
    /// No schema.
    #[default]
    Bytes,
    /// UTF-8 text.
    String,
    /// Whatever others register. A consumer without schema keeps producers from registering one, a consumer of this
    /// kind does not. For producers it is the same as [`Schema::Bytes`].
    Auto,
}

impl Schema {
    fn of_producer(self) -> Option<protocol::Schema> {
        match self {
            Self::Bytes | Self::Auto => None,
            Self::String => Some(protocol::Schema { name: "String".to_owned(), data: Vec::new(), r#type: STRING }),
        }
    }

    fn of_consumer(self) -> Option<protocol::Schema> {
        match self {
            Self::Auto => Some(protocol::Schema { name: "Auto".to_owned(), data: Vec::new(), r#type: AUTO_CONSUME }),
            Self::Bytes | Self::String => self.of_producer(),
        }
    }
}

/// Where a message is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId {
    /// The ledger.
    pub ledger: u64,
    /// The entry in it.
    pub entry: u64,
    /// The partition of the topic, -1 if it has none.
    pub partition: i32,
    /// The place in the entry, if the entry is a batch.
    pub batch_index: Option<u32>,
}

impl fmt::Display for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ledger, entry, partition, .. } = self;
        write!(formatter, "{ledger}:{entry}:{partition}")?;
        self.batch_index.map_or(Ok(()), |index| write!(formatter, ":{index}"))
    }
}

#[cfg(test)]
mod tests;
