//! The broker of a run: one that is there, or one of our own.

use std::path::Path;
use std::time::{Duration, Instant};

use fnpack_core::function_mesh::{Authentication, Broker};
use fnpack_core::store::Scratch;
use fnpack_pulsar::admin::{Admin, AdminOptions};
use fnpack_pulsar::distribution::{Distribution, FetchOptions, Progress};
use fnpack_pulsar::messages::{Client, ClientOptions};
use fnpack_pulsar::standalone::{Standalone, StandaloneError, StandaloneOptions};
use fnpack_pulsar::{Endpoint, HttpOptions, Proxy};

use crate::arguments::RunArguments;
use crate::command::Session;
use crate::command::signals::Interruption;
use crate::error::{Class, CommandError};

/// How Java clients are told of a token.
const TOKEN_PLUGIN: &str = "org.apache.pulsar.client.impl.auth.AuthenticationToken";
/// For any answer of the REST interface; the default port may belong to somebody else.
const WEB_TIMEOUT: Duration = Duration::from_secs(10);

/// A Pulsar for one run.
pub(super) struct Pulsar {
    pub(super) broker: Broker,
    pub(super) client: Client,
    pub(super) admin: Admin,
    /// Ends with this value, before its folder is removed.
    own: Option<(Standalone, Scratch)>,
}

impl Pulsar {
    /// Connects to the one that is named, or starts the one that was fetched.
    pub(super) fn open(
        arguments: &RunArguments,
        fetched: Option<Fetched>,
        session: &Session<'_>,
        interruption: &Interruption,
    ) -> Result<Self, CommandError> {
        match (fetched, &arguments.pulsar) {
            (Some(fetched), _) => Self::standalone(fetched, session, interruption),
            (None, service) => Self::named(service.as_deref().unwrap_or_default(), arguments, session),
        }
    }

    /// Whether it ends with the run, and all topics with it.
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    fn named(service: &str, arguments: &RunArguments, session: &Session<'_>) -> Result<Self, CommandError> {
        let web = arguments.broker.pulsar_web.clone().or_else(|| web_of(service)).ok_or_else(|| {
            CommandError::message(Class::Usage, format!("`{service}` is not the URL of a Pulsar")).hint("write `pulsar://HOST:PORT`")
        })?;
        let token = arguments.broker.token_file.as_deref().map(token).transpose()?;
        let encrypted = service.starts_with("pulsar+ssl:");
        let roots = if encrypted || web.starts_with("https:") { session.settings.trusted_roots()? } else { Vec::new() };
        let trust = session.bench.surroundings.certificates_inside().filter(|_| encrypted).map(str::to_owned);
        let authentication =
            token.as_ref().map(|token| Authentication { plugin: TOKEN_PLUGIN.to_owned(), parameters: format!("token:{token}") });
        let client = Client::connect(&ClientOptions { token: token.clone(), roots: roots.clone(), ..ClientOptions::new(service) })?;
        let http = HttpOptions { roots, proxy: None, timeout: WEB_TIMEOUT };
        let admin = Admin::new(&AdminOptions { web: web.clone(), token, http })?;
        let broker = Broker { service: service.to_owned(), web, authentication, trust };
        Ok(Self { broker, client, admin, own: None })
    }

    fn standalone(fetched: Fetched, session: &Session<'_>, interruption: &Interruption) -> Result<Self, CommandError> {
        // In the store, where what a killed process leaves is found and removed.
        let scratch = session.bench.store.scratch()?;
        let options = StandaloneOptions::new(fetched.distribution, scratch.path());
        let options = StandaloneOptions { java: session.settings.java.clone(), ..options };
        if fetched.is_new {
            prepare(&options, session, interruption)?;
        }
        let began = Instant::now();
        session.ui.step("starting Pulsar");
        let standalone = Standalone::start(&options, &|| interruption.asked())?;
        session.ui.detail(&format!("Pulsar is up ({:.1} s)", began.elapsed().as_secs_f64()));
        let Endpoint { service, web } = standalone.endpoint().clone();
        let client = Client::connect(&ClientOptions::new(&service))?;
        let http = HttpOptions { timeout: WEB_TIMEOUT, ..HttpOptions::default() };
        let admin = Admin::new(&AdminOptions { web: web.clone(), token: None, http })?;
        let broker = Broker { service, web, authentication: None, trust: None };
        Ok(Self { broker, client, admin, own: Some((standalone, scratch)) })
    }
}

