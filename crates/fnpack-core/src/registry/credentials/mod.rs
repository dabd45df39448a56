//! Who the user is to a registry.
//!
//! [`Credentials`] are asked once for each registry; the answer says what was found and where was
//! looked, because that is what a user needs after a refusal. [`LoginFile`] reads and writes the file that
//! `docker login`, `podman login` and `skopeo login` share, [`HelperPrograms`] asks the programs that such a
//! file names, [`AuthHeaders`] reads `CNB_REGISTRY_AUTH`. Secrets are [`Secret`]s: they have no printed form.

mod docker_config;
mod headers;
mod helper_programs;
mod login_file;

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

pub use docker_config::DockerConfig;
pub use headers::AuthHeaders;
pub use helper_programs::{HelperPrograms, ProgramError};
pub use login_file::LoginFile;

use crate::reference::DOCKER_HUB;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Guards a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the request that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<secret>")
    }
}

/// What proves who the user is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Name and password, or name and access token.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A refresh token, exchanged at the registry's token service.
    IdentityToken(Secret),
    /// A token for the registry itself, sent as it is.
    RegistryToken(Secret),
}

impl Login {
    /// What follows `Basic` in an `Authorization` header. The error says what is wrong, one clause.
    pub fn from_basic(value: &str) -> Result<Self, &'static str> {
        decode_auth(value)
    }
}

/// A login and where it is from.
#[derive(Debug, Clone)]
pub struct Found {
    /// The login.
    pub login: Login,
    /// Such as the path of the file; for messages.
    pub source: String,
}

/// What came of a search.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    /// The login, if there is one.
    pub found: Option<Found>,
    /// What was looked at in vain, one clause each, for messages.
    pub looked_at: Vec<String>,
}

/// Why a search failed.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file is not the JSON that it should be.
    #[error("cannot read the logins in `{origin}`")]
    Unreadable {
        /// The file.
        origin: String,
        /// The fault, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// An entry of the file cannot be used.
    #[error("the login for `{registry}` in `{origin}` is broken: {reason}")]
    BrokenEntry {
        /// The file.
        origin: String,
        /// The entry's key.
        registry: String,
        /// What is wrong, one clause.
        reason: &'static str,
    },
    /// The file cannot be read or written.
    #[error("cannot use the file of logins `{origin}`")]
    File {
        /// The file.
        origin: String,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// The helper program failed.
    #[error("the credential helper `{helper}` named in `{origin}` failed")]
    Helper {
        /// The file.
        origin: String,
        /// The helper's short name.
        helper: String,
        /// The reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A place to look for logins.
pub trait Credentials: Send + Sync + fmt::Debug {
    /// Looks for the login for a repository of a registry (`docker.io` for Docker Hub).
    fn lookup(&self, registry: &str, repository: &str) -> Result<Lookup, CredentialsError>;
}

/// Asks a credential helper (`docker-credential-NAME`). The library starts no programs by itself, so
/// the command hands one in.
pub trait CredentialHelper: Send + Sync {
    /// The login that the helper has for a server, if any.
    fn get(&self, helper: &str, server: &str) -> Result<Option<Login>, HelperError>;

    /// Has the helper keep a login.
    fn store(&self, helper: &str, server: &str, user: &str, password: &Secret) -> Result<(), HelperError>;

    /// Has the helper forget what it has for a server.
    fn erase(&self, helper: &str, server: &str) -> Result<(), HelperError>;
}

/// Why a helper did not do what it should.
pub type HelperError = Box<dyn std::error::Error + Send + Sync>;

/// No logins at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anonymous;

impl Credentials for Anonymous {
    fn lookup(&self, _registry: &str, _repository: &str) -> Result<Lookup, CredentialsError> {
        Ok(Lookup::default())
    }
}

/// One login for one registry, as given on a command line.
#[derive(Debug, Clone)]
pub struct FixedLogin {
    /// The registry that it is for; no other gets it.
    pub registry: String,
    /// The login.
    pub login: Login,
    /// For messages.
    pub source: String,
}

impl Credentials for FixedLogin {
    fn lookup(&self, registry: &str, _repository: &str) -> Result<Lookup, CredentialsError> {
        if registry == self.registry {
            return Ok(Lookup { found: Some(Found { login: self.login.clone(), source: self.source.clone() }), looked_at: Vec::new() });
        }
        Ok(Lookup { found: None, looked_at: vec![format!("{} is for `{}`", self.source, self.registry)] })
    }
}

/// Several places; the first that has a login counts.
#[derive(Debug, Clone, Default)]
pub struct CredentialChain(pub Vec<Arc<dyn Credentials>>);

impl Credentials for CredentialChain {
    fn lookup(&self, registry: &str, repository: &str) -> Result<Lookup, CredentialsError> {
        let mut looked_at = Vec::new();
        for place in &self.0 {
            let lookup = place.lookup(registry, repository)?;
            looked_at.extend(lookup.looked_at);
            if lookup.found.is_some() {
                return Ok(Lookup { found: lookup.found, looked_at });
            }
        }
        Ok(Lookup { found: None, looked_at })
    }
}

fn decode_auth(auth: &str) -> Result<Login, &'static str> {
    let auth = auth.trim();
    let bytes = STANDARD.decode(auth).or_else(|_| STANDARD_NO_PAD.decode(auth)).map_err(|_| "`auth` is not base64")?;
    let text = String::from_utf8(bytes).map_err(|_| "`auth` is not UTF-8 inside")?;
    let (user, password) = text.split_once(':').ok_or("`auth` has no `:` inside")?;
    // Old versions of Docker padded the password with zero bytes.
    Ok(Login::Password { user: user.to_owned(), password: Secret::new(password.trim_end_matches('\0')) })
}

/// What Docker calls a registry in its files and before helpers.
fn server_of(registry: &str) -> &str {
    if registry == DOCKER_HUB { "https://index.docker.io/v1/" } else { registry }
}

/// A registry as image names have it, out of what people and files call it.
pub fn registry_name(text: &str) -> String {
    normal_key(&text.trim().to_ascii_lowercase())
}

/// `https://host/v1/` and `host` are the same place, as are the many names of Docker Hub.
fn normal_key(key: &str) -> String {
    let key = key.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let key = key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key);
    match key {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => DOCKER_HUB.to_owned(),
        key => key.to_owned(),
    }
}

#[cfg(test)]
mod tests;
