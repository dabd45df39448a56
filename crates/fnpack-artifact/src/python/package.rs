//! Writing a Python function package, and wheels for it: zips whose bytes depend on nothing but their content.

use std::io::{self, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use fs_err::File;
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The instance hands the name to a shell, and to Python as a folder.
    #[error("`{0}` cannot be the name of a zip for Pulsar, which has letters, digits, `-`, `_` and `.` only")]
    Base(String),
    /// What is packed must have a folder `src`.
    #[error("there is no `src` in `{}`", .0.display())]
    NoSource(PathBuf),
    /// A file.
    #[error("pack `{}`", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The zip.
    #[error("write the zip at entry `{entry}`")]
    Zip {
        /// The entry.
        entry: String,
        /// Why.
        source: ZipError,
    },
}

/// Packs `src` and `deps` of a folder as `<base>/src` and `<base>/deps`: by name, with one time, without owners.
/// Pulsar finds them if the file is called `<base>.zip` where it runs.
pub fn zip_package(base: &str, folder: &Path, out: impl Write + Seek) -> Result<(), PackageError> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if base.is_empty() || base.starts_with(['.', '-']) || !base.chars().all(is_plain) {
        return Err(PackageError::Base(base.to_owned()));
    }
    if !folder.join("src").is_dir() {
        return Err(PackageError::NoSource(folder.to_owned()));
    }
    let mut writer = ZipWriter::new(out);
    for file in files(folder)? {
        add(&mut writer, &format!("{base}/{}", file.display()), &folder.join(&file))?;
    }
    writer.finish().map(drop).map_err(|source| PackageError::Zip { entry: base.to_owned(), source })
}

/// Packs an installed project as a wheel again. `files` are those of its `RECORD`, relative to the folder that it is
/// installed in.
pub fn pack_wheel(site: &Path, files: &[String], out: impl Write + Seek) -> Result<(), PackageError> {
    let mut writer = ZipWriter::new(out);
    let mut files: Vec<&String> = files.iter().collect();
    files.sort_unstable();
    files.dedup();
    for file in files {
        if Path::new(file).components().any(|component| !matches!(component, Component::Normal(_))) {
            let reason = io::Error::new(io::ErrorKind::InvalidInput, "it is not in the folder of the project");
            return Err(PackageError::File { path: file.into(), source: reason });
        }
        add(&mut writer, file, &site.join(file))?;
    }
    writer.finish().map(drop).map_err(|source| PackageError::Zip { entry: site.display().to_string(), source })
}

fn add(writer: &mut ZipWriter<impl Write + Seek>, entry: &str, path: &Path) -> Result<(), PackageError> {
    let unreadable = |source| PackageError::File { path: path.to_owned(), source };
    let mut opened = File::open(path).map_err(unreadable)?;
    let is_program = opened.metadata().map_err(unreadable)?.permissions().mode() & 0o111 != 0;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(if is_program { 0o755 } else { 0o644 });
    writer.start_file(entry, options).map_err(|source| PackageError::Zip { entry: entry.to_owned(), source })?;
    io::copy(&mut opened, writer).map_err(unreadable)?;
    Ok(())
}

/// Files of `src` and `deps` by name; links are packed as what they lead to, if that is inside.
fn files(folder: &Path) -> Result<Vec<PathBuf>, PackageError> {
    let mut files = Vec::new();
    let mut waiting: Vec<PathBuf> = ["src", "deps"].map(PathBuf::from).into_iter().filter(|top| folder.join(top).is_dir()).collect();
    while let Some(place) = waiting.pop() {
        let path = folder.join(&place);
        let failed = |source| PackageError::File { path: path.clone(), source };
        for entry in fs_err::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let below = place.join(entry.file_name());
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                waiting.push(below);
            } else if kind.is_symlink() {
                check_link(folder, &entry.path())?;
                files.push(below);
            } else {
                files.push(below);
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn check_link(folder: &Path, link: &Path) -> Result<(), PackageError> {
    let failed = |source| PackageError::File { path: link.to_owned(), source };
    let root = fs_err::canonicalize(folder).map_err(failed)?;
    let target = fs_err::canonicalize(link).map_err(failed)?;
    if target.starts_with(root) && target.is_file() {
        return Ok(());
    }
    Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is a link that leads out, or to a folder")))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use zip::ZipArchive;

    use super::*;

    fn packed(base: &str, folder: &Path) -> Result<Vec<u8>, PackageError> {
        let mut out = Cursor::new(Vec::new());
        zip_package(base, folder, &mut out)?;
        Ok(out.into_inner())
    }

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, file).unwrap();
        }
        folder
    }

    #[test]
    fn zip_package_is_reproducible() {
        let files = ["src/orders.py", "src/a/__init__.py", "deps/b-1-py3-none-any.whl"];
        let one = folder(&files);
        let other = folder(&[files[2], files[1], files[0], "README.md"]);
        fs_err::set_permissions(one.path().join(files[0]), PermissionsExt::from_mode(0o600)).unwrap();
        let bytes = packed("orders-1.0", one.path()).unwrap();
        assert_eq!(bytes, packed("orders-1.0", other.path()).unwrap());
        let archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        let names: Vec<_> = archive.file_names().map(Result::unwrap).collect();
        assert_eq!(names, ["orders-1.0/deps/b-1-py3-none-any.whl", "orders-1.0/src/a/__init__.py", "orders-1.0/src/orders.py"]);
    }

    #[test]
    fn zip_package_can_be_read_again() {
        let folder = folder(&["src/keep"]);
        fs_err::write(folder.path().join("src/exclaim.py"), "def process(input): pass\n").unwrap();
        let path = folder.path().join("orders.zip");
        fs_err::write(&path, packed("orders", folder.path()).unwrap()).unwrap();
        assert_eq!(crate::python::facts(&path, None).unwrap().class_name.as_deref(), Some("exclaim"));
    }

    #[test]
    fn pack_wheel_takes_the_files_of_the_record() {
        let site = folder(&["a/__init__.py", "a-1.dist-info/RECORD", "b.py"]);
        let record = ["a/__init__.py", "a-1.dist-info/RECORD"].map(str::to_owned);
        let mut out = Cursor::new(Vec::new());
        pack_wheel(site.path(), &record, &mut out).unwrap();
        let archive = ZipArchive::new(out).unwrap();
        let names: Vec<_> = archive.file_names().map(Result::unwrap).collect();
        assert_eq!(names, ["a-1.dist-info/RECORD", "a/__init__.py"]);
        for file in ["../b.py", "/etc/passwd", "absent.py"] {
            assert!(
                matches!(pack_wheel(site.path(), &[file.to_owned()], Cursor::new(Vec::new())), Err(PackageError::File { .. })),
                "{file}"
            );
        }
    }

    #[test]
    fn zip_package_refuses_what_cannot_run() {
        let good = folder(&["src/a.py"]);
        for base in ["", "a b", "a/b", "..", "-x", "a;b", "é"] {
            assert!(matches!(packed(base, good.path()), Err(PackageError::Base(_))), "{base}");
        }
        assert!(matches!(packed("a", folder(&["a.py"]).path()), Err(PackageError::NoSource(_))));
        for target in ["/etc/passwd", "nowhere", "."] {
            let linked = folder(&["src/a.py"]);
            std::os::unix::fs::symlink(target, linked.path().join("src/link")).unwrap();
            assert!(matches!(packed("a", linked.path()), Err(PackageError::File { .. })), "{target}");
        }
    }
}
