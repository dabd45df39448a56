//! The administrator against a server that answers what it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::json;

use super::*;

/// Answers one request per item, and hands each request out: its first line and its body.
fn server(answers: Vec<(u16, String)>) -> (Admin, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let web = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for (status, body) in answers {
            let (mut tcp, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(tcp.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).unwrap();
            }
            let length =
                head.to_ascii_lowercase().split("content-length: ").nth(1).map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
            let mut content = vec![0; length];
            reader.read_exact(&mut content).unwrap();
            let _ = sender.send((head.lines().next().unwrap().to_owned(), String::from_utf8_lossy(&content).into_owned()));
            let location = if status == 307 { format!("Location: {body}\r\n") } else { String::new() };
            let _ = write!(tcp, "HTTP/1.1 {status} X\r\n{location}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        }
    });
    let options = AdminOptions { web, token: Some("t".to_owned()), http: HttpOptions::default() };
    (Admin::new(&options).unwrap(), requests)
}

fn lines(requests: &Receiver<(String, String)>) -> Vec<String> {
    requests.try_iter().map(|(line, _)| line.trim_end_matches(" HTTP/1.1").to_owned()).collect()
}

fn function() -> FunctionName {
    FunctionName::new("public", "default", "f").unwrap()
}

fn code(folder: &std::path::Path) -> Code {
    let path = folder.join("code");
    fs_err::write(&path, "the code").unwrap();
    Code::File { path, name: "f.py".to_owned() }
}

