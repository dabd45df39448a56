//! Unpacked layers, each over its parents, to be lower folders of overlays.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fnpack_sandbox::{Overlay, Upper};
use rustix::fs::{AtFlags, FlockOperation, Gid, Mode, Timespec, Timestamps, Uid};
use serde::{Deserialize, Serialize};

use super::blobs::copy_blob;
use super::unpack::unpack;
use super::{Inner, Keep, LOCKS, Result, SNAPSHOTS, SnapshotName, Store, StoreError, disk};
use crate::digest::{ChainId, DiffId};
use crate::image::{Image, Layer};
use crate::layers::apply::{ApplyError, ApplyOptions, is_disk_full};
use crate::root::{Root, RootError};

const INFO: &str = "snapshot.json";
const DIFF: &str = "diff";
/// Stands below images without layers, since an overlay needs something below.
const EMPTY: &str = "empty";
const MAX_INFO: u64 = 64 * 1024;

/// An image's layers, unpacked. They stay while this value or the process's lease lives.
#[derive(Debug, Clone)]
pub struct Snapshot {
    lowers: Vec<PathBuf>,
    /// Holds the lease that names the folders.
    _store: Store,
}

/// How far unpacking is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unpacking {
    /// The layer at work, from 1.
    pub layer: usize,
    /// All layers of the image.
    pub layers: usize,
    /// Compressed bytes of this layer read so far.
    pub bytes: u64,
    /// Compressed bytes of this layer.
    pub total: u64,
}

/// Called while layers are unpacked.
type Progress<'a> = &'a (dyn Fn(Unpacking) + Sync);

/// What a snapshot says about itself, written last.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Info {
    pub(super) name: SnapshotName,
    diff_id: DiffId,
    entries: u64,
    /// Bytes of file contents.
    pub(super) bytes: u64,
    skipped_devices: u64,
}

/// A layer and the name of its snapshot.
struct Step<'a> {
    name: SnapshotName,
    number: usize,
    layers: usize,
    layer: &'a Layer,
}

impl Snapshot {
    /// The folders for an overlay's `lowerdir`, topmost first; never none.
    pub fn lowers(&self) -> &[PathBuf] {
        &self.lowers
    }

    /// Gives the upper folder of an overlay the owner, mode and time of the root below: an overlay shows those of its upper folder.
    pub fn describe_upper(&self, upper: &Path) -> Result<()> {
        describe_root(upper, self.lowers.first().map(PathBuf::as_path))
    }
}

impl Store {
    /// Unpacks what is missing of an image and gives its folders. Absent layers are fetched into the store.
    pub fn snapshot(&self, image: &Image, progress: Progress<'_>) -> Result<Snapshot> {
        let steps = self.steps(image);
        if steps.is_empty() {
            return self.empty_snapshot();
        }
        self.inner.protect_for_reading(steps.iter().map(|step| Keep::Snapshot(step.name.clone())))?;
        if let Some(missing) = self.first_missing(&steps)? {
            let lock = format!("snapshot-{}", missing.name.as_str().get(..2).unwrap_or_default());
            // Whoever makes it meanwhile is waited for, and then it is not missing any more.
            let _lock = disk::lock(&self.inner.disk.at(LOCKS).join(lock), FlockOperation::LockExclusive)?;
            self.make(&steps, progress)?;
        }
        let lowers = steps.iter().rev().map(|step| self.inner.snapshot_path(&step.name).join(DIFF)).collect();
        Ok(Snapshot { lowers, _store: self.clone() })
    }

