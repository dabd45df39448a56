//! CRC-32C (Castagnoli), which guards metadata and payload of a message.

const POLYNOMIAL: u32 = 0x82f6_3b78;
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index: u32 = 0;
    while index < 256 {
        let mut value = index;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ POLYNOMIAL } else { value >> 1 };
            bit += 1;
        }
        table[index as usize] = value;
        index += 1;
    }
    table
}

/// The checksum of the parts, one after the other.
pub(super) fn crc32c<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    let bytes = parts.into_iter().flatten();
    !bytes.fold(!0, |value: u32, byte| {
        let [lowest, ..] = value.to_le_bytes();
        (value >> 8) ^ TABLE[usize::from(lowest ^ byte)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32c_agrees_with_rfc_3720() {
        let ascending: Vec<u8> = (0..32).collect();
        for (bytes, expected) in
            [(&b"123456789"[..], 0xe306_9283), (&[0; 32], 0x8a91_36aa), (&[0xff; 32], 0x62a8_ab43), (&ascending, 0x46dd_794e)]
        {
            assert_eq!(crc32c([bytes]), expected);
            let (first, second) = bytes.split_at(bytes.len() / 2);
            assert_eq!(crc32c([first, second]), expected);
        }
    }
}
