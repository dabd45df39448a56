//! Frames of the binary protocol: a command, and for messages metadata and payload behind it.
//!
//! ```text
//! total size (4) | command size (4) | command | [0x0e02 | size (4) | broker entry metadata]
//!                                             | [0x0e01 | CRC-32C (4)] | metadata size (4) | metadata | payload
//! ```
//!
//! Sizes are big-endian and do not count themselves.

use prost::Message as _;

use super::checksum::crc32c;
use super::error::{FrameError, PayloadError};
use super::protocol::{BaseCommand, MessageMetadata};

/// A broker takes messages of 5 MiB unless told otherwise; metadata comes on top. Nobody uses frames beyond this.
pub(super) const LONGEST_FRAME: usize = 128 << 20;
const CHECKSUM: [u8; 2] = [0x0e, 0x01];
const BROKER_ENTRY_METADATA: [u8; 2] = [0x0e, 0x02];

/// One frame, taken apart as far as it must be to be delivered.
#[derive(Debug, PartialEq)]
pub(super) struct Frame {
    pub(super) command: BaseCommand,
    /// What follows the command: nothing, or metadata and payload of a message.
    pub(super) rest: Vec<u8>,
}

/// Metadata and payload of a message, still compressed.
#[derive(Debug, PartialEq)]
pub(super) struct Envelope<'a> {
    pub(super) metadata: MessageMetadata,
    pub(super) payload: &'a [u8],
}

/// A command without more.
pub(super) fn encode(command: &BaseCommand) -> Vec<u8> {
    let size = command.encoded_len();
    let mut frame = Vec::with_capacity(size + 8);
    frame.extend(length(size + 4));
    frame.extend(length(size));
    frame.extend(command.encode_to_vec());
    frame
}

/// A command with a message.
pub(super) fn encode_message(command: &BaseCommand, metadata: &MessageMetadata, payload: &[u8]) -> Vec<u8> {
    let (command, metadata) = (command.encode_to_vec(), metadata.encode_to_vec());
    let size = length(metadata.len());
    let checksum = crc32c([&size[..], &metadata, payload]);
    let total = 4 + command.len() + 2 + 4 + 4 + metadata.len() + payload.len();
    [&length(total)[..], &length(command.len()), &command, &CHECKSUM, &checksum.to_be_bytes(), &size, &metadata, payload].concat()
}

/// Reads a size at the start of a frame; checks that it can be one.
pub(super) fn total_size(bytes: [u8; 4]) -> Result<usize, FrameError> {
    let size = to_usize(u32::from_be_bytes(bytes));
    if size > LONGEST_FRAME { Err(FrameError::TooLong(size)) } else { Ok(size) }
}

/// Takes a frame apart, without its total size.
pub(super) fn decode(frame: &[u8]) -> Result<Frame, FrameError> {
    let (command, rest) = sized(frame).ok_or(FrameError::Truncated("command"))?;
    let command = BaseCommand::decode(command).map_err(|source| FrameError::Protobuf { what: "command", source })?;
    Ok(Frame { command, rest: rest.to_vec() })
}

/// Takes metadata and payload apart and checks them.
pub(super) fn envelope(rest: &[u8]) -> Result<Envelope<'_>, PayloadError> {
    let mut rest = rest;
    if let Some(behind) = rest.strip_prefix(&BROKER_ENTRY_METADATA) {
        rest = sized(behind).ok_or(PayloadError::Malformed)?.1;
    }
    if let Some(behind) = rest.strip_prefix(&CHECKSUM) {
        let (checksum, guarded) = number(behind).ok_or(PayloadError::Malformed)?;
        if checksum != crc32c([guarded]) {
            return Err(PayloadError::Checksum);
        }
        rest = guarded;
    }
    let (metadata, payload) = sized(rest).ok_or(PayloadError::Malformed)?;
    let metadata = MessageMetadata::decode(metadata).map_err(|_| PayloadError::Malformed)?;
    Ok(Envelope { metadata, payload })
}

