//! A fingerprint of everything that a result is made of, so that it is not made again when nothing changed.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fs_err::File;
use sha2::{Digest, Sha256};

/// A hash on its way.
#[derive(Debug, Clone, Default)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Adds a field, with its length before it, so that no two lists of fields read alike.
    pub fn add(&mut self, field: &[u8]) {
        self.0.update((field.len() as u64).to_le_bytes());
        self.0.update(field);
    }

    /// Adds a file by its name as given, whether it can be executed, and its content.
    pub fn add_file(&mut self, file: &Path, name: &Path) -> io::Result<()> {
        let mut opened = File::open(file)?;
        let metadata = opened.metadata()?;
        self.add(name.as_os_str().as_bytes());
        self.add(&[u8::from(metadata.permissions().mode() & 0o111 != 0)]);
        let mut content = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = opened.read(&mut buffer)?;
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            content.update(bytes);
        }
        self.0.update(content.finalize());
        Ok(())
    }

    /// Adds every file of a folder, whatever its name, in the order of the names. `look` sees each file first, with
    /// its place and its name in the folder. False if something cannot be counted: `look` says so, or a link
    /// leads out of the folder or nowhere.
    pub fn add_folder(&mut self, folder: &Path, mut look: impl FnMut(&Path, &Path) -> io::Result<bool>) -> io::Result<bool> {
        let root = fs_err::canonicalize(folder)?;
        let mut waiting = vec![PathBuf::new()];
        while let Some(place) = waiting.pop() {
            for path in names(&folder.join(&place))?.into_iter().map(|name| place.join(name)) {
                let file = folder.join(&path);
                let kind = fs_err::symlink_metadata(&file)?.file_type();
                if kind.is_dir() {
                    waiting.push(path);
                } else if kind.is_symlink() && !fs_err::canonicalize(&file).is_ok_and(|target| target.starts_with(&root)) {
                    return Ok(false);
                } else if file.is_file() {
                    if !look(&file, &path)? {
                        return Ok(false);
                    }
                    self.add_file(&file, &path)?;
                }
            }
        }
        Ok(true)
    }

    /// In 64 hexadecimal digits.
    pub fn finish(self) -> String {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16);
        self.0.finalize().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
    }
}

fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut names: Vec<OsString> = fs_err::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(folder: &Path) -> Option<String> {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add_folder(folder, |_, _| Ok(true)).unwrap().then(|| fingerprint.finish())
    }

    fn source() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(folder.path().join("a/b")).unwrap();
        for path in ["a/b/one", "a/two", "three", ".env"] {
            fs_err::write(folder.path().join(path), path).unwrap();
        }
        folder
    }

    #[test]
    fn fingerprint_is_of_names_and_content() {
        type Change = fn(&Path);
        let before = of(source().path());
        assert_eq!(before.as_ref().map(String::len), Some(64));
        assert_eq!(before, of(source().path()));
        let changes: [Change; 5] = [
            |folder| fs_err::write(folder.join("a/b/one"), "else").unwrap(),
            |folder| fs_err::write(folder.join("new"), "").unwrap(),
            |folder| fs_err::rename(folder.join("three"), folder.join("four")).unwrap(),
            |folder| fs_err::remove_file(folder.join(".env")).unwrap(),
            |folder| fs_err::set_permissions(folder.join("three"), PermissionsExt::from_mode(0o755)).unwrap(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let folder = source();
            change(folder.path());
            assert_ne!(of(folder.path()), before, "{index}");
        }
    }

    #[test]
    fn fingerprint_fields_do_not_run_together() {
        let of = |fields: &[&[u8]]| {
            let mut fingerprint = Fingerprint::default();
            for field in fields {
                fingerprint.add(field);
            }
            fingerprint.finish()
        };
        assert_ne!(of(&[b"a", b"b"]), of(&[b"ab"]));
        assert_ne!(of(&[b"", b"ab"]), of(&[b"ab"]));
    }

    #[test]
    fn fingerprint_ends_where_something_cannot_be_counted() {
        for (target, counted) in [("/etc/passwd", false), ("three", true), ("nowhere", false)] {
            let folder = source();
            std::os::unix::fs::symlink(target, folder.path().join("link")).unwrap();
            assert_eq!(of(folder.path()).is_some(), counted, "{target}");
        }
        let mut fingerprint = Fingerprint::default();
        assert!(!fingerprint.add_folder(source().path(), |_, name| Ok(name != Path::new("a/two"))).unwrap());
    }
}
