//! Looks for what contradicts the promises of the store, and takes away what may be taken away.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use rustix::fs::FlockOperation;

use super::images::is_index;
use super::references::ReferenceRecord;
use super::staging::Stage;
use super::{BLOBS, FOLDERS, INDEX, Inner, Result, SNAPSHOTS, SnapshotName, Store, StoreError, disk};
use crate::digest::Digest;
use crate::image::{Index, Manifest};
use crate::reference::Reference;

/// How to check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Hash every blob.
    pub deep: bool,
    /// Remove corrupt blobs, doubtful snapshots, unreadable records and leftovers; write the index anew. References stay,
    /// so that pulling or building them again heals them.
    pub repair: bool,
}

/// Something that should not be.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A reference's file cannot be read.
    #[error("the reference file `{}` cannot be read", path.display())]
    Reference {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: StoreError,
    },
    /// A part of an image is neither here nor recorded to be elsewhere.
    #[error("the image `{}` needs the blob {digest}, which is absent", reference.familiar())]
    Absent {
        /// The image.
        reference: Reference,
        /// The missing part.
        digest: Digest,
    },
    /// A manifest, index or config is here and is not what it should be.
    #[error("the image `{}` cannot be read", reference.familiar())]
    Image {
        /// The image.
        reference: Reference,
        /// The reason.
        #[source]
        source: StoreError,
    },
    /// A blob has other bytes than its name says.
    #[error("the blob {digest} is corrupt in `{}`", path.display())]
    CorruptBlob {
        /// Its name.
        digest: Digest,
        /// The file.
        path: PathBuf,
    },
    /// A snapshot is not complete.
    #[error("the snapshot `{name}` is doubtful")]
    Snapshot {
        /// Its name.
        name: SnapshotName,
    },
    /// A record cannot be read.
    #[error("the record `{}` cannot be read", path.display())]
    Record {
        /// The file.
        path: PathBuf,
    },
    /// Something is there that no process and no name owns.
    #[error("`{}` was left behind", path.display())]
    Leftover {
        /// Where.
        path: PathBuf,
    },
    /// `index.json` does not show the references.
    #[error("`{}` is out of date", path.display())]
    StaleIndex {
        /// The file.
        path: PathBuf,
    },
}

impl Store {
    /// Reports all faults; with repair, those that were found before it.
    pub fn check(&self, options: &CheckOptions) -> Result<Vec<Fault>> {
        let gate = match self.inner.gate(FlockOperation::LockExclusive) {
            Ok(gate) => Some(gate),
            // Nobody else writes there either, as far as we can know.
            Err(StoreError::ReadOnly { .. }) => None,
            Err(error) => return Err(error),
        };
        let mut faults = Vec::new();
        self.check_references(&mut faults)?;
        self.check_blobs(options.deep, &mut faults)?;
        self.inner.check_caches(&mut faults)?;
        self.inner.check_leftovers(&mut faults)?;
        self.inner.check_index(&mut faults)?;
        if options.repair {
            faults.iter().try_for_each(|fault| self.inner.repair(fault))?;
            drop(gate);
            self.inner.reap()?;
            self.inner.publish_index()?;
        }
        Ok(faults)
    }

    fn check_references(&self, faults: &mut Vec<Fault>) -> Result<()> {
        for (path, record) in self.inner.reference_files()? {
            match record {
                Ok(record) => self.check_image(&record, faults),
                Err(source) => faults.push(Fault::Reference { path, source }),
            }
        }
        Ok(())
    }

    fn check_image(&self, record: &ReferenceRecord, faults: &mut Vec<Fault>) {
        let reference = &record.reference;
        let digest = record.descriptor.digest;
        let found = if is_index(&record.descriptor.media_type) { self.manifests_of(&digest) } else { Ok(vec![digest]) };
        let result = found.and_then(|manifests| {
            for manifest in manifests {
                let absent = self.absent_parts(&manifest)?;
                faults.extend(absent.into_iter().map(|digest| Fault::Absent { reference: reference.clone(), digest }));
            }
            Ok(())
        });
        if let Err(source) = result {
            faults.push(match source {
                StoreError::BlobAbsent { digest } => Fault::Absent { reference: reference.clone(), digest },
                source => Fault::Image { reference: reference.clone(), source },
            });
        }
    }

