//! The ids that an administrator lends to a user: `/etc/subuid` and `/etc/subgid` (`man 5 subuid`).

use std::path::Path;

/// A file of an administrator, but a user may be in a container with anything in it.
const LONGEST_FILE: usize = 1 << 20;

/// Ids lent, in the order in which they are to be mapped from 1 on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lent {
    pub(crate) ranges: Vec<(u32, u32)>,
}

impl Lent {
    /// What `file` lends to the user of this id.
    pub(crate) fn to(uid: u32, file: &Path) -> Self {
        let text = fs_err::read_to_string(file).unwrap_or_default();
        let name = name_of(uid, &fs_err::read_to_string("/etc/passwd").unwrap_or_default());
        Self::in_text(text.get(..LONGEST_FILE).unwrap_or(&text), uid, name.as_deref())
    }

    fn in_text(text: &str, uid: u32, name: Option<&str>) -> Self {
        let number = uid.to_string();
        let range = |line: &str| {
            let mut fields = line.trim().split(':');
            let owner = fields.next()?;
            let range = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            (range.1 > 0 && (owner == number || Some(owner) == name)).then_some(range)
        };
        Self { ranges: text.lines().filter_map(range).collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many ids.
    pub(crate) fn count(&self) -> u64 {
        self.ranges.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// What `newuidmap` and `newgidmap` want to hear: 0 is the user, the lent ids follow.
    pub(crate) fn arguments(&self, own: u32) -> Vec<String> {
        let mut words = vec![0, own, 1];
        let mut inside = 1_u32;
        for (outside, count) in &self.ranges {
            words.extend([inside, *outside, *count]);
            inside = inside.saturating_add(*count);
        }
        words.iter().map(ToString::to_string).collect()
    }
}

/// The user's name, read from the file: name services need a dynamic library of the right libc.
fn name_of(uid: u32, passwd: &str) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_name_and_by_number() {
        let text = "alice:100000:65536\n# a comment\nbob:1:2\n1000:300000:10\nalice:x:1\nalice:5:0\nalice\n";
        let lent = Lent::in_text(text, 1000, Some("alice"));
        assert_eq!(lent.ranges, [(100_000, 65_536), (300_000, 10)]);
        assert_eq!(lent.count(), 65_546);
        assert_eq!(lent.arguments(1000).join(" "), "0 1000 1 1 100000 65536 65537 300000 10");
        assert!(Lent::in_text(text, 1001, None).is_empty());
    }

    #[test]
    fn names_come_from_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        assert_eq!(name_of(1000, passwd).as_deref(), Some("alice"));
        assert_eq!(name_of(7, passwd), None);
    }
}
