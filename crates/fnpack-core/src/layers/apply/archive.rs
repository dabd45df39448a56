//! The framing of a tar: headers, extended headers, data, padding.
//!
//! `tar` is used for the layout of a header only. Its iterator unpacks sparse maps and extended
//! headers with limits and rules of its own, which differ from those that images are made by.

use std::collections::VecDeque;
use std::io::{self, Read, Seek};
use std::ops::Range;

use rustix::fs::Timespec;
use tar::{EntryType, GnuExtSparseHeader, Header};

use super::ApplyError;
use super::pax::{self, Extensions};

const BLOCK: usize = 512;
/// Room for extended headers of one entry; extended attributes of 64 KiB each are the largest that Linux has.
const MAX_EXTENSIONS: u64 = 1024 * 1024;
/// Pieces of a sparse file; a map of this length takes 16 MiB.
const MAX_SEGMENTS: usize = 1024 * 1024;
/// What the kernel takes as a path.
const MAX_PATH: usize = 4096;

/// Reads a tar entry by entry; between [`Archive::next_member`] calls it reads as the data of the last one.
pub(crate) struct Archive<R> {
    reader: R,
    offset: u64,
    /// Data of the current entry not yet read, and the padding behind it.
    remaining: u64,
    padding: u64,
    headers: u64,
    max_headers: u64,
}

/// An entry, extended headers worked in.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) path: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) kind: Kind,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) time: Timespec,
    /// The size of the file once it is written.
    pub(crate) size: u64,
    /// Where the data belongs, in a sparse file; one piece in others.
    pub(super) segments: Vec<Segment>,
    pub(super) attributes: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) device: (u32, u32),
}

/// A piece of a file that has data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) offset: u64,
    pub(super) length: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    HardLink,
    Symlink,
    Character,
    Block,
    Folder,
    Fifo,
}

impl<R: Read> Archive<R> {
    pub(crate) fn new(reader: R, max_headers: u64) -> Self {
        Self { reader, offset: 0, remaining: 0, padding: 0, headers: 0, max_headers }
    }

    /// The bytes' reader, wherever it stands.
    pub(crate) fn into_inner(self) -> R {
        self.reader
    }

    /// The next entry; `None` at the end mark or, as other readers allow, where the bytes end.
    pub(crate) fn next_member(&mut self) -> Result<Option<Member>, ApplyError> {
        let mut extensions = Extensions::default();
        let mut extended = 0_u64;
        loop {
            self.skip_data()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let fields = header.as_old();
            let size = self.field(&fields.size)?;
            let kind = header.entry_type();
            if matches!(kind, EntryType::XHeader | EntryType::GNULongName | EntryType::GNULongLink) {
                extended = extended.saturating_add(size);
                if extended > MAX_EXTENSIONS {
                    return Err(self.malformed("the extended headers of an entry are longer than 1 MiB"));
                }
            }
            match kind {
                EntryType::XHeader => {
                    let records = self.read_whole(size)?;
                    pax::parse(&records, &mut extensions).map_err(|reason| self.malformed(reason))?;
                }
                EntryType::GNULongName => extensions.path = Some(until_nul(&self.read_whole(size)?).to_vec()),
                EntryType::GNULongLink => extensions.link = Some(until_nul(&self.read_whole(size)?).to_vec()),
                // What holds for all entries is a comment of `git archive` in practice; a volume label is one too.
                EntryType::XGlobalHeader => self.expect_data(size),
                kind if kind.as_byte() == b'V' => self.expect_data(size),
                _ => return self.member(&header, size, extensions).map(Some),
            }
        }
    }

    /// Reads on to the end of the bytes: what follows the end mark counts for the digest.
    pub(crate) fn drain(&mut self) -> Result<(), ApplyError> {
        let mut buffer = vec![0; 64 * 1024];
        while self.read_some(&mut buffer)? > 0 {}
        Ok(())
    }

    pub(super) fn malformed(&self, reason: &'static str) -> ApplyError {
        ApplyError::Malformed { offset: self.offset, reason }
    }

