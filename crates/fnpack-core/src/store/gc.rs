//! Collection: what no reference, no living process and no record names is removed.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FileType, FlockOperation};
use serde::Deserialize;

use super::staging::Stage;
use super::{BLOBS, FOLDERS, FolderId, Inner, Keep, Result, SNAPSHOTS, SOURCES, SnapshotName, Store, StoreError, disk};
use crate::digest::{ChainId, Digest};
use crate::image::{Descriptor, ImageConfig};
use crate::root::Root;

/// What to collect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GcOptions {
    /// Only say what would be removed.
    pub dry_run: bool,
    /// Records that were not used for this long are forgotten first; `None` keeps all.
    pub keep_records: Option<Duration>,
}

/// What was removed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Blobs.
    pub blobs: Vec<Digest>,
    /// Unpacked layers.
    pub snapshots: Vec<SnapshotName>,
    /// Committed folders.
    pub folders: Vec<FolderId>,
    /// How many records.
    pub records: usize,
    /// How many dead processes left something.
    pub scratch: usize,
    /// Bytes of file contents in blobs, snapshots and folders.
    pub bytes: u64,
}

impl fmt::Display for GcReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { blobs, snapshots, folders, records, scratch, bytes: _ } = self;
        let counts = [
            (blobs.len(), "blob"),
            (snapshots.len(), "snapshot"),
            (folders.len(), "cached folder"),
            (*records, "record"),
            (*scratch, "folder left behind"),
        ];
        let mut separator = "";
        for (count, thing) in counts.into_iter().filter(|(count, _)| *count > 0) {
            let plural = match thing.strip_prefix("folder ") {
                Some(rest) if count != 1 => format!("folders {rest}"),
                _ if count != 1 => format!("{thing}s"),
                _ => thing.to_owned(),
            };
            write!(formatter, "{separator}{count} {plural}")?;
            separator = ", ";
        }
        if separator.is_empty() { formatter.write_str("nothing") } else { Ok(()) }
    }
}

/// What stays.
#[derive(Default)]
struct Marked {
    blobs: HashSet<Digest>,
    images: HashSet<Digest>,
    /// Chain IDs as hexadecimal digits: whatever the mapping, their snapshots stay.
    chains: HashSet<String>,
    snapshots: HashSet<SnapshotName>,
    folders: HashSet<FolderId>,
}

/// What goes.
#[derive(Default)]
struct Garbage {
    report: GcReport,
    /// Removed one by one under the gate.
    files: Vec<PathBuf>,
    /// Renamed under the gate, removed after it.
    trees: Vec<PathBuf>,
}

/// What a manifest or an index of any kind names.
#[derive(Default, Deserialize)]
struct Links {
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

impl Store {
    /// Removes what nothing names. A reference or manifest that cannot be read stops it before it removes anything.
    pub fn gc(&self, options: &GcOptions) -> Result<GcReport> {
        let inner = &self.inner;
        let reaped = if options.dry_run { Ok(0) } else { inner.reap() };
        // Scratch for what is renamed away; taken before the gate, since taking a lease goes through it.
        let trash = if options.dry_run { None } else { Some(self.scratch()?) };
        let gate = inner.gate(FlockOperation::LockExclusive)?;
        let mut garbage = self.find_garbage(options)?;
        if options.dry_run {
            garbage.report.scratch = inner.dead_leases()?.len();
        }
        if let Some(trash) = &trash {
            garbage.files.iter().try_for_each(|file| inner.disk.remove_file(file))?;
            for (number, tree) in garbage.trees.iter().enumerate() {
                inner.disk.rename(tree, &trash.path().join(number.to_string()))?;
            }
        }
        drop(gate);
        garbage.report.scratch += reaped?;
        Ok(garbage.report)
    }

    fn find_garbage(&self, options: &GcOptions) -> Result<Garbage> {
        let mut garbage = Garbage::default();
        let mut roots = self.inner.leased()?;
        roots.extend(self.inner.reference_records()?.into_iter().map(|record| Keep::Image(record.descriptor.digest)));
        for kind in self.inner.record_kinds()? {
            for (path, file) in self.inner.record_files(&kind)? {
                match file {
                    Some(file) if !is_out_of_date(file.record.used, options.keep_records) => roots.extend(file.keeps),
                    _ => {
                        garbage.report.records += 1;
                        garbage.files.push(path);
                    }
                }
            }
        }
        let marked = self.mark(roots)?;
        self.inner.sweep_blobs(&marked, &mut garbage)?;
        self.inner.sweep_trees(&marked, &mut garbage)?;
        Ok(garbage)
    }

