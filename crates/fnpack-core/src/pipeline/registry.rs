//! The registry client, made when somebody needs it: reading the machine's certificates takes longer than
//! a build in which nothing changed.

use std::sync::OnceLock;

use crate::registry::credentials::CredentialsError;
use crate::registry::{RegistriesError, RegistryClient, RegistryError};

/// A registry client that is not there yet.
pub struct Registry<'a> {
    connect: Box<dyn Fn() -> Result<RegistryClient, ConnectError> + Sync + 'a>,
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

impl<'a> Registry<'a> {
    /// `connect` is called at most once, when the first image is asked for.
    pub fn new(connect: impl Fn() -> Result<RegistryClient, ConnectError> + Sync + 'a) -> Self {
        Self { connect: Box::new(connect), client: OnceLock::new() }
    }

    /// The client.
    pub fn client(&self) -> Result<&RegistryClient, ConnectError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = (self.connect)()?;
        Ok(self.client.get_or_init(|| client))
    }
}
