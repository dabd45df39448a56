//! Who runs buildpacks and owns what they write.
//!
//! As root, folders are given to that user first, and buildpacks run as that user while this process stays root:
//! then they cannot look into it, which knows the registry logins. Not as root, all is as it is.

use std::fs::File;
use std::io;
use std::os::unix::fs::fchown;
use std::path::Path;

use fnpack_core::executor::User;
use fnpack_core::layers::Owner;
use fnpack_core::root::{Root, RootError};

use crate::arguments::{Arguments, Flag};
use crate::failure::Failure;

const OWNER_WRITES: u32 = 0o200;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// The user of the build.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    /// As the platform names it; the owner of what comes into the image.
    pub(crate) owner: Owner,
    /// As this process can make it.
    pub(crate) here: Owner,
    /// Whether this process is root.
    pub(crate) is_root: bool,
}

impl Identity {
    /// From `-uid` and `-gid`; without them, who we are, unless that is root.
    pub(crate) fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let Self { here: ours, is_root, .. } = Self::ours();
        let owner = match (arguments.number(Flag::Uid), arguments.number(Flag::Gid)) {
            (Some(uid), Some(gid)) => Owner { uid, gid },
            (uid, gid) if !is_root => Owner { uid: uid.unwrap_or(ours.uid), gid: gid.unwrap_or(ours.gid) },
            _ => return Err(Failure::arguments("`-uid` and `-gid`, or CNB_USER_ID and CNB_GROUP_ID, must say who runs the build")),
        };
        Ok(Self { owner, here: if is_root { owner } else { ours }, is_root })
    }

    /// Who we are.
    pub(crate) fn ours() -> Self {
        let ours = Owner { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() };
        Self { owner: ours, here: ours, is_root: ours.uid == 0 }
    }

    /// The user of commands.
    pub(crate) fn user(&self) -> User {
        User { uid: self.here.uid, gid: self.here.gid, groups: Vec::new() }
    }

    /// Makes a folder if it is missing and, as root, gives it to the build's user with all that is in it, unless
    /// that user can write it already.
    pub(crate) fn prepare(&self, folder: &Path) -> Result<Root, RootError> {
        let failed = |source| RootError { action: "make folder", path: folder.to_owned(), source };
        fs_err::create_dir_all(folder).map_err(failed)?;
        let root = Root::open(folder)?;
        if self.is_root && !self.can_write(&root)? {
            root.chown_all("", self.owner.uid, self.owner.gid)?;
        }
        Ok(root)
    }

    /// Whom files must be given to, as root.
    pub(crate) fn heir(&self) -> Option<Owner> {
        self.is_root.then_some(self.owner)
    }

    /// Gives a file of ours to the build's user, as root.
    pub(crate) fn hand_over_file(&self, file: &File) -> io::Result<()> {
        if self.is_root { fchown(file, Some(self.owner.uid), Some(self.owner.gid)) } else { Ok(()) }
    }

    fn can_write(&self, root: &Root) -> Result<bool, RootError> {
        let stat = root.symlink_metadata("")?;
        let wanted = if stat.st_uid == self.owner.uid {
            OWNER_WRITES
        } else if stat.st_gid == self.owner.gid {
            GROUP_WRITES
        } else {
            OTHERS_WRITE
        };
        Ok(stat.st_mode & wanted != 0)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn needs_root_folders_are_handed_over_only_if_they_must_be() {
        if !rustix::process::geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "tests run as root in CI");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let layers = folder.path().join("new/layers");
        let outside = folder.path().join("outside");
        fs_err::write(&outside, "").unwrap();
        fs_err::create_dir_all(layers.join("below")).unwrap();
        symlink(&outside, layers.join("below/link")).unwrap();
        let identity = |uid| Identity { owner: Owner { uid, gid: uid }, here: Owner { uid, gid: uid }, is_root: true };
        let owner = |path: &Path| fs_err::symlink_metadata(path).unwrap().uid();

        identity(10_001).prepare(&layers).unwrap();
        assert_eq!(
            [&layers, &layers.join("below"), &layers.join("below/link"), &outside].map(|path| owner(path)),
            [10_001, 10_001, 10_001, 0]
        );
        fs_err::set_permissions(&layers, std::fs::Permissions::from_mode(0o777)).unwrap();
        identity(10_002).prepare(&layers).unwrap();
        assert_eq!(owner(&layers), 10_001);
    }
}
