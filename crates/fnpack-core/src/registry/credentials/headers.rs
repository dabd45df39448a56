//! Logins from a variable: JSON, from a registry to the whole value of the `Authorization` header (CNB
//! platform specification, "Registry Authentication").

use std::collections::BTreeMap;
use std::fmt;

use super::{Credentials, CredentialsError, Found, Login, Lookup, Secret, normal_key};

const VARIABLE: &str = "CNB_REGISTRY_AUTH";

/// The logins of the variable `CNB_REGISTRY_AUTH`.
#[derive(Clone)]
pub struct AuthHeaders(BTreeMap<String, Secret>);

impl fmt::Debug for AuthHeaders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl AuthHeaders {
    /// Reads the variable's value.
    pub fn parse(text: &str) -> Result<Self, CredentialsError> {
        let headers: BTreeMap<String, String> =
            serde_json::from_str(text).map_err(|source| CredentialsError::Unreadable { origin: VARIABLE.to_owned(), source })?;
        Ok(Self(headers.into_iter().map(|(registry, header)| (host(&registry), Secret::new(header))).collect()))
    }
}

impl Credentials for AuthHeaders {
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

/// Entries are for whole registries, whatever path they are written with.
fn host(registry: &str) -> String {
    normal_key(registry).split('/').next().unwrap_or_default().to_owned()
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
        let headers = AuthHeaders::parse(headers).map_err(|error| error.to_string())?;
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
        assert!(!format!("{:?}", AuthHeaders::parse(r#"{"a": "Bearer secret"}"#).unwrap()).contains("secret"));
    }
}
