//! Logins for registries: `CNB_REGISTRY_AUTH`, then Docker's config (CNB platform specification, "Registry
//! Authentication").

use std::path::PathBuf;
use std::sync::Arc;

use fnpack_core::registry::credentials::{AuthHeaders, CredentialChain, Credentials, CredentialsError, LoginFile};

use crate::arguments::Environment;

/// The variable with logins: JSON, from a registry to the whole value of the `Authorization` header.
pub(crate) const VARIABLE: &str = "CNB_REGISTRY_AUTH";

/// Why the logins cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeychainError {
    /// A source of logins is damaged.
    #[error("cannot use the registry logins")]
    Damaged(#[source] CredentialsError),
}

/// All logins that the environment leads to.
pub(crate) fn of(environment: Environment<'_>) -> Result<CredentialChain, KeychainError> {
    let mut places: Vec<Arc<dyn Credentials>> = Vec::new();
    if let Some(text) = environment(VARIABLE).filter(|text| !text.is_empty()) {
        places.push(Arc::new(AuthHeaders::parse(&text).map_err(KeychainError::Damaged)?));
    }
    let folder = environment("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(PathBuf::from(environment("HOME")?).join(".docker")));
    if let Some(folder) = folder {
        places.push(Arc::new(LoginFile::new(folder.join("config.json"))));
    }
    Ok(CredentialChain(places))
}
