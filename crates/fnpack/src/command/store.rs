//! `fnpack store …`: care for the store.

use std::time::Duration;

use fnpack_core::store::{CheckOptions, GcOptions};

use super::Session;
use super::table::bytes;
use crate::error::{Class, CommandError};

/// How long the cache of a build that is not made any more is kept.
const KEPT_CACHES: Duration = Duration::from_secs(30 * 24 * 3600);

/// Checks the store; faults are an error that lists them.
pub(super) fn check(deep: bool, session: &Session<'_>) -> Result<(), CommandError> {
    let faults = session.bench.store.check(&CheckOptions { deep, ..CheckOptions::default() })?;
    if faults.is_empty() {
        session.ui.step(if deep { "every byte is as it should be" } else { "everything named is there" });
        return Ok(());
    }
    let hint = if deep { "pull or build the images named anew" } else { "see more with `fnpack store check --deep`" };
    Err(CommandError::message(Class::Machine, format!("the store `{}` has {} faults", session.bench.store.path().display(), faults.len()))
        .details(faults.iter().map(ToString::to_string))
        .hint(hint))
}

/// Removes what nobody needs.
pub(super) fn collect(dry_run: bool, session: &Session<'_>) -> Result<(), CommandError> {
    let report = session.bench.store.gc(&GcOptions { dry_run, keep_records: Some(KEPT_CACHES) })?;
    let verb = if dry_run { "would go" } else { "removed" };
    let (blobs, snapshots, folders) = (report.blobs.len(), report.snapshots.len(), report.folders.len());
    let what = format!(
        "{blobs} blobs, {snapshots} unpacked layers, {folders} cached layers, {} notes, leftovers of {} dead processes",
        report.records, report.scratch
    );
    session.ui.result(&format!("{} {verb}: {what}", bytes(report.bytes)));
    Ok(())
}
