//! Who is let in, and what is said to who is not.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fnpack_core::digest::DiffId;
use fnpack_core::image::{Blob, BlobSource, Descriptor, Image, ImageConfig, Layer, media_type};
use fnpack_core::registry::credentials::{FixedLogin, Login, Secret};
use fnpack_core::registry::{RegistryClient, Settings};
use testkit::faulty_proxy::{FaultyProxy, Mishap, Plan};

use super::*;

#[test]
fn access_is_had_after_the_login_alone() {
    for (guard, place) in places() {
        let name = place.name("team/app:1");
        let access = || place.environment.fnpack(["access", &name]);
        let shown = access().success();
        assert!(shown.ends_with("no such image  yes"), "{guard:?}: {shown}");
        match guard {
            Guard::Open => continue,
            Guard::Tls | Guard::TlsClients => {
                fs_err::remove_file(place.environment.path().join(place.certificates()).join("ca.crt")).unwrap();
            }
            Guard::Basic | Guard::Token => {
                let error = place.login("wrong word").failure(4);
                assert!(error.contains("the login of `me` was sent") && !error.contains("wrong word"), "{error}");
                place.environment.fnpack(["logout", &place.registry.host()]).success();
            }
        }
        let error = access().failure(4);
        let expected = match guard {
            Guard::Tls => "not trusted (issued by `Test Authority`, valid until 20".to_owned(),
            _ => format!("hint: log in with `fnpack login {}`", place.registry.host()),
        };
        assert!(error.contains(&expected), "{guard:?}: {error}");
    }
}

#[test]
fn certificates_of_a_host_are_taken_from_its_folder() {
    let environment = Environment::empty();
    let Some(registry) = Setup::of(Guard::TlsClients).start() else { return };
    let place = Place { registry, environment };
    let name = place.name("team/app:1");
    let environment = &place.environment;
    let authority = place.registry.authority();
    environment.write(&format!("{}/notes.txt", place.certificates()), "its authority is still to come");
    let error = environment.fnpack(["access", &name]).failure(4);
    assert!(error.contains("not trusted (issued by `Test Authority`, valid until 20") && error.contains("--registry-ca"), "{error}");
    let notes = environment.path().join(place.certificates()).join("notes.txt");
    let error = environment.fnpack(["--registry-ca", notes.to_str().unwrap(), "access", &name]).failure(3);
    assert!(error.contains("cannot use the certificates in `"), "{error}");
    // The server is trusted now, and wants to know whom it speaks to.
    let trusted = authority.certificate();
    let error = environment.fnpack(["--registry-ca", trusted.to_str().unwrap(), "access", &name]).failure(4);
    assert!(error.to_lowercase().contains("certificate") && !error.contains("not trusted"), "{error}");
    place.trust();
    for (from, to) in [(authority.client_certificate(), "client.cert"), (authority.client_key(), "client.key")] {
        environment.write(&format!("{}/{to}", place.certificates()), &fs_err::read_to_string(from).unwrap());
    }
    let shown = environment.fnpack(["access", &name]).success();
    assert!(shown.ends_with("no such image  yes"), "{shown}");
}

