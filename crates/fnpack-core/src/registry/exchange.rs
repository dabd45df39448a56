//! A request with all that belongs to it: login, redirects, and asking again.

use std::time::Duration;

use super::Client;
use super::auth::{Access, Answered, Authorization};
use super::endpoint;
use super::error::{LoginTrace, RegistryError};
use super::transport::{Call, Response};
use super::url::{Scheme, Url};

/// Registries send to a storage provider once, rarely twice.
const MOST_REDIRECTS: usize = 5;

impl Client {
    /// Asks, again where that may help; an answer of another status than `accepted` is an error.
    pub(super) fn ask(&self, call: &Call<'_>, access: &Access, accepted: &[u16]) -> Result<Response, RegistryError> {
        self.retrying(|| self.ask_once(call, access, accepted))
    }

    /// Does something again while its errors say that this may help.
    pub(super) fn retrying<T>(&self, mut action: impl FnMut() -> Result<T, RegistryError>) -> Result<T, RegistryError> {
        let (mut attempt, mut waited) = (1, Duration::ZERO);
        loop {
            let error = match action() {
                Ok(value) => return Ok(value),
                Err(error) => error.after(attempt),
            };
            let Some(delay) = self.retry.delay(&error, attempt, waited) else { return Err(error) };
            self.progress.waiting(&error, delay);
            std::thread::sleep(delay);
            attempt += 1;
            waited += delay;
        }
    }

    /// Asks once, and once more with a new login if the answer is that one is needed.
    pub(super) fn ask_once(&self, call: &Call<'_>, access: &Access, accepted: &[u16]) -> Result<Response, RegistryError> {
        let mut authorization = self.authenticator.known(access);
        let mut response = self.follow(call, authorization.as_ref())?;
        let mut trace = authorization.as_ref().map_or(LoginTrace::NotAsked, Authorization::trace);
        // Only the registry itself may ask who we are, not where it sends us.
        if response.status == 401 && response.url.same_origin(call.url) {
            match self.authenticator.answer(&self.transport, &response, access, authorization.as_ref())? {
                Answered::Nothing(looked_at) => trace = looked_at,
                Answered::With(new) => {
                    trace = new.trace();
                    if authorization.as_ref().is_none_or(|old| old.value() != new.value()) {
                        authorization = Some(new);
                        response = self.follow(call, authorization.as_ref())?;
                    }
                }
            }
            if response.status == 401 {
                self.authenticator.forget(access);
            }
        }
        if accepted.contains(&response.status) {
            return Ok(response);
        }
        let host = response.host();
        let mut refusal = response.into_refusal();
        refusal.login = trace;
        Err(RegistryError::refused(host, refusal))
    }

    /// Follows redirects of requests without a body. The login stays behind when the host changes.
    fn follow(&self, call: &Call<'_>, authorization: Option<&Authorization>) -> Result<Response, RegistryError> {
        let mut authorization = authorization.map(Authorization::value);
        let mut response = self.transport.send(call, authorization)?;
        for _ in 0..MOST_REDIRECTS {
            let redirected = matches!(response.status, 301 | 302 | 303 | 307 | 308) && matches!(call.method, "GET" | "HEAD");
            if !redirected {
                return Ok(response);
            }
            let next = self.location(&response)?;
            if !next.same_origin(&response.url) {
                authorization = None;
            }
            response = self.transport.send(&Call { url: &next, ..*call }, authorization)?;
        }
        Err(response.unexpected("it redirects without end"))
    }

    /// Where an answer's `Location` points to.
    pub(super) fn location(&self, response: &Response) -> Result<Url, RegistryError> {
        let location = response.header("location").ok_or_else(|| response.unexpected("there is no `Location`"))?;
        let next = response.url.join(location).map_err(|error| response.unexpected(format!("its `Location` is unusable: {error}")))?;
        let downgraded = response.url.scheme() == Scheme::Https && next.scheme() == Scheme::Http;
        if downgraded && !endpoint::may_be_plain(next.authority(), &self.insecure_hosts) {
            return Err(response.unexpected("it redirects from HTTPS to plain HTTP"));
        }
        Ok(next)
    }
}
