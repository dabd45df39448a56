//! Registries: the network, logins, what they answer.

use std::borrow::Cow;
use std::error::Error;
use std::io;

use fnpack_core::pipeline::ConnectError;
use fnpack_core::registry::credentials::{CredentialsError, ProgramError};
use fnpack_core::registry::{CertificateFault, Clock, LoginTrace, Refusal, RegistriesError, RegistryError};

use super::{Advice, Explain};
use crate::error::Class::{Configuration, Machine, Registry};

const BRING: &str = "check network and proxy (HTTPS_PROXY), or bring the image with `fnpack image load` or `fnpack image import`";
const LATER: &str = "try again later: the registry itself is at fault";

impl Explain for RegistryError {
    fn advice(&self) -> Advice {
        let registry = Advice::new(Registry);
        match self {
            Self::Proxy { .. } => Advice::new(Configuration).hint("correct HTTPS_PROXY: `http://host:port`"),
            Self::UnknownHost { .. } => {
                registry.hint("check the name and the network, or bring the image with `fnpack image load` or `fnpack image import`")
            }
            Self::CannotConnect { .. } | Self::TimedOut { .. } | Self::Broken { .. } => registry.hint(BRING),
            Self::NoWayThroughProxy { .. } => {
                registry.hint("check HTTPS_PROXY, and name in NO_PROXY the registries that are reached without it")
            }
            Self::Certificate { fault, clock, .. } => registry.hint(certificate(*fault, clock)),
            Self::ClientCertificate { host, shown, .. } => registry.hint(client_certificate(host, *shown)),
            Self::Tls { .. } => registry.hint("check the port: only registries on this machine are asked by plain HTTP"),
            Self::Unauthorized { host, source } => registry.hint(login(host, source)),
            Self::Forbidden { host, source } => registry.hint(rights(host, source)),
            Self::NotFound { .. } | Self::NoSuchImage { .. } => {
                registry.hint("check name and tag; bring images without a registry by `fnpack image load` or `fnpack image import`")
            }
            Self::RateLimited { host, source, .. } => registry.hint(match source.login {
                LoginTrace::Sent(_) => "wait, then try again".to_owned(),
                LoginTrace::NotAsked | LoginTrace::NotFound(_) => {
                    format!("log in with `fnpack login {host}`, which raises the limit, or wait and try again")
                }
            }),
            Self::StorageFull { .. } => registry.hint("have its administrator free space"),
            Self::Failed { .. } => registry.hint(LATER),
            Self::TooLarge { .. } => {
                registry.hint("have its administrator, or that of the proxy before it, raise the limit on the size of requests")
            }
            Self::BlobsUnknown { .. } => {
                registry.hint("push again; if it stays so, have its administrator look at its storage and garbage collection")
            }
            Self::Garbled { .. } => registry.hint("try again; if it stays so, see what a proxy on the way changes"),
            Self::Rejected { source, .. } if source.status == 405 => {
                registry.hint("see whether it takes images at the moment: registries that only give answer so")
            }
            Self::Rejected { .. } => registry,
            Self::ImmutableTag { .. } => registry.hint("push under a new tag"),
            Self::Quota { .. } => registry.hint("remove images that are not needed there, or have the quota raised"),
            Self::NameRefused { .. } => registry.hint("see what names it allows: many want `PROJECT/NAME`, and a project that is there"),
            Self::Blocked { .. } => Advice::new(Configuration).hint("use another registry, or change that file"),
            Self::NoPlace { source, .. } => source.advice(),
            Self::CertificateFile { .. } => {
                Advice::new(Configuration).hint("put a certificate in PEM there (`-----BEGIN CERTIFICATE-----`), or name another place (`--registry-ca`, SSL_CERT_FILE, SSL_CERT_DIR)")
            }
            Self::Protocol { .. } => registry.hint("check host and path: it may be a web page or a login portal"),
            Self::UnsafeTokenService { .. } => registry.hint("have its administrator serve logins by https"),
            Self::NotWhatWasSent { .. } => {
                registry.hint("push again; if it stays so, have its administrator look at it: what it took is not what was sent")
            }
            Self::TooLong { .. } | Self::DigestMismatch { .. } => {
                registry.hint("have the image pushed anew: this one is damaged or hostile")
            }
            Self::NoTarget { .. } => registry.hint("name one of these with `--platform`"),
            Self::Image { source, .. } => Advice { class: Registry, ..source.advice() },
            Self::Unreadable { source, .. } => source.advice(),
            Self::Blob { source, .. } => source.advice(),
            Self::Credentials { source, .. } => source.advice(),
        }
    }
}

