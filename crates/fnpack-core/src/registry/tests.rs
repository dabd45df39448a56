//! The client against the registry of the test kit, which can be looked into and made to misbehave.

mod encryption;
mod pull;
mod push;
mod refusals;

use std::io::{Read, Write};
use std::sync::Mutex;
use std::time::Duration;

use testkit::certificates::{AUTHORITY, SERVER};
use testkit::registry::{Access, Fault, Registry};

use super::credentials::{Credentials, DockerConfig, FixedLogin, Login, Secret};
use super::*;
use crate::digest::{DiffId, Digest};
use crate::image::{
    Blob, BlobError, BlobSink, BlobSource, Descriptor, Image, ImageConfig, Index, Layer, ManifestTree, MemoryBlobs, media_type,
};
use crate::reference::Reference;
use crate::target::Target;

const LAYER: &str = "a layer that is not a tar, which nobody here minds";

fn target() -> Target {
    "linux/amd64".parse().unwrap()
}

fn layer(text: &str) -> Layer {
    let mut pending = MemoryBlobs::default().create().unwrap();
    pending.write_all(text.as_bytes()).unwrap();
    let (digest, size, blob) = pending.commit(None).unwrap();
    Layer { descriptor: Descriptor::new(media_type::OCI_LAYER, digest, size), diff_id: DiffId::of(text), blob }
}

fn image(layers: &[&str]) -> Image {
    Image::from_parts(ImageConfig::new(&target()), layers.iter().map(|text| layer(text)).collect())
}

fn settings() -> Settings {
    let retry = Retry { attempts: 3, first_delay: Duration::from_millis(1), longest_delay: Duration::from_secs(2) };
    Settings { retry, ..Settings::default() }
}

fn client() -> RegistryClient {
    RegistryClient::new(settings()).unwrap()
}

fn client_of(registry: &Registry, login: Login) -> RegistryClient {
    let login = FixedLogin { registry: registry.host(), login, source: "`the test`".to_owned() };
    RegistryClient::new(Settings { credentials: Arc::new(login), ..settings() }).unwrap()
}

/// A client with files for this registry, as in `certs.d`.
fn client_with(registry: &Registry, files: &[(&str, &str)]) -> (tempfile::TempDir, RegistryClient) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(registry.host()).join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let certificate_folders = vec![folder.path().to_owned()];
    (folder, RegistryClient::new(Settings { certificate_folders, ..settings() }).unwrap())
}

fn password(user: &str, password: &str) -> Login {
    Login::Password { user: user.to_owned(), password: Secret::new(password) }
}

fn name(registry: &Registry, rest: &str) -> Reference {
    format!("{}/{rest}", registry.host()).parse().unwrap()
}

/// A registry that has the image `app:1` of one layer.
fn stocked() -> (Registry, Reference) {
    let registry = Registry::new();
    let reference = name(&registry, "app:1");
    client().push(&image(&[LAYER]), &reference).unwrap();
    registry.forget_requests();
    (registry, reference)
}

fn fetch(client: &RegistryClient, layer: &Layer) -> Result<Vec<u8>, BlobError> {
    let mut bytes = Vec::new();
    client.fetch(layer, &mut bytes).map(|_| bytes)
}

/// An error with its causes, as users see it, without the registry's port.
fn told(registry: &Registry, error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.replace(&registry.host(), "HOST")
}

#[test]
fn push_then_pull_gives_the_same_image() {
    let registry = Registry::new();
    let reference = name(&registry, "team/app:1");
    let image = image(&[LAYER, "", "upper", LAYER]);
    let pushed = client().push(&image, &reference).unwrap();
    assert_eq!((pushed.sent, pushed.present, pushed.mounted), (4, 0, 0));
    assert_eq!(pushed.reference, reference.with_digest(image.digest()));
    for reference in [reference.clone(), pushed.reference] {
        let pulled = client().pull(&reference, &target()).unwrap();
        assert_eq!(pulled.digest(), image.digest());
        assert_eq!(pulled.manifest_bytes(), image.manifest_bytes());
        assert_eq!(fetch(&client(), &pulled.layers()[0]).unwrap(), LAYER.as_bytes());
        assert_eq!(fetch(&client(), &pulled.layers()[1]).unwrap(), b"");
    }
    assert_eq!(client().digest(&reference).unwrap(), Some(image.digest()));
    assert_eq!(client().digest(&name(&registry, "team/app:2")).unwrap(), None);
}

