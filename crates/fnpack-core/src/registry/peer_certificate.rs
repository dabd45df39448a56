//! The certificate of a server that was not accepted, for the user who has to do something about it: who
//! issued it and until when it holds (RFC 5280, section 4.1).
//!
//! The TLS library says what is wrong with a certificate, but does not give it out. So the server is asked for
//! it once more, with a verifier that takes note of it and refuses it; nothing is ever sent there.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use super::url::Url;

/// All of the second conversation.
const LONGEST_TALK: Duration = Duration::from_secs(5);
/// So much of a name is shown.
const LONGEST_NAME: usize = 100;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const VERSION: u8 = 0xa0;
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

/// What a server showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Common name and organization of the issuer.
    pub issuer: String,
    /// The first day, `YYYY-MM-DD`.
    pub begins: String,
    /// The last day, `YYYY-MM-DD`.
    pub expires: String,
}

impl fmt::Display for PeerCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "issued by `{}`, valid from {} to {}", self.issuer, self.begins, self.expires)
    }
}

impl PeerCertificate {
    /// Asks a server for its certificate. `None` if it does not come or makes no sense.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let noted = Arc::new(Noted { provider: Arc::clone(&provider), certificate: Mutex::default() });
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
        let config = config.dangerous().with_custom_certificate_verifier(Arc::clone(&noted) as _).with_no_client_auth();
        let host = url.host().trim_start_matches('[').trim_end_matches(']');
        let mut session = ClientConnection::new(Arc::new(config), ServerName::try_from(host.to_owned()).ok()?).ok()?;
        let address = (host, url.port()).to_socket_addrs().ok()?.next()?;
        let tcp = TcpStream::connect_timeout(&address, LONGEST_TALK).ok()?;
        tcp.set_read_timeout(Some(LONGEST_TALK)).ok()?;
        // Ends with the refusal of the certificate.
        let _ = session.complete_io(&mut Hurried { tcp, end: Instant::now() + LONGEST_TALK });
        let der = noted.certificate.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Self::parse(&der)
    }

    fn parse(der: &[u8]) -> Option<Self> {
        let mut certificate = Der(Der(der).take(SEQUENCE)?);
        let mut content = Der(certificate.take(SEQUENCE)?);
        if content.0.first() == Some(&VERSION) {
            content.next()?;
        }
        let (_serial, _algorithm) = (content.next()?, content.take(SEQUENCE)?);
        let issuer = name(content.take(SEQUENCE)?);
        let mut validity = Der(content.take(SEQUENCE)?);
        let mut next_day = || validity.next().and_then(|(kind, time)| day(kind, time));
        Some(Self { issuer, begins: next_day()?, expires: next_day()? })
    }
}

/// Takes note of the certificate and refuses it.
#[derive(Debug)]
struct Noted {
    provider: Arc<CryptoProvider>,
    certificate: Mutex<Option<Vec<u8>>>,
}

impl ServerCertVerifier for Noted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.certificate.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(CertificateError::BadSignature.into())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(CertificateError::BadSignature.into())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A connection with an end: a server that sends a byte now and then holds nobody up.
struct Hurried {
    tcp: TcpStream,
    end: Instant,
}

impl Read for Hurried {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if Instant::now() > self.end {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.tcp.read(bytes)
    }
}

impl Write for Hurried {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// Elements in the distinguished encoding rules, one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Tag and content of the next element.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match *first {
            length @ 0..=0x7f => (usize::from(length), rest),
            long => {
                let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f)).filter(|(digits, _)| digits.len() <= 3)?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The content of the next element, if it is of this kind.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

/// What people know an issuer by.
fn name(issuer: &[u8]) -> String {
    let (mut sets, mut common, mut organization) = (Der(issuer), None, None);
    while let Some((_, set)) = sets.next() {
        let Some(pair) = Der(set).take(SEQUENCE) else { continue };
        let mut pair = Der(pair);
        let (Some((_, key)), Some((_, value))) = (pair.next(), pair.next()) else { continue };
        match key {
            COMMON_NAME => common = Some(shown(value)),
            ORGANIZATION => organization = Some(shown(value)),
            _ => {}
        }
    }
    let known: Vec<String> = [common, organization].into_iter().flatten().collect();
    if known.is_empty() { "somebody without a name".to_owned() } else { known.join(", ") }
}

