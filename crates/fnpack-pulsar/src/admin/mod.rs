//! Packages, functions, topics and tenants of a cluster, over REST (`/admin/v2`, `/admin/v3`).
//!
//! Calls block. Redirects to the broker or worker in charge are followed, with body and login.

mod error;
mod functions;
mod multipart;
mod name;
mod packages;
mod reason;
mod topics;

use std::io::Read;

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use ureq::http::{Request, Response};
use ureq::{Body, SendBody};

use crate::http::{Http, HttpOptions};
use multipart::Form;

pub use error::AdminError;
pub use functions::{Code, Exception, FunctionStatus, InstanceStatus};
pub use name::{FunctionName, PackageName};
pub use packages::PackageMetadata;

/// An answer that is longer is not one of this interface.
const LONGEST_ANSWER: u64 = 16 << 20;
const MOST_REDIRECTS: u32 = 5;

/// How a cluster is administered.
#[derive(Clone)]
pub struct AdminOptions {
    /// `http://host:port` or `https://host:port`.
    pub web: String,
    /// A token for the login, if one is needed.
    pub token: Option<String>,
    /// How the servers are reached.
    pub http: HttpOptions,
}

/// The administrator of a cluster.
pub struct Admin {
    web: String,
    token: Option<String>,
    http: Http,
}

/// What goes with a request.
enum Content<'a> {
    None,
    Json(&'a str),
    Form(&'a Form),
}

impl Admin {
    /// Takes the options; nothing is asked yet.
    pub fn new(options: &AdminOptions) -> Result<Self, AdminError> {
        let web = options.web.trim_end_matches('/').to_owned();
        let http = Http::new(&options.http).map_err(|source| AdminError::Address { web: web.clone(), source: Box::new(source) })?;
        Ok(Self { web, token: options.token.clone(), http })
    }

    /// Whether the broker says that it is well: it stored and read a message.
    pub fn is_healthy(&self) -> Result<bool, AdminError> {
        let answer = self.call("GET", "/admin/v2/brokers/health", &Content::None)?;
        Ok(answer.trim_ascii() == b"ok")
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, AdminError> {
        let answer = self.call("GET", path, &Content::None)?;
        let unexpected = |source: serde_json::Error| AdminError::Unexpected { request: self.shown("GET", path), source: source.into() };
        serde_json::from_slice(&answer).map_err(unexpected)
    }

    /// `None` if there is no such thing.
    fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, AdminError> {
        absent_as_none(self.get(path))
    }

    fn post(&self, path: &str, form: &Form) -> Result<(), AdminError> {
        self.call("POST", path, &Content::Form(form)).map(drop)
    }

    /// Deletes; `false` if there was nothing.
    fn delete(&self, path: &str) -> Result<bool, AdminError> {
        Ok(absent_as_none(self.call("DELETE", path, &Content::None))?.is_some())
    }

    fn shown(&self, method: &str, path: &str) -> String {
        format!("{method} `{}{path}`", self.web)
    }

    fn call(&self, method: &'static str, path: &str, content: &Content<'_>) -> Result<Vec<u8>, AdminError> {
        let mut url = format!("{}{path}", self.web);
        let mut answer = self.send(method, &url, content)?;
        for _ in 0..MOST_REDIRECTS {
            let Some(location) = redirection(&answer) else { break };
            let next = if location.starts_with('/') { format!("{}{location}", self.web) } else { location };
            if url.starts_with("https:") && !next.starts_with("https:") {
                // The login would go out for everybody to read.
                break;
            }
            url = next;
            answer = self.send(method, &url, content)?;
        }
        let (request, status) = (format!("{method} `{url}`"), answer.status());
        let body = read(answer, &request)?;
        if status.is_success() {
            return Ok(body);
        }
        Err(AdminError::Refused { request, status: status.as_u16(), reason: reason::of(&body) })
    }

    fn send(&self, method: &'static str, url: &str, content: &Content<'_>) -> Result<Response<Body>, AdminError> {
        let mut request = Request::builder().method(method).uri(url);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let agent = self.http.agent(url);
        let answer = match content {
            Content::None => request.body(()).map_err(ureq::Error::from).and_then(|request| agent.run(request)),
            Content::Json(text) => {
                let request = request.header("Content-Type", "application/json").body(*text);
                request.map_err(ureq::Error::from).and_then(|request| agent.run(request))
            }
            Content::Form(form) => {
                let (mut reader, length) = form.open()?;
                let request = request.header("Content-Type", form.content_type()).header("Content-Length", length);
                let request = request.body(SendBody::from_reader(&mut reader));
                request.map_err(ureq::Error::from).and_then(|request| agent.run(request))
            }
        };
        answer.map_err(|source| AdminError::Unreachable { request: format!("{method} `{url}`"), source: Box::new(source) })
    }
}

/// Pulsar writes what is not set as `null`.
fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn absent_as_none<T>(result: Result<T, AdminError>) -> Result<Option<T>, AdminError> {
    match result {
        Err(error) if error.status() == Some(404) => Ok(None),
        result => result.map(Some),
    }
}

/// Where the request is to be repeated as it is.
fn redirection(answer: &Response<Body>) -> Option<String> {
    let location = matches!(answer.status().as_u16(), 302 | 307 | 308).then(|| answer.headers().get("location"))??;
    location.to_str().ok().map(str::to_owned)
}

fn read(answer: Response<Body>, request: &str) -> Result<Vec<u8>, AdminError> {
    let mut bytes = Vec::new();
    let read = answer.into_body().into_reader().take(LONGEST_ANSWER + 1).read_to_end(&mut bytes);
    let unexpected = |source| AdminError::Unexpected { request: request.to_owned(), source };
    read.map_err(|source| unexpected(source.into()))?;
    if bytes.len() as u64 > LONGEST_ANSWER {
        return Err(unexpected(format!("it is longer than {LONGEST_ANSWER} bytes").into()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