#[test]
fn mirrors_are_asked_in_order_and_named_when_they_fail() {
    let (mirror, _) = stocked();
    let (empty, registry) = (Registry::new(), Registry::new());
    let rules = |mirrors: [&Registry; 2]| {
        let mirrors = mirrors.map(|mirror| format!("[[registry.mirror]]\nlocation = '{}'\n", mirror.host())).concat();
        let text = format!("[[registry]]\nlocation = '{}'\n{mirrors}", registry.host());
        let registries = Registries::parse(&text, "registries.conf").unwrap();
        RegistryClient::new(Settings { registries, ..settings() }).unwrap()
    };
    let client = rules([&empty, &mirror]);
    let reference = name(&registry, "app:1");
    let pulled = client.pull(&reference, &target()).unwrap();
    assert_eq!(fetch(&client, &pulled.layers()[0]).unwrap(), LAYER.as_bytes());
    assert_eq!(client.digest(&reference).unwrap(), Some(pulled.digest()));
    assert!(registry.requests().is_empty(), "the mirror has it");
    client.push(&image(&["pushed"]), &reference).unwrap();
    assert!(registry.manifest("app", "1").is_some(), "mirrors are not pushed to");
    let none = client.pull(&name(&registry, "none:1"), &target()).unwrap_err();
    let text = told(&registry, &none).replace(&empty.host(), "EMPTY").replace(&mirror.host(), "MIRROR");
    assert!(
        text.starts_with(
            "neither a mirror nor the registry gives `HOST/none:1` (there is no image `EMPTY/none:1`; there is no image `MIRROR/none:1`): \
             there is no image `HOST/none:1`"
        ),
        "{text}"
    );
    assert_eq!(client.digest(&name(&registry, "none:1")).unwrap(), None);
}

#[test]
fn index_is_resolved_by_target() {
    let (registry, reference) = stocked();
    let amd = registry.manifest("app", "1").unwrap();
    let entry = |target: &str, bytes: &[u8]| Descriptor {
        platform: Some((&target.parse::<Target>().unwrap()).into()),
        ..Descriptor::of(media_type::OCI_MANIFEST, bytes)
    };
    let index = Index::new(vec![entry("linux/arm64", b"absent"), entry("linux/amd64", &amd), entry("unknown/unknown", b"attestation")]);
    registry.put_manifest("app", "many", media_type::OCI_INDEX, &index.encode());
    let many = name(&registry, "app:many");
    let resolved = client().resolve(&many, &target()).unwrap();
    assert_eq!((resolved.digest, resolved.manifest_digest), (Digest::of(index.encode()), Digest::of(&amd)));
    assert_eq!(client().pull(&many, &target()).unwrap().digest(), Digest::of(&amd));
    for (reference, expected) in [
        (&many, "`HOST/app:many` is not there for linux/s390x, only for linux/arm64, linux/amd64"),
        (&reference, "`HOST/app:1` is not there for linux/s390x, only for linux/amd64"),
    ] {
        let error = client().pull(reference, &"linux/s390x".parse().unwrap()).unwrap_err();
        assert_eq!(told(&registry, &error), expected);
    }
}

#[test]
fn documents_that_are_not_what_was_asked_for_are_refused() {
    let big = " ".repeat(5 * 1024 * 1024);
    let other = Digest::of("x").to_string();
    for (fault, expected) in [
        (Fault::corrupt("GET", "/manifests/"), "the manifest of `HOST/app:1` is"),
        (Fault::header("GET", "/manifests/", "Docker-Content-Digest", &other), "the manifest of `HOST/app:1` is"),
        (Fault::append("GET", "/manifests/", big.as_bytes()), "the manifest of `HOST/app:1` is longer than 4194304 bytes"),
        (Fault::corrupt("GET", "/blobs/"), "the config of `HOST/app:1` is"),
        (
            Fault::status("GET", "/manifests/", 200).with_body("<html><title>Sign in</title>"),
            "`HOST` does not answer as a registry does: it sends an HTML page, `Sign in` (GET http://HOST/v2/app/manifests/1)",
        ),
        (Fault::status("GET", "/manifests/", 200).with_body("no JSON"), "`HOST/app:1` is not an image that can be used"),
        (Fault::status("GET", "/manifests/", 200).with_body("{}"), "`HOST/app:1` is not an image that can be used"),
        (
            Fault::status("GET", "/manifests/", 404).with_body("nothing"),
            "there is no image `HOST/app:1`: GET http://HOST/v2/app/manifests/1 was answered with 404 (nothing)",
        ),
    ] {
        let (registry, reference) = stocked();
        registry.fault(fault);
        let text = told(&registry, &client().pull(&reference, &target()).unwrap_err());
        assert!(text.starts_with(expected), "{text}");
    }
}

