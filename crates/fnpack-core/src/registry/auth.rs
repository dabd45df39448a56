//! Logging in: basic, and tokens (distribution's token specification, `OAuth2` refresh tokens included).
//!
//! A registry is first asked without a login, as most pulls need none. What it then demands is
//! remembered by host, and tokens by host and scopes, so that one command logs in once. Passwords only
//! go where nobody on the way can read them: over HTTPS, to loopback, or to hosts that the user named
//! as plain HTTP.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::challenge::Challenge;
use super::credentials::{Credentials, Found, Login, Secret};
use super::endpoint;
use super::error::{LoginTrace, RegistryError};
use super::transport::{Body, Call, Response, Transport};
use super::url::{Scheme, Url, percent_encoded};

/// Tokens are a few KiB; this is only against an endless answer.
const LONGEST_TOKEN_ANSWER: u64 = 1024 * 1024;
/// What the specification says of answers without `expires_in`, and the least that is believed.
const SHORTEST_LIFE: u64 = 60;
/// A token this close to its end is not used for a new request.
const MARGIN: Duration = Duration::from_secs(10);

/// What is to be done with one repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    repository: String,
    actions: &'static str,
}

impl Scope {
    pub(super) fn pull(repository: &str) -> Self {
        Self { repository: repository.to_owned(), actions: "pull" }
    }

    pub(super) fn push(repository: &str) -> Self {
        Self { repository: repository.to_owned(), actions: "pull,push" }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "repository:{}:{}", self.repository, self.actions)
    }
}

/// For whom and what a login is.
#[derive(Debug, Clone)]
pub(super) struct Access {
    /// As in image names.
    pub(super) registry: String,
    /// The first is the repository that the request is about.
    pub(super) scopes: Vec<Scope>,
}

/// The value of an `Authorization` header, and where the login in it is from.
#[derive(Debug, Clone)]
pub(super) struct Authorization {
    value: Secret,
    trace: LoginTrace,
}

impl Authorization {
    pub(super) fn value(&self) -> &str {
        self.value.reveal()
    }

    pub(super) fn trace(&self) -> LoginTrace {
        self.trace.clone()
    }
}

/// What an answer of 401 led to.
pub(super) enum Answered {
    /// Ask again with this.
    With(Authorization),
    /// There is nothing to ask again with.
    Nothing(LoginTrace),
}

#[derive(Clone)]
enum Known {
    /// Sent with every request to the registry.
    Fixed(Authorization),
    Tokens(BTreeMap<String, (Authorization, Instant)>),
}

/// Remembers logins.
pub(super) struct Authenticator {
    credentials: Arc<dyn Credentials>,
    insecure_hosts: Vec<String>,
    known: Mutex<HashMap<String, Known>>,
    /// Held while one thread logs in: the others then find what it got.
    logging_in: Mutex<()>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Authenticator {
    pub(super) fn new(credentials: Arc<dyn Credentials>, insecure_hosts: Vec<String>) -> Self {
        Self { credentials, insecure_hosts, known: Mutex::default(), logging_in: Mutex::default() }
    }

    /// What a request can be sent with from the start.
    pub(super) fn known(&self, access: &Access) -> Option<Authorization> {
        match self.lock().get(&access.registry)? {
            Known::Fixed(authorization) => Some(authorization.clone()),
            Known::Tokens(tokens) => {
                let (authorization, end) = tokens.get(&access.key())?;
                (*end > Instant::now()).then(|| authorization.clone())
            }
        }
    }

    /// Does what an answer of 401 to a request with the login `refused` demands. Of several threads that
    /// are refused at once, one logs in.
    pub(super) fn answer(
        &self,
        transport: &Transport,
        response: &Response,
        access: &Access,
        refused: Option<&Authorization>,
    ) -> Result<Answered, RegistryError> {
        let _turn = self.logging_in.lock().unwrap_or_else(PoisonError::into_inner);
        match self.known(access) {
            Some(newer) if refused.is_none_or(|refused| refused.value() != newer.value()) => Ok(Answered::With(newer)),
            _ => {
                self.forget(access);
                self.log_in(transport, response, access)
            }
        }
    }

    fn log_in(&self, transport: &Transport, response: &Response, access: &Access) -> Result<Answered, RegistryError> {
        let challenges: Vec<Challenge> = response.headers("www-authenticate").take(8).flat_map(Challenge::parse_list).collect();
        let repository = access.scopes.first().map_or("", |scope| &scope.repository);
        let lookup = self
            .credentials
            .lookup(&access.registry, repository)
            .map_err(|source| RegistryError::Credentials { host: access.registry.clone(), source })?;
        let trace = match &lookup.found {
            Some(found) => LoginTrace::Sent(found.source.clone()),
            None => LoginTrace::NotFound(lookup.looked_at),
        };
        if let Some(Found { login: Login::RegistryToken(token), .. }) = &lookup.found {
            return Ok(self.remember_fixed(access, format!("Bearer {}", token.reveal()), trace));
        }
        if let Some(challenge) = challenges.iter().find(|challenge| challenge.scheme == "bearer") {
            let service = TokenService::parse(challenge, response, &self.insecure_hosts)?;
            let scopes = service.scopes(access);
            let call = service.call(&scopes, lookup.found.as_ref().map(|found| &found.login));
            let (token, life) = call.send(transport, &access.registry, &trace)?;
            return Ok(self.remember_token(access, &token, life, trace));
        }
        match (challenges.iter().any(|challenge| challenge.scheme == "basic"), lookup.found) {
            (true, Some(Found { login: Login::Password { user, password }, .. })) => {
                Ok(self.remember_fixed(access, basic(&user, &password), trace))
            }
            (false, _) => Err(response.unexpected("it names no way to log in that is known here (`Basic`, `Bearer`)")),
            (true, _) => Ok(Answered::Nothing(trace)),
        }
    }

    /// Forgets what has just been refused.
    pub(super) fn forget(&self, access: &Access) {
        let mut known = self.lock();
        match known.get_mut(&access.registry) {
            None => {}
            Some(Known::Tokens(tokens)) => drop(tokens.remove(&access.key())),
            Some(Known::Fixed(_)) => drop(known.remove(&access.registry)),
        }
    }

    fn remember_fixed(&self, access: &Access, value: String, trace: LoginTrace) -> Answered {
        let authorization = Authorization { value: Secret::new(value), trace };
        self.lock().insert(access.registry.clone(), Known::Fixed(authorization.clone()));
        Answered::With(authorization)
    }

    fn remember_token(&self, access: &Access, token: &Secret, life: Duration, trace: LoginTrace) -> Answered {
        let authorization = Authorization { value: Secret::new(format!("Bearer {}", token.reveal())), trace };
        let mut known = self.lock();
        let end = Instant::now() + life.saturating_sub(MARGIN);
        if let Some(Known::Tokens(tokens)) = known.get_mut(&access.registry) {
            tokens.insert(access.key(), (authorization.clone(), end));
        } else {
            let tokens = BTreeMap::from([(access.key(), (authorization.clone(), end))]);
            known.insert(access.registry.clone(), Known::Tokens(tokens));
        }
        Answered::With(authorization)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Access {
    fn key(&self) -> String {
        self.scopes.iter().map(Scope::to_string).collect::<Vec<_>>().join(" ")
    }
}

fn basic(user: &str, password: &Secret) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal())))
}

