//! The extended attributes of a file, as far as they belong to it and not to this machine.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::root::{Root, RootError};

const CAPABILITY: &[u8] = b"security.capability";
const LARGEST: usize = 64 * 1024;

/// All attributes of the last component itself.
pub(super) fn read(root: &Root, inside: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, RootError> {
    let fail = |errno: Errno| RootError { action: "read the extended attributes of", path: inside.to_owned(), source: errno.into() };
    let (parent, name) = root.parent(inside).map_err(fail)?;
    let path = through(&parent, Path::new(&name));
    let mut found = BTreeMap::new();
    for name in names(&path).map_err(fail)? {
        match value(&path, &name) {
            Ok(value) => drop(found.insert(name, value)),
            // It went away meanwhile, or only the machine's superuser may read it.
            Err(Errno::NODATA | Errno::PERM) => {}
            Err(errno) => return Err(fail(errno)),
        }
    }
    Ok(found)
}

/// The attributes that a layer keeps. The overlay's own say how a file is stored; those of security
/// modules, and NFS, hold this machine's policy.
pub(super) fn for_layer(all: BTreeMap<Vec<u8>, Vec<u8>>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let kept = |name: &[u8]| {
        name == CAPABILITY
            || !(name.starts_with(b"security.")
                || name.starts_with(b"trusted.overlay.")
                || name.starts_with(b"user.overlay.")
                || name.starts_with(b"system.nfs4"))
    };
    let portable = |(name, value): (Vec<u8>, Vec<u8>)| {
        let value = if name == CAPABILITY { capability_v2(value) } else { value };
        (name, value)
    };
    all.into_iter().filter(|(name, _)| kept(name)).map(portable).collect()
}

/// Whether the overlay marks the folder as hiding the one below.
pub(super) fn is_opaque(all: &BTreeMap<Vec<u8>, Vec<u8>>) -> bool {
    [&b"trusted.overlay.opaque"[..], b"user.overlay.opaque"].iter().any(|name| all.get(*name).is_some_and(|value| value == b"y"))
}

/// Version 3 of file capabilities ends with the id of a user namespace's root, which means nothing
/// elsewhere.
fn capability_v2(mut value: Vec<u8>) -> Vec<u8> {
    if let [_, _, _, version @ 3, rest @ ..] = value.as_mut_slice()
        && rest.len() == 20
    {
        *version = 2;
        value.truncate(20);
    }
    value
}

/// A path for calls that take no folder handle: the folder cannot change under it and the last
/// component is not followed.
fn through(parent: &OwnedFd, name: &Path) -> PathBuf {
    Path::new("/proc/self/fd").join(parent.as_raw_fd().to_string()).join(name)
}

fn names(path: &Path) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut buffer = vec![0; LARGEST];
    match rustix::fs::llistxattr(path, buffer.as_mut_slice()) {
        Ok(length) => {
            buffer.truncate(length);
            Ok(buffer.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect())
        }
        Err(Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(errno) => Err(errno),
    }
}

fn value(path: &Path, name: &[u8]) -> rustix::io::Result<Vec<u8>> {
    let mut buffer = vec![0; LARGEST];
    let length = rustix::fs::lgetxattr(path, name, buffer.as_mut_slice())?;
    buffer.truncate(length);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_keeps_what_belongs_to_the_file() {
        let all = ["user.note", "security.capability", "system.posix_acl_access", "trusted.x"];
        let dropped = ["security.selinux", "security.ima", "trusted.overlay.opaque", "user.overlay.origin", "system.nfs4_acl"];
        let given = all.iter().chain(&dropped).map(|name| (name.as_bytes().to_vec(), b"v".to_vec())).collect();
        let mut kept: Vec<String> = for_layer(given).into_keys().map(|name| String::from_utf8(name).unwrap()).collect();
        let mut expected = all.map(str::to_owned).to_vec();
        kept.sort();
        expected.sort();
        assert_eq!(kept, expected);
    }

    #[test]
    fn capability_is_written_as_version_2() {
        let mut third = vec![1, 0, 0, 3];
        third.extend([0x20; 16]);
        let mut second = third.clone();
        second[3] = 2;
        third.extend([9, 0, 0, 0]);
        assert_eq!(capability_v2(third), second);
        assert_eq!(capability_v2(second.clone()), second);
        assert_eq!(capability_v2(vec![1, 0, 0, 3]), [1, 0, 0, 3]);
    }
}
