//! The cache folder that platforms mount into lifecycle containers.
//!
//! `committed/` holds a tar for each layer, named by its diff ID, and a JSON file that says which
//! layers they are. A new state is put together in `staging/` and swapped in as a whole, so a reader
//! sees the old state or the new one. What is damaged counts as absent.
//!
//! Answers the CNB platform specification, "restorer" and "exporter", `-cache-dir`, in the format of
//! the reference implementation.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use rustix::fs::AtFlags;

use super::context::Place;
use super::restore::{CacheMetadata, CachedLayerError, unpack};
use crate::digest::{DiffId, Hashing};
use crate::layers::{Contents, LayerError, Owner, TarWriter};
use crate::root::{Root, RootError};

const COMMITTED: &str = "committed";
const STAGING: &str = "staging";
const BACKUP: &str = "committed-backup";
const METADATA: &str = "io.buildpacks.lifecycle.cache.metadata";
/// While a tar is written its diff ID is not known.
const UNNAMED: &str = "unnamed.tar";
const METADATA_LIMIT: u64 = 16 << 20;

/// A cache in a folder.
#[derive(Debug)]
pub struct CacheVolume {
    folder: Root,
}

/// The next state of a cache. Dropped without [`Staging::commit`], the old state stays.
#[derive(Debug)]
pub struct Staging<'a> {
    volume: &'a CacheVolume,
}

/// Why the cache could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheVolumeError {
    /// A file or folder of the cache.
    #[error("cannot use the cache folder")]
    Folder(#[source] RootError),
    /// A layer could not be written.
    #[error("cannot pack a layer for the cache")]
    Layer(#[source] LayerError),
    /// A layer could not be read or stored.
    #[error("cannot copy layer {diff_id} of the cache")]
    Copy {
        /// The layer.
        diff_id: DiffId,
        /// The reason.
        #[source]
        source: io::Error,
    },
}

type Result<T> = std::result::Result<T, CacheVolumeError>;

impl CacheVolume {
    /// Uses a folder; it may be empty. A swap that was cut short is completed first.
    pub fn open(folder: Root) -> Result<Self> {
        let volume = Self { folder };
        if !volume.folder.is_dir(COMMITTED) && volume.folder.is_dir(BACKUP) {
            volume.folder.rename(BACKUP, COMMITTED).map_err(CacheVolumeError::Folder)?;
        }
        Ok(volume)
    }

    /// What the cache holds; nothing if it says nothing that can be understood.
    pub fn metadata(&self) -> CacheMetadata {
        let bytes = self.folder.read(Path::new(COMMITTED).join(METADATA), METADATA_LIMIT);
        bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// The tar of a layer, read through once to see that it is whole; none if it is missing or damaged.
    pub fn layer(&self, diff_id: &DiffId) -> Result<Option<File>> {
        let copy = |source| CacheVolumeError::Copy { diff_id: *diff_id, source };
        let file = match self.folder.open_file(committed(diff_id)) {
            Ok(file) => file,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(CacheVolumeError::Folder(error)),
        };
        let mut hashing = Hashing::new(file);
        io::copy(&mut hashing, &mut io::sink()).map_err(copy)?;
        let (mut file, hash, _) = hashing.finish();
        file.rewind().map_err(copy)?;
        Ok((DiffId::from_sha256(hash) == *diff_id).then_some(file))
    }

    /// Puts the folder `path` of a layer, which the cache calls `sha`, into a layers folder.
    pub fn restore(&self, sha: &str, layers: &Place, path: &Path, owner: Option<Owner>) -> std::result::Result<(), CachedLayerError> {
        let diff_id = sha.parse().map_err(|_| CachedLayerError::Name)?;
        let archive = self.layer(&diff_id)?.ok_or(CachedLayerError::Damaged)?;
        Ok(unpack(archive, layers, path, owner)?)
    }

    /// Starts a new, empty state.
    pub fn stage(&self) -> Result<Staging<'_>> {
        let start = || {
            self.folder.remove_all(STAGING)?;
            self.folder.create_dir(STAGING, 0o777)
        };
        start().map_err(CacheVolumeError::Folder)?;
        Ok(Staging { volume: self })
    }
}

impl Staging<'_> {
    /// Packs a layer. One that the old state has whole is linked, not written.
    pub fn add(&mut self, contents: &dyn Contents) -> Result<DiffId> {
        let diff_id = crate::layers::diff_id(contents).map_err(CacheVolumeError::Layer)?;
        if self.volume.layer(&diff_id)?.is_some() && self.link(&diff_id).is_ok() {
            return Ok(diff_id);
        }
        self.write(contents)
    }

    fn link(&self, diff_id: &DiffId) -> rustix::io::Result<()> {
        let (from, from_name) = self.volume.folder.parent(&committed(diff_id))?;
        let (to, to_name) = self.volume.folder.parent(&staged(diff_id))?;
        rustix::fs::linkat(&from, &from_name, &to, &to_name, AtFlags::empty())
    }

    fn write(&self, contents: &dyn Contents) -> Result<DiffId> {
        let folder = &self.volume.folder;
        let unnamed = Path::new(STAGING).join(UNNAMED);
        let mut hashing = Hashing::new(BufWriter::new(folder.create_file(&unnamed, 0o666).map_err(CacheVolumeError::Folder)?));
        let mut tar = TarWriter::new(&mut hashing as &mut dyn Write);
        contents.write_to(&mut tar).map_err(CacheVolumeError::Layer)?;
        tar.finish().map_err(|source| CacheVolumeError::Layer(LayerError::Tar(source)))?;
        let (_, hash, _) = hashing.finish();
        let diff_id = DiffId::from_sha256(hash);
        folder.rename(unnamed, staged(&diff_id)).map_err(CacheVolumeError::Folder)?;
        Ok(diff_id)
    }

    /// Makes this the state of the cache.
    pub fn commit(self, metadata: &CacheMetadata) -> Result<()> {
        let folder = &self.volume.folder;
        let text = super::label::json_of(metadata).to_string();
        let swap = || {
            folder.write(Path::new(STAGING).join(METADATA), text.as_bytes(), 0o666)?;
            folder.remove_all(BACKUP)?;
            if folder.is_dir(COMMITTED) {
                folder.rename(COMMITTED, BACKUP)?;
            }
            folder.rename(STAGING, COMMITTED)?;
            folder.remove_all(BACKUP)
        };
        swap().map_err(CacheVolumeError::Folder)
    }
}

