//! References: one file each, and the index for other tools that is derived from them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::staging::Stage;
use super::{INDEX, Inner, Keep, LOCKS, REFERENCES, Result, Store, StoreError, disk};
use crate::digest::Digest;
use crate::image::{Descriptor, Image, Index, Platform};
use crate::reference::Reference;
use crate::target::Target;

/// Larger than any name, descriptor with annotations included.
const MAX_RECORD: u64 = 1024 * 1024;
/// OCI image specification, `annotations.md`.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// What containerd names an image by when it imports a layout.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// An image as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReference {
    /// Its full name.
    pub reference: Reference,
    /// Of its manifest, or of its index.
    pub digest: Digest,
    /// What it is for; `None` for an index.
    pub target: Option<Target>,
    /// When it says that it was made, RFC 3339.
    pub created: Option<String>,
    /// Bytes of config and compressed layers, each layer once; 0 for an index.
    pub size: u64,
}

/// The contents of a reference's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReferenceRecord {
    pub(super) reference: Reference,
    pub(super) descriptor: Descriptor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<Target>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<String>,
    #[serde(default)]
    pub(super) size: u64,
}

impl ReferenceRecord {
    pub(super) fn of_image(reference: &Reference, image: &Image) -> Self {
        let manifest = image.manifest();
        let layers: BTreeMap<Digest, u64> = manifest.layers.iter().map(|layer| (layer.digest, layer.size)).collect();
        Self {
            reference: stored_name(reference),
            descriptor: Descriptor::of(manifest.media_type(), image.manifest_bytes()),
            target: Some(image.target()),
            created: image.config().created.clone(),
            size: layers.values().fold(manifest.config.size, |sum, size| sum.saturating_add(*size)),
        }
    }

    /// As an entry of `index.json`.
    fn entry(self) -> Descriptor {
        let full = self.reference.to_string();
        let familiar = self.reference.familiar();
        // `docker.io/team.a/app` would read as a registry `team.a` in its short form.
        let unambiguous = familiar.parse().is_ok_and(|parsed: Reference| parsed == self.reference);
        let mut descriptor = self.descriptor;
        descriptor.platform = self.target.as_ref().map(Platform::from);
        descriptor.annotations.insert(REF_NAME.to_owned(), if unambiguous { familiar } else { full.clone() });
        descriptor.annotations.insert(CONTAINERD_NAME.to_owned(), full);
        descriptor
    }
}

/// The name that an image is kept under: without the digest, unless it has no tag.
fn stored_name(reference: &Reference) -> Reference {
    if reference.tag().is_some() { reference.without_digest() } else { reference.clone() }
}

fn stage_of(reference: &Reference) -> Stage {
    Stage::Reference(Digest::of(stored_name(reference).to_string()).hex())
}

impl Store {
    /// All references, sorted by name.
    pub fn references(&self) -> Result<Vec<StoredReference>> {
        let records = self.inner.reference_records()?;
        let listed = |record: ReferenceRecord| StoredReference {
            reference: record.reference,
            digest: record.descriptor.digest,
            target: record.target,
            created: record.created,
            size: record.size,
        };
        Ok(records.into_iter().map(listed).collect())
    }

    /// What a name points to: the digest of a manifest or of an index.
    pub fn digest_of(&self, reference: &Reference) -> Result<Option<Digest>> {
        Ok(self.inner.reference_record(reference)?.map(|record| record.descriptor.digest))
    }

