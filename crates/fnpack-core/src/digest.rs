//! Content addresses: what a blob, a layer and a stack of layers are called.
//!
//! Three types where there are three meanings, so that they cannot be mixed up: a [`Digest`] names
//! the bytes of a blob as stored and sent, a [`DiffId`] the uncompressed tar of a layer, a
//! [`ChainId`] a layer seen over its parents (OCI image specification, `config.md`, "Layer `ChainID`").

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Why a text is not a content address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not `sha256:` and 64 hexadecimal digits in lower case")]
pub struct DigestError {
    /// The text as given.
    pub text: String,
}

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 32]);

        impl $name {
            /// Hashes bytes held in memory.
            pub fn of(bytes: impl AsRef<[u8]>) -> Self {
                Self(Sha256::digest(bytes.as_ref()).into())
            }

            /// The address of 32 bytes of SHA-256.
            pub const fn from_sha256(hash: [u8; 32]) -> Self {
                Self(hash)
            }

            /// The 64 hexadecimal digits, without the algorithm; used as file name.
            pub fn hex(&self) -> String {
                use fmt::Write as _;
                let mut text = String::with_capacity(64);
                for byte in self.0 {
                    // Writing to a String cannot fail.
                    let _ = write!(text, "{byte:02x}");
                }
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "sha256:{}", self.hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{self}")
            }
        }

        impl FromStr for $name {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                parse_sha256(text).map(Self).ok_or_else(|| DigestError { text: text.to_owned() })
            }
        }

        impl TryFrom<String> for $name {
            type Error = DigestError;

            fn try_from(text: String) -> Result<Self, DigestError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(address: $name) -> String {
                address.to_string()
            }
        }
    };
}

address! {
    /// The SHA-256 of a blob's bytes as stored and sent: compressed layer, config, manifest.
    Digest
}
address! {
    /// The SHA-256 of a layer's uncompressed tar.
    DiffId
}
address! {
    /// The SHA-256 of a layer seen over all its parents.
    ChainId
}

/// An unpacked layer, taken as a blob, has its diff ID for digest.
impl From<DiffId> for Digest {
    fn from(diff_id: DiffId) -> Self {
        Self(diff_id.0)
    }
}

impl ChainId {
    /// The chain IDs of a list of layers, lowest first: one for each layer.
    pub fn chain(diff_ids: &[DiffId]) -> Vec<ChainId> {
        let mut chain: Vec<ChainId> = Vec::with_capacity(diff_ids.len());
        for diff_id in diff_ids {
            let next = match chain.last() {
                None => ChainId(diff_id.0),
                Some(parent) => ChainId::of(format!("{parent} {diff_id}")),
            };
            chain.push(next);
        }
        chain
    }
}

fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    let hex = text.strip_prefix("sha256:")?.as_bytes();
    if hex.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Hashes and counts what is written or read through it.
#[derive(Debug)]
pub struct Hashing<T> {
    inner: T,
    hasher: Sha256,
    size: u64,
}

impl<T> Hashing<T> {
    /// Starts at the empty input.
    pub fn new(inner: T) -> Self {
        Self { inner, hasher: Sha256::new(), size: 0 }
    }

    /// Gives back the inner value, the SHA-256 of all that passed and its length in bytes.
    pub fn finish(self) -> (T, [u8; 32], u64) {
        (self.inner, self.hasher.finalize().into(), self.size)
    }

    /// The bytes that passed so far.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.hasher.update(&bytes[..read]);
        self.size += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_text_round_trips_and_refuses_the_rest() {
        let digest = Digest::of(b"hello");
        assert_eq!(digest.to_string(), "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        for bad in ["", "sha256:", "sha256:2CF2", "sha512:00", &digest.hex(), &format!("{digest}0"), &digest.to_string().to_uppercase()] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn chain_follows_the_specification() {
        let (first, second) = (DiffId::of(b"1"), DiffId::of(b"2"));
        let chain = ChainId::chain(&[first, second]);
        assert_eq!(chain[0].to_string(), first.to_string());
        assert_eq!(chain[1], ChainId::of(format!("{first} {second}")));
    }

    #[test]
    fn hashing_counts_both_ways() {
        let mut writer = Hashing::new(Vec::new());
        writer.write_all(b"hello").unwrap();
        let (written, hash, size) = writer.finish();
        assert_eq!((written.as_slice(), Digest::from_sha256(hash), size), (b"hello".as_slice(), Digest::of(b"hello"), 5));
    }
}
