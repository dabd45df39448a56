//! The list of what a distribution is made of, resolved once and kept in the source (`artifacts.lock`).

const LIST: &str = include_str!("artifacts.lock");

/// A file of a Maven repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Artifact {
    /// Below the repository: `group/parts/artifact/version/file`.
    pub(super) path: &'static str,
    pub(super) size: u64,
    /// In hexadecimal digits.
    pub(super) sha256: &'static str,
}

/// All of them.
pub(super) fn all() -> Vec<Artifact> {
    LIST.lines().filter(|line| !line.starts_with('#')).filter_map(parse).collect()
}

fn parse(line: &'static str) -> Option<Artifact> {
    let mut words = line.split(' ');
    let (sha256, size, path) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
    Some(Artifact { path, size, sha256 })
}

impl Artifact {
    /// Its name among files of other groups: Pulsar's own distribution has `group-file`.
    pub(super) fn file_name(&self) -> String {
        let mut parts: Vec<&str> = self.path.split('/').collect();
        let file = parts.pop().unwrap_or_default();
        parts.truncate(parts.len().saturating_sub(2));
        format!("{}-{file}", parts.join("."))
    }

    /// `artifact` of `group:artifact:version`.
    pub(super) fn name(&self) -> &'static str {
        self.path.rsplit('/').nth(2).unwrap_or_default()
    }

    pub(super) fn is_jar(&self) -> bool {
        self.path.rsplit('.').next() == Some("jar")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn list_is_whole() {
        let lines = LIST.lines().filter(|line| !line.starts_with('#')).count();
        let artifacts = all();
        assert_eq!((artifacts.len(), artifacts.iter().filter(|artifact| artifact.is_jar()).count()), (lines, 312));
        for artifact in &artifacts {
            assert!(artifact.sha256.len() == 64 && artifact.size > 0 && artifact.path.split('/').count() >= 4, "{artifact:?}");
            assert!(artifact.path.split('/').all(|part| !part.is_empty() && part != ".."), "{artifact:?}");
        }
        let names: HashSet<_> = artifacts.iter().map(Artifact::file_name).collect();
        assert_eq!(names.len(), artifacts.len());
    }

    #[test]
    fn file_name_begins_with_the_group() {
        let artifact = Artifact { path: "org/yaml/snakeyaml/2.0/snakeyaml-2.0.jar", size: 1, sha256: "" };
        assert_eq!((artifact.file_name().as_str(), artifact.name()), ("org.yaml-snakeyaml-2.0.jar", "snakeyaml"));
    }
}
