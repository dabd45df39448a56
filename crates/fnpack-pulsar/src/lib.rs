//! Pulsar as functions meet it: a real one to try them on, and a client for what they exchange.
//!
//! * [`distribution`]: the parts of a standalone Pulsar, fetched once into a folder of the caller's;
//! * [`standalone`]: such a Pulsar, started on free ports of the loopback and gone with its owner;
//! * [`messages`]: producing to and consuming from topics of any cluster, over the binary protocol;
//! * [`admin`]: packages, functions, topics and tenants of any cluster, over REST.
//!
//! Everything blocks, nothing prints, and no environment is read: what the surroundings say comes as options.

pub mod admin;
pub mod distribution;
mod http;
pub mod messages;
pub mod standalone;

pub use http::{HttpOptions, Proxy};

/// Where a Pulsar cluster answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// For messages: `pulsar://host:port` or `pulsar+ssl://host:port`.
    pub service: String,
    /// For administration: `http://host:port` or `https://host:port`.
    pub web: String,
}
