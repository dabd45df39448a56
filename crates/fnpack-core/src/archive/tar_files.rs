//! Files of an archive in a tar. The tar is listed once; its files are read where they lie.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, BufReader, Read, Seek, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err::File;
use fs_err::os::unix::fs::FileExt;

use super::ArchiveError;
use super::files::Files;
use crate::layers::apply::archive::{Archive, Kind, Member};
use crate::layers::decompress::{Compression, decompress};

/// Files in one archive; a layer or document is one.
const MOST_ENTRIES: u64 = 1_000_000;
/// A packed archive may be no longer than this once it is unpacked.
const LONGEST: u64 = 256 * 1024 * 1024 * 1024;
/// Links to links; `docker save` makes one.
const MOST_LINKS: usize = 8;

pub(super) struct TarFiles {
    path: PathBuf,
    file: Arc<File>,
    entries: HashMap<String, Entry>,
}

enum Entry {
    Data(Range<u64>),
    /// The name that it links to.
    Link(String),
}

/// Reads a part of a file that others read too.
struct Section {
    file: Arc<File>,
    range: Range<u64>,
}

impl TarFiles {
    pub(super) fn open(path: &Path, scratch: &Path) -> Result<Self, ArchiveError> {
        let failed = |source| ArchiveError::File { action: "read", path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        if compression(&mut file).map_err(failed)? != Compression::None {
            file = unpack(file, scratch).map_err(|source| ArchiveError::File { action: "unpack", path: path.to_owned(), source })?;
        }
        let length = file.metadata().map_err(failed)?.len();
        file.rewind().map_err(failed)?;
        let file = Arc::new(file);
        let mut tar = Archive::new(BufReader::new(&*file), MOST_ENTRIES);
        let mut entries = HashMap::new();
        let broken = |source| ArchiveError::Tar { path: path.to_owned(), source };
        while let Some(member) = tar.next_member().map_err(broken)? {
            let range = tar.seek_past_data().map_err(broken)?;
            if range.end > length {
                return Err(failed(io::ErrorKind::UnexpectedEof.into()));
            }
            // Some writers put the same layer in twice; as when unpacking, the last counts.
            if let Some((name, entry)) = entry(&member, range) {
                entries.insert(name, entry);
            }
        }
        Ok(Self { path: path.to_owned(), file, entries })
    }

    fn find(&self, name: &str) -> Result<Range<u64>, ArchiveError> {
        let mut current = normal(name.as_bytes());
        for _ in 0..MOST_LINKS {
            match current.as_ref().and_then(|name| self.entries.get(name)) {
                Some(Entry::Data(range)) => return Ok(range.clone()),
                Some(Entry::Link(target)) => current = Some(target.clone()),
                None => break,
            }
        }
        Err(ArchiveError::Missing { name: name.to_owned(), place: self.place() })
    }
}

impl Files for TarFiles {
    fn place(&self) -> String {
        format!("`{}`", self.path.display())
    }

    fn length(&self, name: &str) -> Result<u64, ArchiveError> {
        self.find(name).map(|range| range.end - range.start)
    }

    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, ArchiveError> {
        Ok(Box::new(Section { file: Arc::clone(&self.file), range: self.find(name)? }))
    }
}

impl Read for Section {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
        let room = bytes.len().min(left);
        let read = self.file.read_at(&mut bytes[..room], self.range.start)?;
        self.range.start += read as u64;
        Ok(read)
    }
}

fn compression(file: &mut File) -> io::Result<Compression> {
    let mut start = Vec::new();
    Read::by_ref(file).take(4).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(Compression::detect(&start))
}

/// Unpacks into a file that has no name any more, so that nothing stays behind whatever happens.
fn unpack(packed: File, scratch: &Path) -> io::Result<File> {
    let path = scratch.join(format!("unpacked-archive-{}-{:p}", std::process::id(), &raw const packed));
    let options = OpenOptions::new().read(true).write(true).create_new(true).to_owned();
    let mut file = fs_err::OpenOptions::from_options(options).open(&path)?;
    fs_err::remove_file(&path)?;
    let copied = io::copy(&mut decompress(packed)?.take(LONGEST + 1), &mut file)?;
    if copied > LONGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {LONGEST} bytes once unpacked")));
    }
    file.flush()?;
    Ok(file)
}

fn entry(member: &Member, range: Range<u64>) -> Option<(String, Entry)> {
    let name = normal(&member.path)?;
    let entry = match member.kind {
        // A file with holes lies in pieces; nobody stores documents or layers so.
        Kind::File if range.end - range.start == member.size => Entry::Data(range),
        Kind::HardLink => Entry::Link(normal(&member.link)?),
        Kind::Symlink => {
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            Entry::Link(normal(&[folder.as_bytes(), b"/", &member.link].concat())?)
        }
        _ => return None,
    };
    Some((name, entry))
}

/// A name without `.`, `..` and extra slashes; `None` if it leads out or is not UTF-8, as no name of an image archive is.
fn normal(name: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    for part in std::str::from_utf8(name).ok()?.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normal_or_nothing() {
        for (name, expected) in [
            ("./a//b/", Some("a/b")),
            ("/a/./b", Some("a/b")),
            ("a/../b", Some("b")),
            ("x/../../b", None),
            ("..", None),
            ("", None),
            ("./", None),
        ] {
            assert_eq!(normal(name.as_bytes()).as_deref(), expected, "{name}");
        }
        assert_eq!(normal(b"\xff"), None);
    }
}
