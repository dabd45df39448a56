//! Files in PEM (RFC 7468): certificates and keys, each fault with the file that has it.

use std::error::Error;
use std::path::{Path, PathBuf};

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use ureq::tls::{Certificate, PemItem, PrivateKey, parse_pem};

/// Bundles of all authorities there are stay below 1 MiB.
const LONGEST: u64 = 16 * 1024 * 1024;

/// What is wrong with a file, or a folder of such files. Who reads it has an error for it.
#[derive(Debug)]
pub(crate) struct PemFault {
    pub(crate) path: PathBuf,
    pub(crate) source: Box<dyn Error + Send + Sync>,
}

/// The certificates of a file; at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, PemFault> {
    let is_certificate = |item| if let PemItem::Certificate(certificate) = item { Some(certificate) } else { None };
    let certificates: Vec<_> = items(path)?.into_iter().filter_map(is_certificate).collect();
    if certificates.is_empty() {
        return Err(unusable(path, "there is no certificate in PEM in it"));
    }
    Ok(certificates)
}

/// The first private key of a file, as `ureq` and as `rustls` has it: only the latter can be looked at.
pub(crate) fn private_key(path: &Path) -> Result<(PrivateKey<'static>, PrivateKeyDer<'static>), PemFault> {
    let bytes = bytes(path)?;
    match (PrivateKey::from_pem(&bytes), PrivateKeyDer::from_pem_slice(&bytes)) {
        (Ok(key), Ok(parsed)) => Ok((key, parsed)),
        _ => Err(unusable(path, "there is no private key in PEM in it")),
    }
}

/// The fault of a file or folder.
pub(crate) fn unusable(path: &Path, source: impl Into<Box<dyn Error + Send + Sync>>) -> PemFault {
    PemFault { path: path.to_owned(), source: source.into() }
}

fn items(path: &Path) -> Result<Vec<PemItem<'static>>, PemFault> {
    parse_pem(&bytes(path)?).collect::<Result<_, _>>().map_err(|source| unusable(path, source))
}

fn bytes(path: &Path) -> Result<Vec<u8>, PemFault> {
    let metadata = fs_err::metadata(path).map_err(|source| unusable(path, source))?;
    // A device or a pipe would be read without end.
    if !metadata.is_file() {
        return Err(unusable(path, "it is no file"));
    }
    if metadata.len() > LONGEST {
        return Err(unusable(path, "it is too long"));
    }
    fs_err::read(path).map_err(|source| unusable(path, source))
}
