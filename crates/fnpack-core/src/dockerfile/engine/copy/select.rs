//! Which files a `COPY` means.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::super::writer::{kind, pour};
use super::CopyError;
use crate::digest::{Digest, Hashing};
use crate::dockerfile::context::glob::{Flavour, Glob};
use crate::dockerfile::context::{Ignore, clean};
use crate::root::{Root, RootError};

/// What files are copied from, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The build context, by the name that the user gave it.
    Context(PathBuf),
    /// Another stage, as written.
    Stage(String),
    /// Another image, as written.
    Image(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Context(path) => write!(formatter, "the build context `{}`", path.display()),
            Self::Stage(name) => write!(formatter, "the stage `{name}`"),
            Self::Image(name) => write!(formatter, "the image `{name}`"),
        }
    }
}

/// Where files are copied from.
pub(super) struct Tree<'a> {
    pub(super) root: &'a Root,
    pub(super) ignore: &'a Ignore,
    pub(super) origin: Origin,
}

/// A file or folder that a source names.
pub(super) struct Match {
    /// Its own name.
    pub(super) name: OsString,
    pub(super) folder: bool,
    /// A file is one entry. A folder is itself and all below it, each folder before what is in it.
    pub(super) entries: Vec<Entry>,
}

/// One name to make.
pub(super) struct Entry {
    /// The path in the source tree.
    pub(super) source: PathBuf,
    /// The path below the match; empty for the match itself.
    pub(super) below: PathBuf,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Folder { mode: u32 },
    File { mode: u32, digest: Digest },
    Symlink(PathBuf),
}

/// How many near names are given at most, and how many are looked at for them.
const NEAR: usize = 3;
const LOOKED_AT: usize = 5_000;

