use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::*;
use crate::registry::Registry;

/// The answer's bytes, and whether the connection ended in order.
fn ask(proxy: &FaultyProxy, method: &str, path: &str, body: &str) -> (String, bool) {
    let mut stream = TcpStream::connect(proxy.host()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n{body}", proxy.host(), body.len()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes);
    (String::from_utf8_lossy(&bytes).into_owned(), end.is_ok())
}

#[test]
fn answers_come_as_planned() {
    let registry = Registry::new();
    let digest = registry.put_blob("a", b"0123456789");
    let host: SocketAddr = registry.host().parse().unwrap();
    let path = format!("/v2/a/blobs/{digest}");
    for (mishap, start, end, orderly) in [
        (None, "HTTP/1.1 200", "\r\n\r\n0123456789", true),
        (Some(Mishap::ResetBefore), "", "", false),
        (Some(Mishap::ResetAfter), "", "", false),
        (Some(Mishap::Truncated), "HTTP/1.1 200", "\r\n\r\n01234", true),
        (Some(Mishap::Flipped), "HTTP/1.1 200", "\r\n\r\n0123446789", true),
        (Some(Mishap::Stalled(Duration::from_millis(10))), "HTTP/1.1 200", "\r\n\r\n01234", true),
        (Some(Mishap::LengthTooLong), "HTTP/1.1 200", "content-length: 17\r\n\r\n0123456789", true),
        (Some(Mishap::LengthTooShort), "HTTP/1.1 200", "content-length: 5\r\n\r\n0123456789", true),
        (Some(Mishap::Limited(Some(3))), "HTTP/1.1 429", "too many requests\"}]}", true),
        (Some(Mishap::Failed(503)), "HTTP/1.1 503", "a fault of the network\"}]}", true),
    ] {
        let plan = mishap.map_or_else(Plan::calm, |mishap| Plan::always("GET", "/blobs/", mishap));
        let proxy = FaultyProxy::before(host, plan);
        let (answer, ended) = ask(&proxy, "GET", &path, "");
        assert!(answer.starts_with(start) && answer.ends_with(end), "{mishap:?}: {answer}");
        assert_eq!(ended, orderly, "{mishap:?}");
        let name = mishap.map_or("passed", Mishap::name);
        assert_eq!(proxy.counts(), Counts::from([("GET blob".to_owned(), BTreeMap::from([(name, 1)]))]));
    }
}

#[test]
fn headers_come_as_planned() {
    let registry = Registry::new();
    let digest = registry.put_blob("a", b"0123456789");
    let host = registry.host().parse().unwrap();
    for (mishap, times) in [(Mishap::AbsentHeaders, 0), (Mishap::DuplicateHeaders, 2), (Mishap::WrongDigest, 1)] {
        let proxy = FaultyProxy::before(host, Plan::always("HEAD", "/blobs/", mishap));
        let (answer, _) = ask(&proxy, "HEAD", &format!("/v2/a/blobs/{digest}"), "");
        assert_eq!(answer.matches("docker-content-digest:").count(), times, "{answer}");
        assert_eq!(answer.contains(&digest), mishap == Mishap::DuplicateHeaders, "{answer}");
    }
    let proxy = FaultyProxy::before(host, Plan::always("HEAD", "/blobs/", Mishap::Late(Duration::from_millis(50))));
    let start = Instant::now();
    assert!(ask(&proxy, "HEAD", &format!("/v2/a/blobs/{digest}"), "").0.contains("content-length: 10\r\n"));
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[test]
fn uploads_are_dropped_and_changed_on_the_way() {
    let registry = Registry::new();
    registry.take_single_posts();
    let path = format!("/v2/a/blobs/uploads/?digest={}", crate::registry::digest(b"0123456789"));
    let post = |plan| ask(&FaultyProxy::before(registry.host().parse().unwrap(), plan), "POST", &path, "0123456789");
    let (answer, orderly) = post(Plan::always("POST", "", Mishap::ResetDuring));
    assert_eq!((answer.as_str(), orderly), ("", false));
    assert!(registry.requests().is_empty(), "half of a request is none");
    assert!(post(Plan::always("POST", "", Mishap::FlippedUpload)).0.contains("DIGEST_INVALID"));
    assert!(post(Plan::calm()).0.starts_with("HTTP/1.1 201"));
}

#[test]
fn seed_settles_what_happens() {
    let mishaps = [Mishap::ResetBefore, Mishap::Flipped, Mishap::Failed(500)];
    let course = |seed, percent| {
        let plan = Plan::seeded(seed, percent, &mishaps);
        (1..=1000).map(|times| plan.mishap("GET /v2/a/manifests/1", times, |_| true)).collect::<Vec<_>>()
    };
    assert_eq!(course(1, 20), course(1, 20));
    assert_ne!(course(1, 20), course(2, 20));
    let met = |course: Vec<Option<Mishap>>| course.into_iter().flatten().count();
    assert!((150..250).contains(&met(course(1, 20))));
    assert_eq!((met(course(1, 0)), met(course(1, 100))), (0, 1000));
    for mishap in mishaps {
        assert!(course(3, 50).contains(&Some(mishap)), "{mishap:?}");
    }
}
