//! Jars that fnpack writes: the thin one of a function image, whose manifest names the libraries beside it, and the
//! fat one of a function package. Sorted entries and a fixed time, so that the same input gives the same bytes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use fs_err::File;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::archive::{Archive, Entry, JarError};
use super::manifest::Manifest;
use super::provided::provided_package;

const MANIFEST: &str = "META-INF/MANIFEST.MF";
const SERVICES: &str = "META-INF/services/";

/// For entries that are changed, which are small texts.
const TEXT_LIMIT: u64 = 16 << 20;

/// For entries that are copied.
const ENTRY_LIMIT: u64 = 1 << 30;

/// An entry that several jars have, with different bytes. The first one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The entry.
    pub name: String,
    /// The jar whose entry was taken.
    pub kept: String,
    /// The jar whose entry was left.
    pub left: String,
}

/// What there is to say of a fat jar.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FatJar {
    /// Not those that every jar has, such as licences.
    pub duplicates: Vec<Duplicate>,
}

/// Writes a function's jar anew: with libraries in its `Class-Path` (paths relative to the jar), without signatures,
/// and without what runners bring if `strip_provided` says so.
pub fn thin_jar(jar: &Path, class_path: &[String], strip_provided: bool, out: &Path) -> Result<(), JarError> {
    let mut contents = Contents::default();
    contents.add(Archive::open(jar)?, strip_provided)?;
    let class_path: Vec<String> = class_path.iter().map(|path| as_url(path)).collect();
    contents.manifest.set("Class-Path", &class_path.join(" "));
    contents.write(out)
}

/// Writes a function and its libraries as one jar. Services are merged, signatures and what runners bring are left
/// out, classes for some Java releases stay that; of entries with one name the first counts.
pub fn fat_jar(thin: &Path, libraries: &[PathBuf], out: &Path) -> Result<FatJar, JarError> {
    let mut contents = Contents::default();
    for jar in std::iter::once(thin).chain(libraries.iter().map(PathBuf::as_path)) {
        contents.add(Archive::open(jar)?, true)?;
    }
    contents.manifest.set("Class-Path", "");
    contents.write(out)?;
    Ok(FatJar { duplicates: contents.duplicates })
}

/// Where the bytes of an entry are.
enum Content {
    Folder,
    Copied { archive: usize, entry: Entry },
    Text(Vec<u8>),
}

/// A jar to be.
#[derive(Default)]
struct Contents {
    archives: Vec<Archive<BufReader<File>>>,
    manifest: Manifest,
    entries: BTreeMap<String, Content>,
    /// Entries that are joined of what several jars have.
    texts: BTreeMap<String, Vec<u8>>,
    duplicates: Vec<Duplicate>,
}

impl Contents {
    fn add(&mut self, mut archive: Archive<BufReader<File>>, strip_provided: bool) -> Result<(), JarError> {
        let is_first = self.archives.is_empty();
        self.add_manifest(&mut archive, is_first)?;
        for entry in archive.entries().to_vec() {
            let is_library_module = !is_first && entry.name.ends_with("module-info.class");
            let is_provided = strip_provided && provided_package(&entry.name).is_some();
            if entry.name == MANIFEST || is_left_out(&entry.name) || is_library_module || is_provided {
                continue;
            }
            match merged_text(&entry) {
                Some(merge) => {
                    let text = archive.read(&entry, TEXT_LIMIT)?;
                    merge(self.texts.entry(entry.name).or_default(), &text);
                }
                None => self.copy(entry, archive.jar()),
            }
        }
        self.archives.push(archive);
        Ok(())
    }

    /// That of the function counts. A library with classes for some releases makes the whole jar such a one.
    fn add_manifest(&mut self, archive: &mut Archive<BufReader<File>>, is_first: bool) -> Result<(), JarError> {
        let Some(entry) = archive.find(MANIFEST).cloned() else { return Ok(()) };
        let mut manifest = Manifest::parse(&archive.read(&entry, TEXT_LIMIT)?);
        if is_first {
            manifest.settle();
            self.manifest = manifest;
        } else if manifest.is_multi_release() {
            self.manifest.set("Multi-Release", "true");
        }
        Ok(())
    }

