//! TLS to an engine: `ca.pem`, `cert.pem` and `key.pem` of a folder, as `docker` names them.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{ClientCert, RootCerts, TlsConfig};

use super::EngineError;
use crate::pem::{certificates, private_key};

/// Trusts the authority in the folder alone, and shows its certificate if there is one.
pub(super) fn tls(folder: &Path) -> Result<TlsConfig, EngineError> {
    let authorities = certificates(&folder.join("ca.pem"))?;
    let own = folder.join("cert.pem");
    let client =
        if own.exists() { Some(ClientCert::new_with_certs(&certificates(&own)?, private_key(&folder.join("key.pem"))?.0)) } else { None };
    Ok(TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(authorities))).client_cert(client).build())
}
