//! Logins for registries: `CNB_REGISTRY_AUTH`, then Docker's config (CNB platform specification, "Registry
//! Authentication").

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use fnpack_core::reference::DOCKER_HUB;
use fnpack_core::registry::credentials::{CredentialChain, Credentials, CredentialsError, DockerConfig, Found, Login, Lookup, Secret};

use crate::arguments::Environment;

/// The variable with logins: JSON, from a registry to the whole value of the `Authorization` header.
pub(crate) const VARIABLE: &str = "CNB_REGISTRY_AUTH";

/// Why the logins cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeychainError {
    /// Docker's file is there and cannot be read.
    #[error("cannot read the registry logins")]
    Unreadable(#[source] std::io::Error),
    /// A source of logins is damaged.
    #[error("cannot use the registry logins")]
    Damaged(#[source] CredentialsError),
}

/// All logins that the environment leads to.
pub(crate) fn of(environment: Environment<'_>) -> Result<CredentialChain, KeychainError> {
    let mut places: Vec<Arc<dyn Credentials>> = Vec::new();
    if let Some(text) = environment(VARIABLE).filter(|text| !text.is_empty()) {
        places.push(Arc::new(Headers::parse(&text).map_err(KeychainError::Damaged)?));
    }
    let folder = environment("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(PathBuf::from(environment("HOME")?).join(".docker")));
    if let Some(path) = folder.map(|folder| folder.join("config.json")) {
        match fs_err::read(&path) {
            Ok(bytes) => {
                let config = DockerConfig::parse(&bytes, path.display().to_string()).map_err(KeychainError::Damaged)?;
                places.push(Arc::new(config));
            }
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(KeychainError::Unreadable(error)),
        }
    }
    Ok(CredentialChain(places))
}

/// The content of the variable.
#[derive(Clone)]
struct Headers(BTreeMap<String, Secret>);

impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Headers {
    fn parse(text: &str) -> Result<Self, CredentialsError> {
        let headers: BTreeMap<String, String> =
            serde_json::from_str(text).map_err(|source| CredentialsError::Unreadable { origin: VARIABLE.to_owned(), source })?;
        Ok(Self(headers.into_iter().map(|(registry, header)| (host(&registry), Secret::new(header))).collect()))
    }
}

impl Credentials for Headers {
    fn lookup(&self, registry: &str, _repository: &str) -> Result<Lookup, CredentialsError> {
        let Some(header) = self.0.get(registry) else {
            return Ok(Lookup { found: None, looked_at: vec![format!("{VARIABLE} has no login for `{registry}`")] });
        };
        let login = login(header.reveal()).map_err(|reason| CredentialsError::BrokenEntry {
            origin: VARIABLE.to_owned(),
            registry: registry.to_owned(),
            reason,
        })?;
        Ok(Lookup { found: Some(Found { login, source: VARIABLE.to_owned() }), looked_at: Vec::new() })
    }
}

/// The registry as references name it: without scheme and path, Docker Hub by its one name.
fn host(registry: &str) -> String {
    let registry = registry.split_once("://").map_or(registry, |(_, rest)| rest);
    let host = registry.split('/').next().unwrap_or_default();
    match host {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB.to_owned(),
        host => host.to_owned(),
    }
}

fn login(header: &str) -> Result<Login, &'static str> {
    let (scheme, value) = header.trim().split_once(' ').ok_or("it is not a scheme and a value")?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Login::RegistryToken(Secret::new(value)));
    }
    if scheme.eq_ignore_ascii_case("x-identity") {
        return Ok(Login::IdentityToken(Secret::new(value)));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        return Login::from_basic(value);
    }
    Err("its scheme is none of `Basic`, `Bearer` and `X-Identity`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &str, registry: &str) -> Result<Option<Login>, String> {
        let headers = Headers::parse(headers).map_err(|error| error.to_string())?;
        headers.lookup(registry, "r").map(|lookup| lookup.found.map(|found| found.login)).map_err(|error| error.to_string())
    }

    #[test]
    fn headers_become_logins() {
        let password = || Login::Password { user: "user".to_owned(), password: Secret::new("a:b") };
        for (headers, registry, expected) in [
            (r#"{"r.example.com": "Basic dXNlcjphOmI="}"#, "r.example.com", Some(password())),
            (r#"{"https://index.docker.io/v1/": "basic dXNlcjphOmI="}"#, "docker.io", Some(password())),
            (r#"{"localhost:5000": "Bearer abc"}"#, "localhost:5000", Some(Login::RegistryToken(Secret::new("abc")))),
            (r#"{"a": "X-Identity abc"}"#, "a", Some(Login::IdentityToken(Secret::new("abc")))),
            (r#"{"a": "Bearer abc"}"#, "b", None),
        ] {
            assert_eq!(found(headers, registry), Ok(expected), "{headers}");
        }
    }

    #[test]
    fn damaged_headers_are_told_without_their_secret() {
        for (headers, expected) in [
            ("{", "cannot read the logins in `CNB_REGISTRY_AUTH`"),
            (r#"{"a": "secret"}"#, "the login for `a` in `CNB_REGISTRY_AUTH` is broken: it is not a scheme and a value"),
            (
                r#"{"a": "Digest secret"}"#,
                "the login for `a` in `CNB_REGISTRY_AUTH` is broken: its scheme is none of `Basic`, `Bearer` and `X-Identity`",
            ),
            (r#"{"a": "Basic !secret"}"#, "the login for `a` in `CNB_REGISTRY_AUTH` is broken: `auth` is not base64"),
        ] {
            assert_eq!(found(headers, "a"), Err(expected.to_owned()));
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        assert!(!format!("{:?}", Headers::parse(r#"{"a": "Bearer secret"}"#).unwrap()).contains("secret"));
    }
}
