//! What users read when a registry, its certificate or their own settings are at fault: each fault with its words, its next
//! step and its exit code.

use std::process::Command;

use testkit::certificates::{AUTHORITY, EXPIRED, SERVER};
use testkit::docker_registry::{Guard, Setup};
use testkit::registry::{Access, Fault, Registry};

use super::bad_line::BadLine;
use super::environment::{Environment, Outcome, user_is_root};

const PASSWORD: &str = "a-well-kept-password";
/// `me:` and the password, as HTTP and files of logins have them.
const BASIC: &str = "bWU6YS13ZWxsLWtlcHQtcGFzc3dvcmQ=";

/// Imports an image of one file of noise.
fn import(environment: &Environment, name: &str, bytes: usize) {
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    fs_err::create_dir_all(environment.path().join("rootfs")).unwrap();
    fs_err::write(environment.path().join("rootfs/noise"), noise.take(bytes).collect::<Vec<_>>()).unwrap();
    let made = Command::new("tar").args(["-cf", "rootfs.tar", "-C", "rootfs", "."]).current_dir(environment.path()).status().unwrap();
    assert!(made.success());
    environment.call(&format!("image import rootfs.tar {name}")).success();
}

/// An environment with the small image `app`, which is `HOST/app:1` in a registry, too.
fn stocked(registry: &Registry) -> Environment {
    let environment = Environment::empty();
    import(&environment, "app", 1000);
    environment.call(&format!("image push app {}/app:1", registry.host())).success();
    environment
}

/// What is told from `error:` on, without what differs from run to run.
#[track_caller]
fn told(outcome: Outcome, code: i32, registry: &Registry, environment: &Environment) -> String {
    outcome.failure(code).replace(&registry.host(), "HOST").replace(&environment.path().display().to_string(), "HERE")
}