#[test]
fn refusal_has_status_and_reason() {
    let (admin, _requests) = server(vec![(400, r#"{"reason":"Tenant does not exist"}"#.to_owned())]);
    let error = admin.functions("t", "n").unwrap_err();
    assert_eq!((error.status(), error.reason()), (Some(400), Some("Tenant does not exist")));
    assert!(error.to_string().ends_with("/admin/v3/functions/t/n` was refused with status 400 (Tenant does not exist)"), "{error}");
}

#[test]
fn redirect_is_followed_with_the_body() {
    let folder = tempfile::tempdir().unwrap();
    let (admin, requests) = server(vec![(307, "/elsewhere?x=1".to_owned()), (204, String::new())]);
    admin.create_function(&function(), &json!({"className": "f.F"}), &code(folder.path())).unwrap();
    let seen: Vec<_> = requests.try_iter().collect();
    assert_eq!(seen[1].0, "POST /elsewhere?x=1 HTTP/1.1");
    for (_, body) in seen {
        assert!(body.contains("filename=\"f.py\"") && body.contains("the code") && body.contains(r#"{"className":"f.F"}"#), "{body}");
    }
}

#[test]
fn stale_package_is_cleared_away_once() {
    let folder = tempfile::tempdir().unwrap();
    let stale = r#"{"reason":"Package 'function://public/default/f@0' metadata already exists"}"#.to_owned();
    let made_by_worker = r#"{"createTime":1}"#.to_owned();
    let (admin, requests) = server(vec![(500, stale), (200, made_by_worker), (204, String::new()), (204, String::new())]);
    admin.create_function(&function(), &json!({}), &code(folder.path())).unwrap();
    let (function, package) = ("/admin/v3/functions/public/default/f", "/admin/v3/packages/function/public/default/f/0");
    let expected = [format!("POST {function}"), format!("GET {package}/metadata"), format!("DELETE {package}"), format!("POST {function}")];
    assert_eq!(lines(&requests), expected);
}

#[test]
fn package_of_a_user_is_never_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let stale = r#"{"reason":"Package 'function://public/default/f@0' metadata already exists"}"#.to_owned();
    let owned = r#"{"description":"mine","createTime":1}"#.to_owned();
    let (admin, requests) = server(vec![(500, stale), (200, owned)]);
    let error = admin.create_function(&function(), &json!({}), &code(folder.path())).unwrap_err();
    assert_eq!(error.status(), Some(500));
    assert_eq!(lines(&requests).len(), 2);
}

#[test]
fn absence_is_no_error() {
    let absent = || (404, r#"{"reason":"does not exist"}"#.to_owned());
    let (admin, _requests) = server(vec![absent(), absent(), absent(), absent()]);
    assert_eq!(admin.function_status(&function()).unwrap(), None);
    assert!(!admin.delete_package(&"function://t/n/f@1.0".parse().unwrap()).unwrap());
    assert!(!admin.tenant_exists("t").unwrap());
    assert!(!admin.namespace_exists("t", "n").unwrap());
}

#[test]
fn half_package_is_removed_after_a_failed_upload() {
    let folder = tempfile::tempdir().unwrap();
    let Code::File { path, .. } = code(folder.path()) else { unreachable!() };
    let name: PackageName = "function://t/n/f@1.0".parse().unwrap();
    let (admin, requests) = server(vec![(500, "{}".to_owned()), (204, String::new())]);
    assert_eq!(admin.upload_package(&name, &PackageMetadata::default(), &path).unwrap_err().status(), Some(500));
    assert_eq!(lines(&requests).last().unwrap(), "DELETE /admin/v3/packages/function/t/n/f/1.0");
    let (admin, requests) = server(vec![(409, r#"{"reason":"Package 'x' metadata already exists"}"#.to_owned())]);
    assert_eq!(admin.upload_package(&name, &PackageMetadata::default(), &path).unwrap_err().status(), Some(409));
    assert_eq!(lines(&requests).len(), 1);
}

#[test]
fn name_that_would_address_something_else_is_not_sent() {
    let (admin, requests) = server(Vec::new());
    for name in ["", "..", "a/b", "a?b"] {
        assert!(matches!(admin.functions(name, "n"), Err(AdminError::Name { .. })));
        assert!(matches!(admin.tenant_exists(name), Err(AdminError::Name { .. })));
        assert!(matches!(admin.namespace_exists("t", name), Err(AdminError::Name { .. })));
    }
    assert!(lines(&requests).is_empty());
}

#[test]
fn answer_that_is_no_json_is_an_error() {
    let (admin, _requests) = server(vec![(200, "<html>".to_owned())]);
    assert!(matches!(admin.functions("t", "n"), Err(AdminError::Unexpected { .. })));
}

#[test]
fn consumers_of_a_topic_are_seen() {
    let stats = |text: &str| (200, text.to_owned());
    let none = || (404, String::new());
    let used = r#"{"msgRateIn": 0.0, "subscriptions": {"t/n/f": {"consumers": [{"consumerName": "a"}]}, "other": {"consumers": []}}}"#;
    for (answers, subscription, expected) in [
        (vec![stats(used)], None, true),
        (vec![stats(used)], Some("t/n/f"), true),
        (vec![stats(used)], Some("other"), false),
        (vec![stats("{}")], None, false),
        (vec![none(), stats(used)], None, true),
        (vec![none(), none()], None, false),
    ] {
        let (admin, requests) = server(answers);
        assert_eq!(admin.is_consumed("t/n/in", subscription).unwrap(), expected);
        assert_eq!(lines(&requests)[0], "GET /admin/v2/persistent/t/n/in/stats");
    }
    assert!(server(vec![stats("1")]).0.is_consumed("t/n/in", None).is_err());
}

#[test]
fn topic_is_deleted_with_or_without_partitions() {
    let status = |status: u16| (status, String::new());
    for (answers, expected) in [
        (vec![status(204)], true),
        (vec![status(404), status(204)], true),
        (vec![status(409), status(204)], true),
        (vec![status(404), status(404)], false),
    ] {
        let asked = answers.len();
        let (admin, requests) = server(answers);
        assert_eq!(admin.delete_topic("t/n/in").unwrap(), expected);
        assert_eq!(lines(&requests).len(), asked);
    }
    assert_eq!(server(vec![status(401)]).0.delete_topic("t/n/in").unwrap_err().status(), Some(401));
}
