//! Contents of layers back into the layers folder, from a cache or the previous image.
//!
//! Their archives name absolute paths and are of foreign origin. They are unpacked into a folder inside the layers
//! folder that nothing leads out of, and only what was asked for is moved to its place.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use crate::layers::Owner;
use crate::layers::apply::{ApplyError, ApplyOptions, apply};
use crate::lifecycle::cache_volume::CacheVolumeError;
use crate::lifecycle::context::Place;
use crate::root::{Root, RootError};

/// Where archives are unpacked first. No buildpack can be called so: `.` in front makes no valid id.
const ASIDE: &str = ".restoring";

/// Why a layer did not come back.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no archive, or cannot be unpacked.
    #[error("cannot unpack the layer")]
    Apply(#[source] ApplyError),
    /// The layers folder cannot be changed.
    #[error("cannot put the layer in its place")]
    Place(#[source] RootError),
    /// What was asked for is not in it.
    #[error("the layer has no folder `{}`", path.display())]
    Absent {
        /// As the archive should name it.
        path: PathBuf,
    },
}

/// Why a cached layer did not come back.
#[derive(Debug, thiserror::Error)]
pub enum CachedLayerError {
    /// What the cache calls it.
    #[error("its recorded name is no diff ID")]
    Name,
    /// It is missing, or other bytes than it should be.
    #[error("the cache does not have it whole")]
    Damaged,
    /// Its bytes cannot be had.
    #[error("cannot read it")]
    Read(#[source] io::Error),
    /// The cache's folder cannot be used.
    #[error(transparent)]
    Volume(#[from] CacheVolumeError),
    /// There is no place for it, or its bytes are no archive.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

/// Unpacks the folder `path` of the layers folder from an uncompressed archive, for an owner or whoever we are. What is there is
/// replaced.
pub fn unpack(archive: impl Read, layers: &Place, path: &Path, owner: Option<Owner>) -> Result<(), UnpackError> {
    let result = unpack_aside(archive, layers, path, owner);
    let cleared = layers.root.remove_all(ASIDE).map_err(UnpackError::Place);
    result.and(cleared)
}

fn unpack_aside(archive: impl Read, layers: &Place, path: &Path, owner: Option<Owner>) -> Result<(), UnpackError> {
    let root = &layers.root;
    let folder = |name: &Path| {
        root.create_dir(name, 0o755)?;
        give(root, name, owner)
    };
    root.remove_all(ASIDE).and_then(|()| root.create_dir(ASIDE, 0o700)).map_err(UnpackError::Place)?;
    let aside = root.sub(ASIDE).map_err(UnpackError::Place)?;
    // Owners are given below, and not by the archive.
    apply(archive, &aside, &ApplyOptions { single_id: true, ..ApplyOptions::default() }).map_err(UnpackError::Apply)?;

    let named = layers.shown(path);
    let inside = named.strip_prefix("/").unwrap_or(&named);
    if !is_reached_by_folders(&aside, inside) {
        return Err(UnpackError::Absent { path: named });
    }
    let from = Path::new(ASIDE).join(inside);
    let place = || {
        give(root, &from, owner)?;
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty() && !root.is_dir(parent)) {
            folder(parent)?;
        }
        root.remove_all(path)?;
        root.rename(&from, path)
    };
    place().map_err(UnpackError::Place)
}

fn give(root: &Root, path: &Path, owner: Option<Owner>) -> Result<(), RootError> {
    owner.map_or(Ok(()), |owner| root.chown_all(path, owner.uid, owner.gid))
}

/// Whether the path and all above it are folders themselves, not symlinks to some.
fn is_reached_by_folders(root: &Root, path: &Path) -> bool {
    let is_folder =
        |path: &Path| root.symlink_metadata(path).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory);
    path.ancestors().all(is_folder)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::layers::{Contents, FilesLayer, TarWriter};

    fn archive(layer: &FilesLayer) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut tar = TarWriter::new(&mut bytes as &mut dyn Write);
        layer.write_to(&mut tar).unwrap();
        tar.finish().unwrap();
        bytes
    }

    #[test]
    fn layer_comes_back_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let layers = Place { path: "/layers".into(), root: Root::open(folder.path()).unwrap() };
        let ours = Owner { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() };
        let owner = Some(ours).filter(|ours| ours.uid == 0);
        let unpack = |layer: FilesLayer| super::unpack(archive(&layer).as_slice(), &layers, Path::new("a_b/one"), owner);
        let names = || fs_err::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();

        let root = Owner { uid: 4_000_000, gid: 0 };
        let layer = FilesLayer::new().file("/layers/a_b/one/file", 0o644, root, "1").file("/etc/passwd", 0o644, root, "x");
        unpack(layer).unwrap();
        assert_eq!(layers.root.read_to_string("a_b/one/file", 9).unwrap(), "1");
        unpack(FilesLayer::new().file("/layers/a_b/one/other", 0o644, root, "2")).unwrap();
        assert!(!layers.root.is_file("a_b/one/file"));

        let outside = FilesLayer::new().symlink("/layers/a_b", "/../..", 0o777, root);
        assert!(matches!(unpack(outside), Err(UnpackError::Absent { .. })));
        let link = FilesLayer::new().file("/x/one/f", 0o644, root, "").symlink("/layers/a_b", "/x", 0o777, root);
        assert!(matches!(unpack(link), Err(UnpackError::Absent { .. })));
        assert!(matches!(super::unpack(&[1u8; 600][..], &layers, Path::new("a"), owner), Err(UnpackError::Apply(_))));
        assert_eq!(names(), ["a_b"]);
    }
}
