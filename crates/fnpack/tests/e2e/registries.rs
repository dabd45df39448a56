//! Logins, certificates and mirrors, as users have them.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use testkit::registry::{Access, Fault, Registry};

use crate::environment::{Environment, Outcome, user_is_root};

/// Runs fnpack with something in standard input.
fn fed(environment: &Environment, arguments: &[&str], input: &str) -> Outcome {
    let mut command = environment.command();
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

#[test]
fn login_is_proven_kept_used_and_forgotten() {
    let registry = Registry::with_access(Access::bearer("me", "right word"));
    let (host, environment) = (registry.host(), Environment::empty());
    let name = format!("{host}/team/app:1");
    let login = |word| fed(&environment, &["login", &host, "-u", "me", "--password-stdin"], word);
    let error = environment.fnpack(["access", &name]).failure(4);
    assert!(error.contains(&format!("hint: log in with `fnpack login {host}`")) && error.contains("there is no `"), "{error}");
    let error = login("wrong word\n").failure(4);
    assert!(error.contains("the login of `me` was sent") && !error.contains("wrong word"), "{error}");
    assert!(!environment.path().join("home/.docker").exists());
    login("right word\n").success();
    let shown = environment.fnpack(["access", &name]).success();
    assert_eq!(shown.split_whitespace().collect::<Vec<_>>(), ["NAME", "PULL", "PUSH", &name, "no", "such", "image", "yes"]);
    environment.fnpack(["logout", &host]).success();
    environment.fnpack(["access", &name]).failure(4);
}

#[test]
fn login_goes_through_the_helper_that_docker_uses() {
    let registry = Registry::with_access(Access::Basic("me".into(), "word".into()));
    let (host, environment) = (registry.host(), Environment::empty());
    environment.write("home/.docker/config.json", r#"{"credsStore":"kept","HttpHeaders":{"a":"b"}}"#);
    environment.script(
        "bin/docker-credential-kept",
        "#!/bin/sh\ncase $1 in\nstore) cat > \"$HOME/kept\";;\nget) cat >&2; cat \"$HOME/kept\" 2>&- || { echo credentials not found; exit 1; };;\nerase) rm -f \"$HOME/kept\";;\nesac\n",
    );
    let path = format!("{}:{}", environment.path().join("bin").display(), std::env::var("PATH").unwrap());
    let mut login = environment.command();
    let login = login.args(["login", &host, "-u", "me", "--password-stdin"]).env("PATH", &path).stdin(Stdio::piped());
    let mut child = login.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"word").unwrap();
    Outcome::from(child.wait_with_output().unwrap()).success();
    let config = fs_err::read_to_string(environment.path().join("home/.docker/config.json")).unwrap();
    assert!(config.contains("HttpHeaders") && !config.contains("auth\""), "{config}");
    let access = || Outcome::from(environment.command().args(["access", &format!("{host}/app")]).env("PATH", &path).output().unwrap());
    access().success();
    environment.script("bin/docker-credential-kept", "#!/bin/sh\necho junk\n");
    let error = access().failure(3);
    assert!(error.contains("`docker-credential-kept get` gives something that is no login"), "{error}");
}

#[test]
fn bad_logins_are_no_usage() {
    let environment = Environment::empty();
    for (arguments, input, expected) in [
        (vec!["login", "quay.io/team", "-u", "me", "--password-stdin"], "x", "`quay.io/team` is no registry"),
        (vec!["login", "a.example.com", "-u", "me", "--password-stdin"], "\n", "there is no password in standard input"),
    ] {
        let error = fed(&environment, &arguments, input).failure(2);
        assert!(error.contains(expected), "{error}");
    }
    environment.write("home/.docker/config.json", "{");
    let registry = Registry::new();
    environment.fnpack(["access", &format!("{}/app", registry.host())]).success();
}

#[test]
fn failed_push_says_that_the_image_stays() {
    let Some(environment) = Environment::with_base() else { return };
    let registry = Registry::new();
    let full = r#"{"errors":[{"code":"UNKNOWN","message":"x","detail":{"Err":28}}]}"#;
    registry.fault(Fault::status("POST", "/blobs/uploads/", 500).with_body(full));
    let error = environment.fnpack(["image", "push", "test/run", &format!("{}/run", registry.host())]).failure(4);
    assert!(error.contains("is full") && error.contains("`test/run:latest` stays in the store"), "{error}");
}

/// Debian's registry with TLS, ended when dropped.
struct Encrypted(Child);

impl Drop for Encrypted {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Encrypted {
    const HOST: &str = "127.0.0.77:5443";

    /// `None` (a skip) where there is no `docker-registry`, which CI has.
    fn start(folder: &Path) -> Option<Self> {
        let has = |program: &str| Command::new(program).arg("--help").output().is_ok();
        if !(has("docker-registry") && has("openssl")) {
            assert!(std::env::var_os("CI").is_none(), "docker-registry and openssl are not here");
            eprintln!("skipped: docker-registry and openssl are not here");
            return None;
        }
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test Authority"])
            .args(["-addext", "subjectAltName=IP:127.0.0.77", "-addext", "basicConstraints=critical,CA:false"])
            .args(["-keyout", "server.key", "-out", "server.crt"])
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{inmemory: {{}}}}\nhttp:\n  addr: {}\n  tls: {{certificate: server.crt, key: server.key}}\n",
            Self::HOST
        );
        fs_err::write(folder.join("registry.yml"), config).unwrap();
        let mut command = Command::new("docker-registry");
        let child =
            command.args(["serve", "registry.yml"]).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let registry = Self(child);
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(Self::HOST).is_err() {
            assert!(Instant::now() < end, "docker-registry does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(registry)
    }
}

#[test]
fn certificates_of_a_host_are_taken_from_its_folder() {
    if !user_is_root() {
        return;
    }
    let environment = Environment::empty();
    let folder = environment.path().to_owned();
    let Some(_registry) = Encrypted::start(&folder) else { return };
    let name = format!("{}/team/app:1", Encrypted::HOST);
    let certificates = format!("home/.config/containers/certs.d/{}", Encrypted::HOST);
    environment.write(&format!("{certificates}/notes.txt"), "its authority is still to come");
    let error = environment.fnpack(["access", &name]).failure(4);
    assert!(error.contains("not trusted (issued by `Test Authority`, valid from 20") && error.contains("--registry-ca"), "{error}");
    environment.fnpack(["--registry-ca", "server.crt", "access", &name]).success();
    let error = environment.fnpack(["--registry-ca", "registry.yml", "access", &name]).failure(3);
    assert!(error.contains("cannot use the certificates in `registry.yml`"), "{error}");
    let authority = fs_err::read_to_string(folder.join("server.crt")).unwrap();
    environment.write(&format!("{certificates}/ca.crt"), &authority);
    let shown = environment.fnpack(["access", &name]).success();
    assert!(shown.ends_with("no such image  yes"), "{shown}");
}