fn shown(value: &[u8]) -> String {
    String::from_utf8_lossy(value).chars().filter(|character| !character.is_control()).take(LONGEST_NAME).collect()
}

fn day(kind: u8, time: &[u8]) -> Option<String> {
    let digits = std::str::from_utf8(time).ok().filter(|text| text.trim_end_matches('Z').bytes().all(|byte| byte.is_ascii_digit()))?;
    let full = match kind {
        // Two digits of the year: 50 and later are of the last century.
        UTC_TIME => format!("{}{digits}", if digits.get(..2)? < "50" { "20" } else { "19" }),
        _ => digits.to_owned(),
    };
    Some(format!("{}-{}-{}", full.get(..4)?, full.get(4..6)?, full.get(6..8)?))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const CERTIFICATE: &str = "\
MIIBzjCCAXOgAwIBAgIUEhiKNFCQqUwuBOeTfPFWYGr8E0cwCgYIKoZIzj0EAwIwPDELMAkGA1UEBhMCREUxFjAUBgNVBAoMDUV4YW1wbGUgV29ya3MxFTATBgNVBAMM\
DEV4YW1wbGUgUm9vdDAeFw0yNjExMjExODE2MjJaFw0zNjExMTgxODE2MjJaMDwxCzAJBgNVBAYTAkRFMRYwFAYDVQQKDA1FeGFtcGxlIFdvcmtzMRUwEwYDVQQDDAxF\
eGFtcGxlIFJvb3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASjZ551LfFfrW7URusq6bIcJTdFXo1gSN5A7l/yvhrfemdrVqjXghWhPlzi9jVLvM1OrFlba04nww4J\
fohWpAJyo1MwUTAdBgNVHQ4EFgQUMCJA0OFSTzcQC6s4Iyjw0EpeIvswHwYDVR0jBBgwFoAUMCJA0OFSTzcQC6s4Iyjw0EpeIvswDwYDVR0TAQH/BAUwAwEB/zAKBggq\
hkjOPQQDAgNJADBGAiEAmLNUozohPaKrK1iWbKd9ntZVUFq8BO+Rzg9/J9/rL6MCIQCXkyKuspp9c7ANlOo6q/WksPBcfe70LHLtQImrPzaWGw==";

    #[test]
    fn issuer_and_last_day_are_read() {
        let certificate = PeerCertificate::parse(&STANDARD.decode(CERTIFICATE).unwrap()).unwrap();
        assert_eq!(certificate.to_string(), "issued by `Example Root, Example Works`, valid from 2026-11-21 to 2036-11-18");
    }

    #[test]
    fn damaged_certificates_are_survived() {
        let der = STANDARD.decode(CERTIFICATE).unwrap();
        for length in 0..der.len() {
            assert_eq!(PeerCertificate::parse(&der[..length]), None);
        }
        for position in 0..der.len() {
            for value in [0, 0x80, 0x84, 0xff] {
                let mut damaged = der.clone();
                damaged[position] = value;
                let _ = PeerCertificate::parse(&damaged);
            }
        }
    }

    #[test]
    fn days_are_of_the_right_century() {
        for (kind, time, expected) in [
            (UTC_TIME, "491231235959Z", Some("2049-12-31")),
            (UTC_TIME, "500101000000Z", Some("1950-01-01")),
            (0x18, "20500101000000Z", Some("2050-01-01")),
            (UTC_TIME, "x", None),
            (0x18, "2050", None),
            (UTC_TIME, "", None),
        ] {
            assert_eq!(day(kind, time.as_bytes()).as_deref(), expected, "{time}");
        }
    }
}
