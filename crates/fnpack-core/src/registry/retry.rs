//! When to ask again: after limits, faults of the server and broken connections, ever later, a few times.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::error::RegistryError;

/// How often and after how long.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Tries in all, the first included.
    pub attempts: u32,
    /// Before the second try; doubled each time.
    pub first_delay: Duration,
    /// A server that asks (`Retry-After`) for more than this is not waited for.
    pub longest_delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, first_delay: Duration::from_millis(400), longest_delay: Duration::from_mins(1) }
    }
}

impl Retry {
    /// How long to wait after the `attempt`th try failed; `None` to give up.
    pub(super) fn delay(&self, error: &RegistryError, attempt: u32) -> Option<Duration> {
        if attempt >= self.attempts || !error.retryable() {
            return None;
        }
        match error.refusal().and_then(|refusal| refusal.retry_after) {
            Some(asked) => (asked <= self.longest_delay).then_some(asked),
            None => Some(jittered(self.first_delay * 2_u32.pow(attempt.min(16) - 1)).min(self.longest_delay)),
        }
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
            Refusal { request, status, message: String::new(), retry_after, login: LoginTrace::NotAsked },
        )
    }

    #[test]
    fn delays_grow_and_end() {
        let retry = Retry { attempts: 4, first_delay: Duration::from_secs(1), longest_delay: Duration::from_secs(3) };
        for (attempt, low, high) in [(1, 0.5, 1.0), (2, 1.0, 2.0), (3, 2.0, 3.0)] {
            let delay = retry.delay(&refused(503, None), attempt).unwrap().as_secs_f64();
            assert!((low..=high).contains(&delay), "{attempt}: {delay}");
        }
        assert_eq!(retry.delay(&refused(503, None), 4), None);
        assert_eq!(retry.delay(&refused(401, None), 1), None);
    }

    #[test]
    fn server_is_waited_for_as_it_asks_up_to_the_limit() {
        let retry = Retry { longest_delay: Duration::from_secs(10), ..Retry::default() };
        assert_eq!(retry.delay(&refused(429, Some(7)), 1), Some(Duration::from_secs(7)));
        assert_eq!(retry.delay(&refused(429, Some(11)), 1), None);
    }
}