/// What a Pulsar of our own is made of.
pub(super) struct Fetched {
    distribution: Distribution,
    is_new: bool,
}

/// The Pulsar of our own that the arguments ask for, fetched the first time.
pub(super) fn fetched(arguments: &RunArguments, session: &Session<'_>) -> Result<Option<Fetched>, CommandError> {
    if !arguments.standalone {
        return Ok(None);
    }
    let cache = session.settings.cache.as_ref().map(|folder| folder.join("pulsar")).ok_or_else(|| {
        CommandError::message(Class::Usage, "there is no home folder to keep Pulsar in").hint("set `XDG_CACHE_HOME` to a folder")
    })?;
    match Distribution::find(&cache) {
        Some(distribution) => Ok(Some(Fetched { distribution, is_new: false })),
        None => Ok(Some(Fetched { distribution: fetch(&cache, session)?, is_new: true })),
    }
}

fn fetch(cache: &Path, session: &Session<'_>) -> Result<Distribution, CommandError> {
    if session.bench.registry.is_none() {
        return Err(CommandError::message(Class::Registry, "Pulsar is not in the cache, and `--offline` keeps from fetching it")
            .hint("fetch it once, by the same command without `--offline`"));
    }
    session.ui.step("fetching Pulsar, once (250 MB)");
    let proxy = session.settings.registry_proxy().map(|proxy| Proxy { url: proxy.url.reveal().to_owned(), bypass: proxy.bypass });
    let http = HttpOptions { roots: session.settings.trusted_roots()?, proxy, ..HttpOptions::default() };
    let options = FetchOptions { http, ..FetchOptions::default() };
    let progress = |progress: Progress| session.ui.progress("Pulsar", progress.bytes, Some(progress.total));
    let distribution = Distribution::fetch(cache, &options, &progress);
    session.ui.progress_done();
    Ok(distribution?)
}

/// Makes later starts faster. What fails here is no more than slow.
fn prepare(options: &StandaloneOptions, session: &Session<'_>, interruption: &Interruption) -> Result<(), CommandError> {
    session.ui.step("preparing Pulsar, once (half a minute)");
    match Standalone::prepare(options, &|| interruption.asked()) {
        Ok(_) => Ok(()),
        Err(StandaloneError::Interrupted) => Err(StandaloneError::Interrupted.into()),
        Err(error) => {
            session.ui.detail(&format!("Pulsar starts slowly: {error}"));
            Ok(())
        }
    }
}

/// The REST interface of a service, where it usually is.
fn web_of(service: &str) -> Option<String> {
    let (scheme, port, rest) = match service.split_once("://")? {
        ("pulsar", rest) => ("http", 8080, rest),
        ("pulsar+ssl", rest) => ("https", 8443, rest),
        _ => return None,
    };
    let first = rest.split([',', '/']).next().filter(|host| !host.is_empty())?;
    let host = match first.rsplit_once(':') {
        Some((host, number)) if number.parse::<u16>().is_ok() => host,
        _ => first,
    };
    Some(format!("{scheme}://{host}:{port}"))
}

/// The token in a file; one word, or a shell would take it apart.
fn token(file: &Path) -> Result<String, CommandError> {
    let text = fs_err::read_to_string(file).map_err(|error| CommandError::new(Class::Usage, error))?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(CommandError::message(Class::Configuration, format!("`{}` holds no token", file.display())));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_interface_is_guessed_from_the_service() {
        for (service, web) in [
            ("pulsar://localhost:6650", Some("http://localhost:8080")),
            ("pulsar://broker", Some("http://broker:8080")),
            ("pulsar://one:6650,two:6650/", Some("http://one:8080")),
            ("pulsar+ssl://broker.example:6651", Some("https://broker.example:8443")),
            ("pulsar://[::1]:6650", Some("http://[::1]:8080")),
            ("http://localhost:8080", None),
            ("localhost:6650", None),
            ("pulsar://", None),
        ] {
            assert_eq!(web_of(service).as_deref(), web, "{service}");
        }
    }

    #[test]
    fn token_is_one_word() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for (text, expected) in [("abc.def\n", Some("abc.def")), ("", None), ("two words", None)] {
            fs_err::write(&file, text).unwrap();
            assert_eq!(token(&file).ok().as_deref(), expected);
        }
    }
}
