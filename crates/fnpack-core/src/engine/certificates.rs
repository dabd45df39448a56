//! TLS to an engine: `ca.pem`, `cert.pem` and `key.pem` of a folder, as `docker` names them.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::EngineError;

/// Trusts the authority in the folder alone, and shows its certificate if there is one.
pub(super) fn tls(folder: &Path) -> Result<TlsConfig, EngineError> {
    let authorities = certificates(&folder.join("ca.pem"))?;
    let own = folder.join("cert.pem");
    let client = if own.exists() { Some(ClientCert::new_with_certs(&certificates(&own)?, key(&folder.join("key.pem"))?)) } else { None };
    Ok(TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(authorities))).client_cert(client).build())
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, EngineError> {
    let is_certificate = |item| if let PemItem::Certificate(certificate) = item { Some(certificate) } else { None };
    let all: Vec<_> = items(path)?.into_iter().filter_map(is_certificate).collect();
    if all.is_empty() { Err(unusable(path, "there is no certificate in PEM in it")) } else { Ok(all) }
}

fn key(path: &Path) -> Result<PrivateKey<'static>, EngineError> {
    let is_key = |item| if let PemItem::PrivateKey(key) = item { Some(key) } else { None };
    items(path)?.into_iter().find_map(is_key).ok_or_else(|| unusable(path, "there is no private key in PEM in it"))
}

fn items(path: &Path) -> Result<Vec<PemItem<'static>>, EngineError> {
    let bytes = fs_err::read(path).map_err(|source| unusable(path, source))?;
    parse_pem(&bytes).collect::<Result<_, _>>().map_err(|source| unusable(path, source))
}

fn unusable(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> EngineError {
    EngineError::Certificates { path: path.to_owned(), source: source.into() }
}
