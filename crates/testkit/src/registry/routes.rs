//! What the registry does with a request (OCI distribution specification 1.1).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Access, Contents, Habit, Manifest, State, digest};
use crate::http::{Answer, Request};

pub(super) const DIGEST_HEADER: &str = "Docker-Content-Digest";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What a path below `/v2/` names.
enum Resource<'a> {
    Root,
    Blob(&'a str, &'a str),
    Upload(&'a str, &'a str),
    Manifest(&'a str, &'a str),
    Tags(&'a str),
    Referrers(&'a str, &'a str),
}

impl<'a> Resource<'a> {
    fn parse(path: &'a str) -> Option<Self> {
        let rest = path.strip_prefix("/v2/")?;
        if rest.is_empty() {
            return Some(Self::Root);
        }
        if let Some((repository, session)) = rest.split_once("/blobs/uploads/") {
            return Some(Self::Upload(repository, session));
        }
        if let Some((repository, digest)) = rest.rsplit_once("/blobs/") {
            return Some(Self::Blob(repository, digest));
        }
        if let Some(repository) = rest.strip_suffix("/tags/list") {
            return Some(Self::Tags(repository));
        }
        if let Some((repository, subject)) = rest.rsplit_once("/referrers/") {
            return Some(Self::Referrers(repository, subject));
        }
        rest.rsplit_once("/manifests/").map(|(repository, name)| Self::Manifest(repository, name))
    }

    fn repository(&self) -> Option<&'a str> {
        match self {
            Self::Root => None,
            Self::Blob(repository, _)
            | Self::Upload(repository, _)
            | Self::Manifest(repository, _)
            | Self::Referrers(repository, _)
            | Self::Tags(repository) => Some(repository),
        }
    }
}

