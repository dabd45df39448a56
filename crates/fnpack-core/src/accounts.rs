//! Users and groups by the files of the image.
//!
//! `/etc/passwd` and `/etc/group` are read through the image's [`Root`] and never through the
//! machine's name service: names mean what the image says.

use crate::executor::User;
use crate::root::{Root, RootError};

/// Longer files are refused; real ones have a few kilobytes.
const MAXIMUM_FILE: u64 = 1 << 20;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// A user or group cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The name stands in no file.
    #[error("the image has no {kind} `{name}` in {file}")]
    Unknown {
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Where it was looked for.
        file: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot look up users and groups in the image")]
    Read(#[source] RootError),
}

/// The one who runs a command.
#[derive(Debug, PartialEq, Eq)]
pub struct Account {
    /// Ids, supplementary groups included.
    pub user: User,
    /// The home folder.
    pub home: String,
}

/// The owner of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Owner {
    /// User and group 0.
    pub const ROOT: Self = Self { uid: 0, gid: 0 };
}

struct PasswdEntry {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

struct GroupEntry {
    name: String,
    gid: u32,
    members: Vec<String>,
}

/// Who `USER` means: `name`, `name:group`, numbers in both places. A number that the image does not
/// know is group 0 and has `/` as home; without a group, the groups that list the user are added.
pub fn account(root: &Root, text: &str) -> Result<Account, UserError> {
    let text = if text.is_empty() { "0" } else { text };
    let (user, group) = split(text);
    let entry = passwd(root)?.into_iter().find(|entry| entry.name == user || Ok(entry.uid) == user.parse());
    let (uid, primary, home) = match (&entry, user.parse::<u32>()) {
        (Some(entry), _) => (entry.uid, entry.gid, entry.home.clone()),
        (None, Ok(number)) => (number, 0, "/".to_owned()),
        (None, Err(_)) => return Err(UserError::Unknown { kind: "user", name: user.to_owned(), file: PASSWD }),
    };
    let groups = groups(root)?;
    let (gid, supplementary) = match group {
        Some(group) => (gid_of(&groups, group)?, Vec::new()),
        None => (primary, entry.map(|entry| memberships(&groups, &entry.name, primary)).unwrap_or_default()),
    };
    let home = if home.is_empty() { "/".to_owned() } else { home };
    Ok(Account { user: User { uid, gid, groups: supplementary }, home })
}

/// Who `--chown` means. Without a group, a name has its primary group and a number itself.
pub fn owner(root: &Root, text: &str) -> Result<Owner, UserError> {
    let (user, group) = split(text);
    let (uid, primary) = if let Ok(number) = user.parse::<u32>() {
        (number, number)
    } else {
        let entry = passwd(root)?.into_iter().find(|entry| entry.name == user);
        let entry = entry.ok_or_else(|| UserError::Unknown { kind: "user", name: user.to_owned(), file: PASSWD })?;
        (entry.uid, entry.gid)
    };
    let gid = match group.map(|group| (group, group.parse::<u32>())) {
        None => primary,
        Some((_, Ok(number))) => number,
        Some((name, Err(_))) => gid_of(&groups(root)?, name)?,
    };
    Ok(Owner { uid, gid })
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((user, group)) if !group.is_empty() => (user, Some(group)),
        Some((user, _)) => (user, None),
        None => (text, None),
    }
}

fn gid_of(groups: &[GroupEntry], group: &str) -> Result<u32, UserError> {
    let entry = groups.iter().find(|entry| entry.name == group).map(|entry| entry.gid);
    let unknown = || UserError::Unknown { kind: "group", name: group.to_owned(), file: GROUP };
    entry.or_else(|| group.parse().ok()).ok_or_else(unknown)
}

fn memberships(groups: &[GroupEntry], user: &str, primary: u32) -> Vec<u32> {
    let listed = groups.iter().filter(|group| group.gid != primary && group.members.iter().any(|member| member == user));
    listed.map(|group| group.gid).collect()
}

/// The entries that can be read; as in every C library, others are passed over.
fn passwd(root: &Root) -> Result<Vec<PasswdEntry>, UserError> {
    let entry = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = fields.as_slice() else { return None };
        Some(PasswdEntry { name: (*name).to_owned(), uid: uid.parse().ok()?, gid: gid.parse().ok()?, home: (*home).to_owned() })
    };
    Ok(file(root, PASSWD)?.lines().filter_map(entry).collect())
}

fn groups(root: &Root) -> Result<Vec<GroupEntry>, UserError> {
    let entry = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members, ..] = fields.as_slice() else { return None };
        let members = members.split(',').map(|member| member.trim().to_owned()).collect();
        Some(GroupEntry { name: (*name).to_owned(), gid: gid.parse().ok()?, members })
    };
    Ok(file(root, GROUP)?.lines().filter_map(entry).collect())
}

/// An image without the file has no names, which is no failure: numbers work.
fn file(root: &Root, path: &str) -> Result<String, UserError> {
    match root.read(path, MAXIMUM_FILE) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.is_not_found() => Ok(String::new()),
        Err(error) => Err(UserError::Read(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        root.create_dir("etc", 0o755).unwrap();
        root.write("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nbroken\npulsar:x:10000:10001::/pulsar:/bin/sh\n", 0o644).unwrap();
        root.write("etc/group", b"root:x:0:\nusers:x:100:pulsar,other\npulsar:x:10001:pulsar\nwheel:x:7:root\n", 0o644).unwrap();
        (folder, root)
    }

    #[test]
    fn account_follows_the_image() {
        let (_folder, root) = image();
        for (text, uid, gid, groups, home) in [
            ("", 0, 0, vec![7], "/root"),
            ("root", 0, 0, vec![7], "/root"),
            ("pulsar", 10000, 10001, vec![100], "/pulsar"),
            ("10000", 10000, 10001, vec![100], "/pulsar"),
            ("pulsar:users", 10000, 100, vec![], "/pulsar"),
            ("pulsar:", 10000, 10001, vec![100], "/pulsar"),
            ("4711", 4711, 0, vec![], "/"),
            ("4711:4712", 4711, 4712, vec![], "/"),
        ] {
            let user = User { uid, gid, groups };
            assert_eq!(account(&root, text).unwrap(), Account { user, home: home.to_owned() }, "{text}");
        }
        for (text, expected) in [
            ("nobody", "the image has no user `nobody` in /etc/passwd"),
            ("root:nogroup", "the image has no group `nogroup` in /etc/group"),
            ("99999999999", "the image has no user `99999999999` in /etc/passwd"),
        ] {
            assert_eq!(account(&root, text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn owner_follows_the_image() {
        let (_folder, root) = image();
        for (text, uid, gid) in
            [("pulsar", 10000, 10001), ("7", 7, 7), ("7:pulsar", 7, 10001), ("root:8", 0, 8), ("10000:10001", 10000, 10001)]
        {
            assert_eq!(owner(&root, text).unwrap(), Owner { uid, gid }, "{text}");
        }
        assert!(owner(&root, "nobody").is_err());
        let empty = tempfile::tempdir().unwrap();
        let empty = Root::open(empty.path()).unwrap();
        assert_eq!(owner(&empty, "1:2").unwrap(), Owner { uid: 1, gid: 2 });
        assert!(owner(&empty, "root").is_err());
    }
}
