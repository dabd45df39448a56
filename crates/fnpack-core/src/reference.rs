//! Image names, parsed once at the edge.
//!
//! The grammar is that of `distribution/reference`: what `docker`, `pack` and `skopeo` take. A name
//! without a registry means Docker Hub, a name without tag and digest means `latest`; both are kept
//! in their full form inside and shown in their familiar form.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Docker Hub under the name that references use.
pub const DOCKER_HUB: &str = "docker.io";

/// A full image name: registry, repository, and a tag, a digest or both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is not an image name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid image reference `{text}`: {reason}")]
pub struct ReferenceError {
    /// The text as given.
    pub text: String,
    /// What is wrong, one clause.
    pub reason: &'static str,
}

impl Reference {
    /// Host, and port where one was given; `docker.io` when the name had none.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Path inside the registry; official images of Docker Hub have `library/` in front.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `None` only when the name has a digest and no tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, when the name is pinned.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same image, pinned to `digest`; a tag stays for the reader.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// An image of the same repository, by its digest alone.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// An image of the same repository, by a tag of it.
    #[must_use]
    pub fn tagged(&self, tag: &str) -> Self {
        Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() }
    }

    /// The same image without a digest; the tag becomes `latest` if there was none.
    #[must_use]
    pub fn without_digest(&self) -> Self {
        let tag = self.tag.clone().or_else(|| Some("latest".to_owned()));
        Self { digest: None, tag, ..self.clone() }
    }

    /// Registry and repository without tag and digest, in full.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// As users write it: without `docker.io/` and `library/`, the tag always shown.
    pub fn familiar(&self) -> String {
        let mut text = if self.registry == DOCKER_HUB {
            self.repository.strip_prefix("library/").unwrap_or(&self.repository).to_owned()
        } else {
            self.name()
        };
        if let Some(tag) = &self.tag {
            text = format!("{text}:{tag}");
        }
        if let Some(digest) = self.digest {
            text = format!("{text}@{digest}");
        }
        text
    }
}

/// The full form, registry included.
impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        parse(text).map_err(|reason| ReferenceError { text: text.to_owned(), reason })
    }
}

impl TryFrom<String> for Reference {
    type Error = ReferenceError;

    fn try_from(text: String) -> Result<Self, ReferenceError> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> String {
        reference.to_string()
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    if text.is_empty() {
        return Err("the name is empty");
    }
    let (rest, digest) = match text.split_once('@') {
        None => (text, None),
        Some((rest, digest)) => {
            let digest = digest.parse().map_err(|_| "what follows `@` is not `sha256:` and 64 hexadecimal digits")?;
            (rest, Some(digest))
        }
    };
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let (registry, path) = split_registry(name);
    check_registry(registry)?;
    let repository = if registry == DOCKER_HUB && !path.contains('/') { format!("library/{path}") } else { path.to_owned() };
    check_repository(path)?;
    if registry.len() + 1 + repository.len() > 255 {
        return Err("the name is longer than 255 characters");
    }
    let tag = match (tag, digest) {
        (Some(tag), _) => Some(tag.to_owned()),
        (None, None) => Some("latest".to_owned()),
        (None, Some(_)) => None,
    };
    Ok(Reference { registry: registry.to_owned(), repository, tag, digest })
}

/// The first component is a registry if it could not be a folder: it has a dot or a port, or is
/// `localhost`. Upper case also makes it one upstream; here it stays a mistake with a clear reason.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
            let first = if first == "index.docker.io" || first == "registry-1.docker.io" { DOCKER_HUB } else { first };
            (first, rest)
        }
        _ => (DOCKER_HUB, name),
    }
}

fn check_registry(registry: &str) -> Result<(), &'static str> {
    let (host, port) = match registry.rsplit_once(':') {
        Some((host, port)) if !registry.ends_with(']') => (host, Some(port)),
        _ => (registry, None),
    };
    if port.is_some_and(|port| port.is_empty() || port.parse::<u16>().is_err()) {
        return Err("the registry's port is not a number up to 65535");
    }
    let plain = |host: &str| {
        host.split('.').all(|label| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
    };
    let bracketed = |host: &str| {
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
    };
    if plain(host) || bracketed(host) { Ok(()) } else { Err("the registry is not a host name") }
}

