//! From the payload of an entry to the messages in it: decompressed, and split if it is a batch.

use std::io::Read;

use prost::Message as _;

use super::error::PayloadError;
use super::frame::{Envelope, LONGEST_FRAME, sized};
use super::protocol::{KeyValue, SingleMessageMetadata};

/// One message as it was produced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) payload: Vec<u8>,
    pub(super) key: Option<String>,
    pub(super) properties: Vec<(String, String)>,
}

/// What an entry of a topic holds, message by message. A message that compaction removed is `None`.
pub(super) fn contents(envelope: Envelope<'_>) -> Result<Vec<Option<Content>>, PayloadError> {
    let Envelope { metadata, payload } = envelope;
    if let Some(algorithm) = metadata.encryption_algo.filter(|name| !name.is_empty()) {
        return Err(PayloadError::Encrypted(algorithm));
    }
    if let Some(chunks) = metadata.num_chunks_from_msg.filter(|count| *count > 1) {
        return Err(PayloadError::Chunked(chunks));
    }
    if metadata.marker_type.is_some() {
        return Ok(Vec::new());
    }
    let size = metadata.uncompressed_size.unwrap_or_default();
    let payload = decompress(metadata.compression.unwrap_or_default(), payload, size)?;
    let Some(count) = metadata.num_messages_in_batch else {
        let content = Content { payload, key: metadata.partition_key, properties: pairs(metadata.properties) };
        return Ok(vec![Some(content)]);
    };
    split(&payload, count)
}

fn decompress(kind: i32, bytes: &[u8], size: u32) -> Result<Vec<u8>, PayloadError> {
    if kind == 0 {
        return Ok(bytes.to_vec());
    }
    let length = usize::try_from(size).ok().filter(|length| *length <= LONGEST_FRAME).ok_or(PayloadError::TooLong(size))?;
    match kind {
        1 => lz4_flex::block::decompress(bytes, length).map_err(|_| PayloadError::Compression("LZ4")),
        2 => bounded(flate2::read::ZlibDecoder::new(bytes), length).ok_or(PayloadError::Compression("ZLIB")),
        3 => zstd::Decoder::new(bytes).ok().and_then(|decoder| bounded(decoder, length)).ok_or(PayloadError::Compression("ZSTD")),
        4 => snappy(bytes, length).ok_or(PayloadError::Compression("SNAPPY")),
        other => Err(PayloadError::UnknownCompression(other)),
    }
    .and_then(|plain| if plain.len() == length { Ok(plain) } else { Err(PayloadError::Compression("length")) })
}

/// At most one byte more than announced, so that a bomb does not go off.
fn bounded(reader: impl Read, length: usize) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    reader.take(length as u64 + 1).read_to_end(&mut plain).ok()?;
    Some(plain)
}

fn snappy(bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    let announced = snap::raw::decompress_len(bytes).ok()?;
    if announced != length {
        return None;
    }
    snap::raw::Decoder::new().decompress_vec(bytes).ok()
}

fn split(batch: &[u8], count: i32) -> Result<Vec<Option<Content>>, PayloadError> {
    let mut rest = batch;
    let mut contents = Vec::new();
    for _ in 0..count {
        let (metadata, behind) = sized(rest).ok_or(PayloadError::Malformed)?;
        let metadata = SingleMessageMetadata::decode(metadata).map_err(|_| PayloadError::Malformed)?;
        let size = usize::try_from(metadata.payload_size).map_err(|_| PayloadError::Malformed)?;
        let (payload, behind) = behind.split_at_checked(size).ok_or(PayloadError::Malformed)?;
        rest = behind;
        let content = Content { payload: payload.to_vec(), key: metadata.partition_key, properties: pairs(metadata.properties) };
        contents.push((metadata.compacted_out != Some(true)).then_some(content));
    }
    Ok(contents)
}

fn pairs(properties: Vec<KeyValue>) -> Vec<(String, String)> {
    properties.into_iter().map(|KeyValue { key, value }| (key, value)).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::protocol::MessageMetadata;
    use super::*;

    fn single(payload: &[u8]) -> Vec<u8> {
        let metadata = SingleMessageMetadata { payload_size: payload.len().try_into().unwrap(), ..SingleMessageMetadata::default() };
        let metadata = metadata.encode_to_vec();
        [&u32::try_from(metadata.len()).unwrap().to_be_bytes()[..], &metadata, payload].concat()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(metadata: MessageMetadata, payload: &[u8]) -> Result<Vec<Vec<u8>>, PayloadError> {
        Ok(contents(Envelope { metadata, payload })?.into_iter().flatten().map(|content| content.payload).collect())
    }

    fn compressed(kind: i32, size: usize) -> MessageMetadata {
        MessageMetadata { compression: Some(kind), uncompressed_size: Some(size.try_into().unwrap()), ..MessageMetadata::default() }
    }

    #[test]
    fn compression_of_every_kind_is_understood() {
        let plain = b"the quick brown fox, the quick brown fox, the quick brown fox".repeat(20);
        for (kind, bytes) in [
            (0, plain.clone()),
            (1, lz4_flex::block::compress(&plain)),
            (2, zlib(&plain)),
            (3, zstd::encode_all(&plain[..], 1).unwrap()),
            (4, snap::raw::Encoder::new().compress_vec(&plain).unwrap()),
        ] {
            assert_eq!(read(compressed(kind, plain.len()), &bytes).unwrap(), std::slice::from_ref(&plain), "{kind}");
            if kind == 0 {
                continue;
            }
            for wrong in [0, 1, plain.len() - 1, plain.len() + 1] {
                assert!(matches!(read(compressed(kind, wrong), &bytes), Err(PayloadError::Compression(_))), "{kind} {wrong}");
            }
            for end in 0..bytes.len() {
                assert!(read(compressed(kind, plain.len()), &bytes[..end]).is_err(), "{kind} cut at {end}");
            }
        }
        assert!(matches!(read(compressed(5, 1), b"x"), Err(PayloadError::UnknownCompression(5))));
        assert!(matches!(read(compressed(1, 4_000_000_000), b"x"), Err(PayloadError::TooLong(_))));
    }

    #[test]
    fn batch_is_split() {
        let batch = [single(b"one"), single(b""), single(b"three")].concat();
        let metadata = |count| MessageMetadata { num_messages_in_batch: Some(count), ..MessageMetadata::default() };
        assert_eq!(read(metadata(3), &batch).unwrap(), [&b"one"[..], b"", b"three"]);
        for (count, bytes) in [(4, &batch[..]), (3, &batch[..batch.len() - 1]), (i32::MAX, &batch[..]), (1, &[0xff; 9])] {
            assert!(matches!(read(metadata(count), bytes), Err(PayloadError::Malformed)), "{count}");
        }
        let bytes = zlib(&batch);
        let metadata = MessageMetadata { num_messages_in_batch: Some(3), ..compressed(2, batch.len()) };
        assert_eq!(read(metadata, &bytes).unwrap().len(), 3);
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let encrypted = MessageMetadata { encryption_algo: Some("AES".to_owned()), ..MessageMetadata::default() };
        assert!(matches!(read(encrypted, b"x"), Err(PayloadError::Encrypted(name)) if name == "AES"));
        let chunk = MessageMetadata { num_chunks_from_msg: Some(3), ..MessageMetadata::default() };
        assert!(matches!(read(chunk, b"x"), Err(PayloadError::Chunked(3))));
        let marker = MessageMetadata { marker_type: Some(1), ..MessageMetadata::default() };
        assert_eq!(read(marker, b"x").unwrap().len(), 0);
    }
}
