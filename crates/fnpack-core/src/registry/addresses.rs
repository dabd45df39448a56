//! Addresses of hosts, remembered for a while: `ureq` asks for them before each request, also where it goes on with a
//! connection, and starts a thread for each question.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::{Authority, Scheme};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// What name servers commonly allow for hosts that move.
const REMEMBERED: Duration = Duration::from_secs(30);

/// By scheme, which stands for a port where none is named, and host.
type Known = HashMap<(Scheme, Authority), (Instant, ResolvedSocketAddrs)>;

/// A resolver that asks for each host once in a while.
#[derive(Debug, Default)]
pub(super) struct RememberedAddresses<R = DefaultResolver> {
    resolver: R,
    known: Mutex<Known>,
}

impl<R: Resolver> Resolver for RememberedAddresses<R> {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (Some(scheme), Some(host)) = (uri.scheme(), uri.authority()) else { return self.resolver.resolve(uri, config, timeout) };
        let host = (scheme.clone(), host.clone());
        let fresh = |(since, addresses): &(Instant, ResolvedSocketAddrs)| (since.elapsed() < REMEMBERED).then(|| addresses.clone());
        if let Some(addresses) = self.lock().get(&host).and_then(fresh) {
            return Ok(addresses);
        }
        let addresses = self.resolver.resolve(uri, config, timeout)?;
        self.lock().insert(host, (Instant::now(), addresses.clone()));
        Ok(addresses)
    }
}

impl<R> RememberedAddresses<R> {
    fn lock(&self) -> MutexGuard<'_, Known> {
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
            let by_scheme = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
            let mut addresses = self.empty();
            match uri.host() {
                Some("absent") | None => return Err(ureq::Error::HostNotFound),
                Some(_) => addresses.push(([127, 0, 0, 1], uri.port_u16().unwrap_or(by_scheme)).into()),
            }
            Ok(addresses)
        }
    }

    #[test]
    fn host_is_asked_for_once_and_one_that_is_absent_each_time() {
        let questions = Arc::new(AtomicUsize::new(0));
        let resolver = RememberedAddresses { resolver: Counting(Arc::clone(&questions)), known: Mutex::default() };
        let config = ureq::Agent::config_builder().build();
        let resolve = |uri: &str| resolver.resolve(&uri.parse().unwrap(), &config, NextTimeout::default());
        for (uri, port, asked) in [
            ("http://a/1", 80, 1),
            ("http://a/2", 80, 1),
            ("https://a/", 443, 2),
            ("http://a:81/", 81, 3),
            ("http://b/", 80, 4),
            ("http://a/", 80, 4),
        ] {
            let addresses = resolve(uri).unwrap();
            assert_eq!((addresses[0].port(), questions.load(Ordering::SeqCst)), (port, asked), "{uri}");
        }
        for asked in [5, 6] {
            assert!(matches!(resolve("http://absent/"), Err(ureq::Error::HostNotFound)));
            assert_eq!(questions.load(Ordering::SeqCst), asked, "it may be there now");
        }
    }
}