    /// The images whose digest begins with these hexadecimal digits, `sha256:` in front or not.
    /// `None` if there is no such image; more than one is an error.
    pub fn resolve_short(&self, prefix: &str) -> Result<Option<Digest>> {
        let digits = prefix.strip_prefix("sha256:").unwrap_or(prefix);
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit() || matches!(digit, b'a'..=b'f')) {
            return Ok(None);
        }
        let digests = self.inner.reference_records()?.into_iter().map(|record| record.descriptor.digest);
        let mut matches: Vec<Digest> = digests.filter(|digest| digest.hex().starts_with(digits)).collect();
        matches.sort();
        matches.dedup();
        match matches.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(*only)),
            _ => Err(StoreError::AmbiguousDigest { prefix: prefix.to_owned(), matches }),
        }
    }

    /// Takes a name away; the bytes go with the next collection.
    pub fn remove(&self, reference: &Reference) -> Result<()> {
        let unknown = || StoreError::UnknownReference { reference: reference.clone() };
        let record = self.inner.reference_record(reference)?.ok_or_else(unknown)?;
        if reference.digest().is_some_and(|digest| digest != record.descriptor.digest) {
            return Err(unknown());
        }
        self.inner.disk.remove_file(&self.inner.path_of(&stage_of(reference)))?;
        self.inner.index_is_stale.store(true, Ordering::Relaxed);
        self.inner.disk.sync_folder(&self.inner.disk.at(REFERENCES))
    }

    /// Gives an image another name; what had the name loses it.
    pub fn tag(&self, from: &Reference, to: &Reference) -> Result<()> {
        let unknown = || StoreError::UnknownReference { reference: from.clone() };
        let record = self.record_of(from)?.ok_or_else(unknown)?;
        let digest = record.descriptor.digest;
        self.inner.protect([Keep::Image(digest)])?;
        if !self.inner.has_blob(&digest)? {
            return Err(unknown());
        }
        self.inner.stage_reference(&ReferenceRecord { reference: stored_name(to), ..record })?;
        self.inner.publish()
    }
}

impl Inner {
    /// The record of a name, whatever digest stands behind it.
    pub(super) fn reference_record(&self, reference: &Reference) -> Result<Option<ReferenceRecord>> {
        let stage = stage_of(reference);
        let Some(bytes) = self.read_stage(&stage, MAX_RECORD)? else { return Ok(None) };
        parse_record(&bytes, self.path_of(&stage)).map(Some)
    }

    /// All records, sorted by name.
    pub(super) fn reference_records(&self) -> Result<Vec<ReferenceRecord>> {
        let mut records: Vec<_> = self.reference_files()?.into_iter().map(|(_, record)| record).collect::<Result<_>>()?;
        records.sort_by(|left, right| left.reference.cmp(&right.reference));
        Ok(records)
    }

    /// All files of references, each with what it says. One that is removed meanwhile is left out.
    pub(super) fn reference_files(&self) -> Result<Vec<(PathBuf, Result<ReferenceRecord>)>> {
        let folder = self.disk.at(REFERENCES);
        let mut files = Vec::new();
        for name in disk::list_if_there(&folder)? {
            let path = folder.join(name);
            if let Some(bytes) = disk::read(&path, MAX_RECORD)? {
                files.push((path.clone(), parse_record(&bytes, path)));
            }
        }
        Ok(files)
    }

    pub(super) fn stage_reference(&self, record: &ReferenceRecord) -> Result<()> {
        let bytes = serde_json::to_vec(record).map_err(|source| StoreError::Unreadable {
            what: "reference",
            path: self.disk.at(REFERENCES),
            source,
        })?;
        self.stage_bytes(stage_of(&record.reference), &bytes)?;
        self.index_is_stale.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn publish_index(&self) -> Result<()> {
        if !self.index_is_stale.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let result = self.write_index();
        if result.is_err() {
            self.index_is_stale.store(true, Ordering::Relaxed);
        }
        result
    }

    fn write_index(&self) -> Result<()> {
        // References are read under the lock, so the last writer has seen those of all before.
        let _lock = disk::lock(&self.disk.at(LOCKS).join("index"), FlockOperation::LockExclusive)?;
        self.write_top(INDEX, &self.index()?)
    }

    /// What `index.json` has to be.
    pub(super) fn index(&self) -> Result<Vec<u8>> {
        // An unreadable reference is a matter for `check`, and no reason to hide the others.
        let mut records: Vec<_> = self.reference_files()?.into_iter().filter_map(|(_, record)| record.ok()).collect();
        records.sort_by(|left, right| left.reference.cmp(&right.reference));
        Ok(Index::new(records.into_iter().map(ReferenceRecord::entry).collect()).encode())
    }
}

fn parse_record(bytes: &[u8], path: PathBuf) -> Result<ReferenceRecord> {
    serde_json::from_slice(bytes).map_err(|source| StoreError::Unreadable { what: "reference", path, source })
}