    fn steps<'a>(&self, image: &'a Image) -> Vec<Step<'a>> {
        let layers = image.layers();
        let chain = ChainId::chain(&image.diff_ids());
        let name = |chain_id| SnapshotName::new(chain_id, &self.inner.mapping_key, self.inner.xattr);
        let named = chain.iter().map(name).zip(layers).enumerate();
        named.map(|(index, (name, layer))| Step { name, number: index + 1, layers: layers.len(), layer }).collect()
    }

    fn empty_snapshot(&self) -> Result<Snapshot> {
        let name = SnapshotName::try_from(EMPTY.to_owned())?;
        let path = self.inner.snapshot_path(&name);
        self.inner.protect_for_reading([Keep::Snapshot(name)])?;
        if !disk::exists(&path)? {
            self.inner.disk.create_folders(&path)?;
            describe_root(&path, None)?;
        }
        Ok(Snapshot { lowers: vec![path], _store: self.clone() })
    }

    fn first_missing<'a, 'b>(&self, steps: &'b [Step<'a>]) -> Result<Option<&'b Step<'a>>> {
        for step in steps {
            if self.inner.snapshot_info(&step.name)?.is_none() {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    /// Unpacks what is missing, syncs once and names it. Layers that were unpacked before one failed are kept.
    fn make(&self, steps: &[Step<'_>], progress: Progress<'_>) -> Result<()> {
        let mut lowers: Vec<PathBuf> = Vec::new();
        let mut made = Vec::new();
        let mut outcome = Ok(());
        for step in steps {
            let lower = match self.inner.snapshot_info(&step.name) {
                Ok(Some(_)) => Ok(self.inner.snapshot_path(&step.name)),
                Ok(None) => self.unpack_step(step, &lowers, progress).inspect(|folder| made.push((folder.clone(), &step.name))),
                Err(error) => Err(error),
            };
            match lower {
                Ok(folder) => lowers.insert(0, folder.join(DIFF)),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        let named = self.inner.name_snapshots(&made);
        outcome.and(named)
    }

    /// Unpacks one layer over `lowers` in scratch; gives the folder to be named.
    fn unpack_step(&self, step: &Step<'_>, lowers: &[PathBuf], progress: Progress<'_>) -> Result<PathBuf> {
        let scratch = self.inner.scratch_path()?;
        let result = self.unpack_into(&scratch, step, lowers, progress);
        if result.is_err() {
            let _left_for_the_next_writer = self.inner.disk.remove_tree(&scratch);
        }
        result
    }

    fn unpack_into(&self, scratch: &Path, step: &Step<'_>, lowers: &[PathBuf], progress: Progress<'_>) -> Result<PathBuf> {
        let folder = scratch.join("layer");
        let diff = folder.join(DIFF);
        self.inner.disk.create_folders(&diff)?;
        describe_root(&diff, lowers.first().map(PathBuf::as_path))?;
        let root = self.root_for(scratch, &diff, step, lowers)?;
        let Step { name, number: layer, layers, layer: Layer { descriptor, diff_id, .. } } = step;
        let report = |bytes| progress(Unpacking { layer: *layer, layers: *layers, bytes, total: descriptor.size });
        let blob = Counting { reader: self.layer_bytes(step.layer)?, bytes: 0, report };
        let options = ApplyOptions { single_id: self.inner.single_id, ..ApplyOptions::default() };
        let (applied, actual) = unpack(blob, &root, &options).map_err(|error| self.blame(step.layer, error))?;
        drop(root);
        if actual != *diff_id {
            return Err(StoreError::CorruptLayer { expected: *diff_id, actual });
        }
        let info = Info {
            name: name.clone(),
            diff_id: *diff_id,
            entries: applied.entries,
            bytes: applied.bytes,
            skipped_devices: applied.skipped_devices,
        };
        let path = folder.join(INFO);
        let json = serde_json::to_vec(&info).map_err(|source| StoreError::Unreadable { what: "snapshot", path: path.clone(), source })?;
        self.inner.disk.write_new(&path, &json)?;
        Ok(folder)
    }

    fn root_for(&self, scratch: &Path, diff: &Path, step: &Step<'_>, lowers: &[PathBuf]) -> Result<Root> {
        if lowers.is_empty() {
            return Root::open(diff).map_err(|error| StoreError::root(diff, error));
        }
        let work = scratch.join("work");
        self.inner.disk.create_folders(&work)?;
        let upper = Upper { folder: diff.to_owned(), work };
        let overlay = Overlay { lowers: lowers.to_vec(), upper: Some(upper), xattr: self.inner.xattr };
        let view = overlay.view();
        view.map(Root::from_fd).map_err(|source| StoreError::View { diff_id: step.layer.diff_id, source: Box::new(source) })
    }

    /// A layer's blob out of the store, brought into it first if need be.
    fn layer_bytes(&self, layer: &Layer) -> Result<Box<dyn Read + Send>> {
        let digest = &layer.descriptor.digest;
        if let Some(reader) = self.open_blob(digest)? {
            return Ok(reader);
        }
        let fetched = self.fetcher.is_some() && self.inner.blob_source(digest)?.is_some();
        let blob = if fetched { self.lazy_blob(digest) } else { layer.blob.clone() };
        copy_blob(self, &blob, digest, layer.descriptor.size)?;
        self.open_blob(digest)?.ok_or(StoreError::BlobAbsent { digest: *digest })
    }

    /// The cause behind a layer that cannot be applied: a blob that rotted on the disk shows as any fault of a tar.
    fn blame(&self, layer: &Layer, error: ApplyError) -> StoreError {
        if error.is_bad_data()
            && let Err(corrupt) = self.verify_blob(&layer.descriptor.digest)
        {
            return corrupt;
        }
        match error {
            ApplyError::Place { path, source, .. } if is_disk_full(&source) => StoreError::DiskFull { path, source },
            source => StoreError::Unpack { diff_id: layer.diff_id, source },
        }
    }

    /// Reads a blob that is here to its end.
    pub(super) fn verify_blob(&self, digest: &crate::digest::Digest) -> Result<()> {
        let Some(mut reader) = self.open_blob(digest)? else { return Ok(()) };
        match io::copy(&mut reader, &mut io::sink()) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.downcast::<StoreError>().unwrap_or_else(|source| StoreError::BlobRead {
                digest: *digest,
                location: self.inner.path_of(&super::Stage::Blob(*digest)).display().to_string(),
                source,
            })),
        }
    }
}

impl Inner {
    pub(super) fn snapshot_path(&self, name: &SnapshotName) -> PathBuf {
        self.disk.at(SNAPSHOTS).join(name.as_str())
    }

    /// What a snapshot says about itself; `None` if there is none or it is doubtful.
    pub(super) fn snapshot_info(&self, name: &SnapshotName) -> Result<Option<Info>> {
        let bytes = disk::read(&self.snapshot_path(name).join(INFO), MAX_INFO)?.unwrap_or_default();
        let info = serde_json::from_slice::<Info>(&bytes).ok();
        Ok(info.filter(|info| info.name == *name))
    }

    fn name_snapshots(&self, made: &[(PathBuf, &SnapshotName)]) -> Result<()> {
        if made.is_empty() {
            return Ok(());
        }
        self.disk.sync_all()?;
        let _gate = self.gate(FlockOperation::LockShared)?;
        for (folder, name) in made {
            self.name_snapshot(folder, name)?;
            // What is left of it are the overlay's own folders, or all of it if another process was first.
            if let Some(scratch) = folder.parent() {
                self.disk.remove_tree(scratch)?;
            }
        }
        Ok(())
    }

    fn name_snapshot(&self, folder: &Path, name: &SnapshotName) -> Result<()> {
        let path = self.snapshot_path(name);
        if disk::exists(&path)? && self.snapshot_info(name)?.is_none() {
            let aside = self.scratch_path()?;
            self.disk.rename(&path, &aside)?;
            self.disk.remove_tree(&aside)?;
        }
        match self.disk.rename(folder, &path) {
            Err(StoreError::Io { source, .. })
                if matches!(source.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) =>
            {
                Ok(())
            }
            result => result,
        }
    }
}

/// Gives the root of a new folder what the root below has: an overlay shows its upper one.
fn describe_root(folder: &Path, below: Option<&Path>) -> Result<()> {
    let failed = |error: RootError| StoreError::root(folder, error);
    let root = Root::open(folder).map_err(failed)?;
    let Some(below) = below else { return root.chmod("/", 0o755).map_err(failed) };
    let stat = Root::open(below).and_then(|below| below.metadata("/")).map_err(|error| StoreError::root(below, error))?;
    let io = |errno: rustix::io::Errno| StoreError::io("describe", folder, errno.into());
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    let time = Timespec { tv_sec: stat.st_mtime, tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or_default() };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::chownat(&root, ".", Some(uid), Some(gid), AtFlags::empty()).map_err(io)?;
    rustix::fs::chmodat(&root, ".", Mode::from_raw_mode(stat.st_mode & 0o7777), AtFlags::empty()).map_err(io)?;
    rustix::fs::utimensat(&root, ".", &times, AtFlags::empty()).map_err(io)
}

/// Reports how much passed, every megabyte and at the end.
struct Counting<R, F> {
    reader: R,
    bytes: u64,
    report: F,
}

impl<R: Read, F: Fn(u64)> Read for Counting<R, F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(bytes)?;
        let before = self.bytes >> 20;
        self.bytes += read as u64;
        if read == 0 || self.bytes >> 20 != before {
            (self.report)(self.bytes);
        }
        Ok(read)
    }
}
