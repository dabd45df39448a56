//! Writes archives byte for byte as Go's `archive/tar` does.
//!
//! That is: plain USTAR where it can hold the entry, else a PAX header with only the records that
//! USTAR cannot hold. No GNU extension is ever written. Two blocks of zeros end the archive, without
//! padding to a record.
//!
//! Answers POSIX.1-2017, `pax`, "ustar Interchange Format" and "pax Extended Header".

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::ops::Range;

use super::pax;

const BLOCK: usize = 512;
const BUFFER: usize = 256 * 1024;
const NAME_FIELD: usize = 100;
const PREFIX_FIELD: usize = 155;
const TYPE_FLAG: usize = 156;
const DEVICE_FIELDS: Range<usize> = 329..345;

/// One entry of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name exactly as written; folders may end in a slash.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Extended attributes by full name.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file of this many bytes.
    File {
        /// Length of the contents.
        size: u64,
    },
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink {
        /// As written in the link.
        target: Vec<u8>,
    },
    /// Another name of an earlier entry.
    HardLink {
        /// That entry's name.
        target: Vec<u8>,
    },
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// Why an entry could not be written.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The archive's writer failed.
    #[error("cannot write to the archive")]
    Write(#[source] io::Error),
    /// The contents could not be read.
    #[error("cannot read the contents of `{path}`")]
    Contents {
        /// Name of the entry.
        path: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The contents were not as long as the header says.
    #[error("`{path}` was {expected} bytes long and changed while it was read")]
    SizeChanged {
        /// Name of the entry.
        path: String,
        /// The length in the header.
        expected: u64,
    },
    /// Neither USTAR nor PAX can hold the entry.
    #[error("an archive cannot hold `{path}`: {reason}")]
    Unrepresentable {
        /// Name of the entry.
        path: String,
        /// One clause.
        reason: &'static str,
    },
}

/// An archive being written. Dropped without [`TarWriter::finish`], it has no end.
#[derive(Debug)]
pub struct TarWriter<W> {
    output: W,
    buffer: Vec<u8>,
}

impl Entry {
    /// An entry owned by root, of the constant time.
    pub fn new(path: impl Into<Vec<u8>>, kind: EntryKind, mode: u32) -> Self {
        let mtime = crate::image::CONSTANT_TIME_SECONDS;
        Self { path: path.into(), kind, mode, uid: 0, gid: 0, mtime, xattrs: BTreeMap::new() }
    }

    fn size(&self) -> u64 {
        if let EntryKind::File { size } = self.kind { size } else { 0 }
    }

    fn link(&self) -> &[u8] {
        match &self.kind {
            EntryKind::Symlink { target } | EntryKind::HardLink { target } => target,
            _ => &[],
        }
    }

    fn device(&self) -> (u32, u32) {
        match self.kind {
            EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } => (major, minor),
            _ => (0, 0),
        }
    }

    fn type_flag(&self) -> u8 {
        match self.kind {
            EntryKind::File { .. } => b'0',
            EntryKind::HardLink { .. } => b'1',
            EntryKind::Symlink { .. } => b'2',
            EntryKind::CharDevice { .. } => b'3',
            EntryKind::BlockDevice { .. } => b'4',
            EntryKind::Directory => b'5',
            EntryKind::Fifo => b'6',
        }
    }

    fn fault(&self) -> Option<&'static str> {
        let folder = matches!(self.kind, EntryKind::Directory | EntryKind::Symlink { .. } | EntryKind::HardLink { .. });
        let (major, minor) = self.device();
        if self.path.is_empty() {
            Some("its name is empty")
        } else if self.path.contains(&0) || self.link().contains(&0) {
            Some("its name or target has a NUL byte")
        } else if !folder && self.path.ends_with(b"/") {
            Some("only a folder's name ends in a slash")
        } else if !fits_octal(8, major.into()) || !fits_octal(8, minor.into()) {
            Some("its device number is too large")
        } else if i64::try_from(self.size()).is_err() {
            Some("it is too large")
        } else if self.xattrs.keys().any(|name| name.is_empty() || name.contains(&b'=') || name.contains(&0)) {
            Some("it has an extended attribute with `=` or NUL in its name")
        } else {
            None
        }
    }

    /// The PAX records that hold what USTAR cannot; empty where USTAR can hold everything.
    fn pax_records(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut records = BTreeMap::new();
        let long_or_foreign = |text: &[u8]| text.len() > NAME_FIELD || !text.is_ascii();
        let mut needed = !self.xattrs.is_empty();
        if long_or_foreign(&self.path) {
            needed |= split_name(&self.path).is_none();
            records.insert(b"path".to_vec(), self.path.clone());
        }
        if long_or_foreign(self.link()) {
            needed = true;
            records.insert(b"linkpath".to_vec(), self.link().to_vec());
        }
        let size = i128::from(self.size());
        for (key, width, value) in
            [("uid", 8, self.uid.into()), ("gid", 8, self.gid.into()), ("size", 12, size), ("mtime", 12, self.mtime.into())]
        {
            if !fits_octal(width, value) {
                needed = true;
                records.insert(key.into(), value.to_string().into_bytes());
            }
        }
        for (name, value) in &self.xattrs {
            records.insert([b"SCHILY.xattr.", name.as_slice()].concat(), value.clone());
        }
        if needed { records } else { BTreeMap::new() }
    }
}

impl<W: Write> TarWriter<W> {
    /// Starts an archive.
    pub fn new(output: W) -> Self {
        Self { output, buffer: Vec::new() }
    }

