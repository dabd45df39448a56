//! What kind of function package a file is, by its content; text by its name too.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use fnpack_artifact::Language;
use fs_err::File;
use zip::ZipArchive;
use zip::result::ZipError;

/// The longest source file that is taken for Python.
const LONGEST_SOURCE: u64 = 4 << 20;

/// A kind of function package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A program compiled from Go.
    GoProgram,
    /// A jar.
    Jar,
    /// A jar that brings its dependencies as jars (Pulsar's NAR).
    Nar,
    /// A Python wheel.
    Wheel,
    /// Pulsar's zip of Python sources and wheels.
    PythonZip,
    /// One Python source file.
    PythonModule,
}

/// Why a file is no function package.
#[derive(Debug, thiserror::Error)]
pub enum KindError {
    /// It is not there, or not to be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// As given.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A folder, a socket, a device.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// As given.
        path: PathBuf,
    },
    /// It begins like an archive and is none.
    #[error("`{}` is a damaged zip archive", path.display())]
    Damaged {
        /// As given.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ZipError,
    },
    /// It is something else.
    #[error("`{}` is {found}, which is no function package", path.display())]
    Other {
        /// As given.
        path: PathBuf,
        /// With its article.
        found: &'static str,
    },
}

/// How the first bytes of files that users mistake for packages look.
const OTHERS: [(&[u8], &str); 9] = [
    (b"\xca\xfe\xba\xbe", "a single Java class file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"MZ", "a program for Windows"),
    (b"\xcf\xfa\xed\xfe", "a program for macOS"),
    (b"\xfe\xed\xfa\xcf", "a program for macOS"),
    (b"PK\x05\x06", "an empty zip archive"),
];

impl Kind {
    /// Looks at a file.
    pub fn of(path: &Path) -> Result<Self, KindError> {
        let unreadable = |source| KindError::Unreadable { path: path.to_owned(), source };
        // Before it is opened: a fifo would block.
        if !fs_err::metadata(path).map_err(unreadable)?.is_file() {
            return Err(KindError::NotAFile { path: path.to_owned() });
        }
        let mut file = File::open(path).map_err(unreadable)?;
        let mut start = Vec::new();
        (&mut file).take(8).read_to_end(&mut start).map_err(unreadable)?;
        let other = |found| KindError::Other { path: path.to_owned(), found };
        if start.starts_with(b"\x7fELF") {
            return Ok(Self::GoProgram);
        }
        if start.starts_with(b"PK\x03\x04") {
            let names = names(file).map_err(|source| KindError::Damaged { path: path.to_owned(), source })?;
            return Self::of_names(&names).ok_or_else(|| other("a zip archive that is neither jar, wheel nor Python package"));
        }
        if start.is_empty() {
            return Err(other("an empty file"));
        }
        if let Some((_, found)) = OTHERS.iter().find(|(magic, _)| start.starts_with(magic)) {
            return Err(other(found));
        }
        if !is_text(file).map_err(unreadable)? {
            return Err(other("a file of no known kind"));
        }
        // Text looks like text: only its name says that this one is Python.
        if path.extension().is_some_and(|ending| ending == "py") {
            Ok(Self::PythonModule)
        } else {
            Err(other("a text file not named `.py`"))
        }
    }

    /// By what is in an archive. A wheel may hold class files and a jar Python sources, so the marks of the formats
    /// count, and single files only where there is no mark.
    fn of_names(names: &[String]) -> Option<Self> {
        let any = |matches: &dyn Fn(&str) -> bool| names.iter().any(|name| matches(name));
        let suffixed = |name: &str, suffix: &str| name.len() > suffix.len() && name.ends_with(suffix);
        if any(&|name| name.split_once('/').is_some_and(|(folder, file)| suffixed(folder, ".dist-info") && file == "WHEEL")) {
            Some(Self::Wheel)
        } else if any(&|name| name.starts_with("META-INF/bundled-dependencies/") || name == "META-INF/services/pulsar-io.yaml") {
            Some(Self::Nar)
        } else if any(&|name| name == "META-INF/MANIFEST.MF") {
            Some(Self::Jar)
        } else if any(&|name| matches!(name.split('/').nth(1), Some("src" | "deps"))) {
            Some(Self::PythonZip)
        } else if any(&|name| suffixed(name, ".class")) {
            Some(Self::Jar)
        } else {
            None
        }
    }

    /// The language of its functions.
    pub fn language(self) -> Language {
        match self {
            Self::GoProgram => Language::Go,
            Self::Jar | Self::Nar => Language::Java,
            Self::Wheel | Self::PythonZip | Self::PythonModule => Language::Python,
        }
    }
}

impl fmt::Display for Kind {
    /// As people write it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::GoProgram => "Go program",
            Self::Jar => "jar",
            Self::Nar => "NAR",
            Self::Wheel => "wheel",
            Self::PythonZip => "Python zip",
            Self::PythonModule => "Python module",
        })
    }
}

