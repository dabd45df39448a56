//! The content of Docker's `config.json` and Podman's `auth.json` (docker-login(1), containers-auth.json(5)).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::{CredentialHelper, Credentials, CredentialsError, Found, Login, Lookup, Secret, decode_auth, normal_key, server_of};

/// The logins in a `config.json` of Docker or an `auth.json` of Podman.
#[derive(Clone)]
pub struct DockerConfig {
    origin: String,
    /// By registry, or by registry and a repository's leading folders.
    entries: HashMap<String, Entry>,
    helpers: HashMap<String, String>,
    default_helper: Option<String>,
    helper: Option<Arc<dyn CredentialHelper>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    auths: HashMap<String, Entry>,
    #[serde(default)]
    cred_helpers: HashMap<String, String>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
struct Entry {
    #[serde(default)]
    auth: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default, rename = "identitytoken")]
    identity_token: Option<String>,
    #[serde(default, rename = "registrytoken")]
    registry_token: Option<String>,
}

impl fmt::Debug for DockerConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registries: Vec<&String> = self.entries.keys().collect();
        formatter.debug_struct("DockerConfig").field("origin", &self.origin).field("registries", &registries).finish_non_exhaustive()
    }
}

impl DockerConfig {
    /// Reads the file's bytes; `origin` is its path, for messages.
    pub fn parse(bytes: &[u8], origin: impl Into<String>) -> Result<Self, CredentialsError> {
        let origin = origin.into();
        let file: File = match serde_json::from_slice(bytes) {
            Ok(file) => file,
            Err(source) => return Err(CredentialsError::Unreadable { origin, source }),
        };
        let default_helper = file.creds_store.filter(|name| !name.is_empty());
        let entries = file.auths.into_iter().map(|(key, entry)| (normal_key(&key), entry)).collect();
        let helpers = file.cred_helpers.into_iter().map(|(key, helper)| (normal_key(&key), helper)).collect();
        Ok(Self { origin, entries, helpers, default_helper, helper: None })
    }

    /// Lets the helpers that the file names be asked.
    #[must_use]
    pub fn with_helper(self, helper: Arc<dyn CredentialHelper>) -> Self {
        Self { helper: Some(helper), ..self }
    }

    /// The short name of the helper that keeps the logins for a registry.
    pub(super) fn helper_of(&self, registry: &str) -> Option<&str> {
        // It becomes part of a program's name.
        let is_name = |name: &&String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        self.helpers.get(registry).or(self.default_helper.as_ref()).filter(is_name).map(String::as_str)
    }

    fn ask_helper(&self, name: &str, registry: &str, lookup: &mut Lookup) -> Result<(), CredentialsError> {
        let Some(helper) = &self.helper else {
            lookup.looked_at.push(format!("`{}` leaves it to the credential helper `{name}`, which was not asked", self.origin));
            return Ok(());
        };
        let server = server_of(registry);
        let found = helper.get(name, server).map_err(|source| CredentialsError::Helper {
            origin: self.origin.clone(),
            helper: name.to_owned(),
            source,
        })?;
        match found {
            Some(login) => {
                let source = format!("the credential helper `{name}` named in `{}`", self.origin);
                lookup.found = Some(Found { login, source });
            }
            None => lookup.looked_at.push(format!("the credential helper `{name}` has nothing for `{server}`")),
        }
        Ok(())
    }
}

impl Credentials for DockerConfig {
    fn lookup(&self, registry: &str, repository: &str) -> Result<Lookup, CredentialsError> {
        let mut lookup = Lookup::default();
        if let Some(name) = self.helper_of(registry) {
            self.ask_helper(name, registry, &mut lookup)?;
        }
        if lookup.found.is_some() {
            return Ok(lookup);
        }
        for key in keys(registry, repository) {
            let Some(entry) = self.entries.get(&key) else { continue };
            let broken = |reason| CredentialsError::BrokenEntry { origin: self.origin.clone(), registry: key.clone(), reason };
            if let Some(login) = entry.login().map_err(broken)? {
                lookup.found = Some(Found { login, source: format!("`{}`", self.origin) });
                return Ok(lookup);
            }
        }
        lookup.looked_at.push(format!("`{}` has no login for `{registry}`", self.origin));
        Ok(lookup)
    }
}

impl Entry {
    fn login(&self) -> Result<Option<Login>, &'static str> {
        let filled = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        if let Some(token) = filled(&self.identity_token) {
            return Ok(Some(Login::IdentityToken(Secret(token))));
        }
        if let Some(token) = filled(&self.registry_token) {
            return Ok(Some(Login::RegistryToken(Secret(token))));
        }
        if let Some(auth) = filled(&self.auth) {
            return decode_auth(&auth).map(Some);
        }
        match (filled(&self.username), filled(&self.password)) {
            (Some(user), Some(password)) => Ok(Some(Login::Password { user, password: Secret(password) })),
            _ => Ok(None),
        }
    }
}

/// The keys that can hold the login for a repository, the closest first.
fn keys(registry: &str, repository: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut path = Some(repository).filter(|path| !path.is_empty());
    while let Some(folder) = path {
        keys.push(format!("{registry}/{folder}"));
        path = folder.rsplit_once('/').map(|(parent, _)| parent);
    }
    keys.push(registry.to_owned());
    keys
}
