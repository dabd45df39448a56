//! Reading of layer folders: bounded, in lexical order, and silent about folders that are not there.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fs_err::File;

/// More than any real setting or metadata file; a bound against a runaway one.
pub(crate) const FILE_LIMIT: u64 = 16 << 20;

/// The whole of a stream of at most [`FILE_LIMIT`] bytes.
pub(crate) fn read_bounded(stream: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = stream.take(FILE_LIMIT + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read > FILE_LIMIT) {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {FILE_LIMIT} bytes")));
    }
    Ok(bytes)
}

/// The whole of a file.
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    read_bounded(File::open(path)?)
}

/// Files of a folder, symbolic links followed, by name.
pub(crate) fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    entries(folder, |entry| Ok(entry.path().metadata().is_ok_and(|found| !found.is_dir())))
}

/// Folders of a folder, symbolic links not followed, by name.
pub(crate) fn folders_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    entries(folder, |entry| Ok(entry.file_type()?.is_dir()))
}

fn entries(folder: &Path, wanted: impl Fn(&fs_err::DirEntry) -> io::Result<bool>) -> io::Result<Vec<PathBuf>> {
    let listing = match fs_err::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names: Vec<OsString> = Vec::new();
    for entry in listing {
        let entry = entry?;
        if wanted(&entry)? {
            names.push(entry.file_name());
        }
    }
    names.sort_unstable();
    Ok(names.iter().map(|name| folder.join(name)).collect())
}

/// The last part of a path; empty if it has none.
pub(crate) fn base_name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}
