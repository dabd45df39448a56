//! Whether a program needs a dynamic loader: the one question to an ELF file (System V ABI, "Program Header").

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use fs_err::File;

/// The program header that names the loader.
const PT_INTERP: u32 = 3;

/// Whether a file is an ELF program for 64-bit little-endian machines that names no loader. Of other files this
/// cannot be said.
pub(crate) fn is_static(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut header = [0; 64];
    match file.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        other => other?,
    }
    let [table @ .., entry_low, entry_high, count_low, count_high] = &header[..58] else { return Ok(false) };
    let (entry_size, count) = (u16::from_le_bytes([*entry_low, *entry_high]), u16::from_le_bytes([*count_low, *count_high]));
    if !table.starts_with(b"\x7fELF\x02\x01") || entry_size != 56 {
        return Ok(false);
    }
    let offset: [u8; 8] = std::array::from_fn(|index| header[32 + index]);
    file.seek(SeekFrom::Start(u64::from_le_bytes(offset)))?;
    let mut headers = Vec::new();
    file.take(u64::from(entry_size) * u64::from(count)).read_to_end(&mut headers)?;
    let kinds = headers.chunks_exact(usize::from(entry_size)).filter_map(|header| header.first_chunk());
    Ok(kinds.map(|kind| u32::from_le_bytes(*kind)).all(|kind| kind != PT_INTERP))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with two program headers of these kinds.
    fn program(kinds: [u32; 2]) -> Vec<u8> {
        let mut bytes = vec![0; 64 + 2 * 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 2;
        for (index, kind) in kinds.into_iter().enumerate() {
            bytes[64 + index * 56..][..4].copy_from_slice(&kind.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn is_static_by_program_headers() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (bytes, expected) in [
            (program([1, 1]), true),
            (program([1, PT_INTERP]), false),
            (program([1, 1])[..40].to_vec(), false),
            (b"#!/bin/sh".to_vec(), false),
            (Vec::new(), false),
            (vec![0; 200], false),
        ] {
            fs_err::write(file.path(), &bytes).unwrap();
            assert_eq!(is_static(file.path()).unwrap(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn is_static_of_a_dynamic_program() {
        assert!(!is_static(Path::new("/bin/sh")).unwrap());
    }
}
