//! `poetry.lock`: versions and hashes of everything that may be asked for. They become constraints, and what
//! `pyproject.toml` asks for becomes the requirements, so that `uv` chooses by the runner's Python and platform.

use std::collections::BTreeMap;

use fnpack_artifact::python::wheel::{Requirement, normal_name};
use serde::Deserialize;

use super::{ManifestError, Pyproject, Wanted};

const FILE: &str = "poetry.lock";

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    files: Vec<LockedFile>,
    /// A text, or one for each group.
    markers: Option<toml::Value>,
    /// Since Poetry 2.
    groups: Option<Vec<String>>,
    source: Option<Source>,
}

#[derive(Deserialize)]
struct LockedFile {
    hash: String,
}

#[derive(Deserialize)]
struct Source {
    r#type: String,
    url: String,
    resolved_reference: Option<String>,
}

pub(super) fn wanted(text: &str, pyproject: &Pyproject) -> Result<Wanted, ManifestError> {
    let lock: Lock = toml::from_str(text).map_err(|source| ManifestError::Toml { file: FILE.to_owned(), source })?;
    let is_main = |package: &&Package| package.groups.as_ref().is_none_or(|groups| groups.iter().any(|group| group == "main"));
    let packages: Vec<&Package> = lock.package.iter().filter(is_main).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for package in &packages {
        *counts.entry(normal_name(&package.name)).or_default() += 1;
    }
    let (mut roots, mut constraints) = (pyproject.roots(), Vec::new());
    for package in packages {
        let count = counts.get(&normal_name(&package.name)).copied().unwrap_or(1);
        match &package.source {
            Some(source) if source.r#type != "legacy" => {
                let name = normal_name(&package.name);
                roots.retain(|root| Requirement::parse(root).is_none_or(|root| root.name != name));
                roots.push(elsewhere(package, source)?);
            }
            _ => constraints.push(constraint(package, count)?),
        }
    }
    let direct = roots.iter().filter_map(|root| Requirement::parse(root)).collect();
    let text = |lines: Vec<String>| lines.into_iter().map(|line| line + "\n").collect();
    Ok(Wanted { requirements: Some(text(roots)), constraints: Some(text(constraints)), direct, ..Wanted::default() })
}

fn constraint(package: &Package, count: usize) -> Result<String, ManifestError> {
    let marker = match &package.markers {
        Some(toml::Value::String(marker)) => Some(marker.as_str()),
        Some(toml::Value::Table(groups)) => groups.get("main").and_then(toml::Value::as_str),
        _ => None,
    };
    if count > 1 && marker.is_none() {
        return Err(ManifestError::Ambiguous { lock: FILE, package: package.name.clone(), count });
    }
    // A marker matters only where it tells versions apart.
    let marker = marker.filter(|_| count > 1).map(|marker| format!(" ; {marker}")).unwrap_or_default();
    let hashes: Vec<&str> = package.files.iter().flat_map(|file| [" --hash=", &file.hash]).collect();
    Ok(format!("{}=={}{marker}{}", package.name, package.version, hashes.concat()))
}

fn elsewhere(package: &Package, source: &Source) -> Result<String, ManifestError> {
    let url = match (source.r#type.as_str(), &source.resolved_reference) {
        ("git", Some(reference)) => format!("git+{}@{reference}", source.url),
        ("url", _) => source.url.clone(),
        ("file" | "directory", _) if !source.url.starts_with("..") && !source.url.starts_with('/') => {
            return Ok(format!("./{}", source.url));
        }
        (kind, _) => {
            return Err(ManifestError::Origin { lock: FILE, package: package.name.clone(), origin: format!("{kind} {}", source.url) });
        }
    };
    Ok(format!("{} @ {url}", package.name))
}
