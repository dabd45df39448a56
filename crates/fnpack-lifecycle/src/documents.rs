//! The TOML files by which phases in containers of their own hand values to each other, and those of the builder.

use std::error::Error;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use fnpack_core::root::Root;

use crate::ownership::Identity;

/// More than any real file has.
const SIZE_LIMIT: u64 = 4 << 20;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error("`{}` is missing", path.display())]
    Missing { path: PathBuf },
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("invalid `{}`", path.display())]
    Invalid {
        path: PathBuf,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("cannot write `{}`", path.display())]
    Unwritable {
        path: PathBuf,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Reads a file that must be there.
pub(crate) fn read<T, E: Error + Send + Sync + 'static>(path: &Path, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<T, DocumentError> {
    read_if_present(path, parse)?.ok_or_else(|| DocumentError::Missing { path: path.to_owned() })
}

/// Reads a file; `None` if there is none.
pub(crate) fn read_if_present<T, E: Error + Send + Sync + 'static>(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, DocumentError> {
    let text = match bounded(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(DocumentError::Unreadable { path: path.to_owned(), source }),
    };
    parse(&text).map(Some).map_err(|source| DocumentError::Invalid { path: path.to_owned(), source: Box::new(source) })
}

fn bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = fs_err::File::open(path)?.take(SIZE_LIMIT + 1).read_to_string(&mut text)?;
    if length as u64 > SIZE_LIMIT {
        return Err(io::Error::other(format!("it is longer than {SIZE_LIMIT} bytes")));
    }
    Ok(text)
}

/// Writes a file for the build's user, and makes the folder that it belongs in. What has the name is replaced: a
/// buildpack may have put a symlink there that leads out of what it may write itself.
pub(crate) fn write(path: &Path, text: &str, identity: &Identity) -> Result<(), DocumentError> {
    let unwritable = |source: Box<dyn Error + Send + Sync>| DocumentError::Unwritable { path: path.to_owned(), source };
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(unwritable("it has no file name".into()));
    };
    fs_err::create_dir_all(folder).map_err(|error| unwritable(error.into()))?;
    let file = Root::open(folder).and_then(|folder| folder.create_file(name, 0o644));
    let mut file = file.map_err(|error| unwritable(error.into()))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| identity.hand_over_file(&file));
    written.map_err(|error| unwritable(error.into()))
}

#[cfg(test)]
mod tests {
    use fnpack_core::lifecycle::files::run;

    use super::*;
    use crate::failure::with_causes;

    #[test]
    fn missing_damaged_and_endless_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/run.toml");
        assert!(read_if_present(&file, run::parse).unwrap().is_none());
        assert!(matches!(read(&file, run::parse), Err(DocumentError::Missing { .. })));
        write(&file, "[[images]]\nimage = 1\n", &Identity::ours()).unwrap();
        let story = with_causes(&read(&file, run::parse).unwrap_err());
        assert!(story.contains("run.toml`: line 2: invalid type"), "{story}");
        fs_err::write(&file, "#".repeat(5 << 20)).unwrap();
        assert!(with_causes(&read(&file, run::parse).unwrap_err()).ends_with("longer than 4194304 bytes"));
        assert!(with_causes(&write(&file.join("below"), "", &Identity::ours()).unwrap_err()).starts_with("cannot write"));
    }

    #[test]
    fn symlink_in_the_way_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (outside, report) = (folder.path().join("outside"), folder.path().join("report.toml"));
        fs_err::write(&outside, "kept").unwrap();
        std::os::unix::fs::symlink(&outside, &report).unwrap();
        write(&report, "new", &Identity::ours()).unwrap();
        assert_eq!(fs_err::read_to_string(&outside).unwrap(), "kept");
        assert_eq!(fs_err::read_to_string(&report).unwrap(), "new");
    }
}
