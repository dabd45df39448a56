//! The few facts of an ELF file that say on which machines a program runs and where its data is (System V ABI, "ELF
//! Header", "Section Header", "Program Header").

use std::io::{self, Read, Seek, SeekFrom};

/// The program header that names the dynamic loader.
const INTERPRETER: u32 = 3;
/// The program header of a part that is loaded.
const LOADED: u32 = 1;
const WRITABLE: u32 = 2;
/// The longest name table that is read; a program's own has some hundred bytes.
const LONGEST_NAMES: u64 = 1 << 20;

/// What is known of an ELF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf {
    layout: Layout,
    machine: u16,
    segments: Vec<Segment>,
    sections: Vec<Section>,
}

/// Where in the file some bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// Width and order of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    wide: bool,
    little: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    kind: u32,
    flags: u32,
    region: Region,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    name: Vec<u8>,
    region: Region,
}

/// Where a table of the file is: its entries are as long as the layout says, so a table has at most 4 MiB.
#[derive(Debug, Clone, Copy)]
struct Table {
    offset: u64,
    entry_size: u16,
    count: u16,
}

impl Elf {
    /// Reads the headers; `None` if the file is no ELF file.
    pub fn read(file: &mut (impl Read + Seek)) -> io::Result<Option<Self>> {
        let header = read_at(file, Region { offset: 0, size: 64 })?;
        let Some(layout) = Layout::of(&header) else { return Ok(None) };
        let Some((machine, programs, sections, names)) = layout.header(&header) else { return Ok(None) };
        let segments = read_at(file, programs.region(layout.segment_size()))?;
        let sections = read_at(file, sections.region(layout.section_size()))?;
        let segments = segments.chunks_exact(layout.segment_size().into()).filter_map(|entry| layout.segment(entry)).collect();
        let sections: Vec<(u32, Region)> =
            sections.chunks_exact(layout.section_size().into()).filter_map(|entry| layout.section(entry)).collect();
        let names = match sections.get(usize::from(names)) {
            Some((_, region)) => read_at(file, Region { size: region.size.min(LONGEST_NAMES), ..*region })?,
            None => Vec::new(),
        };
        let sections = sections.into_iter().map(|(name, region)| Section { name: name_at(&names, name), region }).collect();
        Ok(Some(Self { layout, machine, segments, sections }))
    }

    /// Whether the program names no loader, so that it needs nothing of the system it runs on.
    pub fn is_static(&self) -> bool {
        self.segments.iter().all(|segment| segment.kind != INTERPRETER)
    }

    /// The processor in Go's words, which are OCI's too; `None` for one that Go does not know.
    pub fn architecture(&self) -> Option<&'static str> {
        Some(match (self.machine, self.layout.wide, self.layout.little) {
            (62, true, true) => "amd64",
            (183, true, true) => "arm64",
            (3, false, true) => "386",
            (40, false, true) => "arm",
            (243, true, true) => "riscv64",
            (21, true, true) => "ppc64le",
            (21, true, false) => "ppc64",
            (22, true, false) => "s390x",
            (258, true, true) => "loong64",
            _ => return None,
        })
    }

    /// Where a section's bytes are.
    pub(crate) fn section(&self, name: &str) -> Option<Region> {
        self.sections.iter().find(|section| section.name == name.as_bytes()).map(|section| section.region)
    }

    /// Where the bytes of the first part are that the program may change.
    pub(crate) fn data(&self) -> Option<Region> {
        let writable = |segment: &&Segment| segment.kind == LOADED && segment.flags & WRITABLE != 0;
        self.segments.iter().find(writable).map(|segment| segment.region)
    }
}

impl Layout {
    fn of(header: &[u8]) -> Option<Self> {
        let wide = match header.get(4)? {
            1 => false,
            2 => true,
            _ => return None,
        };
        let little = match header.get(5)? {
            1 => true,
            2 => false,
            _ => return None,
        };
        header.starts_with(b"\x7fELF").then_some(Self { wide, little })
    }