    /// Reads the next piece of the current entry's data; 0 only if there is none left.
    pub(super) fn read_data(&mut self, buffer: &mut [u8]) -> Result<usize, ApplyError> {
        let length = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(buffer.len());
        let Some(place) = buffer.get_mut(..length).filter(|place| !place.is_empty()) else { return Ok(0) };
        let read = self.read_some(place)?;
        if read == 0 {
            return Err(self.malformed("it ends in the middle of an entry"));
        }
        self.remaining -= read as u64;
        Ok(read)
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, ApplyError> {
        loop {
            match self.reader.read(buffer) {
                Ok(read) => {
                    self.offset += read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ApplyError::Read { source }),
            }
        }
    }

    fn expect_data(&mut self, size: u64) {
        self.remaining = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    }

    fn skip_data(&mut self) -> Result<(), ApplyError> {
        if self.remaining > 0 {
            let mut buffer = vec![0; 64 * 1024];
            while self.read_data(&mut buffer)? > 0 {}
        }
        // The padding of the last entry may be missing where the bytes end; its data may not.
        let mut buffer = [0; BLOCK];
        while self.padding > 0 {
            let length = usize::try_from(self.padding).unwrap_or(BLOCK).min(BLOCK);
            let read = self.read_some(buffer.get_mut(..length).unwrap_or_default())?;
            if read == 0 {
                self.padding = 0;
            }
            self.padding = self.padding.saturating_sub(read as u64);
        }
        Ok(())
    }

    fn read_whole(&mut self, size: u64) -> Result<Vec<u8>, ApplyError> {
        self.expect_data(size);
        let mut bytes = Vec::new();
        let mut buffer = vec![0; usize::try_from(size).unwrap_or(BLOCK).clamp(1, 64 * 1024)];
        loop {
            match self.read_data(&mut buffer)? {
                0 => return Ok(bytes),
                read => bytes.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            }
        }
    }

    /// One block; `None` where the bytes end before it.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, ApplyError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read_some(rest)? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(self.malformed("it ends in the middle of a header")),
                read => filled += read,
            }
        }
        Ok(Some(block))
    }

    fn header(&mut self) -> Result<Option<Header>, ApplyError> {
        let Some(block) = self.block()? else { return Ok(None) };
        if block == [0; BLOCK] {
            return match self.block()? {
                Some(second) if second != [0; BLOCK] => Err(self.malformed("there is an entry behind half an end mark")),
                _ => Ok(None),
            };
        }
        self.headers += 1;
        if self.headers > self.max_headers {
            return Err(ApplyError::TooManyEntries { limit: self.max_headers });
        }
        let header = Header::from_byte_slice(&block).clone();
        if !checksum_is_right(&block, number(&header.as_old().cksum)) {
            return Err(self.malformed("a header has a wrong checksum"));
        }
        Ok(Some(header))
    }

    fn member(&mut self, header: &Header, size: u64, extensions: Extensions) -> Result<Member, ApplyError> {
        let fields = header.as_old();
        let path = match (extensions.sparse.name.clone(), extensions.path) {
            (Some(path), _) | (None, Some(path)) => path,
            (None, None) => header.path_bytes().into_owned(),
        };
        let kind = self.kind(header.entry_type(), &path)?;
        // Entries without contents carry sizes of what they link to in some archives.
        let stored = if kind == Kind::File { extensions.size.unwrap_or(size) } else { 0 };
        self.expect_data(stored);
        let (size, segments) = self.contents(header, stored, extensions.sparse)?;
        let link = extensions.link.unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned());
        if path.len() > MAX_PATH || link.len() > MAX_PATH {
            return Err(self.malformed("a name is longer than 4096 bytes"));
        }
        if path.contains(&0) || link.contains(&0) {
            return Err(self.malformed("a name has a zero byte"));
        }
        let device = header.as_ustar().map(|ustar| (&ustar.dev_major, &ustar.dev_minor));
        let device = device.or_else(|| header.as_gnu().map(|gnu| (&gnu.dev_major, &gnu.dev_minor)));
        let (major, minor) = device.map_or((0, 0), |(major, minor)| (device_number(major), device_number(minor)));
        let seconds = number(&fields.mtime).ok_or_else(|| self.malformed("a header has a time that is no number"))?;
        Ok(Member {
            kind,
            mode: u32::try_from(self.field(&fields.mode)? & 0o7777).unwrap_or_default(),
            uid: self.id(extensions.uid, &fields.uid)?,
            gid: self.id(extensions.gid, &fields.gid)?,
            time: extensions.time.unwrap_or(Timespec { tv_sec: seconds, tv_nsec: 0 }),
            size,
            segments,
            attributes: extensions.attributes,
            device: (major, minor),
            path,
            link,
        })
    }

    fn kind(&self, kind: EntryType, path: &[u8]) -> Result<Kind, ApplyError> {
        Ok(match kind {
            // Before there was a type for folders, a slash said it.
            EntryType::Regular if path.ends_with(b"/") => Kind::Folder,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::File,
            EntryType::Link => Kind::HardLink,
            EntryType::Symlink => Kind::Symlink,
            EntryType::Char => Kind::Character,
            EntryType::Block => Kind::Block,
            EntryType::Directory => Kind::Folder,
            EntryType::Fifo => Kind::Fifo,
            _ => return Err(self.malformed("an entry has a type that is not known")),
        })
    }

    /// The size of the file and where its data goes; reads the map of a sparse file.
    fn contents(&mut self, header: &Header, stored: u64, sparse: pax::Sparse) -> Result<(u64, Vec<Segment>), ApplyError> {
        let (size, segments) = if header.entry_type() == EntryType::GNUSparse {
            let gnu = header.as_gnu().ok_or_else(|| self.malformed("a sparse file has no GNU header"))?;
            let size = self.field(&gnu.realsize)?;
            (size, self.gnu_map(gnu)?)
        } else if sparse.map_in_data {
            let size = sparse.real_size.ok_or_else(|| self.malformed("a sparse file has no size"))?;
            (size, self.map_in_data()?)
        } else if let (Some(map), Some(size)) = (sparse.map, sparse.real_size) {
            (size, map)
        } else {
            (stored, vec![Segment { offset: 0, length: stored }])
        };
        let mut end = 0_u64;
        let mut data = 0_u64;
        for segment in &segments {
            let next = segment.offset.checked_add(segment.length).filter(|next| segment.offset >= end && *next <= size);
            end = next.ok_or_else(|| self.malformed("the map of a sparse file has overlapping pieces"))?;
            data += segment.length;
        }
        if data != self.remaining || size > i64::MAX as u64 {
            return Err(self.malformed("the map of a sparse file does not fit its data"));
        }
        Ok((size, segments))
    }

    /// The old GNU format: four pieces in the header, 21 in each block that follows. Those blocks do not count as data.
    fn gnu_map(&mut self, gnu: &tar::GnuHeader) -> Result<Vec<Segment>, ApplyError> {
        let mut segments = Vec::new();
        self.add_gnu_segments(&gnu.sparse, &mut segments)?;
        let mut extended = gnu.isextended[0] != 0;
        while extended {
            let block = self.block()?.ok_or_else(|| self.malformed("it ends in the map of a sparse file"))?;
            let mut next = GnuExtSparseHeader::new();
            next.as_mut_bytes().copy_from_slice(&block);
            self.add_gnu_segments(&next.sparse, &mut segments)?;
            extended = next.isextended[0] != 0;
        }
        Ok(segments)
    }

    fn add_gnu_segments(&self, headers: &[tar::GnuSparseHeader], segments: &mut Vec<Segment>) -> Result<(), ApplyError> {
        for header in headers.iter().take_while(|header| header.offset[0] != 0) {
            segments.push(Segment { offset: self.field(&header.offset)?, length: self.field(&header.numbytes)? });
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(self.malformed("the map of a sparse file has more than a million pieces"));
        }
        Ok(())
    }

    /// PAX sparse format 1.0: decimal lines before the data, filled up to a block.
    fn map_in_data(&mut self) -> Result<Vec<Segment>, ApplyError> {
        let mut lines = VecDeque::new();
        let count = usize::try_from(self.decimal_line(&mut lines)?).ok().filter(|count| *count <= MAX_SEGMENTS);
        let count = count.ok_or_else(|| self.malformed("the map of a sparse file has more than a million pieces"))?;
        let mut segments = Vec::new();
        for _ in 0..count {
            segments.push(Segment { offset: self.decimal_line(&mut lines)?, length: self.decimal_line(&mut lines)? });
        }
        Ok(segments)
    }

    fn decimal_line(&mut self, lines: &mut VecDeque<u8>) -> Result<u64, ApplyError> {
        let mut digits = Vec::new();
        loop {
            match lines.pop_front() {
                Some(b'\n') => return pax::decimal(&digits).ok_or_else(|| self.malformed("the map of a sparse file is broken")),
                Some(byte) if digits.len() < 20 => digits.push(byte),
                Some(_) => return Err(self.malformed("the map of a sparse file is broken")),
                None if self.remaining < BLOCK as u64 => return Err(self.malformed("the map of a sparse file is broken")),
                None => {
                    let block = self.block()?.ok_or_else(|| self.malformed("it ends in the map of a sparse file"))?;
                    self.remaining -= BLOCK as u64;
                    lines.extend(block);
                }
            }
        }
    }

    fn field(&self, field: &[u8]) -> Result<u64, ApplyError> {
        let value = number(field).and_then(|value| u64::try_from(value).ok());
        value.ok_or_else(|| self.malformed("a header has a field that is no number"))
    }

    /// `u32::MAX` means "leave it" to the kernel, so it is no id.
    fn id(&self, extended: Option<u64>, field: &[u8]) -> Result<u32, ApplyError> {
        let id = match extended {
            Some(id) => id,
            None => self.field(field)?,
        };
        u32::try_from(id).ok().filter(|id| *id != u32::MAX).ok_or_else(|| self.malformed("an entry has an owner that is no id"))
    }
}