#[test]
fn pinned_reference_is_checked_without_trusting_the_header() {
    let (registry, reference) = stocked();
    let digest = client().digest(&reference).unwrap().unwrap();
    let path = format!("/manifests/{digest}");
    registry.fault(Fault::status("GET", &path, 200).with_header("Docker-Content-Digest", &digest.to_string()).with_body("{}"));
    let error = client().resolve(&reference.with_digest(digest), &target()).unwrap_err();
    assert!(matches!(error, RegistryError::DigestMismatch { expected, .. } if expected == digest), "{error}");
}

#[test]
fn layer_faults_are_told_apart() {
    let path = format!("/blobs/{}", Digest::of(LAYER));
    let fault = |fault: Fault| {
        let (registry, reference) = stocked();
        let layer = client().pull(&reference, &target()).unwrap().layers()[0].clone();
        registry.fault(fault);
        fetch(&client(), &layer).map(|bytes| String::from_utf8(bytes).unwrap())
    };
    assert!(matches!(fault(Fault::corrupt("GET", &path)), Err(BlobError::DigestMismatch { .. })));
    assert!(matches!(fault(Fault::append("GET", &path, b"more")), Err(BlobError::TooLong { .. })));
    assert!(matches!(fault(Fault::truncate("GET", &path, 0)), Err(BlobError::Truncated { actual: 0, .. })));
    assert!(matches!(fault(Fault::status("GET", &path, 404)), Err(BlobError::Read { .. })));
    assert_eq!(fault(Fault::truncate("GET", &path, 20)).unwrap(), LAYER, "continued where it broke, several times");
    assert_eq!(fault(Fault::truncate("GET", &path, 7).times(1)).unwrap(), LAYER);
    assert_eq!(fault(Fault::hang_up("GET", &path).times(1)).unwrap(), LAYER);
}

#[test]
fn basic_login_is_sent_only_when_asked_for() {
    let registry = Registry::with_access(Access::Basic("user".into(), "word".into()));
    let reference = name(&registry, "app");
    let client = client_of(&registry, password("user", "word"));
    client.push(&image(&[LAYER]), &reference).unwrap();
    client.pull(&reference, &target()).unwrap();
    let logins: Vec<bool> = registry.requests().iter().map(|seen| seen.authorization.is_some()).collect();
    assert!(!logins[0] && logins[1..].iter().all(|sent| *sent), "{logins:?}");
}

