//! Small keyed values that keep other things alive: build steps, diff IDs, build caches.
//!
//! A record is a file: a line of JSON with key and kept things, then the value. It is a cache; one that
//! cannot be read is absent.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::names::is_file_name;
use super::{Inner, Keep, RECORDS, Result, Store, StoreError, disk};
use crate::digest::Digest;

/// Values are documents, not contents.
const MAX_RECORD: u64 = 16 * 1024 * 1024;
/// Reading renews a record, but not with every read.
const RENEW_AFTER: Duration = Duration::from_hours(24);

/// A record as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: String,
    /// When it was written or, to the day, last read.
    pub used: SystemTime,
    /// Its value.
    pub value: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    key: String,
    keeps: Vec<Keep>,
}

/// A record's file, read.
pub(super) struct RecordFile {
    pub(super) path: PathBuf,
    pub(super) keeps: Vec<Keep>,
    pub(super) record: Record,
}

impl Store {
    /// A value, if it is remembered. What it keeps alive stays while this process lives.
    pub fn record(&self, kind: &str, key: &str) -> Option<Vec<u8>> {
        let path = self.inner.record_path(kind, key).ok()?;
        let file = read_record(path).ok()?.filter(|file| file.record.key == key)?;
        self.inner.protect_for_reading(file.keeps).ok()?;
        // Between reading and naming it may have been collected with all that it keeps.
        if !disk::exists(&file.path).ok()? {
            return None;
        }
        if file.record.used.elapsed().is_ok_and(|age| age > RENEW_AFTER) {
            let _only_shortens_its_life = self.inner.disk.touch(&file.path);
        }
        Some(file.record.value)
    }

    /// All records of a kind, the one used last first.
    pub fn records(&self, kind: &str) -> Result<Vec<Record>> {
        let mut records: Vec<Record> = self.inner.record_files(kind)?.into_iter().filter_map(|(_, file)| Some(file?.record)).collect();
        records.sort_by(|left, right| right.used.cmp(&left.used).then_with(|| left.key.cmp(&right.key)));
        Ok(records)
    }

    /// Remembers a value and keeps things alive with it, until it is forgotten or collected unread. Replaces an earlier one.
    pub fn remember(&self, kind: &str, key: &str, value: &[u8], keeps: &[Keep]) -> Result<()> {
        let path = self.inner.record_path(kind, key)?;
        self.inner.protect(keeps.iter().cloned())?;
        // A record is not synced, but what it names is on the disk before it is.
        self.inner.publish()?;
        let head = Head { key: key.to_owned(), keeps: keeps.to_vec() };
        let mut bytes =
            serde_json::to_vec(&head).map_err(|source| StoreError::Unreadable { what: "record", path: path.clone(), source })?;
        bytes.push(b'\n');
        bytes.extend_from_slice(value);
        let aside = self.inner.scratch_path()?;
        self.inner.disk.write_new(&aside, &bytes)?;
        self.inner.disk.create_folders(&self.inner.disk.at(RECORDS).join(kind))?;
        self.inner.disk.rename(&aside, &path)
    }

    /// Forgets a value; what only it kept goes with the next collection.
    pub fn forget(&self, kind: &str, key: &str) -> Result<()> {
        self.inner.disk.remove_file(&self.inner.record_path(kind, key)?)
    }
}

impl Inner {
    fn record_path(&self, kind: &str, key: &str) -> Result<PathBuf> {
        if !is_file_name(kind) {
            return Err(StoreError::InvalidName { what: "kind of record", text: kind.to_owned() });
        }
        Ok(self.disk.at(RECORDS).join(kind).join(Digest::of(key).hex()))
    }

    pub(super) fn record_kinds(&self) -> Result<Vec<String>> {
        let names = disk::list_if_there(&self.disk.at(RECORDS))?;
        Ok(names.into_iter().filter_map(|name| name.into_string().ok()).filter(|name| is_file_name(name)).collect())
    }

    /// All files of a kind; `None` for those that cannot be read.
    pub(super) fn record_files(&self, kind: &str) -> Result<Vec<(PathBuf, Option<RecordFile>)>> {
        if !is_file_name(kind) {
            return Err(StoreError::InvalidName { what: "kind of record", text: kind.to_owned() });
        }
        let folder = self.disk.at(RECORDS).join(kind);
        let names = disk::list_if_there(&folder)?;
        names.into_iter().map(|name| folder.join(name)).map(|path| Ok((path.clone(), read_record(path)?))).collect()
    }
}

/// `None` where there is none, or none that can be understood.
fn read_record(path: PathBuf) -> Result<Option<RecordFile>> {
    let Some(bytes) = disk::read(&path, MAX_RECORD)? else { return Ok(None) };
    let Ok(used) = fs_err::metadata(&path).and_then(|metadata| metadata.modified()) else { return Ok(None) };
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    let (head, value) = bytes.split_at(end);
    let Ok(Head { key, keeps }) = serde_json::from_slice(head) else { return Ok(None) };
    let value = value.get(1..).unwrap_or_default().to_vec();
    Ok(Some(RecordFile { path, keeps, record: Record { key, used, value } }))
}
