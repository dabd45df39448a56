//! Logins, certificates and mirrors, as users have them.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::registry::{Access, Fault, Registry};

use crate::environment::{Environment, Outcome, fed};

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

/// Runs fnpack at a terminal of its own, where these keys are pressed; gives all that is seen there.
fn typed(environment: &Environment, arguments: &str, keys: &[&str]) -> Outcome {
    let own = environment.command();
    let mut command = Command::new("script");
    command.args([
        "--quiet",
        "--return",
        "--echo",
        "never",
        "--command",
        &format!("'{}' {arguments}", own.get_program().display()),
        "/dev/null",
    ]);
    command
        .env_clear()
        .envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("NO_COLOR", "1")
        .current_dir(environment.path());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut seen = Vec::new();
    let output = child.stdout.as_mut().unwrap();
    for key in keys {
        // Keys that come before they are asked for are thrown away.
        let mut byte = [0];
        while seen.last() != Some(&b':') && output.read(&mut byte).unwrap() == 1 {
            seen.push(byte[0]);
        }
        seen.push(b'|');
        std::thread::sleep(Duration::from_millis(200));
        input.write_all(key.as_bytes()).unwrap();
    }
    let rest = child.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&[seen, rest.stdout].concat()).into_owned();
    Outcome { stdout: shown.clone(), stderr: shown, code: rest.status.code() }
}

#[test]
fn login_is_asked_for_at_a_terminal_and_not_shown() {
    let registry = Registry::with_access(Access::Basic("me".into(), "right word".into()));
    let (host, environment) = (registry.host(), Environment::empty());
    let outcome = typed(&environment, &format!("login {host}"), &["me\r", "right worx\x7fd\r"]);
    assert!(!outcome.stdout.contains("right") && outcome.stdout.contains("not shown"), "{}", outcome.stdout);
    outcome.success();
    environment.fnpack(["access", &format!("{host}/app")]).success();

    let outcome = typed(&environment, &format!("login {host} -u me"), &["wrong word\r"]);
    assert!(!outcome.stdout.contains("wrong"), "{}", outcome.stdout);
    let error = outcome.failure(4);
    assert!(error.contains("the login of `me` was sent"), "{error}");

    let error = typed(&environment, &format!("login {host} -u me"), &["wor\x03"]).failure(130);
    assert_eq!(error.trim(), "error: stopped");
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
        (vec!["login", "a.example.com", "--password-stdin"], "x", "hint: name it with `--username NAME`"),
        (
            vec!["login", "a.example.com", "-u", "me"],
            "x",
            "there is no terminal to ask for the password at\nhint: give it from a file or through a pipe: `fnpack login HOST --username NAME --password-stdin < FILE`",
        ),
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
