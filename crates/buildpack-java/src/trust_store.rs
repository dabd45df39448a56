//! Certificates in Java's form: a PKCS 12 file (RFC 7292) without a password, made from a bundle of PEM texts
//! (RFC 7468). Java marks what it trusts by an attribute of its own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BMP_STRING: u8 = 0x1E;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const EXPLICIT_0: u8 = 0xA0;

/// Object identifiers as they are written.
const PKCS7_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01];
const CERTIFICATE_BAG: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x0A, 0x01, 0x03];
const X509_CERTIFICATE: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x16, 0x01];
const FRIENDLY_NAME: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x14];
const TRUSTED_KEY_USAGE: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x86, 0xF9, 0x66, 0xAD, 0xCA, 0x7B, 0x01, 0x01];
const ANY_USAGE: &[u8] = &[0x55, 0x1D, 0x25, 0x00];

/// The certificates of a bundle as a trust store; `None` if there are none.
pub(crate) fn from_pem(bundle: &[u8]) -> Option<Vec<u8>> {
    let certificates = certificates(&String::from_utf8_lossy(bundle));
    if certificates.is_empty() {
        return None;
    }
    let bags: Vec<u8> = certificates.iter().enumerate().flat_map(|(number, certificate)| bag(number, certificate)).collect();
    let safe = data(&element(SEQUENCE, &bags));
    let whole = [element(INTEGER, &[3]), data(&element(SEQUENCE, &safe))].concat();
    Some(element(SEQUENCE, &whole))
}

/// What is damaged is left out, as OpenSSL does.
fn certificates(bundle: &str) -> Vec<Vec<u8>> {
    let texts = bundle.split(BEGIN).skip(1).filter_map(|text| text.split_once(END));
    texts.filter_map(|(text, _)| STANDARD.decode(text.split_whitespace().collect::<String>()).ok()).collect()
}

fn data(content: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[element(OBJECT_IDENTIFIER, PKCS7_DATA), element(EXPLICIT_0, &element(OCTET_STRING, content))].concat())
}

/// Names must differ, and nobody reads them.
fn bag(number: usize, certificate: &[u8]) -> Vec<u8> {
    let value = element(EXPLICIT_0, &element(OCTET_STRING, certificate));
    let content = element(SEQUENCE, &[element(OBJECT_IDENTIFIER, X509_CERTIFICATE), value].concat());
    let name: Vec<u8> = number.to_string().encode_utf16().flat_map(u16::to_be_bytes).collect();
    let attributes =
        [attribute(FRIENDLY_NAME, &element(BMP_STRING, &name)), attribute(TRUSTED_KEY_USAGE, &element(OBJECT_IDENTIFIER, ANY_USAGE))];
    let parts = [element(OBJECT_IDENTIFIER, CERTIFICATE_BAG), element(EXPLICIT_0, &content), element(SET, &attributes.concat())];
    element(SEQUENCE, &parts.concat())
}

fn attribute(kind: &[u8], value: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[element(OBJECT_IDENTIFIER, kind), element(SET, value)].concat())
}

/// Tag, length, content (X.690, distinguished encoding rules).
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let bytes = content.len().to_be_bytes();
    let digits: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    let length = match digits.as_slice() {
        [] => vec![0],
        [short @ 0..0x80] => vec![*short],
        // A length has eight digits at most.
        long => [vec![0x80 | u8::try_from(long.len()).unwrap_or_default()], digits.clone()].concat(),
    };
    [vec![tag], length, content.to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn element_lengths() {
        for (length, head) in [
            (0, &[4, 0][..]),
            (1, &[4, 1]),
            (127, &[4, 127]),
            (128, &[4, 0x81, 128]),
            (256, &[4, 0x82, 1, 0]),
            (70_000, &[4, 0x83, 1, 0x11, 0x70]),
        ] {
            let encoded = element(OCTET_STRING, &vec![7; length]);
            assert_eq!(encoded.get(..head.len()), Some(head), "{length}");
            assert_eq!(encoded.len(), head.len() + length);
        }
    }

    #[test]
    fn certificates_of_a_bundle() {
        let text = format!("# One\n{BEGIN}\nAQ\nID\n{END}\n{BEGIN}\n!!\n{END}\n{BEGIN}\nBA==\n{END}\n{BEGIN}\nBQ==");
        assert_eq!(certificates(&text), [vec![1, 2, 3], vec![4]]);
        assert_eq!(from_pem(b"none"), None);
        assert_eq!(from_pem(b"\xff\xfe"), None);
    }

    /// Java reads it where there is one.
    #[test]
    fn from_pem_is_a_trust_store_for_java() {
        let Ok(bundle) = fs_err::read("/etc/ssl/certs/ca-certificates.crt") else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("trust.p12");
        let three = String::from_utf8_lossy(&bundle).split_inclusive(END).take(3).collect::<String>();
        fs_err::write(&store, from_pem(three.as_bytes()).unwrap()).unwrap();
        let list = ["-list", "-storetype", "PKCS12", "-storepass:env", "NOTHING", "-keystore"];
        let Ok(output) = std::process::Command::new("keytool").args(list).arg(&store).env("NOTHING", "").output() else {
            return;
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said.matches("trustedCertEntry").count(), 3, "{output:?}");
    }
}
