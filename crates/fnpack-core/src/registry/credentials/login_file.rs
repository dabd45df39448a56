//! A file of logins: read when a registry asks for one, and written so that nobody sees half of it.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{CredentialHelper, Credentials, CredentialsError, DockerConfig, Lookup, Secret, normal_key, server_of};

/// Thousands of logins are below 1 MiB.
const LONGEST: u64 = 16 * 1024 * 1024;

/// A `config.json` of Docker or an `auth.json` of Podman that may not be there. It is read when the first
/// registry asks for a login, so that a damaged one is in nobody's way who needs none.
#[derive(Clone)]
pub struct LoginFile {
    path: PathBuf,
    helper: Option<Arc<dyn CredentialHelper>>,
}

/// A helper that the file names, and its short name.
type NamedHelper<'a> = (String, &'a dyn CredentialHelper);

impl fmt::Debug for LoginFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("LoginFile").field(&self.path).finish()
    }
}

impl Credentials for LoginFile {
    fn lookup(&self, registry: &str, repository: &str) -> Result<Lookup, CredentialsError> {
        match self.bytes()? {
            Some(bytes) => self.config(&bytes)?.lookup(registry, repository),
            None => Ok(Lookup { found: None, looked_at: vec![format!("there is no `{}`", self.path.display())] }),
        }
    }
}

impl LoginFile {
    /// The file of this path; nothing is read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), helper: None }
    }

    /// Lets the helpers that the file names be asked.
    #[must_use]
    pub fn with_helper(self, helper: Arc<dyn CredentialHelper>) -> Self {
        Self { helper: Some(helper), ..self }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a login for a registry: with the helper that the file names for it, else in the file. Says where.
    pub fn store(&self, registry: &str, user: &str, password: &Secret) -> Result<String, CredentialsError> {
        let mut document = self.document()?;
        if let Some((name, helper)) = self.helper_of(registry)? {
            helper.store(&name, server_of(registry), user, password).map_err(|source| self.helper_failed(&name, source))?;
            self.entries(&mut document)?.insert(server_of(registry).to_owned(), json!({}));
            self.write(&document)?;
            return Ok(format!("the credential helper `{name}`"));
        }
        let auth = STANDARD.encode(format!("{user}:{}", password.reveal()));
        let entries = self.entries(&mut document)?;
        // Docker and Podman write some registries under other names; the newest login is the one that counts.
        entries.retain(|key, _| normal_key(key) != registry);
        entries.insert(server_of(registry).to_owned(), json!({ "auth": auth }));
        self.write(&document)?;
        Ok(format!("`{}`", self.path.display()))
    }

    /// Forgets the login for a registry. Whether there was one.
    pub fn erase(&self, registry: &str) -> Result<bool, CredentialsError> {
        let mut document = self.document()?;
        let helper = self.helper_of(registry)?;
        if let Some((name, helper)) = &helper {
            helper.erase(name, server_of(registry)).map_err(|source| self.helper_failed(name, source))?;
        }
        let entries = self.entries(&mut document)?;
        let before = entries.len();
        entries.retain(|key, _| normal_key(key) != registry);
        let removed = entries.len() < before;
        if removed {
            self.write(&document)?;
        }
        Ok(removed || helper.is_some())
    }

    fn helper_of(&self, registry: &str) -> Result<Option<NamedHelper<'_>>, CredentialsError> {
        let (Some(helper), Some(bytes)) = (&self.helper, self.bytes()?) else { return Ok(None) };
        Ok(self.config(&bytes)?.helper_of(registry).map(|name| (name.to_owned(), &**helper)))
    }

    fn config(&self, bytes: &[u8]) -> Result<DockerConfig, CredentialsError> {
        let config = DockerConfig::parse(bytes, self.path.display().to_string())?;
        Ok(match &self.helper {
            Some(helper) => config.with_helper(Arc::clone(helper)),
            None => config,
        })
    }

    /// The file's bytes. An empty one, as Podman makes it, is as good as none.
    fn bytes(&self) -> Result<Option<Vec<u8>>, CredentialsError> {
        let read = fs_err::metadata(&self.path).and_then(|metadata| match metadata.len() {
            0 => Ok(None),
            length if length > LONGEST => Err(io::Error::other("it is too long")),
            _ => fs_err::read(&self.path).map(Some),
        });
        match read {
            Ok(bytes) => Ok(bytes),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(source) => Err(self.failed(source)),
        }
    }

    fn document(&self) -> Result<Map<String, Value>, CredentialsError> {
        let Some(bytes) = self.bytes()? else { return Ok(Map::new()) };
        serde_json::from_slice(&bytes).map_err(|source| CredentialsError::Unreadable { origin: self.path.display().to_string(), source })
    }

    fn entries<'d>(&self, document: &'d mut Map<String, Value>) -> Result<&'d mut Map<String, Value>, CredentialsError> {
        let entries = document.entry("auths").or_insert_with(|| json!({}));
        entries.as_object_mut().ok_or_else(|| self.failed(io::Error::new(io::ErrorKind::InvalidData, "`auths` is no table")))
    }

    /// Writes beside the file and renames; where the file is a link, what it points to is replaced.
    fn write(&self, document: &Map<String, Value>) -> Result<(), CredentialsError> {
        let write = || {
            let path = fs_err::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            fs_err::create_dir_all(folder)?;
            let permissions = std::fs::Permissions::from_mode(0o600);
            let mut file = tempfile::Builder::new().prefix(".login-").permissions(permissions).tempfile_in(folder)?;
            file.write_all(&serde_json::to_vec_pretty(document)?)?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            file.persist(&path).map(drop).map_err(|error| error.error)
        };
        write().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> CredentialsError {
        CredentialsError::File { origin: self.path.display().to_string(), source }
    }

    fn helper_failed(&self, name: &str, source: super::HelperError) -> CredentialsError {
        CredentialsError::Helper { origin: self.path.display().to_string(), helper: name.to_owned(), source }
    }
}