fn check_tag(tag: &str) -> Result<(), &'static str> {
    let first = tag.as_bytes().first();
    if first.is_none() {
        return Err("the tag after `:` is empty");
    }
    if tag.len() > 128 {
        return Err("the tag is longer than 128 characters");
    }
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if !first.is_some_and(word) || !tag.as_bytes().iter().all(|byte| word(byte) || matches!(byte, b'.' | b'-')) {
        return Err("a tag is made of letters, digits, `_`, `.` and `-`, and starts with a letter, a digit or `_`");
    }
    Ok(())
}

fn check_repository(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("the repository is empty");
    }
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("a repository name is lower case");
    }
    for component in path.split('/') {
        if component.is_empty() {
            return Err("there is an empty part between slashes");
        }
        check_component(component)?;
    }
    Ok(())
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn check_component(component: &str) -> Result<(), &'static str> {
    const REASON: &str = "a part of a repository name is made of lower-case letters and digits, separated by `.`, `_`, `__` or dashes";
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let mut position = 0;
    loop {
        let word = bytes[position..].iter().take_while(|byte| alphanumeric(**byte)).count();
        if word == 0 {
            return Err(REASON);
        }
        position += word;
        let separator: Vec<u8> = bytes[position..].iter().copied().take_while(|byte| !alphanumeric(*byte)).collect();
        position += separator.len();
        match separator.as_slice() {
            b"" => return Ok(()),
            b"." | b"_" | b"__" => {}
            dashes if dashes.iter().all(|byte| *byte == b'-') => {}
            _ => return Err(REASON),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    #[test]
    fn names_are_completed_and_shortened() {
        let pinned = format!("alpine@{DIGEST}");
        let both = format!("alpine:3@{DIGEST}");
        for (text, full, familiar) in [
            ("my-function", "docker.io/library/my-function:latest".to_owned(), "my-function:latest".to_owned()),
            ("stack/go-runner:next", "docker.io/stack/go-runner:next".to_owned(), "stack/go-runner:next".to_owned()),
            ("debian:trixie-slim", "docker.io/library/debian:trixie-slim".to_owned(), "debian:trixie-slim".to_owned()),
            ("index.docker.io/library/debian", "docker.io/library/debian:latest".to_owned(), "debian:latest".to_owned()),
            ("localhost:5000/x", "localhost:5000/x:latest".to_owned(), "localhost:5000/x:latest".to_owned()),
            ("[::1]:5000/a/b:1", "[::1]:5000/a/b:1".to_owned(), "[::1]:5000/a/b:1".to_owned()),
            ("ghcr.io/a__b/c--d/e.f:V1", "ghcr.io/a__b/c--d/e.f:V1".to_owned(), "ghcr.io/a__b/c--d/e.f:V1".to_owned()),
            (&pinned, format!("docker.io/library/alpine@{DIGEST}"), pinned.clone()),
            (&both, format!("docker.io/library/alpine:3@{DIGEST}"), both.clone()),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!((reference.to_string(), reference.familiar()), (full.clone(), familiar), "{text}");
            assert_eq!(full.parse::<Reference>().unwrap(), reference);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let long = "a".repeat(300);
        for (text, reason) in [
            ("", "empty"),
            ("Team/Word-Count:1.4", "lower case"),
            ("a//b", "empty part"),
            ("a/b:", "tag after `:`"),
            ("a:-x", "a tag is made"),
            ("a b", "a part of"),
            ("a/-b", "a part of"),
            ("a/b___c", "a part of"),
            ("a/b._c", "a part of"),
            ("a@sha256:12", "follows `@`"),
            ("localhost:99999/a", "port"),
            ("exa_mple.com/a", "host name"),
            ("../a", "host name"),
            (&long, "longer"),
        ] {
            let error = text.parse::<Reference>().unwrap_err();
            assert!(error.reason.contains(reason), "{text}: {}", error.reason);
        }
    }
}
