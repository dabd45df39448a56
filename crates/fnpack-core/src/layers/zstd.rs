//! zstd with fixed settings.

use std::io::{self, Write};

const LEVEL: i32 = 3;

/// Compresses what is written to it; end it with `finish`. One thread, because the bytes of several
/// differ from those of one. The frame has a checksum.
pub fn zstd_writer<W: Write>(output: W) -> io::Result<::zstd::Encoder<'static, W>> {
    let mut encoder = ::zstd::Encoder::new(output, LEVEL)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_do_not_depend_on_pieces() {
        let input: Vec<u8> = (0_u32..600_000).flat_map(|number| (number % 1013 * number / 7).to_le_bytes()).collect();
        let compressed = |piece: usize| {
            let mut writer = zstd_writer(Vec::new()).unwrap();
            for piece in input.chunks(piece) {
                writer.write_all(piece).unwrap();
            }
            writer.finish().unwrap()
        };
        let whole = compressed(input.len());
        assert_eq!(::zstd::decode_all(whole.as_slice()).unwrap(), input);
        assert!(compressed(1000) == whole && compressed(512) == whole && compressed(300_001) == whole);
    }
}