    /// Machine, program headers, section headers, and which section has the names.
    fn header(self, header: &[u8]) -> Option<(u16, Table, Table, u16)> {
        let [programs, sections, counts] = if self.wide { [32, 40, 54] } else { [28, 32, 42] };
        let table = |offset, counts| {
            Some(Table {
                offset: self.address(header, offset)?,
                entry_size: self.half(header, counts)?,
                count: self.half(header, counts + 2)?,
            })
        };
        Some((self.half(header, 18)?, table(programs, counts)?, table(sections, counts + 4)?, self.half(header, counts + 8)?))
    }

    fn segment(self, entry: &[u8]) -> Option<Segment> {
        let [flags, offset, size] = if self.wide { [4, 8, 32] } else { [24, 4, 16] };
        let region = Region { offset: self.address(entry, offset)?, size: self.address(entry, size)? };
        Some(Segment { kind: self.word(entry, 0)?, flags: self.word(entry, flags)?, region })
    }

    /// Where the name of a section is in the table of names, and where its bytes are.
    fn section(self, entry: &[u8]) -> Option<(u32, Region)> {
        let [offset, size] = if self.wide { [24, 32] } else { [16, 20] };
        Some((self.word(entry, 0)?, Region { offset: self.address(entry, offset)?, size: self.address(entry, size)? }))
    }

    fn segment_size(self) -> u16 {
        if self.wide { 56 } else { 32 }
    }

    fn section_size(self) -> u16 {
        if self.wide { 64 } else { 40 }
    }

    fn half(self, bytes: &[u8], offset: usize) -> Option<u16> {
        let bytes = *bytes.get(offset..)?.first_chunk()?;
        Some(if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn word(self, bytes: &[u8], offset: usize) -> Option<u32> {
        let bytes = *bytes.get(offset..)?.first_chunk()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn address(self, bytes: &[u8], offset: usize) -> Option<u64> {
        if !self.wide {
            return self.word(bytes, offset).map(u64::from);
        }
        let bytes = *bytes.get(offset..)?.first_chunk()?;
        Some(if self.little { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) })
    }
}

impl Table {
    /// Empty where the entries are not of the size that the layout has.
    fn region(self, entry_size: u16) -> Region {
        let count = if self.entry_size == entry_size { self.count } else { 0 };
        Region { offset: self.offset, size: u64::from(count) * u64::from(entry_size) }
    }
}

/// The bytes of a region, fewer where the file ends before it does.
pub(crate) fn read_at(file: &mut (impl Read + Seek), region: Region) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // What lies behind the largest offset that there is cannot be asked for.
    if region.size > 0 && i64::try_from(region.offset).is_ok() {
        file.seek(SeekFrom::Start(region.offset))?;
        file.take(region.size).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn name_at(names: &[u8], offset: u32) -> Vec<u8> {
    let name = usize::try_from(offset).ok().and_then(|offset| names.get(offset..)).unwrap_or_default();
    name.iter().copied().take_while(|byte| *byte != 0).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use testkit::golang::program;

    use super::*;

    fn read(bytes: &[u8]) -> Option<Elf> {
        Elf::read(&mut Cursor::new(bytes)).unwrap()
    }

    #[test]
    fn elf_is_static_by_program_headers() {
        assert!(read(&program(&[1, 4], b"")).unwrap().is_static());
        assert!(!read(&program(&[1, INTERPRETER], b"")).unwrap().is_static());
        assert!(!read(&fs_err::read("/bin/sh").unwrap()).unwrap().is_static());
    }

    #[test]
    fn elf_names_machine_and_regions() {
        let elf = read(&program(&[1], b"contents")).unwrap();
        assert_eq!(elf.architecture(), Some("amd64"));
        let region = elf.section(".go.buildinfo").unwrap();
        assert_eq!(region.size, 8);
        assert_eq!(elf.section(".none"), None);
    }

    #[test]
    fn elf_of_other_files_is_none() {
        for bytes in [&b""[..], b"#!/bin/sh", b"\x7fELF", b"\x7fELF\x02\x01", b"\x7fELF\x07\x01aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn elf_cut_or_changed_anywhere_is_no_panic() {
        let whole = program(&[1, INTERPRETER], b"contents");
        for length in 0..whole.len() {
            let _ = read(&whole[..length]);
        }
        for place in 0..whole.len() {
            for byte in [0, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[place] = byte;
                let _ = read(&changed);
            }
        }
    }
}
