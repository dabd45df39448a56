//! What a failed request means for the user, by what `ureq` and `rustls` say of it.

use std::io;

use rustls::AlertDescription;

use super::clock::Clock;
use super::error::{CertificateFault, RegistryError, Request};

/// Sorts a failure by what can be done about it.
pub(super) fn classify(error: ureq::Error, host: String, request: &Request) -> RegistryError {
    let request = request.clone();
    match error {
        ureq::Error::HostNotFound => RegistryError::UnknownHost { host, request, source: Box::new(error) },
        ureq::Error::Rustls(fault) => tls_fault(host, fault),
        ureq::Error::Timeout(_) => RegistryError::TimedOut { host, request, source: Box::new(error) },
        ureq::Error::ConnectionFailed | ureq::Error::ConnectProxyFailed(_) => {
            RegistryError::CannotConnect { host, request, source: Box::new(error) }
        }
        ureq::Error::Io(error) => classify_io(error, host, request),
        other => RegistryError::Protocol { host, request, reason: other.to_string() },
    }
}

fn classify_io(error: io::Error, host: String, request: Request) -> RegistryError {
    let error = match error.downcast::<rustls::Error>() {
        Ok(fault) => return tls_fault(host, fault),
        Err(error) => error,
    };
    let source = Box::new(error);
    match source.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => RegistryError::TimedOut { host, request, source },
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied => RegistryError::CannotConnect { host, request, source },
        // Name lookups have no error kind of their own in the standard library.
        _ if source.to_string().starts_with("failed to lookup address") => RegistryError::UnknownHost { host, request, source },
        _ => RegistryError::Broken { host, request, source },
    }
}

fn tls_fault(host: String, fault: rustls::Error) -> RegistryError {
    use rustls::CertificateError as Problem;
    let kind = match &fault {
        rustls::Error::InvalidCertificate(Problem::UnknownIssuer) => CertificateFault::UnknownIssuer,
        rustls::Error::InvalidCertificate(Problem::Expired | Problem::ExpiredContext { .. }) => CertificateFault::Expired,
        rustls::Error::InvalidCertificate(Problem::NotValidYet | Problem::NotValidYetContext { .. }) => CertificateFault::NotYetValid,
        rustls::Error::InvalidCertificate(Problem::NotValidForName | Problem::NotValidForNameContext { .. }) => CertificateFault::OtherName,
        rustls::Error::InvalidCertificate(_) => CertificateFault::Invalid,
        rustls::Error::AlertReceived(alert) if is_of_our_certificate(*alert) => {
            return RegistryError::ClientCertificate { host, shown: false, source: Box::new(fault) };
        }
        _ => return RegistryError::Tls { host, source: Box::new(fault) },
    };
    RegistryError::Certificate { host, fault: kind, presented: None, clock: Clock::Unknown, source: Box::new(fault) }
}

/// Whether a server says by this that it minds the certificate of its client, or that there is none (RFC 8446, section 6.2).
fn is_of_our_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_faults_are_told_apart() {
        use rustls::CertificateError as Problem;
        let request = Request { method: "GET", url: "https://x/".to_owned() };
        for (problem, expected) in [
            (Problem::UnknownIssuer, CertificateFault::UnknownIssuer),
            (Problem::Expired, CertificateFault::Expired),
            (Problem::NotValidYet, CertificateFault::NotYetValid),
            (Problem::NotValidForName, CertificateFault::OtherName),
            (Problem::BadEncoding, CertificateFault::Invalid),
        ] {
            // The handshake wraps its error in one of input and output.
            let error = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(problem));
            let error = classify(error.into(), "x".to_owned(), &request);
            assert!(matches!(&error, RegistryError::Certificate { fault, .. } if *fault == expected), "{error}");
        }
    }
}