#[test]
fn unauthorized_says_which_logins_were_looked_at() {
    let basic = || Registry::with_access(Access::Basic("user".into(), "word".into()));
    let config = |text: &str| Arc::new(DockerConfig::parse(text.as_bytes(), "/home/me/.docker/config.json").unwrap());
    let cause = ": GET http://HOST/v2/app/manifests/latest was answered with 401 (UNAUTHORIZED: authentication required)";
    for (credentials, expected) in [
        (Arc::new(credentials::Anonymous) as Arc<dyn Credentials>, "no logins are set up"),
        (config("{}"), "`/home/me/.docker/config.json` has no login for `HOST`"),
        (
            config(r#"{"credsStore":"desktop"}"#),
            "`/home/me/.docker/config.json` leaves it to the credential helper `desktop`, which was not asked; \
             `/home/me/.docker/config.json` has no login for `HOST`",
        ),
    ] {
        let registry = basic();
        let client = RegistryClient::new(Settings { credentials, ..settings() }).unwrap();
        let error = client.pull(&name(&registry, "app"), &target()).unwrap_err();
        assert_eq!(told(&registry, &error), format!("`HOST` asks for a valid login: {expected}{cause}"));
        assert_eq!(registry.requests().len(), 1);
    }
    let registry = basic();
    let error = client_of(&registry, password("user", "old-word")).pull(&name(&registry, "app"), &target()).unwrap_err();
    assert_eq!(told(&registry, &error), format!("`HOST` asks for a valid login: the login of `the test` was sent{cause}"));
    assert_eq!(registry.requests().len(), 2);
    assert!(!format!("{error:?}").contains("old-word"));
}

#[test]
fn tokens_are_asked_for_by_scope_and_kept() {
    let registry = Registry::with_access(Access::bearer("user", "word"));
    let client = client_of(&registry, password("user", "word"));
    let reference = name(&registry, "team/app");
    let tokens = || -> Vec<String> {
        let seen = registry.requests();
        seen.iter().filter(|seen| seen.line() == "GET /token").map(|seen| seen.target.clone()).collect()
    };
    client.push(&image(&[LAYER]), &reference).unwrap();
    assert_eq!(tokens(), ["/token?service=testkit&scope=repository%3Ateam/app%3Apull%2Cpush"]);
    registry.forget_requests();
    client.pull(&reference, &target()).unwrap();
    client.pull(&reference, &target()).unwrap();
    assert_eq!(tokens(), ["/token?service=testkit&scope=repository%3Ateam/app%3Apull"]);
    registry.revoke_tokens();
    client.pull(&reference, &target()).unwrap();
    assert_eq!(tokens().len(), 2, "a token that ended early is replaced");
    let sent: Vec<String> = registry.requests().iter().filter_map(|seen| seen.authorization.clone()).collect();
    assert_eq!(sent.iter().filter(|value| value.starts_with("Basic")).count(), 2, "the password goes to the token service alone");
}

#[test]
fn tokens_come_without_login_and_for_refresh_tokens() {
    let access = Access::Bearer {
        user: "user".into(),
        password: "word".into(),
        anonymous_pull: true,
        identity_token: Some("long lived & secret".into()),
    };
    let registry = Registry::with_access(access);
    let reference = name(&registry, "app");
    let identity = client_of(&registry, Login::IdentityToken(Secret::new("long lived & secret")));
    identity.push(&image(&[LAYER]), &reference).unwrap();
    client().pull(&reference, &target()).unwrap();
    let refused = client().push(&image(&["new"]), &reference).unwrap_err();
    assert!(matches!(refused, RegistryError::Unauthorized { .. }), "{refused}");
    let wrong = client_of(&registry, Login::IdentityToken(Secret::new("x"))).pull(&reference, &target()).unwrap_err();
    let text = told(&registry, &wrong);
    assert!(text.ends_with("POST http://HOST/token was answered with 401 (UNAUTHORIZED: wrong name or password)"), "{text}");
}

#[test]
fn hostile_challenges_are_survived_and_get_no_password() {
    for (challenge, expected) in [
        (
            "Bearer realm=\"http://tokens.example.com/token\"",
            "wants logins sent to `http://tokens.example.com/token`, which is not encrypted",
        ),
        ("Bearer", "its challenge names no `realm`"),
        ("Bearer realm=\"file:///etc/passwd\"", "its token service is unusable"),
        ("Bearer realm=\"https://user:word@x/\"", "its token service is unusable"),
        ("Negotiate", "names no way to log in"),
        ("", "names no way to log in"),
        (",,,=\"", "names no way to log in"),
    ] {
        let registry = Registry::new();
        registry.fault(Fault::status("GET", "/v2/", 401).with_header("WWW-Authenticate", challenge));
        let error = client_of(&registry, password("user", "word")).pull(&name(&registry, "app"), &target()).unwrap_err();
        let text = told(&registry, &error);
        assert!(text.contains(expected), "{challenge}: {text}");
        assert!(registry.requests().iter().all(|seen| seen.authorization.is_none()));
    }
}

#[test]
fn redirects_leave_the_login_behind() {
    let registry = Registry::with_access(Access::Basic("user".into(), "word".into()));
    let storage = Registry::new();
    let reference = name(&registry, "app");
    let client = client_of(&registry, password("user", "word"));
    let image = image(&[LAYER]);
    client.push(&image, &reference).unwrap();
    storage.put_blob("app", LAYER.as_bytes());
    storage.put_blob("app", image.config_bytes());
    registry.redirect_blobs(&format!("http://{}", storage.host()));
    let pulled = client.pull(&reference, &target()).unwrap();
    assert_eq!(fetch(&client, &pulled.layers()[0]).unwrap(), LAYER.as_bytes());
    assert_eq!(storage.requests().len(), 2);
    assert!(storage.requests().iter().all(|seen| seen.authorization.is_none()));
}

#[test]
fn hostile_locations_are_refused() {
    for (location, expected) in [
        ("file:///etc/passwd", "its `Location` is unusable"),
        ("http://user:word@x/", "its `Location` is unusable"),
        ("", "it redirects without end"),
        ("/v2/app/manifests/1", "it redirects without end"),
    ] {
        let (registry, reference) = stocked();
        registry.fault(Fault::status("GET", "/manifests/", 302).with_header("Location", location));
        let text = told(&registry, &client().pull(&reference, &target()).unwrap_err());
        assert!(text.contains(expected), "{location}: {text}");
        assert!(registry.requests().len() <= 6);
    }
    let (registry, reference) = stocked();
    registry.fault(Fault::status("POST", "/blobs/uploads/", 202));
    let text = told(&registry, &client().push(&image(&["new"]), &reference).unwrap_err());
    assert!(text.contains("there is no `Location`"), "{text}");
}

#[derive(Default)]
struct Waits(Mutex<Vec<(String, Duration)>>);

impl Progress for Waits {
    fn blob(&self, _digest: &Digest, _step: Step) {}

    fn waiting(&self, reason: &RegistryError, delay: Duration) {
        self.0.lock().unwrap().push((reason.refusal().map_or(String::new(), |refusal| refusal.status.to_string()), delay));
    }
}

#[test]
fn limits_and_faults_are_waited_out() {
    for fault in [
        Fault::status("GET", "/manifests/", 429),
        Fault::status("GET", "/manifests/", 502),
        Fault::status("GET", "/manifests/", 503).with_header("Retry-After", "0"),
        Fault::status("GET", "/manifests/", 504).with_header("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"),
        Fault::hang_up("GET", "/manifests/"),
        Fault::truncate("GET", "/manifests/", 5),
    ] {
        let (registry, reference) = stocked();
        registry.fault(fault.times(2));
        let waits = Arc::new(Waits::default());
        let client = RegistryClient::new(Settings { progress: Arc::clone(&waits) as Arc<dyn Progress>, ..settings() }).unwrap();
        client.pull(&reference, &target()).unwrap();
        assert_eq!(waits.0.lock().unwrap().len(), 2);
    }
    let (registry, reference) = stocked();
    registry.fault(Fault::hang_up("PUT", "/blobs/uploads/").times(1));
    client().push(&image(&["new"]), &reference).unwrap();
    let sessions = registry.request_lines().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(sessions, 3, "an upload of which nothing arrived is started anew");
}

#[test]
fn failures_that_last_are_told_with_the_tries() {
    let full = r#"{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"DriverName":"filesystem","Enclosed":{"Err":28}}}]}"#;
    for (fault, requests, expected) in [
        (Fault::status("GET", "/manifests/", 429).with_header("Retry-After", "300"), 1, "`HOST` limits requests, asks to wait 300 s"),
        (
            Fault::status("GET", "/manifests/", 503).with_body("<html><title>Down</title>"),
            3,
            "`HOST` has a fault of its own, tried 3 times",
        ),
        (
            Fault::status("GET", "/manifests/", 403).with_body(r#"{"errors":[{"code":"DENIED","message":"quota has been exceeded"}]}"#),
            1,
            "the quota at `HOST` is used up",
        ),
        (
            Fault::status("GET", "/manifests/", 400).with_body(r#"{"errors":[{"code":"NAME_INVALID","message":"two parts"}]}"#),
            1,
            "`HOST` does not allow this image name",
        ),
        (
            Fault::status("GET", "/manifests/", 412)
                .with_body(r#"{"errors":[{"code":"PRECONDITION","message":"configured as Immutable"}]}"#),
            1,
            "`HOST` does not let the tag be moved to another image",
        ),
        (Fault::status("GET", "/manifests/", 403), 1, "`HOST` does not allow this: no login was sent"),
        (Fault::status("GET", "/manifests/", 418), 1, "`HOST` rejects the request"),
        (Fault::status("GET", "/manifests/", 500).with_body(full), 1, "the storage of `HOST` is full"),
    ] {
        let (registry, reference) = stocked();
        registry.fault(fault);
        let text = told(&registry, &client().pull(&reference, &target()).unwrap_err());
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(registry.requests().len(), requests, "{text}");
    }
}

#[test]
fn limits_are_waited_out_longer_than_faults() {
    let retry = Retry { attempts: 2, first_delay: Duration::from_millis(1), longest_delay: Duration::from_millis(200) };
    let limited = |times| {
        let (registry, reference) = stocked();
        registry.fault(Fault::status("GET", "/manifests/", 429).times(times));
        RegistryClient::new(Settings { retry, ..settings() }).unwrap().pull(&reference, &target())
    };
    limited(6).unwrap();
    let error = limited(usize::MAX).unwrap_err();
    assert!(matches!(error, RegistryError::RateLimited { attempts: 8.., .. }), "{error}");
}

#[test]
fn unreachable_registries_are_told_apart() {
    let registry = Registry::new();
    let gone = name(&registry, "app");
    drop(registry);
    let error = client().pull(&gone, &target()).unwrap_err();
    assert!(matches!(error, RegistryError::CannotConnect { .. }), "{error:?}");
    let error = client().pull(&"host.invalid/app".parse().unwrap(), &target()).unwrap_err();
    assert!(matches!(error, RegistryError::UnknownHost { .. }), "{error:?}");
}
