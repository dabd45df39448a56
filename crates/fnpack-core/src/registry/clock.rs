//! Whether this machine's clock is to blame for a certificate that is not valid now.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use super::http_date;

/// 2026-11-01: no clock that is right shows an earlier time to this program.
const BEFORE_FNPACK: u64 = 1_793_491_200;
/// Clocks that differ by less would hardly meet the end of a certificate.
const DAY: u64 = 24 * 60 * 60;

/// What is known of this machine's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Clock {
    /// Nothing speaks for or against it.
    #[default]
    Unknown,
    /// It shows what the server's shows.
    Agrees,
    /// It is wrong.
    Wrong {
        /// The day that it shows, `YYYY-MM-DD`.
        here: String,
        /// The day that the server's shows, where it said so.
        there: Option<String>,
    },
}

impl Clock {
    /// Judges by what a server says the time is, in seconds since 1970.
    pub(super) fn judge(now: SystemTime, server: Option<u64>) -> Self {
        let here = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let differ = server.map(|there| here.abs_diff(there) > DAY);
        match differ {
            Some(true) => Self::Wrong { here: http_date::day(here), there: server.map(http_date::day) },
            _ if here < BEFORE_FNPACK => Self::Wrong { here: http_date::day(here), there: None },
            Some(false) => Self::Agrees,
            None => Self::Unknown,
        }
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => formatter.write_str("nothing is known of this machine's clock"),
            Self::Agrees => formatter.write_str("this machine's clock agrees with the server's"),
            Self::Wrong { here, there: Some(there) } => write!(formatter, "this machine's clock shows {here}, the server's {there}"),
            Self::Wrong { here, there: None } => write!(formatter, "this machine's clock shows {here}, which is before fnpack was made"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn clock_is_judged_by_the_server_and_by_our_age() {
        const NOW: u64 = BEFORE_FNPACK + 100 * DAY;
        for (here, server, expected) in [
            (NOW, None, "nothing is known of this machine's clock"),
            (NOW, Some(NOW + 3600), "this machine's clock agrees with the server's"),
            (NOW, Some(NOW - 30 * DAY), "this machine's clock shows 2027-02-09, the server's 2027-01-10"),
            (0, Some(NOW), "this machine's clock shows 1970-01-01, the server's 2027-02-09"),
            (DAY, None, "this machine's clock shows 1970-01-02, which is before fnpack was made"),
            (DAY, Some(DAY), "this machine's clock shows 1970-01-02, which is before fnpack was made"),
        ] {
            assert_eq!(Clock::judge(UNIX_EPOCH + Duration::from_secs(here), server).to_string(), expected);
        }
    }
}
