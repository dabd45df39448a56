//! Where images of a name are really kept: containers' `registries.conf`, version 2 (containers-registries.conf(5)).
//!
//! Answered are `[[registry]]` with `prefix`, `location`, `insecure` and `blocked`, and its
//! `[[registry.mirror]]` with `location`, `insecure` and `pull-from-mirror`. Names without a registry mean
//! Docker Hub here, so search lists and aliases say nothing to us.

use std::path::PathBuf;

use serde::Deserialize;

use super::error::RegistryError;
use crate::reference::Reference;

/// Why a file of registries cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistriesError {
    /// It cannot be read.
    #[error("cannot read the registries in `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// It is not the TOML that it should be.
    #[error("cannot understand the registries in `{origin}`")]
    Syntax {
        /// The file.
        origin: String,
        /// The fault, with line and column.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A place is no registry with or without a path.
    #[error("`{location}` in `{origin}` is no `HOST[:PORT][/PATH]`")]
    Location {
        /// The file.
        origin: String,
        /// The value.
        location: String,
    },
    /// An entry does not say what it is for.
    #[error("a `[[registry]]` in `{origin}` has neither `prefix` nor `location`")]
    Nameless {
        /// The file.
        origin: String,
    },
}

/// Rules from names to places. The default has none: every name is its own place.
#[derive(Debug, Clone, Default)]
pub struct Registries {
    entries: Vec<Entry>,
}

#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(default)]
    registry: Vec<Written>,
}

#[derive(Debug, Deserialize)]
struct Written {
    prefix: Option<String>,
    location: Option<String>,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default, rename = "mirror-by-digest-only")]
    digests_only: bool,
    #[serde(default)]
    mirror: Vec<Mirror>,
}

#[derive(Debug, Clone, Deserialize)]
struct Mirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default, rename = "pull-from-mirror")]
    pulls: Pulls,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Pulls {
    #[default]
    All,
    DigestOnly,
    TagOnly,
}

#[derive(Debug, Clone)]
struct Entry {
    prefix: String,
    /// `None` with a prefix of many hosts: names stay what they are.
    location: Option<String>,
    insecure: bool,
    blocked: bool,
    mirrors: Vec<Mirror>,
    origin: String,
}

impl Registries {
    /// Reads a file's text; `origin` is its path, for messages.
    pub fn parse(text: &str, origin: &str) -> Result<Self, RegistriesError> {
        let syntax = |source| RegistriesError::Syntax { origin: origin.to_owned(), source: Box::new(source) };
        let file: File = toml::from_str(text).map_err(syntax)?;
        let entries = file.registry.into_iter().map(|written| Entry::of(written, origin)).collect::<Result<_, _>>()?;
        Ok(Self { entries })
    }

    /// Adds the rules of a file that is read later: for the same prefix they take the place of earlier ones.
    #[must_use]
    pub fn overridden_by(mut self, later: Self) -> Self {
        self.entries.retain(|entry| !later.entries.iter().any(|other| other.prefix == entry.prefix));
        self.entries.extend(later.entries);
        self
    }

    /// The hosts that may be spoken to without encryption.
    pub(super) fn insecure_hosts(&self) -> Vec<String> {
        let own = self.entries.iter().filter(|entry| entry.insecure).map(|entry| entry.location.as_ref().unwrap_or(&entry.prefix));
        let mirrors = self.entries.iter().flat_map(|entry| &entry.mirrors).filter(|mirror| mirror.insecure).map(|mirror| &mirror.location);
        own.chain(mirrors).map(|location| location.split('/').next().unwrap_or_default().to_owned()).collect()
    }

    /// Where the image of a name is kept: it is pushed there and nowhere else.
    pub(super) fn place_of(&self, name: &Reference) -> Result<Reference, RegistryError> {
        let Some(entry) = self.entry_for(name) else { return Ok(name.clone()) };
        if entry.blocked {
            return Err(RegistryError::Blocked { reference: name.familiar(), origin: entry.origin.clone() });
        }
        Ok(entry.location.as_ref().and_then(|location| entry.moved(name, location)).unwrap_or_else(|| name.clone()))
    }

    /// The mirrors that an image can be pulled from, in order, before where it is kept.
    pub(super) fn mirrors_of(&self, name: &Reference) -> Vec<Reference> {
        let Some(entry) = self.entry_for(name) else { return Vec::new() };
        let fits = |mirror: &&Mirror| match mirror.pulls {
            Pulls::All => true,
            Pulls::DigestOnly => name.digest().is_some(),
            Pulls::TagOnly => name.digest().is_none(),
        };
        entry.mirrors.iter().filter(fits).filter_map(|mirror| entry.moved(name, &mirror.location)).collect()
    }

    /// The rule of the longest prefix.
    fn entry_for(&self, name: &Reference) -> Option<&Entry> {
        self.entries.iter().filter(|entry| entry.rest(name).is_some()).max_by_key(|entry| entry.prefix.len())
    }
}