impl Tree<'_> {
    /// Finds all that the sources name. A source without wildcards must be there; of those with
    /// wildcards, one may fit nothing as long as not all do: `COPY go.mod go.su[m] ./`.
    pub(super) fn select(&self, sources: &[String], mode: Option<u32>) -> Result<Vec<Match>, CopyError> {
        let mut matches = Vec::new();
        for source in sources {
            let pattern = clean(source);
            let wild = Glob::is_pattern(&pattern);
            for path in self.paths(&pattern)? {
                match self.matched(&path, mode)? {
                    Some(found) => matches.push(found),
                    None if wild => {}
                    None => return Err(self.missing(source, &pattern)),
                }
            }
        }
        match sources.first() {
            Some(first) if matches.is_empty() => Err(self.missing(first, &clean(first))),
            _ => Ok(matches),
        }
    }

    fn read(&self) -> impl Fn(RootError) -> CopyError {
        let origin = self.origin.clone();
        move |source| CopyError::Read { origin: origin.clone(), source }
    }

    /// The paths that fit a pattern, part by part; without wildcards, the pattern itself.
    fn paths(&self, pattern: &str) -> Result<Vec<PathBuf>, CopyError> {
        let mut found = vec![PathBuf::new()];
        for part in pattern.split('/') {
            if !Glob::is_pattern(part) {
                for path in &mut found {
                    path.push(part);
                }
                continue;
            }
            let glob = Glob::new(part, Flavour::Match)?;
            let mut next = Vec::new();
            for folder in found.iter().filter(|path| self.root.is_dir(path)) {
                let names = self.root.read_dir(folder).map_err(self.read())?;
                next.extend(names.iter().filter(|entry| glob.matches(&entry.name.to_string_lossy())).map(|entry| folder.join(&entry.name)));
            }
            found = next;
        }
        Ok(found)
    }

    /// What is at a path, a symlink there followed; nothing if the build does not see it.
    fn matched(&self, path: &Path, mode: Option<u32>) -> Result<Option<Match>, CopyError> {
        let Some(stat) = self.root.try_metadata(path).map_err(self.read())? else { return Ok(None) };
        let name = path.file_name().unwrap_or_default().to_owned();
        let excluded = self.excludes(path);
        let mut entries = Vec::new();
        let folder = match kind(&stat) {
            FileType::Directory if excluded && !self.ignore.brings_back() => return Ok(None),
            FileType::Directory => {
                entries.push(folder_entry(path, Path::new(""), mode.unwrap_or(stat.st_mode)));
                self.walk(path, Path::new(""), mode, &mut entries)?;
                if excluded && entries.len() == 1 {
                    return Ok(None);
                }
                true
            }
            _ if excluded => return Ok(None),
            FileType::RegularFile => {
                entries.push(self.file(path, Path::new(""), mode)?);
                false
            }
            kind => return Err(CopyError::Special { path: path.to_owned(), kind }),
        };
        Ok(Some(Match { name, folder, entries }))
    }

    fn walk(&self, folder: &Path, below: &Path, mode: Option<u32>, entries: &mut Vec<Entry>) -> Result<(), CopyError> {
        for entry in self.root.read_dir(folder).map_err(self.read())? {
            let (path, below) = (folder.join(&entry.name), below.join(&entry.name));
            let excluded = self.excludes(&path);
            match entry.kind {
                FileType::Directory if excluded && !self.ignore.brings_back() => {}
                FileType::Directory => {
                    let before = entries.len();
                    let stat = self.root.symlink_metadata(&path).map_err(self.read())?;
                    entries.push(folder_entry(&path, &below, mode.unwrap_or(stat.st_mode)));
                    self.walk(&path, &below, mode, entries)?;
                    // A folder that is left out is there only for what was brought back below it.
                    if excluded && entries.len() == before + 1 {
                        entries.truncate(before);
                    }
                }
                _ if excluded => {}
                FileType::RegularFile => entries.push(self.file(&path, &below, mode)?),
                FileType::Symlink => {
                    let target = self.root.read_link(&path).map_err(self.read())?;
                    entries.push(Entry { source: path, below, kind: Kind::Symlink(target) });
                }
                kind => return Err(CopyError::Special { path, kind }),
            }
        }
        Ok(())
    }

    fn file(&self, path: &Path, below: &Path, mode: Option<u32>) -> Result<Entry, CopyError> {
        let mut file = self.root.open_file(path).map_err(self.read())?;
        let bytes = |source| CopyError::Bytes { path: path.to_owned(), source };
        let stat = rustix::fs::fstat(&file).map_err(|errno| bytes(errno.into()))?;
        let mut hashing = Hashing::new(std::io::sink());
        pour(&mut file, &mut hashing).map_err(bytes)?;
        let kind = Kind::File { mode: mode.unwrap_or(stat.st_mode) & 0o7777, digest: Digest::from_sha256(hashing.finish().1) };
        Ok(Entry { source: path.to_owned(), below: below.to_owned(), kind })
    }

    fn excludes(&self, path: &Path) -> bool {
        !path.as_os_str().is_empty() && self.ignore.excludes(&path.to_string_lossy())
    }

    fn missing(&self, source: &str, pattern: &str) -> CopyError {
        let (pattern_text, origin) = (source.to_owned(), self.origin.clone());
        let there = |path: &PathBuf| matches!(self.root.try_metadata(path), Ok(Some(_)));
        if self.paths(pattern).is_ok_and(|paths| paths.iter().any(there)) {
            return CopyError::Ignored { pattern: pattern_text, origin };
        }
        CopyError::Missing { pattern: pattern_text, origin, near: self.near(Path::new(pattern)) }
    }

    /// Names beside the missing one that look like it, or the same name in other folders.
    fn near(&self, path: &Path) -> Vec<String> {
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { return Vec::new() };
        let folder = path.parent().unwrap_or(Path::new(""));
        let alike = |other: &str| strsim::normalized_damerau_levenshtein(&name.to_lowercase(), &other.to_lowercase());
        let mut beside: Vec<(f64, String)> = self
            .names_in(folder)
            .into_iter()
            .map(|(_, other)| (alike(&other), folder.join(other).display().to_string()))
            .filter(|(likeness, _)| *likeness >= 0.6)
            .collect();
        beside.sort_by(|left, right| right.0.total_cmp(&left.0));
        let near: Vec<String> = beside.into_iter().take(NEAR).map(|(_, name)| name).collect();
        if near.is_empty() { self.elsewhere(&name) } else { near }
    }

    fn elsewhere(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = std::collections::VecDeque::from([PathBuf::new()]);
        let mut looked_at = 0;
        while let Some(folder) = folders.pop_front() {
            for (kind, other) in self.names_in(&folder) {
                looked_at += 1;
                let path = folder.join(&other);
                if other == name {
                    found.push(path.display().to_string());
                }
                if kind == FileType::Directory {
                    folders.push_back(path);
                }
                if found.len() == NEAR || looked_at == LOOKED_AT {
                    return found;
                }
            }
        }
        found
    }

    /// What the build sees in a folder. Only for suggestions: a folder that cannot be read has none.
    fn names_in(&self, folder: &Path) -> Vec<(FileType, String)> {
        let entries = self.root.read_dir(folder).unwrap_or_default();
        let names = entries.into_iter().filter(|entry| !self.excludes(&folder.join(&entry.name)));
        names.map(|entry| (entry.kind, entry.name.to_string_lossy().into_owned())).collect()
    }
}

fn folder_entry(path: &Path, below: &Path, mode: u32) -> Entry {
    Entry { source: path.to_owned(), below: below.to_owned(), kind: Kind::Folder { mode: mode & 0o7777 } }
}
