//! Layer blobs as their uncompressed tar, whatever they are packed with.
//!
//! The first bytes decide, not the media type: registries hold layers labelled gzip that are plain tar
//! (OCI image specification, `layer.md`, "`+gzip` Media Types", and what is found in practice).

use std::io::{self, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

/// What a layer blob is packed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// A plain tar.
    None,
    /// One or more gzip members.
    Gzip,
    /// One or more zstd frames.
    Zstd,
}

/// Large enough that a system call a buffer does not count.
const BUFFER: usize = 256 * 1024;
/// Number of bytes that tell the formats apart.
const MAGIC: u64 = 4;

impl Compression {
    /// Tells by the first four bytes; fewer bytes are a plain tar.
    pub fn detect(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or a skippable frame, which may come first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// Reads a layer blob as its uncompressed tar. At its end the blob has been read to its end too.
pub fn decompress<'a>(mut blob: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut start = Vec::new();
    blob.by_ref().take(MAGIC).read_to_end(&mut start)?;
    let compression = Compression::detect(&start);
    let whole = BufReader::with_capacity(BUFFER, Cursor::new(start).chain(blob));
    Ok(match compression {
        Compression::None => Box::new(whole),
        Compression::Gzip => Box::new(MultiGzDecoder::new(whole)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(whole)?),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(blob: &[u8]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        decompress(blob)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn packed_bytes_come_back_whatever_the_format() {
        let text = b"a layer, or what stands for one".repeat(100);
        let zstd = zstd::stream::encode_all(text.as_slice(), 1).unwrap();
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9], zstd.as_slice()].concat();
        for blob in [text.clone(), gzip(&text), zstd.clone(), skippable] {
            assert_eq!(unpacked(&blob).unwrap(), text);
        }
        for two in [[gzip(&text), gzip(&text)].concat(), [zstd.as_slice(), &zstd].concat()] {
            assert_eq!(unpacked(&two).unwrap(), text.repeat(2));
        }
        for short in [&b""[..], b"a", b"abc"] {
            assert_eq!(unpacked(short).unwrap(), short);
        }
    }

    #[test]
    fn cut_off_bytes_are_an_error() {
        let text = b"0123456789".repeat(1000);
        for blob in [gzip(&text), zstd::stream::encode_all(text.as_slice(), 1).unwrap()] {
            assert!(unpacked(&blob[..blob.len() - 3]).is_err());
            assert!(unpacked(&blob[..5]).is_err());
        }
    }
}