pub(super) fn route(state: &State, request: &Request) -> Answer {
    if request.path() == "/token" {
        return token(state, request);
    }
    let Some(resource) = Resource::parse(request.path()) else {
        return Answer::error(404, "NOT_FOUND", "no such endpoint");
    };
    if let Some(refusal) = refused(state, request, &resource) {
        return refusal;
    }
    match (request.method.as_str(), resource) {
        ("GET" | "HEAD", Resource::Root) => Answer::new(200),
        ("GET" | "HEAD", Resource::Blob(repository, name)) => blob(state, request, repository, name),
        ("GET" | "HEAD", Resource::Manifest(repository, name)) => manifest(state, repository, name),
        ("PUT", Resource::Manifest(repository, name)) => put_manifest(state, request, repository, name),
        ("GET", Resource::Referrers(repository, subject)) => referrers(state, repository, subject),
        ("GET", Resource::Tags(repository)) => tags(state, repository),
        ("POST", Resource::Upload(repository, _)) => start_upload(state, request, repository),
        ("GET", Resource::Upload(repository, session)) => upload_status(state, repository, session),
        ("PATCH" | "PUT", Resource::Upload(repository, session)) => continue_upload(state, request, repository, session),
        ("DELETE", Resource::Upload(_, session)) => {
            state.lock().uploads.remove(session);
            Answer::new(204)
        }
        _ => Answer::error(405, "UNSUPPORTED", "the operation is unsupported"),
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn refused(state: &State, request: &Request, resource: &Resource<'_>) -> Option<Answer> {
    let authorization = request.header("authorization");
    let unauthorized =
        |challenge: String| Some(Answer::error(401, "UNAUTHORIZED", "authentication required").header("WWW-Authenticate", challenge));
    match &state.access {
        Access::Open => None,
        Access::Basic(user, password) if authorization == Some(&basic(user, password)) => None,
        Access::Basic(..) => unauthorized("Basic realm=\"registry\"".to_owned()),
        Access::Bearer { .. } => {
            let action = if matches!(request.method.as_str(), "GET" | "HEAD") { "pull" } else { "push" };
            let contents = state.lock();
            let granted = authorization.and_then(|value| value.strip_prefix("Bearer ")).and_then(|token| contents.tokens.get(token));
            let allowed = match (granted, resource.repository()) {
                (Some(scopes), Some(repository)) => covers(scopes, repository, action),
                (Some(_), None) => true,
                (None, _) => false,
            };
            if allowed {
                return None;
            }
            let actions = if action == "pull" { "pull" } else { "pull,push" };
            let scope = resource.repository().map_or(String::new(), |name| format!(",scope=\"repository:{name}:{actions}\""));
            unauthorized(format!("Bearer realm=\"http://{}/token\",service=\"testkit\"{scope}", state.address))
        }
    }
}

fn covers(scopes: &[String], repository: &str, action: &str) -> bool {
    scopes.iter().any(|scope| {
        scope
            .strip_prefix("repository:")
            .and_then(|rest| rest.rsplit_once(':'))
            .is_some_and(|(name, actions)| name == repository && actions.split(',').any(|granted| granted == action))
    })
}

fn token(state: &State, request: &Request) -> Answer {
    let Access::Bearer { user, password, anonymous_pull, identity_token } = &state.access else {
        return Answer::error(404, "NOT_FOUND", "no tokens here");
    };
    let form = request.method == "POST";
    let full = if form {
        identity_token.as_ref().is_some_and(|token| request.form("refresh_token") == [token.clone()])
    } else {
        request.header("authorization") == Some(&basic(user, password))
    };
    let anonymous = !form && request.header("authorization").is_none();
    let asked: Vec<String> = if form { request.form("scope") } else { request.query("scope") };
    let mut scopes: Vec<String> = asked.iter().flat_map(|scope| scope.split(' ')).map(str::to_owned).collect();
    if !full {
        if !(anonymous && *anonymous_pull) {
            return Answer::error(401, "UNAUTHORIZED", "wrong name or password");
        }
        for scope in &mut scopes {
            *scope = scope.rsplit_once(':').map_or_else(String::new, |(name, _)| format!("{name}:pull"));
        }
    }
    let mut contents = state.lock();
    contents.counter += 1;
    let token = format!("token-{}", contents.counter);
    contents.tokens.insert(token.clone(), scopes);
    Answer::new(200).body(serde_json::json!({ "token": token, "expires_in": 300 }).to_string().into_bytes())
}

fn blob(state: &State, request: &Request, repository: &str, name: &str) -> Answer {
    let contents = state.lock();
    if let Some(base) = &contents.blobs_elsewhere {
        return Answer::new(307).header("Location", format!("{base}{}", request.target));
    }
    let Some(bytes) = contents.blobs.get(&(repository.to_owned(), name.to_owned())) else {
        return Answer::error(404, "BLOB_UNKNOWN", "blob unknown to registry");
    };
    let start = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    match start.and_then(|start| Some((start, bytes.get(start..)?))) {
        Some((start, rest)) => {
            let range = format!("bytes {start}-{}/{}", bytes.len().saturating_sub(1), bytes.len());
            Answer::new(206).header("Content-Range", range).body(rest.to_vec())
        }
        None => Answer::new(200).header(DIGEST_HEADER, name).body(bytes.to_vec()),
    }
}

fn manifest(state: &State, repository: &str, name: &str) -> Answer {
    match state.lock().manifests.get(&(repository.to_owned(), name.to_owned())) {
        Some(Manifest { media_type, bytes }) => {
            Answer::new(200).header("Content-Type", media_type).header(DIGEST_HEADER, digest(bytes)).body(bytes.to_vec())
        }
        None => Answer::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
    }
}

fn put_manifest(state: &State, request: &Request, repository: &str, name: &str) -> Answer {
    let digest = digest(&request.body);
    if name.starts_with("sha256:") && name != digest {
        return Answer::error(400, "DIGEST_INVALID", "the digest does not match the manifest");
    }
    let Ok(document) = serde_json::from_slice::<serde_json::Value>(&request.body) else {
        return Answer::error(400, "MANIFEST_INVALID", "the manifest is not JSON");
    };
    let mut contents = state.lock();
    if let Some(missing) = missing_part(&contents, repository, &document) {
        return Answer::error(400, "MANIFEST_BLOB_UNKNOWN", &missing);
    }
    let media_type = request.header("content-type").unwrap_or_default().to_owned();
    let subject = document["subject"]["digest"].as_str().filter(|_| !contents.has(Habit::KeepNoReferrers)).map(str::to_owned);
    let value = Manifest { media_type, bytes: Arc::new(request.body.clone()) };
    contents.manifests.insert((repository.to_owned(), digest.clone()), value.clone());
    contents.manifests.insert((repository.to_owned(), name.to_owned()), value);
    let answer = Answer::new(201).header("Location", format!("/v2/{repository}/manifests/{digest}")).header(DIGEST_HEADER, digest);
    match subject {
        Some(subject) => answer.header("OCI-Subject", subject),
        None => answer,
    }
}

fn referrers(state: &State, repository: &str, subject: &str) -> Answer {
    let contents = state.lock();
    if contents.has(Habit::KeepNoReferrers) {
        return Answer::error(404, "NOT_FOUND", "no such endpoint");
    }
    let of_repository = contents.manifests.iter().filter(|((owner, name), _)| owner == repository && name.contains(':'));
    let entries: Vec<serde_json::Value> = of_repository
        .filter(|(_, manifest)| {
            let document: serde_json::Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
            document["subject"]["digest"].as_str() == Some(subject)
        })
        .map(|((_, name), manifest)| serde_json::json!({ "mediaType": manifest.media_type, "digest": name, "size": manifest.bytes.len() }))
        .collect();
    let index = serde_json::json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries });
    Answer::new(200).header("Content-Type", OCI_INDEX).body(index.to_string().into_bytes())
}

