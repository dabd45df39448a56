//! Bytes of a blob, checked against its descriptor while they pass.
//!
//! Whoever stores or sends a blob reads it through [`VerifiedReader`] or [`copy_verified`]: too few
//! bytes, too many and other bytes than the digest names are told apart.

use std::io::{self, Read, Write};

use super::{Blob, Descriptor};
use crate::digest::{Digest, Hashing};

/// Why a blob could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The source failed.
    #[error("cannot read {digest} from {location}")]
    Read {
        /// The blob.
        digest: Digest,
        /// Where its bytes come from.
        location: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The place to write to failed.
    #[error("cannot write {digest}")]
    Write {
        /// The blob.
        digest: Digest,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The bytes are not those that the digest names.
    #[error("{location} has {actual} in place of {expected}")]
    DigestMismatch {
        /// Where the bytes came from.
        location: String,
        /// The digest asked for.
        expected: Digest,
        /// The digest of the bytes.
        actual: Digest,
    },
    /// The source ended before the length in the descriptor.
    #[error("{location} ended after {actual} of the {expected} bytes of {digest}")]
    Truncated {
        /// The blob.
        digest: Digest,
        /// Where the bytes came from.
        location: String,
        /// The length in the descriptor.
        expected: u64,
        /// What came.
        actual: u64,
    },
    /// The source went on after the length in the descriptor.
    #[error("{location} sends more than the {expected} bytes of {digest}")]
    TooLong {
        /// The blob.
        digest: Digest,
        /// Where the bytes came from.
        location: String,
        /// The length in the descriptor.
        expected: u64,
    },
}

/// Gives on only bytes of the promised length and digest.
///
/// The last bytes are held back until the digest is known to be right, so that what is sent on with
/// a known length never ends well with wrong bytes. Faults come as [`io::Error`]s that hold a [`BlobError`].
pub struct VerifiedReader<R> {
    /// Gone once the digest has been computed.
    input: Option<Hashing<R>>,
    rest: Option<R>,
    expected: Digest,
    size: u64,
    location: String,
}

/// That all bytes of a blob were copied and are those of its digest; only [`copy_verified`] can say so.
#[derive(Debug, PartialEq, Eq)]
pub struct Verified {
    digest: Digest,
    size: u64,
}

impl Verified {
    /// The digest of what was copied.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl VerifiedReader<Box<dyn Read + Send>> {
    /// Opens a blob; its bytes are hashed here and nowhere else.
    pub fn open(blob: &Blob, descriptor: &Descriptor) -> io::Result<Self> {
        Ok(Self::new(blob.open_unchecked()?, descriptor, blob.location()))
    }
}

impl<R: Read> VerifiedReader<R> {
    /// Checks `input` against `descriptor`; `location` is for messages.
    pub fn new(input: R, descriptor: &Descriptor, location: String) -> Self {
        Self { input: Some(Hashing::new(input)), rest: None, expected: descriptor.digest, size: descriptor.size, location }
    }

    fn check_digest(&mut self) -> io::Result<()> {
        let Some(input) = self.input.take() else { return Ok(()) };
        let (rest, hash, _) = input.finish();
        self.rest = Some(rest);
        let actual = Digest::from_sha256(hash);
        if actual == self.expected {
            return Ok(());
        }
        Err(fault(BlobError::DigestMismatch { location: self.location.clone(), expected: self.expected, actual }))
    }
}

impl<R: Read> Read for VerifiedReader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if let Some(rest) = &mut self.rest {
            let mut probe = [0];
            return match rest.read(&mut probe)? {
                0 => Ok(0),
                _ => Err(fault(BlobError::TooLong { digest: self.expected, location: self.location.clone(), expected: self.size })),
            };
        }
        let Some(input) = &mut self.input else { return Ok(0) };
        let left = self.size - input.size();
        let room = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if room == 0 {
            self.check_digest()?;
            return self.read(bytes);
        }
        let read = input.read(&mut bytes[..room])?;
        let passed = input.size();
        if read == 0 {
            let location = self.location.clone();
            return Err(fault(BlobError::Truncated { digest: self.expected, location, expected: self.size, actual: passed }));
        }
        if passed == self.size {
            self.check_digest()?;
        }
        Ok(read)
    }
}

