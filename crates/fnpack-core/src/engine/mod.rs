//! Images inside of a container engine: Docker, or Podman's compatible service (Docker Engine API, "Images").
//!
//! An [`Engine`] is asked over its unix socket or over TCP. [`Engine::load`] gives it an image: only what it lacks
//! where it can be told what it has, everything else as one stream from the store's blobs, and what it has afterwards is
//! held against what was meant. [`Engine::export`] brings an image as `docker save` writes it, read by
//! [`archive`](crate::archive).
//!
//! No engine is looked for before one is asked for: [`EngineSettings`] is only names of places. What an engine says is
//! foreign: it is bounded, and errors that come with a good status are found.
//!
//! Inside, from the bottom: `socket` is HTTP's way over a unix socket, `connection` asks and is answered, `answers` are
//! the documents, `layers` finds out what need not be sent, `load` and `export` carry.

mod address;
mod answers;
mod certificates;
mod connection;
mod context;
mod endpoint;
mod error;
mod export;
mod layers;
mod load;
mod settings;
mod socket;

pub use address::{EngineImage, EngineImageError};
pub use error::EngineError;
pub use export::Found;
pub use load::{Loaded, Progress};
pub use settings::EngineSettings;

use answers::Information;
use connection::Connection;

/// An engine that answers.
#[derive(Debug)]
pub struct Engine {
    connection: Connection,
    kind: Kind,
}

/// How an engine keeps images, as far as it matters to who sends it one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Docker's own image store: layers are known by chain ID, images by the digest of their config.
    Docker,
    /// Docker over containerd's store: images are known by the digest of a manifest that the engine makes itself, and every layer
    /// is read.
    Containerd,
    /// Podman: layers are known by diff ID, images by the digest of their config.
    Podman,
}

impl Engine {
    /// Finds the engine that the settings name, and asks it what it is.
    pub fn connect(settings: &EngineSettings) -> Result<Self, EngineError> {
        let connection = Connection::new(&settings.endpoint()?)?;
        let greeting = connection.get("/_ping")?;
        if greeting.header("Api-Version").is_none() {
            return Err(greeting.not_an_engine("its answer to `/_ping` names no `Api-Version`"));
        }
        let kind = if greeting.header("Libpod-Api-Version").is_some() {
            Kind::Podman
        } else if connection.get("/info")?.json::<Information>()?.is_over_containerd() {
            Kind::Containerd
        } else {
            Kind::Docker
        };
        Ok(Self { connection, kind })
    }

    /// Where it is, for messages: a path or `tcp://host:port`.
    pub fn place(&self) -> &str {
        self.connection.place()
    }
}

#[cfg(test)]
mod tests;