/// The digest of a blob or manifest that a manifest names and the repository has not.
fn missing_part(contents: &Contents, repository: &str, document: &serde_json::Value) -> Option<String> {
    let digest_of = |part: &serde_json::Value| part["digest"].as_str().unwrap_or_default().to_owned();
    let key = |digest: &String| (repository.to_owned(), digest.clone());
    let layers = document["layers"].as_array().into_iter().flatten().map(digest_of);
    let config = document.get("config").into_iter().map(digest_of);
    let children = document["manifests"].as_array().into_iter().flatten().map(digest_of);
    let blob = layers.chain(config).find(|digest| !contents.blobs.contains_key(&key(digest)));
    let child = || children.into_iter().find(|digest| !contents.manifests.contains_key(&key(digest)));
    blob.or_else(child)
}

fn tags(state: &State, repository: &str) -> Answer {
    let contents = state.lock();
    let mut tags: Vec<&str> = contents
        .manifests
        .keys()
        .filter(|(owner, name)| owner == repository && !name.contains(':'))
        .map(|(_, name)| name.as_str())
        .collect();
    tags.sort_unstable();
    Answer::new(200).body(serde_json::json!({ "name": repository, "tags": tags }).to_string().into_bytes())
}

fn created(repository: &str, digest: &str) -> Answer {
    Answer::new(201).header("Location", format!("/v2/{repository}/blobs/{digest}")).header(DIGEST_HEADER, digest)
}

fn start_upload(state: &State, request: &Request, repository: &str) -> Answer {
    let mut contents = state.lock();
    if let ([mount], [from]) = (request.query("mount").as_slice(), request.query("from").as_slice()) {
        let readable = match (&state.access, request.header("authorization").and_then(|value| value.strip_prefix("Bearer "))) {
            (Access::Bearer { .. }, token) => {
                token.and_then(|token| contents.tokens.get(token)).is_some_and(|scopes| covers(scopes, from, "pull"))
            }
            _ => true,
        };
        let source = contents.blobs.get(&(from.clone(), mount.clone())).cloned();
        if let (Some(bytes), true, false) = (source, readable, contents.has(Habit::RefuseMounts)) {
            contents.blobs.insert((repository.to_owned(), mount.clone()), bytes);
            return created(repository, mount);
        }
    }
    if let (true, [promised]) = (contents.has(Habit::TakeSinglePosts), request.query("digest").as_slice()) {
        if *promised != digest(&request.body) {
            return Answer::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
        }
        contents.blobs.insert((repository.to_owned(), promised.clone()), Arc::new(request.body.clone()));
        return created(repository, promised);
    }
    contents.counter += 1;
    let session = format!("session-{}", contents.counter);
    contents.uploads.insert(session.clone(), Vec::new());
    Answer::new(202).header("Location", format!("/v2/{repository}/blobs/uploads/{session}?_state=secret"))
}

fn upload_status(state: &State, repository: &str, session: &str) -> Answer {
    match state.lock().uploads.get(session) {
        Some(received) => Answer::new(204)
            .header("Location", format!("/v2/{repository}/blobs/uploads/{session}?_state=resumed"))
            .header("Range", format!("0-{}", received.len().saturating_sub(1))),
        None => Answer::error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"),
    }
}

/// What a connection that breaks in the middle of an upload leaves behind.
pub(super) fn keep_part(state: &State, request: &Request, limit: usize) {
    if let Some(Resource::Upload(_, session)) = Resource::parse(request.path())
        && let Some(received) = state.lock().uploads.get_mut(session)
    {
        received.extend(request.body.iter().take(limit));
    }
}

fn continue_upload(state: &State, request: &Request, repository: &str, session: &str) -> Answer {
    let mut contents = state.lock();
    let Some(received) = contents.uploads.get_mut(session) else {
        return Answer::error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    };
    let start = request.header("content-range").and_then(|range| range.split('-').next()?.parse::<usize>().ok());
    if start.is_some_and(|start| start != received.len()) {
        return Answer::error(416, "BLOB_UPLOAD_INVALID", "the chunk does not follow what is here");
    }
    received.extend_from_slice(&request.body);
    if request.method == "PATCH" {
        let end = received.len().saturating_sub(1);
        return Answer::new(202)
            .header("Location", format!("/v2/{repository}/blobs/uploads/{session}"))
            .header("Range", format!("0-{end}"));
    }
    let bytes = contents.uploads.remove(session).unwrap_or_default();
    let actual = digest(&bytes);
    if request.query("digest") != [actual.clone()] {
        return Answer::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    contents.blobs.insert((repository.to_owned(), actual.clone()), Arc::new(bytes));
    created(repository, &actual)
}
