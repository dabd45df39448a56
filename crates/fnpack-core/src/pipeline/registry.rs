//! The registry client, made when somebody needs it: reading the machine's certificates takes longer than
//! a build in which nothing changed.

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use crate::digest::Digest;
use crate::reference::Reference;
use crate::registry::credentials::CredentialsError;
use crate::registry::{RegistriesError, RegistryClient, RegistryError};
use crate::store::BlobFetcher;

/// A registry client that is not there yet. Clones share it.
#[derive(Clone)]
pub struct Registry(Arc<Connection>);

struct Connection {
    connect: Box<dyn Fn() -> Result<RegistryClient, ConnectError> + Send + Sync>,
    client: OnceLock<RegistryClient>,
}

/// Why no registry can be asked.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The file with logins is damaged.
    #[error("cannot use the registry logins")]
    Credentials(#[from] CredentialsError),
    /// The files of mirrors and moved names cannot be used.
    #[error(transparent)]
    Registries(#[from] RegistriesError),
    /// The settings cannot be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Registry {
    /// `connect` is called at most once, when the first image is asked for.
    pub fn new(connect: impl Fn() -> Result<RegistryClient, ConnectError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Connection { connect: Box::new(connect), client: OnceLock::new() }))
    }

    /// The client.
    pub fn client(&self) -> Result<&RegistryClient, ConnectError> {
        if let Some(client) = self.0.client.get() {
            return Ok(client);
        }
        let client = (self.0.connect)()?;
        Ok(self.0.client.get_or_init(|| client))
    }
}

/// For layers that the store only knows to be in a registry.
impl BlobFetcher for Registry {
    fn fetch(&self, repository: &str, digest: &Digest) -> io::Result<Box<dyn Read + Send>> {
        let repository: Reference = repository.parse().map_err(io::Error::other)?;
        self.client().map_err(io::Error::other)?.open_blob(&repository, digest).map_err(io::Error::other)
    }
}