/// What a size announces, and what is behind that.
pub(super) fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = number(bytes)?;
    rest.split_at_checked(to_usize(size))
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

fn length(size: usize) -> [u8; 4] {
    // What is sent was checked against the broker's limit, which is a 32-bit number.
    u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes()
}

fn to_usize(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::protocol::{CommandType, Empty, Send};
    use super::*;

    fn ping() -> BaseCommand {
        BaseCommand { r#type: CommandType::Ping as i32, ping: Some(Empty {}), ..BaseCommand::default() }
    }

    fn send() -> BaseCommand {
        let send = Send { producer_id: 7, sequence_id: 9 };
        BaseCommand { r#type: CommandType::Send as i32, send: Some(send), ..BaseCommand::default() }
    }

    fn metadata() -> MessageMetadata {
        MessageMetadata { producer_name: "p".to_owned(), sequence_id: 9, publish_time: 1, ..MessageMetadata::default() }
    }

    fn sent(payload: &[u8]) -> Vec<u8> {
        encode_message(&send(), &metadata(), payload)
    }

    #[test]
    fn command_has_the_bytes_of_the_protocol() {
        assert_eq!(encode(&ping()), [0, 0, 0, 9, 0, 0, 0, 5, 0x08, 18, 0x92, 0x01, 0]);
        assert_eq!(decode(&encode(&ping())[4..]).unwrap(), Frame { command: ping(), rest: Vec::new() });
    }

    #[test]
    fn message_round_trips() {
        for payload in [&b""[..], b"x", &vec![7; 70_000]] {
            let bytes = sent(payload);
            assert_eq!(total_size(bytes[..4].try_into().unwrap()).unwrap(), bytes.len() - 4);
            let frame = decode(&bytes[4..]).unwrap();
            assert_eq!(frame.command, send());
            assert_eq!(envelope(&frame.rest).unwrap(), Envelope { metadata: metadata(), payload });
        }
    }

    #[test]
    fn envelope_without_checksum_or_with_broker_metadata_is_read() {
        let rest = decode(&sent(b"hello")[4..]).unwrap().rest;
        let plain = &rest[6..];
        assert_eq!(envelope(plain).unwrap().payload, b"hello");
        let extended = [&[0x0e, 0x02, 0, 0, 0, 2, 0x08, 1], &rest[..]].concat();
        assert_eq!(envelope(&extended).unwrap().payload, b"hello");
    }

    #[test]
    fn damage_is_noticed_wherever_it_is() {
        let bytes = sent(b"hello");
        let whole = decode(&bytes[4..]).unwrap();
        for end in 4..bytes.len() {
            // Cut anywhere: an error or a shorter rest, whose checksum is wrong. Never a panic.
            let Ok(frame) = decode(&bytes[4..end]) else { continue };
            assert!(envelope(&frame.rest).is_err(), "{end}");
        }
        for index in 0..whole.rest.len() {
            let mut rest = whole.rest.clone();
            rest[index] ^= 0x40;
            assert!(envelope(&rest).is_err(), "{index}");
        }
    }

    #[test]
    fn sizes_that_lie_are_refused() {
        assert!(matches!(total_size([0x7f, 0, 0, 0]), Err(FrameError::TooLong(_))));
        assert!(matches!(total_size(*b"HTTP"), Err(FrameError::TooLong(_))));
        for (bytes, part) in [(&b""[..], "command"), (&[0, 0, 0], "command"), (&[0, 0, 0, 9, 1], "command"), (&[0xff; 4], "command")] {
            assert!(matches!(decode(bytes), Err(FrameError::Truncated(what)) if what == part), "{bytes:?}");
        }
        assert!(matches!(decode(&[0, 0, 0, 2, 0xff, 0xff]), Err(FrameError::Protobuf { .. })));
    }
}
