//! Certificates for single registries: folders `certs.d/HOST[:PORT]` as Docker and Podman keep them, with
//! authorities in `*.crt` and client certificates in pairs of `*.cert` and `*.key`.

use std::path::{Path, PathBuf};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert};

use super::error::RegistryError;
use crate::pem::{certificates, private_key, unusable};

/// What one host is checked with, and what we show it.
pub(super) struct HostCertificates {
    pub(super) authorities: Vec<Certificate<'static>>,
    pub(super) client: Option<ClientCert>,
}

impl HostCertificates {
    /// Whether there is something for this host.
    pub(super) fn exist(folders: &[PathBuf], host: &str) -> bool {
        folder_of(folders, host).is_some()
    }

    /// Reads the first of the folders that has something for this host.
    pub(super) fn read(folders: &[PathBuf], host: &str) -> Result<Option<Self>, RegistryError> {
        folder_of(folders, host).map(|folder| Self::read_folder(&folder)).transpose()
    }

    fn read_folder(folder: &Path) -> Result<Self, RegistryError> {
        let mut own = Self { authorities: Vec::new(), client: None };
        let entries =
            fs_err::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|source| unusable(folder, source))?;
        let mut files: Vec<PathBuf> = entries.iter().map(fs_err::DirEntry::path).collect();
        files.sort();
        for file in files {
            match file.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => own.authorities.extend(certificates(&file)?),
                Some("cert") if own.client.is_none() => own.client = Some(client(&file)?),
                _ => {}
            }
        }
        Ok(own)
    }
}

fn folder_of(folders: &[PathBuf], host: &str) -> Option<PathBuf> {
    // Hosts come from foreign answers too.
    let stays_inside = !host.starts_with('.') && !host.contains('/');
    folders.iter().filter(|_| stays_inside).map(|folder| folder.join(host)).find(|folder| folder.is_dir())
}

/// The certificate that we show, with the key beside it.
fn client(certificate: &Path) -> Result<ClientCert, RegistryError> {
    let (chain, path) = (certificates(certificate)?, certificate.with_extension("key"));
    let (key, parsed) = private_key(&path)?;
    check_pair(&chain, parsed).map_err(|source| match source {
        rustls::Error::InconsistentKeys(_) => unusable(&path, format!("its key is not that of `{}`", certificate.display())),
        source => unusable(&path, source),
    })?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

/// Whether certificate and key can be used together; a connection would only end in it.
fn check_pair(chain: &[Certificate<'static>], key: PrivateKeyDer<'static>) -> Result<(), rustls::Error> {
    let chain = chain.iter().map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
    CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider()).map(drop)
}

#[cfg(test)]
mod tests {
    use testkit::certificates::{CLIENT, SERVER};

    use super::*;

    const CERTIFICATE: &str = CLIENT.certificate;
    const KEY: &str = CLIENT.key;

    fn read(files: &[(&str, &str)]) -> Result<Option<(usize, bool)>, String> {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        for (name, text) in files {
            let path = folders[1].path().join("host:5000").join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let folders = folders.each_ref().map(|folder| folder.path().to_owned());
        match HostCertificates::read(&folders, "host:5000") {
            Ok(own) => Ok(own.map(|own| (own.authorities.len(), own.client.is_some()))),
            Err(error) => {
                Err(format!("{error}: {}", std::error::Error::source(&error).unwrap()).replace(&folders[1].display().to_string(), "D"))
            }
        }
    }

    #[test]
    fn folder_of_a_host_is_read() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("notes.txt", "x")]), Ok(Some((0, false))));
        let two = CERTIFICATE.repeat(2);
        assert_eq!(read(&[("ca.crt", &two), ("b.crt", CERTIFICATE)]), Ok(Some((3, false))));
        assert_eq!(read(&[("client.cert", CERTIFICATE), ("client.key", KEY)]), Ok(Some((0, true))));
    }

    #[test]
    fn damaged_files_are_named() {
        for (files, expected) in [
            (vec![("ca.crt", "junk")], "cannot use the certificates in `D/host:5000/ca.crt`: there is no certificate in PEM in it"),
            (
                vec![("c.cert", CERTIFICATE), ("c.key", CERTIFICATE)],
                "cannot use the certificates in `D/host:5000/c.key`: there is no private key in PEM in it",
            ),
            (
                vec![("c.cert", CERTIFICATE), ("c.key", SERVER.key)],
                "cannot use the certificates in `D/host:5000/c.key`: its key is not that of `D/host:5000/c.cert`",
            ),
        ] {
            assert_eq!(read(&files), Err(expected.to_owned()));
        }
        let junk = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
        let error = read(&[("c.cert", CERTIFICATE), ("c.key", junk)]).unwrap_err();
        assert!(error.starts_with("cannot use the certificates in `D/host:5000/c.key`: "), "{error}");
        assert!(read(&[("c.cert", CERTIFICATE)]).unwrap_err().starts_with("cannot use the certificates in `D/host:5000/c.key`"));
    }

    #[test]
    fn host_leaves_the_folder_in_no_way() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("ca.crt"), "junk").unwrap();
        let below = folder.path().join("certs.d");
        fs_err::create_dir(&below).unwrap();
        for host in ["..", "../..", "a/../.."] {
            assert!(HostCertificates::read(std::slice::from_ref(&below), host).unwrap().is_none(), "{host}");
        }
    }
}
