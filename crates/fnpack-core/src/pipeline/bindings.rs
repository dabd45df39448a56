//! Service bindings of a build (Service Binding Specification for Kubernetes, "Workload Projection"): folders mounted below
//! `/platform/bindings` become files in memory. Credentials are often readable by their owner alone, and buildpacks run as
//! another user.

use std::fs::Metadata;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fnpack_sandbox::Mount;

use super::Volume;
use super::platform::PlatformError;

/// Where buildpacks look for them.
const BINDINGS: &str = "/platform/bindings";
/// All bindings, one, its files; some are sorted into a further folder.
const DEPTH_LIMIT: usize = 4;
/// More is no binding, and not read into memory.
const SIZE_LIMIT: u64 = 1 << 20;

/// The mounts of a volume: of a binding its files, as any user can read them; of others the folder as it is.
pub(super) fn mounts(volume: &Volume) -> Result<Vec<Mount>, PlatformError> {
    if volume.writable || !volume.target.starts_with(BINDINGS) {
        return Ok(vec![Mount::from(volume)]);
    }
    let mut files = Files::default();
    match files.add(&volume.source, &volume.target, 0) {
        Ok(()) => Ok(files.mounts),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(vec![Mount::from(volume)]),
        Err(source) => Err(PlatformError::Binding { path: volume.source.clone(), source }),
    }
}

#[derive(Default)]
struct Files {
    mounts: Vec<Mount>,
    size: u64,
}

impl Files {
    fn add(&mut self, source: &Path, target: &Path, depth: usize) -> io::Result<()> {
        let metadata = fs_err::metadata(source)?;
        if metadata.is_dir() && depth < DEPTH_LIMIT {
            return self.add_folder(source, target, depth);
        }
        if metadata.is_file() { self.add_file(source, target, &metadata) } else { Ok(()) }
    }

    fn add_folder(&mut self, source: &Path, target: &Path, depth: usize) -> io::Result<()> {
        let mut paths: Vec<PathBuf> = fs_err::read_dir(source)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        paths.sort();
        for path in paths {
            // Kubernetes keeps the files of a secret in a folder `..<time>`, and links to them.
            match path.file_name() {
                Some(name) if !name.as_encoded_bytes().starts_with(b"..") => self.add(&path, &target.join(name), depth + 1)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn add_file(&mut self, source: &Path, target: &Path, metadata: &Metadata) -> io::Result<()> {
        self.size += metadata.len();
        if self.size > SIZE_LIMIT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut contents = Vec::new();
        fs_err::File::open(source)?.take(SIZE_LIMIT).read_to_end(&mut contents)?;
        self.mounts.push(Mount::File { target: target.to_owned(), contents, mode: 0o644, uid: 0, gid: 0 });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn described(mounts: &[Mount]) -> Vec<String> {
        let describe = |mount: &Mount| match mount {
            Mount::File { target, contents, mode, .. } => format!("{} {mode:o} {}", target.display(), String::from_utf8_lossy(contents)),
            other => format!("{other:?}"),
        };
        mounts.iter().map(describe).collect()
    }

    fn volume(source: &Path, target: &str, writable: bool) -> Volume {
        Volume { source: source.to_owned(), target: target.into(), writable }
    }

    #[test]
    fn binding_becomes_files_that_all_can_read() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("..data")).unwrap();
        fs_err::write(folder.path().join("..data/type"), "maven").unwrap();
        symlink("..data/type", folder.path().join("type")).unwrap();
        fs_err::write(folder.path().join("settings.xml"), "<settings/>").unwrap();
        let made = mounts(&volume(folder.path(), "/platform/bindings/maven", false)).unwrap();
        let expected = ["/platform/bindings/maven/settings.xml 644 <settings/>", "/platform/bindings/maven/type 644 maven"];
        assert_eq!(described(&made), expected);
    }

    #[test]
    fn other_volumes_stay_folders() {
        let folder = tempfile::tempdir().unwrap();
        let of = |target, writable| {
            let volume = volume(folder.path(), target, writable);
            assert_eq!(mounts(&volume).unwrap(), [Mount::from(&volume)], "{target}");
        };
        of("/platform/bindings/x", true);
        of("/platform/other", false);
        of("/cache", false);
        fs_err::write(folder.path().join("large"), vec![0; 2 << 20]).unwrap();
        of("/platform/bindings/x", false);
    }

    #[test]
    fn binding_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        symlink("nowhere", folder.path().join("type")).unwrap();
        let error = mounts(&volume(folder.path(), "/platform/bindings/x", false)).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read the service binding `{}`", folder.path().display()));
    }
}
