//! Authorities that take the place of the system's, by the variables that OpenSSL made common.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::RegistryError;
use crate::pem::{self, unusable};

/// The files of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
#[derive(Debug, Clone, Default)]
pub struct NamedAuthorities {
    file: Option<PathBuf>,
    folders: Vec<PathBuf>,
}

impl NamedAuthorities {
    /// What the variables of an environment name; nothing is read yet.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let filled = |name| variable(name).filter(|value| !value.is_empty());
        let folders = filled("SSL_CERT_DIR").unwrap_or_default();
        Self {
            file: filled("SSL_CERT_FILE").map(PathBuf::from),
            folders: std::env::split_paths(&folders).filter(|path| !path.as_os_str().is_empty()).collect(),
        }
    }

    /// Reads the certificates (DER). `None` if no file and no folder is named.
    pub fn read(&self) -> Result<Option<Vec<Vec<u8>>>, RegistryError> {
        if self.file.is_none() && self.folders.is_empty() {
            return Ok(None);
        }
        let mut all = self.file.as_deref().map(read_certificates).transpose()?.unwrap_or_default();
        for folder in &self.folders {
            all.extend(read_folder(folder)?);
        }
        match self.folders.first() {
            Some(folder) if all.is_empty() => Err(unusable(folder, "there is no certificate in PEM in it").into()),
            _ => Ok(Some(all)),
        }
    }
}

/// The certificates (DER) of a file, such as a company's own authority; at least one.
pub fn read_certificates(path: &Path) -> Result<Vec<Vec<u8>>, RegistryError> {
    Ok(pem::certificates(path)?.iter().map(|certificate| certificate.der().to_vec()).collect())
}

/// All that is PEM in a folder. Such folders have other files too.
fn read_folder(folder: &Path) -> Result<Vec<Vec<u8>>, RegistryError> {
    let entries = fs_err::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|source| unusable(folder, source))?;
    let mut files: Vec<PathBuf> = entries.iter().map(fs_err::DirEntry::path).collect();
    files.sort();
    let mut all: Vec<Vec<u8>> = files.iter().filter_map(|file| read_certificates(file).ok()).flatten().collect();
    // Each stands there twice: under its name, and as a link under its hash.
    all.sort();
    all.dedup();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    fn read(file: &str, folder: &str) -> Result<Option<usize>, String> {
        let here = tempfile::tempdir().unwrap();
        let path = |name: &str| here.path().join(name);
        for (name, text) in [("ca.pem", CERTIFICATE), ("junk.pem", "junk"), ("some/ca.pem", CERTIFICATE), ("some/README", "junk")] {
            fs_err::create_dir_all(path(name).parent().unwrap()).unwrap();
            fs_err::write(path(name), text).unwrap();
        }
        fs_err::create_dir(path("empty")).unwrap();
        fs_err::os::unix::fs::symlink("ca.pem", path("some/0123abcd.0")).unwrap();
        let named = NamedAuthorities::of(|name| {
            let value = if name == "SSL_CERT_FILE" { file } else { folder };
            let places: Vec<PathBuf> = value.split(':').filter(|name| !name.is_empty()).map(path).collect();
            std::env::join_paths(places).ok()
        });
        let shown = |error: RegistryError| format!("{error}: {}", error.source().unwrap()).replace(&here.path().display().to_string(), "D");
        named.read().map(|certificates| certificates.map(|all| all.len())).map_err(shown)
    }

    #[test]
    fn named_files_take_the_place_of_the_systems() {
        assert_eq!(read("", ""), Ok(None));
        assert_eq!(read("ca.pem", ""), Ok(Some(1)));
        assert_eq!(read("", "some"), Ok(Some(1)));
        assert_eq!(read("ca.pem", "some:empty"), Ok(Some(2)));
    }

    #[test]
    fn named_files_that_cannot_be_used_are_told() {
        for (file, folder, expected) in [
            ("junk.pem", "", "cannot use the certificates in `D/junk.pem`: there is no certificate in PEM in it"),
            ("none.pem", "", "cannot use the certificates in `D/none.pem`: "),
            ("some", "", "cannot use the certificates in `D/some`: it is no file"),
            ("", "empty", "cannot use the certificates in `D/empty`: there is no certificate in PEM in it"),
            ("", "some:none", "cannot use the certificates in `D/none`: "),
        ] {
            let error = read(file, folder).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
