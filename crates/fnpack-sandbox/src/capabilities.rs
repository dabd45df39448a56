//! What a command may do beyond its user's rights.

use rustix::io::{Errno, Result};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::Capabilities;

/// What container engines give by default, less `NET_RAW` (it sees the host's traffic when the host's
/// network is shared) and `MKNOD`.
const CONTAINER: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::AUDIT_WRITE)
    .union(CapabilitySet::SETFCAP);

fn set_of(capabilities: Capabilities) -> CapabilitySet {
    match capabilities {
        Capabilities::None => CapabilitySet::empty(),
        Capabilities::Container => CONTAINER,
    }
}

/// Bounds what this process and all it executes can ever have. Needs the rights it takes away, so it
/// comes before the change of user.
pub(crate) fn limit(capabilities: Capabilities) -> Result<()> {
    let kept = set_of(capabilities);
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(capability) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // One past the last that this kernel knows.
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Leaves this process, which has become the user, with just what the user is to have.
pub(crate) fn keep(capabilities: Capabilities, uid: u32) -> Result<()> {
    let kept = if uid == 0 { set_of(capabilities) } else { CapabilitySet::empty() };
    rustix::thread::clear_ambient_capability_set()?;
    rustix::thread::set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() })
}
