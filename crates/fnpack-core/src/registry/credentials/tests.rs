//! All places of logins but the programs.

use super::*;

const CONFIG: &str = r#"{
    "auths": {
        "https://index.docker.io/v1/": { "auth": "aHViOnNlY3JldDpjb2xvbg==" },
        "ghcr.io": { "identitytoken": "refresh", "auth": "MDA6" },
        "quay.io": { "auth": "cXVheTphbGw=" },
        "quay.io/team": { "auth": "cXVheTp0ZWFt" },
        "empty.example.com": {},
        "broken.example.com": { "auth": "%%%" },
        "padded.example.com": { "auth": "dTpwAAA=" },
        "plain.example.com": { "username": "u", "password": "p" }
    },
    "credHelpers": { "ecr.example.com": "ecr-login", "bad.example.com": "../../bin/sh" },
    "HttpHeaders": { "x": "y" }
}"#;

fn shown(config: &DockerConfig, registry: &str, repository: &str) -> String {
    match config.lookup(registry, repository) {
        Ok(Lookup { found: Some(Found { login: Login::Password { user, password }, .. }), .. }) => {
            format!("{user}:{}", password.reveal())
        }
        Ok(Lookup { found: Some(Found { login: Login::IdentityToken(token), .. }), .. }) => format!("identity {}", token.reveal()),
        Ok(Lookup { found: Some(_), .. }) => "registry token".to_owned(),
        Ok(Lookup { found: None, looked_at }) => looked_at.join("; "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn docker_config_is_searched_as_docker_and_podman_do() {
    let config = DockerConfig::parse(CONFIG.as_bytes(), "config.json").unwrap();
    for (registry, repository, expected) in [
        ("docker.io", "library/debian", "hub:secret:colon"),
        ("ghcr.io", "a/b", "identity refresh"),
        ("quay.io", "other/b", "quay:all"),
        ("quay.io", "team/a/b", "quay:team"),
        ("quay.io", "teams/a", "quay:all"),
        ("padded.example.com", "a", "u:p"),
        ("plain.example.com", "a", "u:p"),
        ("empty.example.com", "a", "`config.json` has no login for `empty.example.com`"),
        ("bad.example.com", "a", "`config.json` has no login for `bad.example.com`"),
        ("broken.example.com", "a", "the login for `broken.example.com` in `config.json` is broken: `auth` is not base64"),
        (
            "ecr.example.com",
            "a",
            "`config.json` leaves it to the credential helper `ecr-login`, which was not asked; `config.json` has no login for `ecr.example.com`",
        ),
    ] {
        assert_eq!(shown(&config, registry, repository), expected, "{registry}/{repository}");
    }
    assert!(DockerConfig::parse(b"[", "config.json").is_err());
}

#[test]
fn secrets_are_not_printed() {
    let config = DockerConfig::parse(CONFIG.as_bytes(), "config.json").unwrap();
    let lookup = config.lookup("docker.io", "a").unwrap();
    let text = format!("{config:?} {lookup:?} {:?}", Secret::new("secret:colon"));
    assert!(!text.contains("secret:colon") && !text.contains("aHViOn"), "{text}");
}

struct Helper;

impl CredentialHelper for Helper {
    fn get(&self, helper: &str, server: &str) -> Result<Option<Login>, HelperError> {
        match server {
            "https://index.docker.io/v1/" => Ok(Some(Login::Password { user: helper.to_owned(), password: Secret::new("p") })),
            "down.example.com" => Err("exit status 1".into()),
            _ => Ok(None),
        }
    }

    fn store(&self, _helper: &str, _server: &str, _user: &str, _password: &Secret) -> Result<(), HelperError> {
        Ok(())
    }

    fn erase(&self, _helper: &str, _server: &str) -> Result<(), HelperError> {
        Ok(())
    }
}

#[test]
fn helpers_are_asked_when_one_is_given() {
    let text = br#"{ "credsStore": "desktop", "auths": { "quay.io": { "auth": "cXVheTphbGw=" } } }"#;
    let config = DockerConfig::parse(text, "config.json").unwrap().with_helper(Arc::new(Helper));
    for (registry, expected) in [
        ("docker.io", "desktop:p"),
        ("quay.io", "quay:all"),
        ("down.example.com", "the credential helper `desktop` named in `config.json` failed"),
        (
            "x.example.com",
            "the credential helper `desktop` has nothing for `x.example.com`; `config.json` has no login for `x.example.com`",
        ),
    ] {
        assert_eq!(shown(&config, registry, "a"), expected);
    }
}

#[test]
fn chain_takes_the_first_login() {
    let fixed = |registry: &str, user: &str| FixedLogin {
        registry: registry.to_owned(),
        login: Login::Password { user: user.to_owned(), password: Secret::new("p") },
        source: format!("`--user {user}`"),
    };
    let chain = CredentialChain(vec![Arc::new(fixed("a", "1")), Arc::new(fixed("b", "2")), Arc::new(fixed("b", "3"))]);
    let lookup = chain.lookup("b", "x").unwrap();
    assert_eq!(lookup.found.unwrap().source, "`--user 2`");
    assert_eq!(lookup.looked_at, ["`--user 1` is for `a`"]);
    assert!(chain.lookup("c", "x").unwrap().found.is_none());
}

/// A file of logins in a folder of its own.
fn login_file(text: &str) -> (tempfile::TempDir, LoginFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = LoginFile::new(folder.path().join("config.json"));
    fs_err::write(file.path(), text).unwrap();
    (folder, file)
}

#[test]
fn login_file_keeps_what_it_does_not_know() {
    let (_folder, file) = login_file(r#"{"HttpHeaders":{"x":"y"},"auths":{"https://quay.io/v1/":{"auth":"b2xk"},"a.b":{"auth":"eDp5"}}}"#);
    assert_eq!(file.store("quay.io", "me", &Secret::new("pa:ss")).unwrap(), format!("`{}`", file.path().display()));
    let text = fs_err::read_to_string(file.path()).unwrap();
    let expected = r#"{"HttpHeaders":{"x":"y"},"auths":{"a.b":{"auth":"eDp5"},"quay.io":{"auth":"bWU6cGE6c3M="}}}"#;
    assert_eq!(text.split_whitespace().collect::<String>(), expected);
    assert_eq!(file.erase("quay.io").ok(), Some(true));
    assert_eq!(file.erase("quay.io").ok(), Some(false));
    assert!(file.lookup("a.b", "x").unwrap().found.is_some() && file.lookup("quay.io", "x").unwrap().found.is_none());
}

#[test]
fn login_file_is_made_for_its_owner_alone_and_follows_links() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = LoginFile::new(folder.path().join("new/config.json"));
    assert_eq!(file.lookup("a.b", "x").unwrap().looked_at, [format!("there is no `{}`", file.path().display())]);
    assert_eq!(file.erase("a.b").ok(), Some(false));
    assert!(!file.path().exists());
    file.store("docker.io", "me", &Secret::new("p")).unwrap();
    assert_eq!(fs_err::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs_err::read_to_string(file.path()).unwrap().contains("https://index.docker.io/v1/"));
    let link = folder.path().join("link.json");
    fs_err::os::unix::fs::symlink(file.path(), &link).unwrap();
    LoginFile::new(&link).store("a.b", "me", &Secret::new("p")).unwrap();
    assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
    assert!(file.lookup("a.b", "x").unwrap().found.is_some());
    assert_eq!(fs_err::read_dir(folder.path().join("new")).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn login_file_that_is_damaged_stays_as_it_is() {
    for text in ["{", "[]", r#"{"auths":[]}"#] {
        let (_folder, file) = login_file(text);
        file.store("a.b", "me", &Secret::new("p")).unwrap_err();
        assert_eq!(fs_err::read_to_string(file.path()).unwrap(), text);
    }
    let (_folder, empty) = login_file("");
    empty.store("a.b", "me", &Secret::new("p")).unwrap();
    assert!(empty.lookup("a.b", "x").unwrap().found.is_some());
}

#[test]
fn login_file_leaves_it_to_the_helper() {
    let (_folder, file) = login_file(r#"{"credsStore":"desktop"}"#);
    let file = file.with_helper(Arc::new(Helper));
    assert_eq!(file.store("a.b", "me", &Secret::new("secret")).unwrap(), "the credential helper `desktop`");
    let text = fs_err::read_to_string(file.path()).unwrap();
    assert_eq!(text.split_whitespace().collect::<String>(), r#"{"credsStore":"desktop","auths":{"a.b":{}}}"#);
    assert_eq!(file.erase("a.b").ok(), Some(true));
}
