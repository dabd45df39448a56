//! Which ids of the world outside stand behind the ids that this process sees.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::SandboxError;
use crate::error::errno_of;

/// The kernel's own limit is 340 lines.
const MOST_RANGES: usize = 400;

/// Consecutive ids: `inside + n` is `outside + n` for each `n` below `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first id as seen by this process.
    pub inside: u32,
    /// The first id as the parent user namespace has it.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// How the ids of this process are mapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdMapping {
    /// Not at all: each id is itself.
    Initial,
    /// Several ids exist.
    Range {
        /// Of users.
        uids: Vec<IdRange>,
        /// Of groups.
        gids: Vec<IdRange>,
    },
    /// Only id 0 exists, and it is this user and group outside.
    Single {
        /// User id outside.
        uid: u32,
        /// Group id outside.
        gid: u32,
    },
}

impl IdMapping {
    /// That of this process.
    pub fn current() -> Result<Self, SandboxError> {
        Ok(Self::of(read("/proc/self/uid_map")?, read("/proc/self/gid_map")?))
    }

    fn of(uids: Vec<IdRange>, gids: Vec<IdRange>) -> Self {
        let everything = [IdRange { inside: 0, outside: 0, count: u32::MAX }];
        match (uids.as_slice(), gids.as_slice()) {
            (uids, gids) if uids == everything && gids == everything => Self::Initial,
            ([uid], [gid]) if (uid.inside, uid.count, gid.inside, gid.count) == (0, 1, 0, 1) => {
                Self::Single { uid: uid.outside, gid: gid.outside }
            }
            _ => Self::Range { uids, gids },
        }
    }

    /// A short name, the same for the same mapping and for no other: files unpacked under one mapping
    /// have the wrong owners under another, so they are kept apart by it. Letters, digits and `-` only.
    pub fn key(&self) -> String {
        match self {
            Self::Initial => "host".to_owned(),
            Self::Single { uid, gid } => format!("single-{uid}-{gid}"),
            Self::Range { uids, gids } => format!("range-{:016x}", fingerprint(uids, gids)),
        }
    }
}

/// FNV-1a over the ranges. The mapping is the user's own, nobody looks for collisions.
fn fingerprint(uids: &[IdRange], gids: &[IdRange]) -> u64 {
    let mut text = String::new();
    for (kind, ranges) in [('u', uids), ('g', gids)] {
        for IdRange { inside, outside, count } in ranges {
            // Writing to a string does not fail.
            let _ = write!(text, "{kind}{inside}:{outside}:{count},");
        }
    }
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn read(path: &str) -> Result<Vec<IdRange>, SandboxError> {
    let failed = |source| SandboxError::Read { path: PathBuf::from(path), source };
    let text = fs_err::read_to_string(Path::new(path)).map_err(|error| failed(errno_of(&error)))?;
    parse(&text).ok_or(failed(rustix::io::Errno::BADMSG))
}

fn parse(text: &str) -> Option<Vec<IdRange>> {
    let range = |line: &str| {
        let mut numbers = line.split_whitespace().map(|number| number.parse().ok());
        let range = IdRange { inside: numbers.next()??, outside: numbers.next()??, count: numbers.next()?? };
        numbers.next().is_none().then_some(range)
    };
    text.lines().take(MOST_RANGES).map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapping_is_told_from_the_files_of_the_kernel() {
        let of = |uids: &str, gids: &str| IdMapping::of(parse(uids).unwrap(), parse(gids).unwrap());
        let all = "         0          0 4294967295\n";
        assert_eq!(of(all, all), IdMapping::Initial);
        assert_eq!(of("0 1000 1\n", "0 100 1\n"), IdMapping::Single { uid: 1000, gid: 100 });
        let range = of("0 1000 1\n1 100000 65536\n", "0 1000 1\n1 100000 65536\n");
        assert!(matches!(&range, IdMapping::Range { uids, .. } if uids[1] == IdRange { inside: 1, outside: 100_000, count: 65_536 }));
        assert!(matches!(of("1000 1000 1\n", "1000 1000 1\n"), IdMapping::Range { .. }));
        assert!(matches!(of("", ""), IdMapping::Range { .. }));
    }

    #[test]
    fn text_that_no_kernel_writes_is_refused() {
        for text in ["0 1", "0 1 2 3", "a b c", "0 0 -1", "0 0 4294967296", "\n"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn keys_differ_where_mappings_do_and_stay_as_they_are() {
        let range = |outside| {
            let ids = vec![IdRange { inside: 0, outside, count: 65_536 }];
            IdMapping::Range { uids: ids.clone(), gids: ids }
        };
        assert_eq!(IdMapping::Initial.key(), "host");
        assert_eq!(IdMapping::Single { uid: 1000, gid: 100 }.key(), "single-1000-100");
        // Snapshots on users' disks carry these names.
        assert_eq!(range(100_000).key(), KEY_OF_THE_USUAL_RANGE);
        assert_ne!(range(100_000).key(), range(165_536).key());
    }

    const KEY_OF_THE_USUAL_RANGE: &str = "range-9fe647920a6647f7";
}