impl<R: Read + Seek> Archive<R> {
    /// Moves on behind the current entry without reading it; gives where its data is in the archive.
    pub(crate) fn seek_past_data(&mut self) -> Result<Range<u64>, ApplyError> {
        let start = self.offset;
        let end = start.checked_add(self.remaining).ok_or_else(|| self.malformed("an entry is longer than any file"))?;
        let next = end.checked_add(self.padding).ok_or_else(|| self.malformed("an entry is longer than any file"))?;
        self.reader.seek(io::SeekFrom::Start(next)).map_err(|source| ApplyError::Read { source })?;
        (self.offset, self.remaining, self.padding) = (next, 0, 0);
        Ok(start..end)
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number of a header: octal digits between blanks and zeros, nothing for 0, or two's complement
/// behind a first byte of 0x80 or 0xff.
fn number(field: &[u8]) -> Option<i64> {
    if let Some((first, rest)) = field.split_first().filter(|(first, _)| **first >= 0x80) {
        let start = if *first & 0x40 == 0 { i128::from(*first & 0x3f) } else { i128::from(*first) - 0x100 };
        let value = rest.iter().try_fold(start, |sum, byte| sum.checked_mul(256)?.checked_add(i128::from(*byte)));
        return i64::try_from(value?).ok();
    }
    let text = until_nul(field).trim_ascii();
    if text.is_empty() {
        return Some(0);
    }
    text.iter().try_fold(0_i64, |sum, digit| match digit {
        b'0'..=b'7' => sum.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

/// Blank and broken numbers are common where the entry is no device, and then nobody asks.
fn device_number(field: &[u8]) -> u32 {
    number(field).and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
}

/// The sum of the header's bytes, its own field counted as blanks; some old writers summed signed bytes.
fn checksum_is_right(block: &[u8; BLOCK], expected: Option<i64>) -> bool {
    let bytes = || block.iter().enumerate().map(|(place, byte)| if (148..156).contains(&place) { b' ' } else { *byte });
    let unsigned: i64 = bytes().map(i64::from).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
    expected.is_some_and(|expected| expected == unsigned || expected == signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_reads_octal_blank_and_binary() {
        let cases: [(&[u8], Option<i64>); 9] = [
            (b"0000644\0", Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"\x80\0\0\0\0\0\0\x02\0\0\0\0", Some(8 << 30)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"00009\0", None),
            (b"777777777777777777777777", None),
        ];
        for (field, expected) in cases {
            assert_eq!(number(field), expected, "{}", field.escape_ascii());
        }
    }
}
