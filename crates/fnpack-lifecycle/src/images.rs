//! Images in registries, as the phases ask for them.

use fnpack_core::image::Image;
use fnpack_core::reference::Reference;
use fnpack_core::registry::credentials::Secret;
use fnpack_core::registry::{NamedAuthorities, Proxy, RegistryClient, RegistryError, Settings};
use fnpack_core::target::Target;

use crate::arguments::{Arguments, Environment, Flag};
use crate::keychain::{self, KeychainError};

/// An image and what it was found under.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Name and digest.
    pub(crate) reference: Reference,
    pub(crate) image: Image,
}

/// Why no registry can be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error(transparent)]
    Keychain(#[from] KeychainError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Asks registries for images of the builder's own system and processor.
#[derive(Debug)]
pub(crate) struct Images {
    client: RegistryClient,
    target: Target,
}

impl Images {
    /// Reads logins, certificates and proxy; nothing is asked of anybody yet.
    pub(crate) fn connect(arguments: &Arguments, environment: Environment<'_>) -> Result<Self, ConnectError> {
        let named = NamedAuthorities::of(|name| environment(name).map(Into::into));
        let settings = Settings {
            roots: std::sync::Arc::new(move || Ok(named.read()?.unwrap_or_else(of_the_system))),
            credentials: std::sync::Arc::new(keychain::of(environment)?),
            insecure_hosts: arguments.list(Flag::InsecureRegistry).iter().map(|entry| registry_of(entry).to_owned()).collect(),
            proxy: proxy(environment),
            ..Settings::default()
        };
        Ok(Self { client: RegistryClient::new(settings)?, target: Target::of_this_program() })
    }

    /// The image of a name.
    pub(crate) fn get(&self, reference: &Reference) -> Result<Found, RegistryError> {
        let image = self.client.pull(reference, &self.target)?;
        Ok(Found { reference: reference.with_digest(image.digest()), image })
    }

    /// The image of a name; `None` if there is none, or none for this target.
    pub(crate) fn find(&self, reference: &Reference) -> Result<Option<Found>, RegistryError> {
        if !self.has(reference)? {
            return Ok(None);
        }
        match self.get(reference) {
            Ok(found) => Ok(Some(found)),
            Err(RegistryError::NoTarget { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether there is an image of this name.
    pub(crate) fn has(&self, reference: &Reference) -> Result<bool, RegistryError> {
        Ok(self.client.digest(reference)?.is_some())
    }

    /// Whether an image could be written under this name.
    pub(crate) fn check_write(&self, reference: &Reference) -> Result<(), RegistryError> {
        self.client.check_push(reference)
    }

    /// Writes an image under a name.
    pub(crate) fn put(&self, image: &Image, reference: &Reference) -> Result<(), RegistryError> {
        self.client.push(image, reference).map(drop)
    }
}

/// Entries may be the beginning of an image's name; what counts is its registry.
fn registry_of(entry: &str) -> &str {
    let entry = entry.split_once("://").map_or(entry, |(_, rest)| rest);
    entry.split('/').next().unwrap_or_default()
}

fn of_the_system() -> Vec<Vec<u8>> {
    rustls_native_certs::load_native_certs().certs.into_iter().map(|certificate| certificate.to_vec()).collect()
}

fn proxy(environment: Environment<'_>) -> Option<Proxy> {
    let variable = |name: &str| environment(name).or_else(|| environment(&name.to_ascii_lowercase())).filter(|value| !value.is_empty());
    let bypass = variable("NO_PROXY").unwrap_or_default();
    let bypass = bypass.split(',').map(|host| host.trim().to_owned()).filter(|host| !host.is_empty()).collect();
    Some(Proxy { url: Secret::new(variable("HTTPS_PROXY")?), bypass })
}