/// The token service that a challenge names.
struct TokenService {
    realm: Url,
    service: Option<String>,
    scope: Option<String>,
}

/// A request to a token service, ready to be sent.
struct TokenCall {
    url: Url,
    form: Option<Secret>,
    authorization: Option<Secret>,
}

impl TokenService {
    fn parse(challenge: &Challenge, response: &Response, insecure_hosts: &[String]) -> Result<Self, RegistryError> {
        let realm = challenge.parameter("realm").ok_or_else(|| response.unexpected("its challenge names no `realm`"))?;
        let realm = response.url.join(realm).map_err(|error| response.unexpected(format!("its token service is unusable: {error}")))?;
        if realm.scheme() == Scheme::Http && !endpoint::may_be_plain(realm.authority(), insecure_hosts) {
            return Err(RegistryError::UnsafeTokenService { host: response.host(), realm: realm.without_query() });
        }
        let owned = |name| challenge.parameter(name).map(str::to_owned);
        Ok(Self { realm, service: owned("service"), scope: owned("scope") })
    }

    /// What is wanted, and what the registry calls it, where it has a name of its own for it.
    fn scopes(&self, access: &Access) -> Vec<String> {
        let mut scopes: Vec<String> = access.scopes.iter().map(Scope::to_string).collect();
        for asked in self.scope.iter().flat_map(|scope| scope.split(' ')).filter(|scope| !scope.is_empty()) {
            let name = asked.rsplit_once(':').map_or(asked, |(name, _)| name);
            if !scopes.iter().any(|scope| scope.rsplit_once(':').is_some_and(|(known, _)| known == name)) {
                scopes.push(asked.to_owned());
            }
        }
        scopes
    }

    fn call(&self, scopes: &[String], login: Option<&Login>) -> TokenCall {
        if let Some(Login::IdentityToken(token)) = login {
            let service = percent_encoded(self.service.as_deref().unwrap_or_default());
            let scope = percent_encoded(&scopes.join(" "));
            let token = percent_encoded(token.reveal());
            let form = format!("grant_type=refresh_token&client_id=fnpack&service={service}&scope={scope}&refresh_token={token}");
            return TokenCall { url: self.realm.clone(), form: Some(Secret::new(form)), authorization: None };
        }
        let mut url = self.realm.clone();
        if let Some(service) = &self.service {
            url = url.with_query("service", service);
        }
        for scope in scopes {
            url = url.with_query("scope", scope);
        }
        let authorization = match login {
            Some(Login::Password { user, password }) => Some(Secret::new(basic(user, password))),
            _ => None,
        };
        TokenCall { url, form: None, authorization }
    }
}

impl TokenCall {
    /// A refusal is told as the registry's: logins are for it, not for its token service, which the request names.
    fn send(&self, transport: &Transport, registry: &str, trace: &LoginTrace) -> Result<(Secret, Duration), RegistryError> {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let call = match &self.form {
            None => Call { method: "GET", url: &self.url, headers: &[], body: Body::None },
            Some(form) => Call { method: "POST", url: &self.url, headers: &headers, body: Body::Bytes(form.reveal().as_bytes()) },
        };
        let response = transport.send(&call, self.authorization.as_ref().map(Secret::reveal))?;
        if response.status != 200 {
            let mut refusal = response.into_refusal();
            refusal.login = trace.clone();
            return Err(RegistryError::refused(registry.to_owned(), refusal));
        }
        let broken = response.unexpected("its token service gives no token");
        let bytes = response.read(LONGEST_TOKEN_ANSWER)?.unwrap_or_default();
        let Ok(answer) = serde_json::from_slice::<TokenAnswer>(&bytes) else { return Err(broken) };
        let token = answer.token.filter(|token| !token.is_empty()).or(answer.access_token).ok_or(broken)?;
        let life = Duration::from_secs(answer.expires_in.unwrap_or(SHORTEST_LIFE).clamp(SHORTEST_LIFE, 24 * 3600));
        Ok((Secret::new(token), life))
    }
}
