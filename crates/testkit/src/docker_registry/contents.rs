//! What a registry holds, by the files of its `filesystem` driver.

use std::path::PathBuf;

use serde_json::Value;

use crate::registry::digest;

/// A repository's files.
#[derive(Debug, Clone)]
pub struct Repository {
    storage: PathBuf,
    name: String,
}

/// What is wrong with something that a repository holds: the digest, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// It is not linked into the repository, or its bytes are not there.
    Absent(String),
    /// Its bytes are others than its digest says.
    Corrupt(String),
}

impl Repository {
    pub(super) fn new(storage: PathBuf, name: &str) -> Self {
        Self { storage, name: name.to_owned() }
    }

    /// The digest that a tag points to.
    pub fn digest(&self, tag: &str) -> Option<String> {
        let link = self.folder().join("_manifests/tags").join(tag).join("current/link");
        fs_err::read_to_string(link).ok()
    }

    /// All tags, in order.
    pub fn tags(&self) -> Vec<String> {
        let entries = fs_err::read_dir(self.folder().join("_manifests/tags")).into_iter().flatten().flatten();
        let mut tags: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        tags.sort();
        tags
    }

    /// The bytes of a manifest or index, by tag or digest.
    pub fn manifest(&self, name: &str) -> Option<Vec<u8>> {
        let digest = if name.contains(':') { name.to_owned() } else { self.digest(name)? };
        self.has(&format!("_manifests/revisions/{}", path_of(&digest))).then(|| self.bytes(&digest)).flatten()
    }

    /// The bytes of a blob.
    pub fn blob(&self, digest: &str) -> Option<Vec<u8>> {
        self.has(&format!("_layers/{}", path_of(digest))).then(|| self.bytes(digest)).flatten()
    }

    /// Looks at a manifest or index and all that it names; nothing if all is there and right.
    pub fn damages(&self, digest: &str) -> Vec<Damage> {
        let Some(bytes) = self.manifest(digest) else { return vec![Damage::Absent(digest.to_owned())] };
        let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let named = |key: &str| document[key].as_array().cloned().unwrap_or_default();
        let digests = |entries: Vec<Value>| entries.into_iter().map(|entry| entry["digest"].as_str().unwrap_or_default().to_owned());
        let children = digests(named("manifests")).flat_map(|child| self.damages(&child));
        let config = document.get("config").cloned().into_iter().collect();
        let blobs = digests(named("layers")).chain(digests(config)).filter_map(|blob| check(&blob, self.blob(&blob)));
        check(digest, Some(bytes)).into_iter().chain(children).chain(blobs).collect()
    }

    fn folder(&self) -> PathBuf {
        self.storage.join("repositories").join(&self.name)
    }

    fn has(&self, path: &str) -> bool {
        self.folder().join(path).join("link").is_file()
    }

    fn bytes(&self, digest: &str) -> Option<Vec<u8>> {
        let digits = digest.strip_prefix("sha256:")?;
        fs_err::read(self.storage.join("blobs/sha256").join(digits.get(..2)?).join(digits).join("data")).ok()
    }
}

fn check(expected: &str, bytes: Option<Vec<u8>>) -> Option<Damage> {
    match bytes {
        None => Some(Damage::Absent(expected.to_owned())),
        Some(bytes) if digest(&bytes) != expected => Some(Damage::Corrupt(expected.to_owned())),
        Some(_) => None,
    }
}

/// `sha256:ab` as `sha256/ab`.
fn path_of(digest: &str) -> String {
    digest.replacen(':', "/", 1)
}