    /// Adds an entry; `contents` is read to its end and must be as long as the entry says.
    pub fn append(&mut self, entry: &Entry, contents: &mut dyn Read) -> Result<(), TarError> {
        if let Some(reason) = entry.fault() {
            return Err(TarError::Unrepresentable { path: display(&entry.path), reason });
        }
        let records = entry.pax_records();
        let header = if records.is_empty() {
            let (prefix, name) = split_name(&entry.path).unwrap_or((b"", &entry.path));
            header(entry, name, prefix, entry.link())
        } else {
            self.append_records(entry, &pax::encode(&records))?;
            header(entry, &truncated_ascii(&entry.path), b"", &truncated_ascii(entry.link()))
        };
        self.write(&header)?;
        self.copy(entry, contents)
    }

    /// Adds an entry without contents: a folder, a link, an empty file.
    pub fn append_empty(&mut self, entry: &Entry) -> Result<(), TarError> {
        self.append(entry, &mut io::empty())
    }

    /// Ends the archive and gives the writer back.
    pub fn finish(mut self) -> Result<W, TarError> {
        self.write(&[0; 2 * BLOCK])?;
        self.output.flush().map_err(TarError::Write)?;
        Ok(self.output)
    }

    fn append_records(&mut self, entry: &Entry, records: &[u8]) -> Result<(), TarError> {
        let kind = EntryKind::File { size: records.len() as u64 };
        let name = pax::header_name(&entry.path, NAME_FIELD);
        let extension = Entry { mtime: 0, ..Entry::new(name.as_slice(), kind, 0) };
        let mut block = header(&extension, &name, b"", b"");
        block[TYPE_FLAG] = b'x';
        // Go leaves the device fields of such a header empty.
        block[DEVICE_FIELDS].fill(0);
        set_checksum(&mut block);
        self.write(&block)?;
        self.write(records)?;
        self.pad(records.len() as u64)
    }

    fn copy(&mut self, entry: &Entry, contents: &mut dyn Read) -> Result<(), TarError> {
        let changed = || TarError::SizeChanged { path: display(&entry.path), expected: entry.size() };
        self.buffer.resize(BUFFER, 0);
        let mut left = entry.size();
        loop {
            let read = match contents.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(TarError::Contents { path: display(&entry.path), source }),
            };
            left = left.checked_sub(read as u64).ok_or_else(changed)?;
            self.output.write_all(&self.buffer[..read]).map_err(TarError::Write)?;
        }
        if left > 0 {
            return Err(changed());
        }
        self.pad(entry.size())
    }

    fn pad(&mut self, size: u64) -> Result<(), TarError> {
        let used = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        if used == 0 { Ok(()) } else { self.write(&[0; BLOCK][used..]) }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), TarError> {
        self.output.write_all(bytes).map_err(TarError::Write)
    }
}

fn display(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// A header block. A value that does not fit its field is left out: a PAX record has it.
fn header(entry: &Entry, name: &[u8], prefix: &[u8], link: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put(&mut block, 0, name);
    put(&mut block, 157, link);
    block[TYPE_FLAG] = entry.type_flag();
    let (major, minor) = entry.device();
    let mode = entry.mode & 0o7777;
    for (offset, width, value) in [
        (100, 8, mode.into()),
        (108, 8, entry.uid.into()),
        (116, 8, entry.gid.into()),
        (124, 12, i128::from(entry.size())),
        (136, 12, entry.mtime.into()),
        (329, 8, major.into()),
        (337, 8, minor.into()),
    ] {
        put_octal(&mut block, offset, width, value);
    }
    put(&mut block, 257, b"ustar\x0000");
    put(&mut block, 345, prefix);
    set_checksum(&mut block);
    block
}

fn put(block: &mut [u8; BLOCK], offset: usize, bytes: &[u8]) {
    for (place, byte) in block.iter_mut().skip(offset).zip(bytes) {
        *place = *byte;
    }
}

fn put_octal(block: &mut [u8; BLOCK], offset: usize, width: usize, value: i128) {
    let value = if fits_octal(width, value) { value } else { 0 };
    put(block, offset, format!("{value:0digits$o}\0", digits = width - 1).as_bytes());
}

fn fits_octal(width: usize, value: i128) -> bool {
    (0..1 << (3 * (width - 1))).contains(&value)
}

/// The checksum counts its own field as blanks.
fn set_checksum(block: &mut [u8; BLOCK]) {
    put(block, 148, b"        ");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    put(block, 148, format!("{sum:06o}\0 ").as_bytes());
}

/// Prefix and name of a path that only fits with both fields.
fn split_name(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= NAME_FIELD || !path.is_ascii() {
        return None;
    }
    let searched = if path.len() > PREFIX_FIELD + 1 { PREFIX_FIELD + 1 } else { path.len() - usize::from(path.ends_with(b"/")) };
    let slash = path.get(..searched)?.iter().rposition(|byte| *byte == b'/').filter(|slash| *slash > 0)?;
    let (prefix, name) = (path.get(..slash)?, path.get(slash + 1..)?);
    (!name.is_empty() && name.len() <= NAME_FIELD && prefix.len() <= PREFIX_FIELD).then_some((prefix, name))
}

/// What of a long or foreign name goes into the field for readers that know no PAX.
fn truncated_ascii(text: &[u8]) -> Vec<u8> {
    let ascii: Vec<u8> = text.iter().copied().filter(u8::is_ascii).collect();
    if ascii.len() <= NAME_FIELD {
        return ascii;
    }
    let mut short: Vec<u8> = ascii.into_iter().take(NAME_FIELD).collect();
    // A reader without PAX would take a file for a folder.
    if let Some((last, rest)) = short.split_last()
        && *last == b'/'
    {
        let end = rest.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        short[end] = 0;
    }
    short
}

#[cfg(test)]
#[path = "tar_writer_tests.rs"]
mod tests;