fn committed(diff_id: &DiffId) -> PathBuf {
    Path::new(COMMITTED).join(format!("{diff_id}.tar"))
}

fn staged(diff_id: &DiffId) -> PathBuf {
    Path::new(STAGING).join(format!("{diff_id}.tar"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Read;

    use super::*;
    use crate::layers::FilesLayer;
    use crate::lifecycle::label::LayerRecord;

    fn volume() -> (tempfile::TempDir, CacheVolume) {
        let folder = tempfile::tempdir().unwrap();
        let volume = CacheVolume::open(Root::open(folder.path()).unwrap()).unwrap();
        (folder, volume)
    }

    fn contents(text: &str) -> FilesLayer {
        FilesLayer::new().file("/layers/a/b", 0o644, Owner::ROOT, text)
    }

    fn commit(volume: &CacheVolume, texts: &[&str]) -> Vec<DiffId> {
        let mut staging = volume.stage().unwrap();
        let diff_ids: Vec<DiffId> = texts.iter().map(|text| staging.add(&contents(text)).unwrap()).collect();
        staging.commit(&CacheMetadata { sbom: LayerRecord::of(diff_ids[0]), ..CacheMetadata::default() }).unwrap();
        diff_ids
    }

    #[test]
    fn state_is_replaced_as_a_whole() {
        let (folder, volume) = volume();
        assert_eq!(volume.metadata(), CacheMetadata::default());
        let first = commit(&volume, &["one", "two"]);
        let second = commit(&volume, &["two", "three"]);
        assert_eq!(first[1], second[0]);
        assert_eq!(volume.metadata().sbom, LayerRecord::of(second[0]));
        let names: BTreeSet<_> =
            volume.folder.read_dir(COMMITTED).unwrap().into_iter().map(|entry| entry.name.into_string().unwrap()).collect();
        let expected = BTreeSet::from([METADATA.to_owned(), format!("{}.tar", second[0]), format!("{}.tar", second[1])]);
        assert_eq!(names, expected);
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
        let mut tar = Vec::new();
        volume.layer(&second[1]).unwrap().unwrap().read_to_end(&mut tar).unwrap();
        assert_eq!(DiffId::of(tar), second[1]);
    }

    #[test]
    fn damage_counts_as_absent_and_is_repaired() {
        let (folder, volume) = volume();
        let diff_id = commit(&volume, &["one"])[0];
        let tar = folder.path().join(COMMITTED).join(format!("{diff_id}.tar"));
        fs_err::write(&tar, "damaged").unwrap();
        fs_err::write(folder.path().join(COMMITTED).join(METADATA), "{").unwrap();
        assert!(volume.layer(&diff_id).unwrap().is_none());
        assert!(volume.layer(&DiffId::of("missing")).unwrap().is_none());
        assert_eq!(volume.metadata(), CacheMetadata::default());
        commit(&volume, &["one"]);
        assert!(volume.layer(&diff_id).unwrap().is_some());
    }

    #[test]
    fn interrupted_change_leaves_the_old_state() {
        let (folder, volume) = volume();
        let diff_id = commit(&volume, &["one"])[0];
        volume.stage().unwrap().add(&contents("two")).unwrap();
        assert!(volume.layer(&diff_id).unwrap().is_some());
        fs_err::rename(folder.path().join(COMMITTED), folder.path().join(BACKUP)).unwrap();
        let volume = CacheVolume::open(Root::open(folder.path()).unwrap()).unwrap();
        assert!(volume.layer(&diff_id).unwrap().is_some());
    }
}