#[test]
fn answers_of_a_registry_are_told_with_a_next_step() {
    let json = |code: &str, message: &str| format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
    let put = |status| Fault::status("PUT", "/manifests/", status);
    for (arguments, fault, code, expected) in [
        (
            "image push app HOST/app:2",
            put(412).with_body(&json("PRECONDITION", "configured as immutable")),
            4,
            "error: cannot send `HOST/app:2` to its registry\n  `app:latest` stays in the store: the same command tries again\n  caused by: `HOST` does not let the tag be moved to another image\n  \
             caused by: PUT http://HOST/v2/app/manifests/2 was answered with 412 (PRECONDITION: configured as immutable)\n\
             hint: push under a new tag",
        ),
        (
            "image push app HOST/app:2",
            put(413).with_body("<html><title>413 Request Entity Too Large</title></html>"),
            4,
            "error: cannot send `HOST/app:2` to its registry\n  `app:latest` stays in the store: the same command tries again\n  caused by: `HOST` does not take so much in one request\n  \
             caused by: PUT http://HOST/v2/app/manifests/2 was answered with 413 (an HTML page, `413 Request Entity Too Large`)\n\
             hint: have its administrator, or that of the proxy before it, raise the limit on the size of requests",
        ),
        (
            "image push app HOST/app:2",
            put(403).with_body(&json("DENIED", "artifact quota has been exceeded")),
            4,
            "error: cannot send `HOST/app:2` to its registry\n  `app:latest` stays in the store: the same command tries again\n  caused by: the quota at `HOST` is used up\n  \
             caused by: PUT http://HOST/v2/app/manifests/2 was answered with 403 (DENIED: artifact quota has been exceeded)\n\
             hint: remove images that are not needed there, or have the quota raised",
        ),
        (
            "image push app HOST/app:2",
            put(404).with_body(&json("MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")),
            4,
            "error: cannot send `HOST/app:2` to its registry\n  `app:latest` stays in the store: the same command tries again\n  caused by: `HOST` does not have all that the manifest names\n  \
             caused by: PUT http://HOST/v2/app/manifests/2 was answered with 404 (MANIFEST_BLOB_UNKNOWN: blob unknown to registry)\n\
             hint: push again; if it stays so, have its administrator look at its storage and garbage collection",
        ),
        (
            "image push app HOST/app:2",
            put(400).with_body(&json("NAME_INVALID", "two parts are needed")),
            4,
            "error: cannot send `HOST/app:2` to its registry\n  `app:latest` stays in the store: the same command tries again\n  caused by: `HOST` does not allow this image name\n  \
             caused by: PUT http://HOST/v2/app/manifests/2 was answered with 400 (NAME_INVALID: two parts are needed)\n\
             hint: see what names it allows: many want `PROJECT/NAME`, and a project that is there",
        ),
        (
            "image push app HOST/other:1",
            Fault::header("PUT", "/blobs/uploads/", "Docker-Content-Digest", &format!("sha256:{}", "0".repeat(64))),
            4,
            "hint: push again; if it stays so, have its administrator look at it: what it took is not what was sent",
        ),
        (
            "image pull HOST/app:1",
            Fault::status("GET", "/manifests/", 200).with_body("<!doctype html><title>Hotel Wi-Fi</title>"),
            4,
            "caused by: `HOST` does not answer as a registry does: it sends an HTML page, `Hotel Wi-Fi` (GET http://HOST/v2/app/manifests/1)\n\
             hint: check host and path: it may be a web page or a login portal",
        ),
        (
            "image pull HOST/app:1",
            Fault::status("GET", "/manifests/", 429).with_header("Retry-After", "300"),
            4,
            "caused by: `HOST` limits requests, asks to wait 300 s\n  caused by: GET http://HOST/v2/app/manifests/1 was answered with 429\n\
             hint: log in with `fnpack login HOST`, which raises the limit, or wait and try again",
        ),
        (
            "image pull HOST/app:1",
            Fault::append("GET", "/manifests/", &vec![b' '; 5 << 20]),
            4,
            "caused by: the manifest of `HOST/app:1` is longer than 4194304 bytes\n\
             hint: have the image pushed anew: this one is damaged or hostile",
        ),
    ] {
        let registry = Registry::new();
        let environment = stocked(&registry);
        registry.fault(fault);
        // A pull is of what the store does not have yet.
        let other = Environment::empty();
        let environment = if arguments.contains("pull") { other } else { environment };
        let text = told(environment.call(&arguments.replace("HOST", &registry.host())), code, &registry, &environment);
        assert!(text.ends_with(expected), "{arguments}\n{text}\n-- expected\n{expected}");
    }
}

#[test]
fn names_that_no_registry_takes_are_told_before_it_is_asked() {
    let registry = Registry::new();
    let environment = Environment::empty();
    for (name, expected) in [
        ("HOST/App:1", "lower case"),
        ("HOST/a/../b", "`HOST/a/../b`"),
        ("HOST/app:a/b", "`HOST/app:a/b`"),
        ("https://HOST/app", "`https://HOST/app`"),
    ] {
        let outcome = environment.call(&format!("image pull {}", name.replace("HOST", &registry.host())));
        let text = told(outcome, 2, &registry, &environment);
        assert!(text.contains(expected), "{name}: {text}");
    }
    assert!(registry.requests().is_empty());
    let text = told(environment.call(&format!("image pull {}/x", registry.host())), 4, &registry, &environment);
    assert!(text.contains("there is no image `HOST/x:latest`"), "one letter is a name: {text}");
}

/// A registry for `me`, and an environment that has the image `app` and this file of logins.
fn protected(logins: &str) -> (Registry, Environment) {
    let registry = Registry::with_access(Access::Basic("me".into(), PASSWORD.into()));
    let environment = Environment::empty();
    import(&environment, "app", 1000);
    environment.write("home/.docker/config.json", &logins.replace("HOST", &registry.host()));
    (registry, environment)
}