fn names(archive: File) -> Result<Vec<String>, ZipError> {
    ZipArchive::new(archive)?.file_names().map(|name| Ok(name?.into_owned())).collect()
}

/// Whether it is text as source files are. A file that is longer than any source is none.
fn is_text(mut file: File) -> io::Result<bool> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(LONGEST_SOURCE + 1).read_to_end(&mut bytes)?;
    Ok(bytes.len() as u64 <= LONGEST_SOURCE && !bytes.contains(&0) && std::str::from_utf8(&bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::unzip::tests::zip;
    use super::*;

    fn kind_of(bytes: &[u8]) -> Result<Kind, String> {
        let file = tempfile::Builder::new().suffix(".py").tempfile().unwrap();
        fs_err::write(file.path(), bytes).unwrap();
        Kind::of(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn kind_is_read_from_the_content() {
        for (bytes, expected) in [
            (b"\x7fELF\x02\x01".to_vec(), Kind::GoProgram),
            (b"def process(input):\n    return input\n".to_vec(), Kind::PythonModule),
            (zip(&[("META-INF/MANIFEST.MF", ""), ("a/B.class", "")]), Kind::Jar),
            (zip(&[("a/B.class", "")]), Kind::Jar),
            (zip(&[("META-INF/MANIFEST.MF", ""), ("META-INF/bundled-dependencies/a.jar", "")]), Kind::Nar),
            (zip(&[("META-INF/services/pulsar-io.yaml", "")]), Kind::Nar),
            (zip(&[("x-1.0.dist-info/WHEEL", ""), ("x/B.class", "")]), Kind::Wheel),
            (zip(&[("orders/src/orders.py", "")]), Kind::PythonZip),
            (zip(&[("orders/deps/x-1.0-py3-none-any.whl", ""), ("orders/src/a.py", "")]), Kind::PythonZip),
        ] {
            assert_eq!(kind_of(&bytes), Ok(expected), "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn kind_of_other_files_is_named() {
        for (bytes, found) in [
            (b"".to_vec(), "is an empty file"),
            (b"\xca\xfe\xba\xbe\0\0\0\x41".to_vec(), "is a single Java class file"),
            (b"\x1f\x8b\x08\0".to_vec(), "is a gzip file"),
            (b"MZ\x90\0".to_vec(), "is a program for Windows"),
            (vec![0, 1, 2, 3], "is a file of no known kind"),
            (vec![0xff, b'a'], "is a file of no known kind"),
            (zip(&[("readme.txt", "")]), "is a zip archive that is neither"),
            (zip(&[]), "is an empty zip archive"),
            (b"PK\x03\x04cut".to_vec(), "is a damaged zip archive"),
        ] {
            let error = kind_of(&bytes).unwrap_err();
            assert!(error.contains(found), "{error}");
        }
    }

    #[test]
    fn kind_of_folders_other_texts_and_missing_files_is_an_error() {
        let folder = tempfile::Builder::new().suffix(".jar").tempdir().unwrap();
        let source = folder.path().join("main.go");
        fs_err::write(&source, "package main\n").unwrap();
        assert!(Kind::of(&source).unwrap_err().to_string().ends_with("is a text file not named `.py`, which is no function package"));
        assert!(matches!(Kind::of(folder.path()), Err(KindError::NotAFile { .. })));
        assert!(matches!(Kind::of(&folder.path().join("none")), Err(KindError::Unreadable { .. })));
    }
}
