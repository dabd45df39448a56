//! When to ask again: after faults of the server and broken connections ever later, a few times; after
//! limits on requests until the time for that is used up, as they pass by themselves.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::error::RegistryError;

/// How often and after how long.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Tries in all, the first included, where limits on requests are not the reason.
    pub attempts: u32,
    /// Before the second try; doubled each time.
    pub first_delay: Duration,
    /// The longest single wait, and the most that is waited in all for limits on requests to pass. A
    /// server that asks (`Retry-After`) for more is not waited for.
    pub longest_delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, first_delay: Duration::from_millis(400), longest_delay: Duration::from_mins(1) }
    }
}

impl Retry {
    /// How long to wait after the `attempt`th try failed, having `waited` before; `None` to give up.
    pub(super) fn delay(&self, error: &RegistryError, attempt: u32, waited: Duration) -> Option<Duration> {
        let limited = matches!(error, RegistryError::RateLimited { .. });
        if !error.retryable() || (attempt >= self.attempts && !limited) {
            return None;
        }
        let asked = error.refusal().and_then(|refusal| refusal.retry_after);
        if asked.is_some_and(|asked| asked > self.longest_delay) || (limited && waited >= self.longest_delay) {
            return None;
        }
        // Never less than our own, as servers may ask for none at all.
        let own = jittered(self.first_delay * 2_u32.pow(attempt.min(16) - 1));
        Some(asked.unwrap_or_default().max(own).min(self.longest_delay))
    }
}

/// Between half of it and all of it, so that many clients do not come back at once.
fn jittered(delay: Duration) -> Duration {
    // Every state is seeded by the system.
    let random = u32::try_from(RandomState::new().hash_one(0_u8) % 512).unwrap_or_default();
    delay * (512 + random) / 1024
}

#[cfg(test)]
mod tests {
    use super::super::error::{LoginTrace, Refusal, Request};
    use super::*;

    fn refused(status: u16, retry_after: Option<u64>) -> RegistryError {
        let request = Request { method: "GET", url: "http://x/".to_owned() };
        let retry_after = retry_after.map(Duration::from_secs);
        RegistryError::refused(
            "x".to_owned(),
            Refusal { request, status, message: String::new(), retry_after, unknown_blobs: Vec::new(), login: LoginTrace::NotAsked },
        )
    }

    #[test]
    fn delays_grow_and_end() {
        let retry = Retry { attempts: 4, first_delay: Duration::from_secs(1), longest_delay: Duration::from_secs(3) };
        for (attempt, low, high) in [(1, 0.5, 1.0), (2, 1.0, 2.0), (3, 2.0, 3.0)] {
            let delay = retry.delay(&refused(503, None), attempt, Duration::ZERO).unwrap().as_secs_f64();
            assert!((low..=high).contains(&delay), "{attempt}: {delay}");
        }
        assert_eq!(retry.delay(&refused(503, None), 4, Duration::ZERO), None);
        assert_eq!(retry.delay(&refused(401, None), 1, Duration::ZERO), None);
    }

    #[test]
    fn server_is_waited_for_as_it_asks_up_to_the_limit() {
        let retry = Retry { longest_delay: Duration::from_secs(10), ..Retry::default() };
        assert_eq!(retry.delay(&refused(429, Some(7)), 1, Duration::ZERO), Some(Duration::from_secs(7)));
        assert_eq!(retry.delay(&refused(429, Some(11)), 1, Duration::ZERO), None);
        assert!(retry.delay(&refused(429, None), 40, Duration::from_secs(9)).is_some(), "limits pass by themselves");
        assert_eq!(retry.delay(&refused(429, None), 2, Duration::from_secs(10)), None);
    }
}