    fn mark(&self, roots: impl IntoIterator<Item = Keep>) -> Result<Marked> {
        let mut marked = Marked::default();
        let mut images = Vec::new();
        for root in roots {
            match root {
                Keep::Blob(digest) => drop(marked.blobs.insert(digest)),
                Keep::Image(digest) => images.push(digest),
                Keep::Snapshot(name) => drop(marked.snapshots.insert(name)),
                Keep::Folder(id) => drop(marked.folders.insert(id)),
            }
        }
        while let Some(digest) = images.pop() {
            if marked.images.insert(digest) {
                self.mark_image(&digest, &mut marked, &mut images)?;
            }
        }
        Ok(marked)
    }

    fn mark_image(&self, digest: &Digest, marked: &mut Marked, images: &mut Vec<Digest>) -> Result<()> {
        marked.blobs.insert(*digest);
        let Some(bytes) = self.read_document(digest)? else { return Ok(()) };
        let path = || self.inner.path_of(&Stage::Blob(*digest));
        let links: Links =
            serde_json::from_slice(&bytes).map_err(|source| StoreError::Unreadable { what: "manifest", path: path(), source })?;
        images.extend(links.manifests.into_iter().map(|entry| entry.digest));
        marked.blobs.extend(links.layers.into_iter().map(|layer| layer.digest));
        let Some(config) = links.config else { return Ok(()) };
        marked.blobs.insert(config.digest);
        // The config of an artifact is anything; then there is nothing to unpack either.
        if let Some(config) = self.read_document(&config.digest)?.and_then(|bytes| ImageConfig::parse(&bytes).ok()) {
            marked.chains.extend(ChainId::chain(&config.rootfs.diff_ids).iter().map(ChainId::hex));
        }
        Ok(())
    }
}

impl Inner {
    fn sweep_blobs(&self, marked: &Marked, garbage: &mut Garbage) -> Result<()> {
        for (digest, path) in self.blob_files(BLOBS)? {
            if !marked.blobs.contains(&digest) {
                garbage.report.bytes += fs_err::metadata(&path).map_or(0, |metadata| metadata.len());
                garbage.report.blobs.push(digest);
                garbage.files.push(path);
            }
        }
        for (digest, path) in self.blob_files(SOURCES)? {
            if !marked.blobs.contains(&digest) {
                garbage.files.push(path);
            }
        }
        Ok(())
    }

    fn sweep_trees(&self, marked: &Marked, garbage: &mut Garbage) -> Result<()> {
        for (name, path) in self.named::<SnapshotName>(SNAPSHOTS)? {
            if !marked.snapshots.contains(&name) && !marked.chains.contains(name.chain_hex()) {
                garbage.report.bytes += self.snapshot_info(&name)?.map_or(0, |info| info.bytes);
                garbage.report.snapshots.push(name);
                garbage.trees.push(path);
            }
        }
        for (id, path) in self.named::<FolderId>(FOLDERS)? {
            if !marked.folders.contains(&id) {
                garbage.report.bytes += tree_bytes(&path);
                garbage.report.folders.push(id);
                garbage.trees.push(path);
            }
        }
        Ok(())
    }

    /// The files named by digests in a folder.
    pub(super) fn blob_files(&self, folder: &str) -> Result<Vec<(Digest, PathBuf)>> {
        let folder = self.disk.at(folder);
        let digest = |name: &std::ffi::OsString| format!("sha256:{}", name.to_str()?).parse().ok();
        let names = disk::list_if_there(&folder)?;
        Ok(names.into_iter().filter_map(|name| Some((digest(&name)?, folder.join(name)))).collect())
    }

    /// The folders in a folder whose names are names.
    pub(super) fn named<T: TryFrom<String>>(&self, folder: &str) -> Result<Vec<(T, PathBuf)>> {
        let folder = self.disk.at(folder);
        let names = disk::list_if_there(&folder)?.into_iter().filter_map(|name| name.into_string().ok());
        Ok(names.filter_map(|name| Some((T::try_from(name.clone()).ok()?, folder.join(name)))).collect())
    }
}

fn is_out_of_date(used: std::time::SystemTime, keep: Option<Duration>) -> bool {
    keep.is_some_and(|keep| used.elapsed().is_ok_and(|age| age > keep))
}

/// For the report only, so what cannot be read counts nothing.
fn tree_bytes(path: &Path) -> u64 {
    fn below(folder: &Root) -> u64 {
        let entries = folder.read_dir("/").unwrap_or_default();
        let bytes =
            |name: &std::ffi::OsStr| folder.symlink_metadata(name).map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or_default());
        entries
            .iter()
            .map(|entry| match entry.kind {
                FileType::Directory => folder.sub(&entry.name).map_or(0, |folder| below(&folder)),
                FileType::RegularFile => bytes(&entry.name),
                _ => 0,
            })
            .sum()
    }
    Root::open(path).map_or(0, |root| below(&root))
}