#[test]
fn wrong_password_is_told_alike_by_all_commands() {
    let (registry, environment) = protected(r#"{"auths":{"HOST":{"auth":"bWU6d3Jvbmc="}}}"#);
    environment.write("function/f.py", "def process(input):\n    return input\n");
    let host = registry.host();
    for arguments in [
        format!("image push app {host}/app:1"),
        format!("image pull {host}/app:1"),
        format!("rebase {host}/app:1 --run-image {host}/run:1 --publish"),
        format!("build my-function function -B {host}/builder:1"),
        format!("image copy docker://{host}/app:1 copied"),
    ] {
        let text = told(environment.call(&arguments), 4, &registry, &environment);
        let part = "caused by: `HOST` asks for a valid login: the login of `HERE/home/.docker/config.json` was sent\n  caused by: ";
        assert!(text.contains(part) && text.ends_with("\nhint: renew the login with `fnpack login HOST`"), "{arguments}: {text}");
        assert!(!text.contains("d3Jvbmc") && !text.contains("wrong"), "{text}");
    }
}

#[test]
fn logins_that_cannot_be_read_are_told() {
    for (logins, code, expected) in [
        (
            "{",
            3,
            "caused by: cannot read the logins in `HERE/home/.docker/config.json`\n  caused by: EOF while parsing an object at line 1 column 1\n\
             hint: correct the file, or name another folder with DOCKER_CONFIG",
        ),
        (
            r#"{"auths":{"HOST":{"auth":"%%"}}}"#,
            3,
            "caused by: the login for `HOST` in `HERE/home/.docker/config.json` is broken: `auth` is not base64\n\
             hint: write it anew with `fnpack login HOST`",
        ),
        (
            r#"{"credsStore":"surely-not-there"}"#,
            3,
            "caused by: the credential helper `surely-not-there` named in `HERE/home/.docker/config.json` failed\n  \
             caused by: cannot start `docker-credential-surely-not-there`\n  caused by: No such file or directory (os error 2)\n\
             hint: install `docker-credential-surely-not-there`, or take it out of the file",
        ),
    ] {
        let (registry, environment) = protected(logins);
        let text = told(environment.call(&format!("image push app {}/app", registry.host())), code, &registry, &environment);
        assert!(text.ends_with(expected), "{text}\n-- expected\n{expected}");
    }
    let (registry, environment) = protected("{}");
    let file = environment.path().join("home/.docker/config.json");
    fs_err::remove_file(&file).unwrap();
    fs_err::create_dir(&file).unwrap();
    let text = told(environment.call(&format!("image push app {}/app", registry.host())), 5, &registry, &environment);
    assert!(text.contains("caused by: cannot use the file of logins `HERE/home/.docker/config.json`") && text.contains("hint: "), "{text}");
}

#[test]
fn passwords_are_shown_nowhere() {
    let helper = "#!/bin/sh\necho \"$*\" >> \"$HOME/arguments\"; env >> \"$HOME/arguments\"\ncat > /dev/null\n\
        echo '{\"Username\":\"me\",\"Secret\":\"a-well-kept-password\"}'\n";
    for logins in [format!(r#"{{"auths":{{"HOST":{{"auth":"{BASIC}"}}}}}}"#), r#"{"credsStore":"ours"}"#.to_owned()] {
        let (registry, environment) = protected(&logins);
        let program = environment.script("bin/docker-credential-ours", helper);
        let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let call = |arguments: &str| -> Outcome {
            let mut command = environment.command();
            command.args(arguments.replace("HOST", &registry.host()).split_whitespace()).env("PATH", &path);
            command.output().unwrap().into()
        };
        call("--verbose image push app HOST/app:1").success();
        registry.fault(Fault::status("PUT", "/manifests/", 403));
        let mut all = String::new();
        for arguments in ["--verbose image push app HOST/app:2", "--verbose image pull HOST/none", "--verbose access HOST/app"] {
            let outcome = call(arguments);
            all = format!("{all}{}{}", outcome.stdout, outcome.stderr);
        }
        all.push_str(&fs_err::read_to_string(environment.path().join("home/arguments")).unwrap_or_default());
        assert!(all.contains("does not allow this") && !all.contains(PASSWORD) && !all.contains(BASIC), "{all}");
    }
}

#[test]
fn certificates_that_cannot_be_used_are_told_with_their_file() {
    let environment = Environment::empty();
    environment.write("junk.pem", "no certificate at all\n");
    fs_err::create_dir(environment.path().join("empty")).unwrap();
    for (variable, value, expected) in [
        ("SSL_CERT_FILE", "junk.pem", "`junk.pem`\n  caused by: there is no certificate in PEM in it"),
        ("SSL_CERT_FILE", "nowhere.pem", "`nowhere.pem`\n  caused by: "),
        ("SSL_CERT_DIR", "empty", "`empty`\n  caused by: there is no certificate in PEM in it"),
        ("SSL_CERT_DIR", "nowhere", "`nowhere`\n  caused by: "),
    ] {
        let mut command = environment.command();
        command.args(["access", "registry.invalid/app"]).env_remove("SSL_CERT_FILE").env(variable, value);
        let text = Outcome::from(command.output().unwrap()).failure(3);
        assert!(text.contains(&format!("cannot use the certificates in {expected}")), "{text}");
        assert!(text.contains("hint: put a certificate in PEM there"), "{text}");
    }
    let registry = Registry::new();
    let mut command = environment.command();
    command.args(["access", &format!("{}/app", registry.host())]).env("SSL_CERT_FILE", "junk.pem");
    Outcome::from(command.output().unwrap()).success();
}

#[test]
fn clock_is_doubted_when_the_server_shows_another_day() {
    let registry = Registry::encrypted(&EXPIRED, None);
    registry.fault(Fault::header("HEAD", "/v2/", "Date", "Tue, 01 Sep 2020 12:00:00 GMT"));
    let environment = Environment::empty();
    environment.write(&format!("home/.config/containers/certs.d/{}/ca.crt", registry.host()), AUTHORITY);
    let text = told(environment.call(&format!("access {}/app", registry.host())), 4, &registry, &environment);
    assert!(
        text.starts_with(
            "error: the certificate of `HOST` has expired (issued by `Test Authority, Example Works`, valid from 2020-01-01 to 2021-01-01)"
        ),
        "{text}"
    );
    assert!(text.contains("hint: set this machine's clock: it shows 20") && text.ends_with(", the server's 2020-09-01"), "{text}");
}

#[test]
fn client_certificate_that_is_missing_is_asked_for() {
    let registry = Registry::encrypted(&SERVER, Some(AUTHORITY));
    let environment = Environment::empty();
    environment.write(&format!("home/.config/containers/certs.d/{}/ca.crt", registry.host()), AUTHORITY);
    let text = told(environment.call(&format!("access {}/app", registry.host())), 4, &registry, &environment);
    assert!(text.starts_with("error: `HOST` asks for a client certificate, and there is none for it"), "{text}");
    let hint = "hint: put NAME.cert and NAME.key into `~/.config/containers/certs.d/HOST` or `/etc/docker/certs.d/HOST`";
    assert!(text.ends_with(hint), "{text}");
}

#[test]
fn push_over_a_bad_line_ends_well_at_the_registry_that_most_have() {
    if !user_is_root() {
        return;
    }
    let environment = Environment::empty();
    let Some(registry) = Setup::of(Guard::Open).start() else { return };
    import(&environment, "app", 8 << 20);
    let line = BadLine::to(registry.address(), 3 << 20, 2);
    let outcome = environment.call(&format!("image push app {}/app:1", line.host()));
    assert!(outcome.stderr.contains("broke"), "{}", outcome.stderr);
    outcome.success();
    assert_eq!(line.cuts_left(), 0);
    let other = Environment::empty();
    let pulled = other.call(&format!("image pull {}/app:1", registry.host())).success();
    let kept = environment.call("image inspect app").success();
    let digest = pulled.split('@').nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert!(kept.contains(&digest), "{pulled}\n{kept}");
    other.call("store check --deep").success();
}
