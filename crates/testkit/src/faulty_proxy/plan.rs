//! Which request meets what.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::Resource;
use crate::http::Request;

/// What a request may meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It is answered so much later.
    Late(Duration),
    /// The connection is reset before the registry hears of it.
    ResetBefore,
    /// The registry gets half of its body, then both connections break.
    ResetDuring,
    /// The registry does as it is asked, and the answer is lost.
    ResetAfter,
    /// 429, with `Retry-After` in seconds if there is a number.
    Limited(Option<u64>),
    /// This status in place of the registry's answer; what was sent is read only if it is short.
    Failed(u16),
    /// Half of the answer's body, then the connection is closed.
    Truncated,
    /// A bit of the answer's body is another.
    Flipped,
    /// A bit of a blob on its way to the registry is another.
    FlippedUpload,
    /// `Docker-Content-Digest` is that of something else.
    WrongDigest,
    /// Half of the answer, then for so long nothing.
    Stalled(Duration),
    /// `Content-Length` is more than what comes.
    LengthTooLong,
    /// `Content-Length` is less than what comes.
    LengthTooShort,
    /// `Location` and `Docker-Content-Digest` come a second time, with other values.
    DuplicateHeaders,
    /// `Location`, `Docker-Content-Digest`, `Range` and `Content-Type` are left out.
    AbsentHeaders,
}

/// Which requests meet which mishaps.
#[derive(Debug, Clone)]
pub struct Plan(Choice);

#[derive(Debug, Clone)]
enum Choice {
    Calm,
    Always { method: &'static str, path: &'static str, mishap: Mishap },
    Seeded { seed: u64, percent: u64, mishaps: Vec<Mishap> },
}

impl Plan {
    /// All requests pass.
    pub fn calm() -> Self {
        Self(Choice::Calm)
    }

    /// Each request of a method, with this in its path, meets the same.
    pub fn always(method: &'static str, path: &'static str, mishap: Mishap) -> Self {
        Self(Choice::Always { method, path, mishap })
    }

    /// So many of a hundred requests meet one of these.
    pub fn seeded(seed: u64, percent: u64, mishaps: &[Mishap]) -> Self {
        Self(Choice::Seeded { seed, percent, mishaps: mishaps.to_vec() })
    }

    /// What a request meets that comes the `times`th time, of what `fits` it; `line` is `METHOD path`.
    pub(super) fn mishap(&self, line: &str, times: u64, fits: impl Fn(Mishap) -> bool) -> Option<Mishap> {
        match &self.0 {
            Choice::Calm => None,
            Choice::Always { method, path, mishap } => {
                let (own, target) = line.split_once(' ')?;
                (own == *method && target.contains(path) && fits(*mishap)).then_some(*mishap)
            }
            Choice::Seeded { seed, percent, mishaps } => {
                let [roll, choice] = rolls(&format!("{seed} {times} {line}"));
                let fitting: Vec<Mishap> = mishaps.iter().copied().filter(|mishap| fits(*mishap)).collect();
                let position = usize::try_from(choice.checked_rem(fitting.len() as u64)?).ok()?;
                fitting.get(position).filter(|_| roll % 100 < *percent).copied()
            }
        }
    }
}

impl Mishap {
    /// For reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Late(_) => "late",
            Self::ResetBefore => "reset before",
            Self::ResetDuring => "reset during",
            Self::ResetAfter => "reset after",
            Self::Limited(_) => "limited",
            Self::Failed(_) => "failed",
            Self::Truncated => "truncated",
            Self::Flipped => "flipped",
            Self::FlippedUpload => "flipped upload",
            Self::WrongDigest => "wrong digest",
            Self::Stalled(_) => "stalled",
            Self::LengthTooLong => "length too long",
            Self::LengthTooShort => "length too short",
            Self::DuplicateHeaders => "duplicate headers",
            Self::AbsentHeaders => "absent headers",
        }
    }

    /// Whether it can happen to this request.
    pub(super) fn fits(self, request: &Request) -> bool {
        let has_answer = request.method == "GET";
        match self {
            Self::Truncated | Self::Flipped | Self::LengthTooLong | Self::LengthTooShort => has_answer,
            Self::ResetDuring => request.length() > 1,
            Self::FlippedUpload => request.length() > 0 && Resource::of(request.path()) == Resource::Upload,
            _ => true,
        }
    }
}

/// Two numbers that a text always gives.
fn rolls(text: &str) -> [u64; 2] {
    let bytes = Sha256::digest(text);
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    [number(&bytes[..8]), number(&bytes[8..16])]
}
