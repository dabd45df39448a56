//! Unpacks zip archives into a folder, as foreign as they are: nothing lands outside, sizes are bounded.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Component, Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::root::{Root, RootError};

/// How much an archive may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files and folders.
    pub entries: usize,
    /// Bytes of all files together, unpacked.
    pub bytes: u64,
}

impl Default for Limits {
    /// More than any function package has, and less than hurts.
    fn default() -> Self {
        Self { entries: 200_000, bytes: 4 << 30 }
    }
}

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnzipError {
    /// It is none, or damaged.
    #[error("cannot read the archive")]
    Archive(#[source] ZipError),
    /// An entry is damaged, encrypted, or packed in a way that is not known.
    #[error("cannot read `{entry}` in the archive")]
    Entry {
        /// Its name.
        entry: String,
        /// What is wrong with it.
        #[source]
        source: ZipError,
    },
    /// An entry's bytes could not be copied.
    #[error("cannot unpack `{entry}`")]
    Copy {
        /// Its name.
        entry: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An entry's name leads out of the folder.
    #[error("`{entry}` in the archive leads out of it")]
    Outside {
        /// Its name.
        entry: String,
    },
    /// An entry is a symlink.
    #[error("`{entry}` in the archive is a symlink, which function packages do not have")]
    Symlink {
        /// Its name.
        entry: String,
    },
    /// It holds more than is allowed.
    #[error("the archive holds more than {entries} files or {megabytes} MB")]
    TooLarge {
        /// The limit of files.
        entries: usize,
        /// The limit of bytes.
        megabytes: u64,
    },
    /// A file cannot be written.
    #[error("cannot unpack the archive")]
    Write(#[from] RootError),
}

/// Unpacks the entries for which `place` gives a path below `into`. A later entry replaces an earlier one.
pub(super) fn unzip(
    archive: impl Read + Seek,
    into: &Root,
    limits: &mut Limits,
    place: impl Fn(&Path) -> Option<PathBuf>,
) -> Result<(), UnzipError> {
    let mut archive = ZipArchive::new(archive).map_err(UnzipError::Archive)?;
    let allowed = *limits;
    let too_large = || UnzipError::TooLarge { entries: allowed.entries, megabytes: allowed.bytes >> 20 };
    for number in 0..archive.len() {
        limits.entries = limits.entries.checked_sub(1).ok_or_else(too_large)?;
        let name = archive.name_for_index(number).transpose().map_err(UnzipError::Archive)?.unwrap_or_default().into_owned();
        let inside = inside(&name).ok_or_else(|| UnzipError::Outside { entry: name.clone() })?;
        let Some(target) = place(&inside) else { continue };
        let mut entry = archive.by_index(number).map_err(|source| UnzipError::Entry { entry: name.clone(), source })?;
        if entry.is_symlink() {
            return Err(UnzipError::Symlink { entry: name });
        }
        if entry.is_dir() {
            into.create_dir_all(&target, 0o755)?;
            continue;
        }
        into.create_dir_all(target.parent().unwrap_or(Path::new("")), 0o755)?;
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let mut file: File = into.create_file(&target, if executable { 0o755 } else { 0o644 })?;
        let copied = io::copy(&mut (&mut entry).take(limits.bytes.saturating_add(1)), &mut file);
        let copied = copied.map_err(|source| UnzipError::Copy { entry: name, source })?;
        limits.bytes = limits.bytes.checked_sub(copied).ok_or_else(too_large)?;
    }
    Ok(())
}

/// The path of an entry's name, if it stays inside.
fn inside(name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    let stays = !name.contains(['\0', '\\']) && path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    stays.then(|| path.components().filter(|part| matches!(part, Component::Normal(_))).collect())
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Cursor, Write};

    use zip::write::SimpleFileOptions;

    use super::*;

    /// An archive of these files.
    pub(in crate::package) fn zip(files: &[(&str, &str)]) -> Vec<u8> {
        zip_of(&files.iter().map(|(name, text)| (*name, text.as_bytes())).collect::<Vec<_>>())
    }

    pub(in crate::package) fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn unpacked(bytes: Vec<u8>, mut limits: Limits) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        unzip(Cursor::new(bytes), &root, &mut limits, |path| Some(path.to_owned())).map_err(|error| error.to_string())?;
        Ok(root.read_dir("").unwrap().into_iter().map(|entry| entry.name.into_string().unwrap()).collect())
    }

    #[test]
    fn unzip_writes_files_and_the_folders_above() {
        assert_eq!(unpacked(zip(&[("a/b/c", "x"), ("./d", "y"), ("e/", "")]), Limits::default()).unwrap(), ["a", "d", "e"]);
    }

    #[test]
    fn unzip_refuses_hostile_archives() {
        let big = "x".repeat(1 << 20);
        let mut link = zip::ZipWriter::new(Cursor::new(Vec::new()));
        link.add_symlink("link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        for (case, bytes, limits, reason) in [
            ("parent", zip(&[("../x", "")]), Limits::default(), "leads out of it"),
            ("deep parent", zip(&[("a/../../x", "")]), Limits::default(), "leads out of it"),
            ("absolute", zip(&[("/etc/x", "")]), Limits::default(), "leads out of it"),
            ("backslash", zip(&[("..\\x", "")]), Limits::default(), "leads out of it"),
            ("symlink", link.finish().unwrap().into_inner(), Limits::default(), "is a symlink"),
            ("bomb", zip(&[("x", &big), ("y", &big)]), Limits { entries: 10, bytes: 1 << 20 }, "more than 10 files or 1 MB"),
            ("many", zip(&[("x", ""), ("y", "")]), Limits { entries: 1, bytes: 1 }, "more than 1 files"),
            ("none", b"no zip".to_vec(), Limits::default(), "cannot read the archive"),
            ("file over folder", zip(&[("a/b", ""), ("a", "")]), Limits::default(), "cannot unpack"),
            ("folder over file", zip(&[("a", ""), ("a/b", "")]), Limits::default(), "cannot unpack"),
        ] {
            let error = unpacked(bytes, limits).unwrap_err();
            assert!(error.contains(reason), "{case}: {error}");
        }
    }

    #[test]
    fn unzip_of_a_cut_archive_is_an_error() {
        let whole = zip(&[("a/b/c", "some text"), ("d", "more")]);
        for length in 0..whole.len() {
            assert!(unpacked(whole[..length].to_vec(), Limits::default()).is_err(), "{length}");
        }
    }
}
