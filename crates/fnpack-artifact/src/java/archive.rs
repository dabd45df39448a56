//! A jar as foreign bytes: how many entries, what names and how many bytes they may unpack to is bounded here, and
//! nowhere else (JAR file specification; the zip format it stands on).

use std::io::{self, BufReader, Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};

use fs_err::File;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

/// Twice what the largest application servers have in one jar.
const ENTRY_LIMIT: usize = 1 << 17;

/// Longer names cannot be unpacked on Linux.
const NAME_LIMIT: usize = 4096;

/// For all entries of one jar together, unpacked.
const UNPACKED_LIMIT: u64 = 4 << 30;

/// Why a jar cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JarError {
    /// The file cannot be opened.
    #[error("open `{}`", .path.display())]
    Open {
        /// The jar.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no zip archive.
    #[error("`{jar}` is not a jar that can be read")]
    Format {
        /// The jar.
        jar: String,
        /// Why.
        source: ZipError,
    },
    /// More entries than any real jar has.
    #[error("`{jar}` has {count} entries, more than the {ENTRY_LIMIT} that are read")]
    Entries {
        /// The jar.
        jar: String,
        /// As the archive says.
        count: usize,
    },
    /// A name that leads out of the folder it would be unpacked to, or is no name at all.
    #[error("`{jar}` has an entry whose name cannot be used: `{name}`")]
    Name {
        /// The jar.
        jar: String,
        /// The entry's, escaped.
        name: String,
    },
    /// The entry, or the whole jar with it, unpacks to more than is read.
    #[error("entry `{name}` of `{jar}` unpacks to more than {limit} bytes")]
    Size {
        /// The jar.
        jar: String,
        /// The entry.
        name: String,
        /// What is read at most.
        limit: u64,
    },
    /// An entry's bytes are damaged, or packed in a way that jars are not.
    #[error("read entry `{name}` of `{jar}`")]
    Entry {
        /// The jar.
        jar: String,
        /// The entry.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// A new jar cannot be written.
    #[error("write `{}`", .path.display())]
    Write {
        /// The new jar.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// One entry of a jar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    /// In the archive's own order.
    pub(super) index: usize,
    pub(super) is_folder: bool,
    /// Whether its bytes are packed; what is stored plain stays so when it is copied.
    pub(super) is_packed: bool,
    /// Size and checksum: entries that differ here differ.
    pub(super) identity: (u64, u32),
}

/// An open jar.
pub(super) struct Archive<R> {
    zip: ZipArchive<R>,
    /// For messages.
    jar: String,
    entries: Vec<Entry>,
    /// How many bytes may still be unpacked.
    budget: u64,
}

impl Archive<BufReader<File>> {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> Result<Self, JarError> {
        let file = File::open(path).map_err(|source| JarError::Open { path: path.to_path_buf(), source })?;
        Self::read_from(BufReader::new(file), path.display().to_string())
    }
}

impl Archive<Cursor<Vec<u8>>> {
    /// A jar inside another one.
    pub(super) fn nested(bytes: Vec<u8>, name: &str) -> Result<Self, JarError> {
        Self::read_from(Cursor::new(bytes), name.to_owned())
    }
}

impl<R: Read + Seek> Archive<R> {
    fn read_from(reader: R, jar: String) -> Result<Self, JarError> {
        let mut zip = ZipArchive::new(reader).map_err(|source| JarError::Format { jar: jar.clone(), source })?;
        if zip.len() > ENTRY_LIMIT {
            return Err(JarError::Entries { jar, count: zip.len() });
        }
        let entries = (0..zip.len()).map(|index| entry(&mut zip, index, &jar)).collect::<Result<_, _>>()?;
        Ok(Self { zip, jar, entries, budget: UNPACKED_LIMIT })
    }

    /// The jar as messages name it.
    pub(super) fn jar(&self) -> &str {
        &self.jar
    }

    /// All entries, in the archive's own order.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of a name.
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// An entry's bytes, of which there may be `limit`.
    pub(super) fn read(&mut self, entry: &Entry, limit: u64) -> Result<Vec<u8>, JarError> {
        let mut bytes = Vec::new();
        self.copy(entry, limit, &mut bytes)?;
        Ok(bytes)
    }

    /// Unpacks an entry into `sink`, `limit` bytes at most.
    pub(super) fn copy(&mut self, entry: &Entry, limit: u64, sink: &mut impl Write) -> Result<(), JarError> {
        let limit = limit.min(self.budget);
        let failed = |source| JarError::Entry { jar: self.jar.clone(), name: entry.name.clone(), source };
        let file = self.zip.by_index(entry.index).map_err(|error| failed(error.into()))?;
        let copied = io::copy(&mut file.take(limit.saturating_add(1)), sink).map_err(failed)?;
        self.budget = self.budget.saturating_sub(copied);
        if copied > limit {
            return Err(JarError::Size { jar: self.jar.clone(), name: entry.name.clone(), limit });
        }
        Ok(())
    }
}

/// The raw view, so that an entry packed in an unknown way is an error only if it is read.
fn entry<R: Read + Seek>(zip: &mut ZipArchive<R>, index: usize, jar: &str) -> Result<Entry, JarError> {
    let file = zip.by_index_raw(index).map_err(|source| JarError::Format { jar: jar.to_owned(), source })?;
    let wrong_name = || JarError::Name { jar: jar.to_owned(), name: file.name_raw().escape_ascii().to_string() };
    let name = file.name().map_err(|_| wrong_name())?.into_owned();
    if !is_inside(&name) {
        return Err(wrong_name());
    }
    let is_packed = file.compression() != CompressionMethod::Stored;
    Ok(Entry { index, is_folder: file.is_dir(), is_packed, identity: (file.size(), file.crc32()), name })
}

fn is_inside(name: &str) -> bool {
    let path = name.strip_suffix('/').unwrap_or(name);
    name.len() <= NAME_LIMIT && !name.contains(['\0', '\\']) && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::java::jar;

    fn open(bytes: Vec<u8>) -> Result<Archive<Cursor<Vec<u8>>>, JarError> {
        Archive::nested(bytes, "x.jar")
    }

    #[test]
    fn archive_names_stay_inside() {
        for (name, inside) in [
            ("a/b.class", true),
            ("META-INF/", true),
            ("", false),
            ("/etc/passwd", false),
            ("../x", false),
            ("a/../x", false),
            ("a/./x", false),
            ("a//x", false),
            ("a\\x", false),
            ("a\0", false),
        ] {
            assert_eq!(is_inside(name), inside, "{name:?}");
        }
        let Err(error) = open(jar(&[("../x", b"")])) else { panic!("taken") };
        assert_eq!(error.to_string(), "`x.jar` has an entry whose name cannot be used: `../x`");
    }

    #[test]
    fn archive_reads_up_to_its_limits() {
        let mut archive = open(jar(&[("zeros", &[0; 1000])])).unwrap();
        let entry = archive.find("zeros").unwrap().clone();
        assert_eq!(archive.read(&entry, 1000).unwrap(), [0; 1000]);
        let error = archive.read(&entry, 999).unwrap_err();
        assert_eq!(error.to_string(), "entry `zeros` of `x.jar` unpacks to more than 999 bytes");
        archive.budget = 10;
        assert!(matches!(archive.read(&entry, 1000), Err(JarError::Size { limit: 10, .. })));
    }

    #[test]
    fn archive_that_is_none_is_an_error() {
        for bytes in [b"".as_slice(), b"PK", b"#!/bin/sh\n", &[0; 100]] {
            assert!(matches!(open(bytes.to_vec()), Err(JarError::Format { .. })));
        }
        let whole = jar(&[("a", b"text text text text text")]);
        assert!(open(whole.get(..whole.len() - 10).unwrap().to_vec()).is_err());
    }
}