impl Entry {
    fn of(written: Written, origin: &str) -> Result<Self, RegistriesError> {
        let filled = |text: Option<String>| text.map(|text| text.trim_end_matches('/').to_owned()).filter(|text| !text.is_empty());
        let (prefix, location) = (filled(written.prefix), filled(written.location));
        let prefix = prefix.or_else(|| location.clone()).ok_or_else(|| RegistriesError::Nameless { origin: origin.to_owned() })?;
        let location = location.or_else(|| (!prefix.starts_with("*.")).then(|| prefix.clone()));
        let mut mirrors = written.mirror;
        for mirror in &mut mirrors {
            mirror.location.truncate(mirror.location.trim_end_matches('/').len());
            if written.digests_only {
                mirror.pulls = Pulls::DigestOnly;
            }
        }
        for location in location.iter().chain(mirrors.iter().map(|mirror| &mirror.location)) {
            let probe: Option<Reference> = format!("{location}/a/b").parse().ok();
            if probe.is_none_or(|probe| probe.name() != format!("{location}/a/b")) {
                return Err(RegistriesError::Location { origin: origin.to_owned(), location: location.clone() });
            }
        }
        Ok(Self { prefix, location, insecure: written.insecure, blocked: written.blocked, mirrors, origin: origin.to_owned() })
    }

    /// What follows the prefix in a name, with its `/`.
    fn rest<'n>(&self, name: &'n Reference) -> Option<std::borrow::Cow<'n, str>> {
        if let Some(domain) = self.prefix.strip_prefix('*') {
            return name.registry().ends_with(domain).then(|| format!("/{}", name.repository()).into());
        }
        let full = name.name();
        let rest = full.strip_prefix(&self.prefix)?;
        rest.starts_with('/').then(|| rest.to_owned().into()).or_else(|| rest.is_empty().then(|| "".into()))
    }

    fn moved(&self, name: &Reference, location: &str) -> Option<Reference> {
        let tag = name.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = name.digest().map(|digest| format!("@{digest}")).unwrap_or_default();
        format!("{location}{}{tag}{digest}", self.rest(name)?).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
unqualified-search-registries = ["docker.io"]
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "mirror.corp:5000/hub"
insecure = true
[[registry.mirror]]
location = "digests.corp"
pull-from-mirror = "digest-only"
[[registry]]
prefix = "old.example.com/team"
location = "new.example.com/moved/team/"
[[registry]]
prefix = "*.bad.example.com"
blocked = true
[[registry]]
prefix = "plain.example.com:8080"
insecure = true
"#;

    fn places(registries: &Registries, name: &str) -> Result<Vec<String>, String> {
        let name = name.parse().unwrap();
        let own = registries.place_of(&name).map_err(|error| error.to_string())?;
        Ok(registries.mirrors_of(&name).into_iter().chain([own]).map(|place| place.to_string()).collect())
    }

    #[test]
    fn names_lead_to_places_in_order() {
        let registries = Registries::parse(FILE, "registries.conf").unwrap();
        let pinned = format!("docker.io/library/debian:13@sha256:{}", "a".repeat(64));
        for (name, expected) in [
            ("debian:13", vec!["mirror.corp:5000/hub/library/debian:13".to_owned(), "docker.io/library/debian:13".to_owned()]),
            (
                &pinned,
                vec![pinned.replace("docker.io", "mirror.corp:5000/hub"), pinned.replace("docker.io", "digests.corp"), pinned.clone()],
            ),
            ("old.example.com/team/a/b", vec!["new.example.com/moved/team/a/b:latest".to_owned()]),
            ("old.example.com/teams/a", vec!["old.example.com/teams/a:latest".to_owned()]),
            ("other.example.com/a", vec!["other.example.com/a:latest".to_owned()]),
        ] {
            assert_eq!(places(&registries, name), Ok(expected), "{name}");
        }
        let blocked = places(&registries, "x.bad.example.com/a").unwrap_err();
        assert_eq!(blocked, "`x.bad.example.com/a:latest` is blocked by `registries.conf`");
        assert_eq!(registries.insecure_hosts(), ["plain.example.com:8080", "mirror.corp:5000"]);
    }

    #[test]
    fn later_file_replaces_rules_of_the_same_prefix() {
        let later = Registries::parse("[[registry]]\nlocation = 'docker.io'", "later").unwrap();
        let registries = Registries::parse(FILE, "registries.conf").unwrap().overridden_by(later);
        assert_eq!(places(&registries, "debian:13"), Ok(vec!["docker.io/library/debian:13".to_owned()]));
        assert!(places(&registries, "x.bad.example.com/a").is_err());
    }

    #[test]
    fn damaged_files_are_told() {
        for (text, expected) in [
            ("[[registry", "cannot understand the registries in `f`"),
            ("[[registry]]\ninsecure = 1", "cannot understand the registries in `f`"),
            ("[[registry]]\nblocked = true", "a `[[registry]]` in `f` has neither `prefix` nor `location`"),
            ("[[registry]]\nlocation = 'https://x.example.com'", "`https://x.example.com` in `f` is no `HOST[:PORT][/PATH]`"),
            ("[[registry]]\nlocation = 'corp'", "`corp` in `f` is no `HOST[:PORT][/PATH]`"),
            ("[[registry]]\nlocation = 'a.b'\n[[registry.mirror]]\nlocation = '../x'", "`../x` in `f` is no `HOST[:PORT][/PATH]`"),
        ] {
            assert_eq!(Registries::parse(text, "f").unwrap_err().to_string(), expected);
        }
    }
}
