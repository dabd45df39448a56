//! Leases: what a running process uses, and how its death is noticed.
//!
//! A lease is a file with an exclusive `flock` on it from the birth to the death of the process, one line
//! for each thing used. The gate orders this with collection: shared to make a lease or
//! to name something in it, exclusive to decide that something is not in use.

use std::collections::HashSet;
use std::path::PathBuf;

use fs_err::File;
use rustix::fs::FlockOperation;

use super::disk::{Lock, flock};
use super::names::unique;
use super::{Inner, Keep, LEASES, LOCKS, Result, SCRATCH, StoreError, disk, lock};

/// A lease has a line for each blob of a build; ten thousand images stay far below this.
const MAX_LEASE: u64 = 256 * 1024 * 1024;

pub(super) struct Lease {
    id: String,
    file: File,
    named: HashSet<Keep>,
    has_scratch: bool,
}

impl Inner {
    /// Waits at the gate.
    pub(super) fn gate(&self, operation: FlockOperation) -> Result<Lock> {
        disk::lock(&self.disk.at(LOCKS).join("gate"), operation)
    }

    /// Names things in the lease. What is looked up afterwards stays while this process lives.
    pub(super) fn protect(&self, keeps: impl IntoIterator<Item = Keep>) -> Result<()> {
        let mut lease = lock(&self.lease);
        let lease = self.taken(&mut lease)?;
        let new: Vec<Keep> = keeps.into_iter().filter(|keep| !lease.named.contains(keep)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let lines = new.iter().map(Keep::to_string).collect::<Vec<_>>().join("\n") + "\n";
        let _gate = self.gate(FlockOperation::LockShared)?;
        self.disk.append(&mut lease.file, lines.as_bytes())?;
        lease.named.extend(new);
        Ok(())
    }

    /// The same for who only reads: where the store cannot be written, nothing can be named and reading goes on.
    pub(super) fn protect_for_reading(&self, keeps: impl IntoIterator<Item = Keep>) -> Result<()> {
        match self.protect(keeps) {
            Err(StoreError::ReadOnly { .. }) => Ok(()),
            result => result,
        }
    }

    /// The folder of this process in scratch.
    pub(super) fn lease_scratch(&self) -> Result<PathBuf> {
        let mut lease = lock(&self.lease);
        let lease = self.taken(&mut lease)?;
        let path = self.disk.at(SCRATCH).join(&lease.id);
        if !lease.has_scratch {
            self.disk.create_folders(&path)?;
            lease.has_scratch = true;
        }
        Ok(path)
    }

    fn taken<'a>(&self, lease: &'a mut Option<Lease>) -> Result<&'a mut Lease> {
        let taken = match lease.take() {
            Some(taken) => taken,
            None => self.take_lease()?,
        };
        Ok(lease.insert(taken))
    }

    fn take_lease(&self) -> Result<Lease> {
        // The first change that a process makes is to clean up behind the dead. What cannot be removed is
        // reported by collection, and no reason to stop here.
        let _reaped = self.reap();
        let id = unique();
        let path = self.disk.at(LEASES).join(&id);
        let _gate = self.gate(FlockOperation::LockShared)?;
        let file = self.disk.create_new(&path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|source| StoreError::io("lock", &path, source))?;
        Ok(Lease { id, file, named: HashSet::new(), has_scratch: false })
    }

    pub(super) fn end_lease(&self) -> Result<()> {
        let Some(lease) = lock(&self.lease).take() else { return Ok(()) };
        self.disk.remove_tree(&self.disk.at(SCRATCH).join(&lease.id))?;
        self.disk.remove_file(&self.disk.at(LEASES).join(&lease.id))
    }

    /// Removes scratch and lease of processes that died; gives their number. Does nothing while others are at
    /// the gate. What cannot be removed, because it belongs to another user, does not keep the rest.
    pub(super) fn reap(&self) -> Result<usize> {
        let Some(gate) = disk::try_lock(&self.disk.at(LOCKS).join("gate"))? else { return Ok(0) };
        let dead = self.dead_leases()?;
        // Their locks are ours now, so nobody else removes the same while the gate is open again.
        drop(gate);
        let count = dead.len();
        let mut outcome = Ok(count);
        for (id, _lock) in dead {
            let scratch = self.disk.remove_tree(&self.disk.at(SCRATCH).join(&id));
            if let Err(error) = scratch.and_then(|()| self.disk.remove_file(&self.disk.at(LEASES).join(&id))) {
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    /// The leases that nobody holds, each locked. To be called behind the gate.
    pub(super) fn dead_leases(&self) -> Result<Vec<(String, Lock)>> {
        let folder = self.disk.at(LEASES);
        let mut dead = Vec::new();
        for name in disk::list_if_there(&folder)? {
            let Ok(id) = name.into_string() else { continue };
            if let Some(lock) = disk::try_lock(&folder.join(&id))? {
                dead.push((id, lock));
            }
        }
        Ok(dead)
    }

    /// All that living processes use, this one too. To be called behind the gate.
    pub(super) fn leased(&self) -> Result<HashSet<Keep>> {
        let dead: HashSet<String> = self.dead_leases()?.into_iter().map(|(id, _)| id).collect();
        let folder = self.disk.at(LEASES);
        let mut keeps = HashSet::new();
        for name in disk::list_if_there(&folder)? {
            if name.to_str().is_some_and(|id| dead.contains(id)) {
                continue;
            }
            let lines = disk::read(&folder.join(name), MAX_LEASE)?.unwrap_or_default();
            // A half line is of a process that is dying this moment.
            keeps.extend(String::from_utf8_lossy(&lines).lines().filter_map(|line| line.parse::<Keep>().ok()));
        }
        Ok(keeps)
    }

    /// Scratch without a living owner, for reports. To be called behind the gate.
    pub(super) fn dead_scratch(&self) -> Result<Vec<PathBuf>> {
        let leases: HashSet<_> = disk::list_if_there(&self.disk.at(LEASES))?.into_iter().collect();
        let dead: HashSet<_> = self.dead_leases()?.into_iter().map(|(id, _)| id.into()).collect();
        let scratch = disk::list_if_there(&self.disk.at(SCRATCH))?;
        let orphans = scratch.into_iter().filter(|name| !leases.contains(name)).map(|name| self.disk.at(SCRATCH).join(name));
        Ok(dead.iter().map(|id: &std::ffi::OsString| self.disk.at(LEASES).join(id)).chain(orphans).collect())
    }
}