    /// The manifests of an index that are here; the others belong to targets that nobody asked for.
    fn manifests_of(&self, digest: &Digest) -> Result<Vec<Digest>> {
        let bytes = self.read_document(digest)?.ok_or(StoreError::BlobAbsent { digest: *digest })?;
        let index = Index::parse(&bytes).map_err(|source| StoreError::Image { digest: *digest, source })?;
        let mut here = Vec::new();
        for entry in index.manifests {
            if self.inner.has_blob(&entry.digest)? {
                here.push(entry.digest);
            }
        }
        Ok(here)
    }

    fn absent_parts(&self, manifest: &Digest) -> Result<Vec<Digest>> {
        let bytes = self.read_document(manifest)?.ok_or(StoreError::BlobAbsent { digest: *manifest })?;
        let manifest = Manifest::parse(&bytes).map_err(|source| StoreError::Image { digest: *manifest, source })?;
        let mut absent = Vec::new();
        if self.read_document(&manifest.config.digest)?.is_none() {
            absent.push(manifest.config.digest);
        }
        for layer in manifest.layers {
            if !self.inner.has_blob(&layer.digest)? && self.inner.blob_source(&layer.digest)?.is_none() {
                absent.push(layer.digest);
            }
        }
        Ok(absent)
    }

    fn check_blobs(&self, deep: bool, faults: &mut Vec<Fault>) -> Result<()> {
        let known: std::collections::HashSet<PathBuf> = self.inner.blob_files(BLOBS)?.into_iter().map(|(_, path)| path).collect();
        let folder = self.inner.disk.at(BLOBS);
        let strange = disk::list_if_there(&folder)?.into_iter().map(|name| folder.join(name)).filter(|path| !known.contains(path));
        faults.extend(strange.map(|path| Fault::Leftover { path }));
        if !deep {
            return Ok(());
        }
        for (digest, _) in self.inner.blob_files(BLOBS)? {
            match self.verify_blob(&digest) {
                Err(StoreError::CorruptBlob { digest, path }) => faults.push(Fault::CorruptBlob { digest, path }),
                result => result?,
            }
        }
        Ok(())
    }
}

impl Inner {
    fn check_caches(&self, faults: &mut Vec<Fault>) -> Result<()> {
        for (name, path) in self.named::<SnapshotName>(SNAPSHOTS)? {
            let is_empty_one = disk::list_if_there(&path)?.is_empty() && name.chain_hex() == name.as_str();
            if !is_empty_one && self.snapshot_info(&name)?.is_none() {
                faults.push(Fault::Snapshot { name });
            }
        }
        for kind in self.record_kinds()? {
            let unreadable = self.record_files(&kind)?.into_iter().filter(|(_, file)| file.is_none());
            faults.extend(unreadable.map(|(path, _)| Fault::Record { path }));
        }
        Ok(())
    }

    fn check_leftovers(&self, faults: &mut Vec<Fault>) -> Result<()> {
        faults.extend(self.dead_scratch()?.into_iter().map(|path| Fault::Leftover { path }));
        for folder in [SNAPSHOTS, FOLDERS] {
            let named: Vec<PathBuf> = self.named::<SnapshotName>(folder)?.into_iter().map(|(_, path)| path).collect();
            let folder = self.disk.at(folder);
            let strange = disk::list_if_there(&folder)?.into_iter().map(|name| folder.join(name)).filter(|path| !named.contains(path));
            faults.extend(strange.map(|path| Fault::Leftover { path }));
        }
        Ok(())
    }

    fn check_index(&self, faults: &mut Vec<Fault>) -> Result<()> {
        let path = self.disk.at(INDEX);
        let expected = self.index()?;
        // A byte more than expected is enough to know.
        let found = disk::read(&path, expected.len() as u64).ok().flatten();
        if found.is_none_or(|found| found != expected) {
            faults.push(Fault::StaleIndex { path });
        }
        Ok(())
    }

    fn repair(&self, fault: &Fault) -> Result<()> {
        match fault {
            // What names something stays: it is the only trace of what the user had.
            Fault::Reference { .. } | Fault::Absent { .. } | Fault::Image { .. } => Ok(()),
            Fault::CorruptBlob { digest, .. } => self.disk.remove_file(&self.path_of(&Stage::Blob(*digest))),
            Fault::Snapshot { name } => self.disk.remove_tree(&self.snapshot_path(name)),
            Fault::Record { path } => self.disk.remove_file(path),
            // Those of the dead are reaped as a whole; what lies elsewhere is nobody's.
            Fault::Leftover { path } if path.starts_with(self.disk.at(super::LEASES)) => Ok(()),
            Fault::Leftover { path } => self.disk.remove_tree(path),
            Fault::StaleIndex { .. } => {
                self.index_is_stale.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}