    fn copy(&mut self, entry: Entry, jar: &str) {
        let archive = self.archives.len();
        match self.entries.entry(entry.name.clone()) {
            Slot::Vacant(slot) => {
                slot.insert(if entry.is_folder { Content::Folder } else { Content::Copied { archive, entry } });
            }
            Slot::Occupied(slot) => {
                if let Content::Copied { archive: kept, entry: first } = slot.get()
                    && first.identity != entry.identity
                    && !is_in_every_jar(&entry.name)
                {
                    let kept = self.archives.get(*kept).map(|archive| archive.jar().to_owned()).unwrap_or_default();
                    self.duplicates.push(Duplicate { name: entry.name, kept, left: jar.to_owned() });
                }
            }
        }
    }

    /// The manifest comes first: those who read a jar from its beginning look for it there.
    fn write(&mut self, out: &Path) -> Result<(), JarError> {
        let texts = std::mem::take(&mut self.texts).into_iter().map(|(name, text)| (name, Content::Text(text)));
        self.entries.extend(texts);
        let failed = |source: io::Error| JarError::Write { path: out.to_path_buf(), source };
        let mut zip = ZipWriter::new(BufWriter::new(File::create(out).map_err(failed)?));
        start(&mut zip, MANIFEST, true).map_err(failed)?;
        zip.write_all(&self.manifest.to_bytes()).map_err(failed)?;
        for (name, content) in &self.entries {
            match content {
                Content::Folder => zip.add_directory(name.as_str(), options(false)).map_err(|error| failed(error.into()))?,
                Content::Text(text) => {
                    start(&mut zip, name, true).map_err(failed)?;
                    zip.write_all(text).map_err(failed)?;
                }
                Content::Copied { archive, entry } => {
                    start(&mut zip, name, entry.is_packed).map_err(failed)?;
                    if let Some(archive) = self.archives.get_mut(*archive) {
                        archive.copy(entry, ENTRY_LIMIT, &mut zip)?;
                    }
                }
            }
        }
        zip.finish().map_err(|error| failed(error.into()))?.flush().map_err(failed)
    }
}

type Output = ZipWriter<BufWriter<File>>;

fn start(zip: &mut Output, name: &str, is_packed: bool) -> io::Result<()> {
    Ok(zip.start_file(name, options(is_packed))?)
}

/// The time is the earliest that zip archives know.
fn options(is_packed: bool) -> SimpleFileOptions {
    let method = if is_packed { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    SimpleFileOptions::default().compression_method(method).last_modified_time(DateTime::DEFAULT).unix_permissions(0o644)
}

/// Signatures do not hold for changed jars, nor do indexes.
fn is_left_out(name: &str) -> bool {
    let Some(file) = name.strip_prefix("META-INF/").filter(|file| !file.contains('/')) else { return false };
    let file = file.to_ascii_uppercase();
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    matches!(extension, "SF" | "RSA" | "DSA" | "EC") || file.starts_with("SIG-") || file == "INDEX.LIST"
}

/// What differs between jars without meaning anything.
fn is_in_every_jar(name: &str) -> bool {
    let Some(file) = name.strip_prefix("META-INF/") else { return matches!(name, "LICENSE" | "NOTICE" | "README") };
    ["LICENSE", "NOTICE", "DEPENDENCIES", "maven/"].iter().any(|start| file.to_ascii_uppercase().starts_with(&start.to_ascii_uppercase()))
}

/// Adds what a further jar has to the text so far.
type Merge = fn(&mut Vec<u8>, &[u8]);

/// How an entry is joined with what earlier jars have of it, if it is one of those that are.
fn merged_text(entry: &Entry) -> Option<Merge> {
    if entry.is_folder {
        None
    } else if entry.name.strip_prefix(SERVICES).is_some_and(|service| !service.contains('/')) {
        Some(add_lines)
    } else if entry.name.starts_with("META-INF/maven/") && entry.name.ends_with("/pom.properties") {
        Some(without_comments)
    } else {
        None
    }
}

/// Each provider once.
fn add_lines(text: &mut Vec<u8>, more: &[u8]) {
    let lines = more.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    for line in lines {
        if !text.split(|byte| *byte == b'\n').any(|present| present == line) {
            text.extend(line);
            text.push(b'\n');
        }
    }
}

/// Older Maven writes the time of the build there.
fn without_comments(text: &mut Vec<u8>, more: &[u8]) {
    if text.is_empty() {
        let lines = more.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#"));
        lines.for_each(|line| text.extend(line));
    }
}

/// `Class-Path` holds relative addresses, with blanks between them.
fn as_url(path: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._~+$!()@,=".contains(byte);
    let encoded = |byte: u8| if is_plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    path.bytes().map(encoded).collect()
}

#[cfg(test)]
mod tests;