fn fault(error: BlobError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Gives on the promised number of bytes, for a receiver that computes the digest itself. Faults come as those of
/// [`VerifiedReader`] do.
pub struct MeasuredReader {
    input: Box<dyn Read + Send>,
    left: u64,
    descriptor: Descriptor,
    location: String,
}

impl MeasuredReader {
    /// Opens a blob.
    pub fn open(blob: &Blob, descriptor: &Descriptor) -> io::Result<Self> {
        let (descriptor, location) = (descriptor.clone(), blob.location());
        Ok(Self { input: blob.open_unchecked()?, left: descriptor.size, descriptor, location })
    }
}

impl Read for MeasuredReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let room = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if room == 0 {
            return Ok(0);
        }
        let read = self.input.read(&mut bytes[..room])?;
        if read == 0 {
            let (digest, expected) = (self.descriptor.digest, self.descriptor.size);
            return Err(fault(BlobError::Truncated { digest, location: self.location.clone(), expected, actual: expected - self.left }));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Copies a blob to `output`. What was written before a fault is for the caller to throw away.
/// `progress` is told the number of bytes of each piece.
pub fn copy_verified(
    blob: &Blob,
    descriptor: &Descriptor,
    output: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Verified, BlobError> {
    let digest = descriptor.digest;
    let location = blob.location();
    let unreadable = |source: io::Error| match source.downcast::<BlobError>() {
        Ok(error) => error,
        Err(source) => BlobError::Read { digest, location: location.clone(), source },
    };
    let mut input = VerifiedReader::open(blob, descriptor).map_err(unreadable)?;
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let read = match input.read(&mut buffer) {
            Ok(0) => return Ok(Verified { digest, size: descriptor.size }),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(error)),
        };
        output.write_all(&buffer[..read]).map_err(|source| BlobError::Write { digest, source })?;
        progress(read as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{BlobSource, media_type};

    struct Bytes(&'static [u8]);

    impl BlobSource for Bytes {
        fn open(&self) -> io::Result<Box<dyn Read + Send>> {
            Ok(Box::new(self.0))
        }

        fn location(&self) -> String {
            "the test".to_owned()
        }
    }

    fn copy(promised: &[u8], sent: &'static [u8]) -> (Vec<u8>, Result<Verified, BlobError>) {
        let mut output = Vec::new();
        let descriptor = Descriptor::of(media_type::OCI_LAYER, promised);
        let result = copy_verified(&Blob::new(Bytes(sent)), &descriptor, &mut output, &mut |_| {});
        (output, result)
    }

    #[test]
    fn copy_gives_on_the_promised_bytes() {
        for bytes in [b"".as_slice(), b"x", b"some layer"] {
            let (output, result) = copy(bytes, bytes);
            let verified = result.unwrap();
            assert_eq!((verified.digest(), verified.size()), (Digest::of(bytes), bytes.len() as u64));
            assert_eq!(output, bytes);
        }
    }

    #[test]
    fn copy_tells_faults_apart_and_holds_wrong_bytes_back() {
        let (output, result) = copy(b"layer", b"lAyer");
        assert!(matches!(result, Err(BlobError::DigestMismatch { actual, .. }) if actual == Digest::of("lAyer")));
        assert!(output.is_empty());
        let (_, result) = copy(b"layer", b"lay");
        assert!(matches!(result, Err(BlobError::Truncated { expected: 5, actual: 3, .. })));
        let (output, result) = copy(b"layer", b"layers");
        assert!(matches!(result, Err(BlobError::TooLong { expected: 5, .. })));
        assert_eq!(output, b"layer");
        let (_, result) = copy(b"", b"more");
        assert!(matches!(result, Err(BlobError::TooLong { .. })));
    }
}
