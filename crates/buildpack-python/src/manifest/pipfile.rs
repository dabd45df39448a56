//! `Pipfile.lock`: its section `default` is the complete list.

use std::collections::BTreeMap;

use fnpack_artifact::python::wheel::Requirement;
use serde::Deserialize;

use super::{ManifestError, Wanted};

const FILE: &str = "Pipfile.lock";

/// What Pipenv writes if no other index is named; it needs no word.
const COMMON_INDEX: &str = "https://pypi.org/simple";

#[derive(Deserialize)]
struct Lock {
    #[serde(default, rename = "_meta")]
    meta: Meta,
    #[serde(default)]
    default: BTreeMap<String, Package>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    sources: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    url: String,
}

#[derive(Deserialize)]
struct Package {
    version: Option<String>,
    #[serde(default)]
    hashes: Vec<String>,
    #[serde(default)]
    extras: Vec<String>,
    markers: Option<String>,
    git: Option<String>,
    r#ref: Option<String>,
    file: Option<String>,
    path: Option<String>,
}

pub(super) fn wanted(text: &str) -> Result<Wanted, ManifestError> {
    let lock: Lock = serde_json::from_str(text).map_err(|source| ManifestError::Json { file: FILE.to_owned(), source })?;
    let packages: Vec<String> = lock.default.iter().map(|(name, package)| line(name, package)).collect::<Result<_, _>>()?;
    let direct = packages.iter().filter_map(|line| Requirement::parse(line)).collect();
    let lines = lock.meta.sources.iter().enumerate().filter_map(index).chain(packages);
    Ok(Wanted { requirements: Some(lines.map(|line| line + "\n").collect()), is_complete: true, direct, ..Wanted::default() })
}

/// Variables in addresses stay: `uv` puts their values in, as Pipenv does.
fn index((place, source): (usize, &Source)) -> Option<String> {
    let option = if place == 0 { "--index-url" } else { "--extra-index-url" };
    (source.url.trim_end_matches('/') != COMMON_INDEX).then(|| format!("{option} {}", source.url))
}

fn line(name: &str, package: &Package) -> Result<String, ManifestError> {
    let extras = if package.extras.is_empty() { String::new() } else { format!("[{}]", package.extras.join(",")) };
    let pinned = match package {
        Package { version: Some(version), .. } => format!("{name}{extras}{version}"),
        Package { git: Some(url), r#ref: Some(reference), .. } => format!("{name}{extras} @ git+{url}@{reference}"),
        Package { file: Some(url), .. } if url.contains("://") => format!("{name}{extras} @ {url}"),
        Package { path: Some(path), .. } | Package { file: Some(path), .. } if !path.starts_with("..") && !path.starts_with('/') => {
            return Ok(format!("./{}", path.trim_start_matches("./")));
        }
        other => {
            let origin = other.path.as_ref().or(other.git.as_ref()).cloned().unwrap_or_else(|| "nowhere".to_owned());
            return Err(ManifestError::Origin { lock: FILE, package: name.to_owned(), origin });
        }
    };
    let marker = package.markers.as_ref().map(|marker| format!(" ; {marker}")).unwrap_or_default();
    let hashes: Vec<&str> = package.hashes.iter().flat_map(|hash| [" --hash=", hash]).collect();
    Ok(format!("{pinned}{marker}{}", hashes.concat()))
}