fn certificate(fault: CertificateFault, clock: &Clock) -> Cow<'static, str> {
    match (fault, clock) {
        (CertificateFault::Expired | CertificateFault::NotYetValid, Clock::Wrong { here, there: Some(there) }) => {
            format!("set this machine's clock: it shows {here}, the server's {there}").into()
        }
        (CertificateFault::Expired | CertificateFault::NotYetValid, Clock::Wrong { here, there: None }) => {
            format!("set this machine's clock: it shows {here}, which is before fnpack was made").into()
        }
        (CertificateFault::Expired, Clock::Agrees) => "have its administrator renew the certificate".into(),
        (CertificateFault::NotYetValid, Clock::Agrees) => "have its administrator look at the certificate, or wait until it is valid".into(),
        (CertificateFault::Expired | CertificateFault::NotYetValid, Clock::Unknown) => {
            "check this machine's clock; if it is right, have the certificate renewed".into()
        }
        (CertificateFault::UnknownIssuer, _) => {
            "name a file that has the authority's certificate with `--registry-ca FILE`, or add it to the system's (a proxy that opens TLS has one too)".into()
        }
        (CertificateFault::OtherName, _) => "use the host name that the certificate is for".into(),
        (CertificateFault::Invalid, _) => "have the registry's administrator look at it".into(),
    }
}

fn client_certificate(host: &str, shown: bool) -> String {
    if shown {
        format!("have it renewed by who gave it, and put it as NAME.cert and NAME.key into `certs.d/{host}`")
    } else {
        format!("put NAME.cert and NAME.key into `~/.config/containers/certs.d/{host}` or `/etc/docker/certs.d/{host}`")
    }
}

fn login(host: &str, refusal: &Refusal) -> String {
    match &refusal.login {
        LoginTrace::NotAsked | LoginTrace::NotFound(_) => {
            format!("log in with `fnpack login {host}`; registries answer so for images that are not there, too")
        }
        LoginTrace::Sent(_) => format!("renew the login with `fnpack login {host}`"),
    }
}

fn rights(host: &str, refusal: &Refusal) -> String {
    match &refusal.login {
        LoginTrace::NotAsked | LoginTrace::NotFound(_) => format!("log in with `fnpack login {host}`"),
        LoginTrace::Sent(_) => "have the account given the right to it, or log in as another".to_owned(),
    }
}

impl Explain for CredentialsError {
    fn advice(&self) -> Advice {
        let configuration = Advice::new(Configuration);
        match self {
            Self::Unreadable { .. } => configuration.hint("correct the file, or name another folder with DOCKER_CONFIG"),
            Self::BrokenEntry { registry, .. } => configuration.hint(format!("write it anew with `fnpack login {registry}`")),
            Self::File { .. } => {
                Advice::new(Machine).hint("make it readable and writable for you, or name another with REGISTRY_AUTH_FILE")
            }
            Self::Helper { helper, source, .. } if is_absent(&**source) => {
                configuration.hint(format!("install `docker-credential-{helper}`, or take it out of the file"))
            }
            Self::Helper { helper, .. } => {
                configuration.hint(format!("see what `docker-credential-{helper} list` says, or take the helper out of the file"))
            }
        }
    }
}

/// Whether a helper is not there at all.
fn is_absent(error: &(dyn Error + 'static)) -> bool {
    let start = error.downcast_ref::<ProgramError>();
    matches!(start, Some(ProgramError::Start { source, .. }) if source.kind() == io::ErrorKind::NotFound)
}

impl Explain for RegistriesError {
    fn advice(&self) -> Advice {
        Advice::new(Configuration).hint("correct the file, or name another with CONTAINERS_REGISTRIES_CONF")
    }
}

impl Explain for ConnectError {
    fn advice(&self) -> Advice {
        match self {
            Self::Credentials(source) => source.advice(),
            Self::Registries(source) => source.advice(),
            Self::Registry(source) => source.advice(),
        }
    }
}
