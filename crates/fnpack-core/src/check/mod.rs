//! What is allowed and probably not meant: findings on a build, each with a fix.

mod launch;

use std::fmt;

pub use launch::without_launcher;

/// Something that is allowed and will probably not do what is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name, for switching it off and for search.
    pub rule: &'static str,
    /// Where it is.
    pub place: String,
    /// What happens, a clause about the place.
    pub why: String,
    /// What to do, one step.
    pub fix: &'static str,
}

/// Two lines: the finding, and what to do.
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} {}\n  {}", self.rule, self.place, self.why, self.fix)
    }
}
