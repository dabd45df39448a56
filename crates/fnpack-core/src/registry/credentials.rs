//! Who the user is to a registry.
//!
//! [`Credentials`] are asked once for each registry; the answer says what was found and where was
//! looked, because that is what a user needs after a refusal. [`DockerConfig`] reads the file that
//! `docker login`, `podman login` and `skopeo login` write. Secrets are [`Secret`]s: they have no
//! printed form.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Deserialize;

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
    fn get(&self, helper: &str, server: &str) -> Result<Option<Login>, Box<dyn std::error::Error + Send + Sync>>;
}

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

    fn ask_helper(&self, name: &str, registry: &str, lookup: &mut Lookup) -> Result<(), CredentialsError> {
        let Some(helper) = &self.helper else {
            lookup.looked_at.push(format!("`{}` leaves it to the credential helper `{name}`, which was not asked", self.origin));
            return Ok(());
        };
        let server = if registry == DOCKER_HUB { "https://index.docker.io/v1/" } else { registry };
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
        let helper = self.helpers.get(registry).or(self.default_helper.as_ref());
        // The name becomes part of a program's name.
        let is_name = |name: &&String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if let Some(name) = helper.filter(is_name) {
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

fn decode_auth(auth: &str) -> Result<Login, &'static str> {
    let auth = auth.trim();
    let bytes = STANDARD.decode(auth).or_else(|_| STANDARD_NO_PAD.decode(auth)).map_err(|_| "`auth` is not base64")?;
    let text = String::from_utf8(bytes).map_err(|_| "`auth` is not UTF-8 inside")?;
    let (user, password) = text.split_once(':').ok_or("`auth` has no `:` inside")?;
    // Old versions of Docker padded the password with zero bytes.
    Ok(Login::Password { user: user.to_owned(), password: Secret::new(password.trim_end_matches('\0')) })
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

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{
        "auths": {
            "https://index.docker.io/v1/": { "auth": "aHViOnNlY3JldDpjb2xvbg==" },
            "ghcr.io": { "identitytoken": "refresh", "auth": "MDA6" },
            "quay.io": { "auth": "cXVheTphbGw=" },
            "quay.io/team": { "auth": "cXVheTp0ZWFt" },
            "empty.example.com": {},
            "broken.example.com": { "auth": "%%%" },
            "padded.example.com": { "auth": "dTpwAAA=" },
            "plain.example.com": { "username": "u", "password": "p" }
        },
        "credHelpers": { "ecr.example.com": "ecr-login", "bad.example.com": "../../bin/sh" },
        "HttpHeaders": { "x": "y" }
    }"#;

    fn shown(config: &DockerConfig, registry: &str, repository: &str) -> String {
        match config.lookup(registry, repository) {
            Ok(Lookup { found: Some(Found { login: Login::Password { user, password }, .. }), .. }) => {
                format!("{user}:{}", password.reveal())
            }
            Ok(Lookup { found: Some(Found { login: Login::IdentityToken(token), .. }), .. }) => format!("identity {}", token.reveal()),
            Ok(Lookup { found: Some(_), .. }) => "registry token".to_owned(),
            Ok(Lookup { found: None, looked_at }) => looked_at.join("; "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn docker_config_is_searched_as_docker_and_podman_do() {
        let config = DockerConfig::parse(CONFIG.as_bytes(), "config.json").unwrap();
        for (registry, repository, expected) in [
            ("docker.io", "library/debian", "hub:secret:colon"),
            ("ghcr.io", "a/b", "identity refresh"),
            ("quay.io", "other/b", "quay:all"),
            ("quay.io", "team/a/b", "quay:team"),
            ("quay.io", "teams/a", "quay:all"),
            ("padded.example.com", "a", "u:p"),
            ("plain.example.com", "a", "u:p"),
            ("empty.example.com", "a", "`config.json` has no login for `empty.example.com`"),
            ("bad.example.com", "a", "`config.json` has no login for `bad.example.com`"),
            ("broken.example.com", "a", "the login for `broken.example.com` in `config.json` is broken: `auth` is not base64"),
            (
                "ecr.example.com",
                "a",
                "`config.json` leaves it to the credential helper `ecr-login`, which was not asked; `config.json` has no login for `ecr.example.com`",
            ),
        ] {
            assert_eq!(shown(&config, registry, repository), expected, "{registry}/{repository}");
        }
        assert!(DockerConfig::parse(b"[", "config.json").is_err());
    }

    #[test]
    fn secrets_are_not_printed() {
        let config = DockerConfig::parse(CONFIG.as_bytes(), "config.json").unwrap();
        let lookup = config.lookup("docker.io", "a").unwrap();
        let text = format!("{config:?} {lookup:?} {:?}", Secret::new("secret:colon"));
        assert!(!text.contains("secret:colon") && !text.contains("aHViOn"), "{text}");
    }

    struct Helper;

    impl CredentialHelper for Helper {
        fn get(&self, helper: &str, server: &str) -> Result<Option<Login>, Box<dyn std::error::Error + Send + Sync>> {
            match server {
                "https://index.docker.io/v1/" => Ok(Some(Login::Password { user: helper.to_owned(), password: Secret::new("p") })),
                "down.example.com" => Err("exit status 1".into()),
                _ => Ok(None),
            }
        }
    }

    #[test]
    fn helpers_are_asked_when_one_is_given() {
        let text = br#"{ "credsStore": "desktop", "auths": { "quay.io": { "auth": "cXVheTphbGw=" } } }"#;
        let config = DockerConfig::parse(text, "config.json").unwrap().with_helper(Arc::new(Helper));
        for (registry, expected) in [
            ("docker.io", "desktop:p"),
            ("quay.io", "quay:all"),
            ("down.example.com", "the credential helper `desktop` named in `config.json` failed"),
            (
                "x.example.com",
                "the credential helper `desktop` has nothing for `x.example.com`; `config.json` has no login for `x.example.com`",
            ),
        ] {
            assert_eq!(shown(&config, registry, "a"), expected);
        }
    }

    #[test]
    fn chain_takes_the_first_login() {
        let fixed = |registry: &str, user: &str| FixedLogin {
            registry: registry.to_owned(),
            login: Login::Password { user: user.to_owned(), password: Secret::new("p") },
            source: format!("`--user {user}`"),
        };
        let chain = CredentialChain(vec![Arc::new(fixed("a", "1")), Arc::new(fixed("b", "2")), Arc::new(fixed("b", "3"))]);
        let lookup = chain.lookup("b", "x").unwrap();
        assert_eq!(lookup.found.unwrap().source, "`--user 2`");
        assert_eq!(lookup.looked_at, ["`--user 1` is for `a`"]);
        assert!(chain.lookup("c", "x").unwrap().found.is_none());
    }
}
