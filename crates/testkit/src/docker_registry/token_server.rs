//! The token server of a registry: the distribution project's token specification, with signed JSON Web Tokens.
//!
//! Who gives the right name and password gets what is asked for; who gives none gets a token that allows nothing, as at
//! Docker Hub. All scopes that were asked for are recorded.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::authority::certificate;
use super::{PASSWORD, USER};
use crate::http::{Answer, Request};
use crate::server::{Server, address_of, listener};

const SERVICE: &str = "the registry";
const ISSUER: &str = "the token server";
/// For so long after its end the registry takes a token, as clocks differ.
const LEEWAY: Duration = Duration::from_mins(1);

/// A running token server.
#[derive(Debug)]
pub struct TokenServer {
    state: Arc<State>,
    _server: Server,
}

#[derive(Debug)]
struct State {
    address: SocketAddr,
    folder: PathBuf,
    /// The certificate of the key that signs, as tokens carry it.
    certificate: String,
    /// How long the registry takes a token, and the scopes of each request.
    told: Mutex<(Duration, Vec<Vec<String>>)>,
}

impl TokenServer {
    pub(super) fn start(folder: &Path) -> Self {
        fs_err::create_dir(folder).expect("a writable folder");
        certificate(folder, "signer", &["-subj", "/CN=Token Signer"]);
        let pem = fs_err::read_to_string(folder.join("signer.crt")).expect("openssl has written it");
        let listener = listener();
        let state = Arc::new(State {
            address: address_of(&listener),
            folder: folder.to_owned(),
            certificate: pem.lines().filter(|line| !line.starts_with("-----")).collect(),
            told: Mutex::new((Duration::from_mins(5), Vec::new())),
        });
        let shared = Arc::clone(&state);
        let server = Server::start(listener, move |stream| serve(stream, &shared));
        Self { state, _server: server }
    }

    /// What the registry is told of it.
    pub(super) fn registry_configuration(&self) -> Value {
        let certificate = self.state.folder.join("signer.crt");
        json!({ "realm": format!("http://{}/token", self.state.address), "service": SERVICE, "issuer": ISSUER, "rootcertbundle": certificate })
    }

    /// Tokens from now on are good for so long, while their holders are told of a minute. Whole seconds.
    pub fn expire_after(&self, life: Duration) {
        self.state.lock().0 = life;
    }

    #[cfg(test)]
    pub(super) fn issue(&self, granted: &[Value], life: Duration) -> String {
        self.state.token(granted, life)
    }

    /// The scopes of each request so far, such as `repository:team/app:pull,push`.
    pub fn asked(&self) -> Vec<Vec<String>> {
        self.state.lock().1.clone()
    }
}

/// Answers one request of a connection.
fn serve(mut stream: TcpStream, state: &State) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let Ok(reader) = stream.try_clone() else { return };
    if let Ok(Some(request)) = Request::read(&mut BufReader::new(reader)) {
        let _ = state.answer(&request).header("Connection", "close").write(&mut stream, false, usize::MAX);
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, (Duration, Vec<Vec<String>>)> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request) -> Answer {
        let login = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
        let asked: Vec<String> = request.query("scope").iter().flat_map(|scopes| scopes.split(' ')).map(str::to_owned).collect();
        if (request.method.as_str(), request.path()) != ("GET", "/token") || request.query("service") != [SERVICE] {
            return Answer::error(404, "NOT_FOUND", "tokens are given for `GET /token` of the right service");
        }
        let granted = match request.header("authorization") {
            None => Vec::new(),
            Some(given) if given == login => asked.iter().filter_map(|scope| access(scope)).collect(),
            Some(_) => return Answer::error(401, "UNAUTHORIZED", "wrong name or password"),
        };
        let life = {
            let mut told = self.lock();
            told.1.push(asked);
            told.0
        };
        let token = self.token(&granted, life);
        Answer::new(200).header("Content-Type", "application/json").body(json!({ "token": token }).to_string().into_bytes())
    }

    /// A signed token that the registry takes for as long as this.
    fn token(&self, granted: &[Value], life: Duration) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Up to a whole second: one that ends at once proves nothing.
        let end = (now + life).saturating_sub(LEEWAY).as_millis().div_ceil(1000);
        let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [self.certificate] });
        let claims = json!({
            "iss": ISSUER, "sub": USER, "aud": SERVICE, "jti": now.as_nanos().to_string(),
            "nbf": end.saturating_sub(600), "iat": end.saturating_sub(600), "exp": end, "access": granted,
        });
        let text = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = URL_SAFE_NO_PAD.encode(self.signature(text.as_bytes()));
        format!("{text}.{signature}")
    }

    /// RSA with SHA-256 (RFC 7518, section 3.3).
    fn signature(&self, text: &[u8]) -> Vec<u8> {
        let mut openssl = Command::new("openssl")
            .args(["dgst", "-sha256", "-sign", "signer.key"])
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("openssl is installed");
        openssl.stdin.take().expect("a pipe").write_all(text).expect("openssl reads");
        openssl.wait_with_output().expect("openssl ends").stdout
    }
}

/// `repository:team/app:pull,push` as a token has it.
fn access(scope: &str) -> Option<Value> {
    let (kind, rest) = scope.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    Some(json!({ "type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>() }))
}