#[test]
fn wrong_password_is_told_alike_by_all_commands() {
    if !user_is_root() {
        return;
    }
    for guard in [Guard::Basic, Guard::Token] {
        let Some(environment) = Environment::with_base() else { return };
        let Some(place) = Place::new(guard, environment) else { return };
        let (environment, host) = (&place.environment, place.registry.host());
        bash_builder(environment, "real/refused", "exit 0", "");
        environment.write("function/file", "");
        environment.fnpack(["logout", &host]).success();
        fed(environment, &["--offline", "login", &host, "-u", USER, "--password-stdin"], "wrong word").success();
        let name = place.name("team/app:1");
        let told = |line: &str| {
            let outcome = environment.call(line);
            assert!(!outcome.stderr.contains("wrong word"), "{}", outcome.stderr);
            let error = outcome.failure(4);
            let lines = error.lines().map(str::trim).filter(|line| line.contains("valid login") || line.starts_with("hint:"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let push = told(&format!("image push test/run {name}"));
        let asked = "asks for a valid login: the login of `";
        assert!(push.len() == 2 && push[0].contains(asked) && push[0].ends_with("config.json` was sent"), "{guard:?}: {push:#?}");
        assert_eq!(push[1], format!("hint: renew the login with `fnpack login {host}`"));
        assert_eq!(told(&format!("build {name} function -B real/refused --publish")), push, "{guard:?}");
        assert_eq!(told(&format!("rebase {name} --run-image {} --publish", place.name("team/run:1"))), push, "{guard:?}");
        assert_eq!(told(&format!("image pull {name}")), push, "{guard:?}");
    }
}

#[test]
fn token_that_ends_between_two_requests_is_renewed() {
    if !user_is_root() {
        return;
    }
    let Some(place) = Place::new(Guard::Token, Environment::empty()) else { return };
    let digest = image(&place.environment, "app", "linux/amd64", "one");
    // Between the opening of an upload and its end lies more than a token's life.
    let late = Plan::always("POST", "/team/app", Mishap::Late(Duration::from_millis(2100)));
    let proxy = FaultyProxy::before(place.registry.address(), late);
    fed(&place.environment, &["login", &proxy.host(), "-u", USER, "--password-stdin"], PASSWORD).success();
    place.registry.tokens().expire_after(Duration::from_secs(1));
    place.environment.fnpack(["image", "push", "app", &format!("{}/team/app:1", proxy.host())]).success();
    assert_eq!(place.whole("team/app", "1"), digest);
    let refused = place.registry.requests().iter().filter(|request| request.starts_with("PUT") && request.ends_with(" 401")).count();
    assert!(refused > 0, "a token has ended on the way");
}

/// A blob that nobody can read for a while at first.
struct SlowAtFirst {
    bytes: Vec<u8>,
    slow: AtomicBool,
}

impl BlobSource for SlowAtFirst {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        if self.slow.swap(false, Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(2100));
        }
        Ok(Box::new(Cursor::new(self.bytes.clone())))
    }

    fn location(&self) -> String {
        "a slow disk".to_owned()
    }
}

/// The registry answers 401 to the first bytes and closes, while most of the blob is still to be sent.
#[test]
fn token_that_ends_in_the_middle_of_an_upload_is_renewed() {
    let Some(registry) = Setup::of(Guard::Token).start() else { return };
    let bytes = vec![7; 24 << 20];
    let digest = fnpack_core::digest::Digest::of(&bytes);
    let descriptor = Descriptor::new(media_type::OCI_LAYER, digest, bytes.len() as u64);
    let layer = Layer { descriptor, diff_id: DiffId::of(&bytes), blob: Blob::new(SlowAtFirst { bytes, slow: AtomicBool::new(true) }) };
    let image = Image::from_parts(ImageConfig::new(&"linux/amd64".parse().unwrap()), vec![layer]);
    let login = Login::Password { user: USER.to_owned(), password: Secret::new(PASSWORD) };
    let credentials = Arc::new(FixedLogin { registry: registry.host(), login, source: "the test".to_owned() });
    let client = RegistryClient::new(Settings { credentials, ..Settings::default() }).unwrap();
    registry.tokens().expire_after(Duration::from_secs(1));
    client.push(&image, &format!("{}/team/large:1", registry.host()).parse().unwrap()).unwrap();
    let repository = registry.repository("team/large");
    assert_eq!(repository.digest("1").unwrap(), image.digest().to_string());
    assert_eq!(repository.damages(&image.digest().to_string()), []);
    let refused = registry.requests().iter().filter(|request| request.starts_with("PUT") && request.ends_with(" 401")).count();
    assert!(refused > 0, "a token has ended on the way");
}
