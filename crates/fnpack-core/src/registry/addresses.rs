//! Addresses of hosts, remembered for a while: `ureq` asks for them before each request, also where it goes on with a
//! connection, and starts a thread for each question.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::Authority;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// What name servers commonly allow for hosts that move.
const REMEMBERED: Duration = Duration::from_secs(30);

/// A resolver that asks for each host once in a while.
#[derive(Debug, Default)]
pub(super) struct RememberedAddresses<R = DefaultResolver> {
    resolver: R,
    known: Mutex<HashMap<Authority, (Instant, ResolvedSocketAddrs)>>,
}

impl<R: Resolver> Resolver for RememberedAddresses<R> {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let Some(host) = uri.authority() else { return self.resolver.resolve(uri, config, timeout) };
        let known = |(since, addresses): &(Instant, ResolvedSocketAddrs)| (since.elapsed() < REMEMBERED).then(|| addresses.clone());
        if let Some(addresses) = self.lock().get(host).and_then(known) {
            return Ok(addresses);
        }
        let addresses = self.resolver.resolve(uri, config, timeout)?;
        self.lock().insert(host.clone(), (Instant::now(), addresses.clone()));
        Ok(addresses)
    }
}

impl<R> RememberedAddresses<R> {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Authority, (Instant, ResolvedSocketAddrs)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Knows all hosts but one, and counts the questions.
    #[derive(Debug)]
    struct Counting(Arc<AtomicUsize>);

    impl Resolver for Counting {
        fn resolve(&self, uri: &Uri, _config: &Config, _timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let mut addresses = self.empty();
            match uri.host() {
                Some("absent") | None => return Err(ureq::Error::HostNotFound),
                Some(_) => addresses.push(([127, 0, 0, 1], uri.port_u16().unwrap_or(80)).into()),
            }
            Ok(addresses)
        }
    }

    #[test]
    fn host_is_asked_for_once_and_one_that_is_absent_each_time() {
        let questions = Arc::new(AtomicUsize::new(0));
        let resolver = RememberedAddresses { resolver: Counting(Arc::clone(&questions)), known: Mutex::default() };
        let resolve = |uri: &str| {
            let timeout = NextTimeout { after: ureq::unversioned::transport::time::Duration::NotHappening, reason: ureq::Timeout::Resolve };
            resolver.resolve(&uri.parse().unwrap(), &ureq::Agent::config_builder().build(), timeout)
        };
        for (uri, port, asked) in [("http://a/1", 80, 1), ("http://a/2", 80, 1), ("http://a:81/", 81, 2), ("http://b/", 80, 3), ("http://a/", 80, 3)] {
            let addresses = resolve(uri).unwrap();
            assert_eq!((addresses[0].port(), addresses.len(), questions.load(Ordering::SeqCst)), (port, 1, asked), "{uri}");
        }
        for asked in [4, 5] {
            assert!(matches!(resolve("http://absent/"), Err(ureq::Error::HostNotFound)));
            assert_eq!(questions.load(Ordering::SeqCst), asked, "it may be there now");
        }
    }
}
