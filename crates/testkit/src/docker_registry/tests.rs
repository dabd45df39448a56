use super::*;

/// Status and body of a `GET` with curl, which knows nothing of this crate.
fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl").args(["-sS", "-o", "/dev/null", "-w", "%{http_code}"]).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn registries_let_in_whom_they_should() {
    for (guard, stranger) in
        [(Guard::Open, "200"), (Guard::Basic, "401"), (Guard::Token, "401"), (Guard::Tls, "000"), (Guard::TlsClients, "000")]
    {
        let Some(registry) = Setup::of(guard).start() else { return };
        let encrypted = registry.authority.as_ref();
        let base = format!("{}://{}/v2/", if encrypted.is_some() { "https" } else { "http" }, registry.host());
        let trusted = encrypted.map(|authority| authority.certificate().display().to_string()).unwrap_or_default();
        let key = encrypted.map(|authority| authority.client_key().display().to_string()).unwrap_or_default();
        let certificate = key.replace(".key", ".crt");
        let login = match guard {
            Guard::Open | Guard::Token => vec![],
            Guard::Basic => vec!["-u", "me:right word"],
            Guard::Tls => vec!["--cacert", &trusted],
            Guard::TlsClients => vec!["--cacert", &trusted, "--cert", &certificate, "--key", &key],
        };
        assert_eq!(curl(&[&base]), stranger, "{guard:?}");
        let friend = if guard == Guard::Token { "401" } else { "200" };
        assert_eq!(curl(&[&login[..], &[&base]].concat()), friend, "{guard:?}");
    }
}

#[test]
fn signed_tokens_open_what_they_name() {
    let Some(registry) = Setup::of(Guard::Token).start() else { return };
    let tags = |repository: &str, token: &str| {
        curl(&["-H", &format!("Authorization: Bearer {token}"), &format!("http://{}/v2/{repository}/tags/list", registry.host())])
    };
    let granted = [json!({ "type": "repository", "name": "mine", "actions": ["pull"] })];
    let token = registry.tokens().issue(&granted, Duration::from_mins(1));
    assert_eq!((tags("mine", &token), tags("theirs", &token)), ("404".to_owned(), "401".to_owned()));
    let stale = registry.tokens().issue(&granted, Duration::ZERO);
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(tags("mine", &stale), "401");
}

#[test]
fn options_of_the_storage_are_taken() {
    let upload = |setup: Setup| {
        let registry = setup.start()?;
        let deleted = curl(&["-X", "DELETE", &format!("http://{}/v2/a/blobs/sha256:{}", registry.host(), "0".repeat(64))]);
        Some((curl(&["-X", "POST", &format!("http://{}/v2/a/blobs/uploads/", registry.host())]), deleted))
    };
    let Some(plain) = upload(Setup::of(Guard::Open)) else { return };
    assert_eq!(plain, ("202".to_owned(), "405".to_owned()));
    assert_eq!(upload(Setup::of(Guard::Open).with_deletion()).unwrap(), ("202".to_owned(), "404".to_owned()));
    assert_eq!(upload(Setup::of(Guard::Open).read_only()).unwrap().0, "405");
}

#[test]
fn requests_are_read_from_the_log() {
    let line =
        r#"127.0.0.1 - - [21/Nov/2026:19:00:00 +0000] "PUT /v2/a/blobs/uploads/x?digest=sha256:ab HTTP/1.1" 201 0 "" "fnpack/0.1.0""#;
    assert_eq!(request_of_log(line).unwrap(), "PUT /v2/a/blobs/uploads/x 201");
    assert_eq!(request_of_log("time=\"now\" level=info msg=\"listening\""), None);
}
