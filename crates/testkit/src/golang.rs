//! Programs as the Go linker makes them, as far as readers look at them.

/// Build information as the linker writes it: `version` as in `go1.25.0`, `modules` as `go version -m` shows them.
pub fn build_info(version: &str, modules: &str) -> Vec<u8> {
    let header = [b"\xff Go buildinf:\x08\x02".as_slice(), &[0; 16]].concat();
    let marked = [b"0123456789abcdef", modules.as_bytes(), b"0123456789abcdef"].concat();
    [header, counted(version.as_bytes()), counted(&marked)].concat()
}

/// A string with its length before it, seven bits a byte.
fn counted(bytes: &[u8]) -> Vec<u8> {
    let mut length = bytes.len();
    let mut out = Vec::new();
    while length >= 0x80 {
        out.push(low_byte(length & 0x7f) | 0x80);
        length >>= 7;
    }
    out.push(low_byte(length));
    out.extend_from_slice(bytes);
    out
}

/// A program for amd64 with program headers of these kinds and a section of build information. It does nothing.
pub fn program(kinds: &[u32], information: &[u8]) -> Vec<u8> {
    const FILE_HEADER: usize = 64;
    const PROGRAM_HEADER: usize = 56;
    const SECTION_HEADER: usize = 64;
    let names = b"\0.go.buildinfo\0";
    let headers = FILE_HEADER + kinds.len() * PROGRAM_HEADER;
    let sections = headers + 3 * SECTION_HEADER;
    let mut bytes = vec![0; sections];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[18] = 62;
    bytes[32..40].copy_from_slice(&(FILE_HEADER as u64).to_le_bytes());
    bytes[40..48].copy_from_slice(&(headers as u64).to_le_bytes());
    for (place, value) in [(54, PROGRAM_HEADER), (56, kinds.len()), (58, SECTION_HEADER), (60, 3), (62, 1)] {
        bytes[place] = low_byte(value);
    }
    for (index, kind) in kinds.iter().enumerate() {
        bytes[FILE_HEADER + index * PROGRAM_HEADER..][..4].copy_from_slice(&kind.to_le_bytes());
    }
    let regions = [(0, sections, names.len()), (1, sections + names.len(), information.len())];
    for (index, (name, offset, size)) in regions.into_iter().enumerate() {
        let header = &mut bytes[headers + (index + 1) * SECTION_HEADER..];
        header[0] = name;
        header[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
    }
    bytes.extend_from_slice(names);
    bytes.extend_from_slice(information);
    bytes
}

/// A static program that has Pulsar's module in it.
pub fn function() -> Vec<u8> {
    let modules = "path\texample.com/orders\ndep\tgithub.com/apache/pulsar/pulsar-function-go\tv0.1.0\th1:x=\nbuild\tGOOS=linux\n";
    program(&[1], &build_info("go1.25.0", modules))
}

fn low_byte(number: usize) -> u8 {
    number.to_le_bytes()[0]
}
