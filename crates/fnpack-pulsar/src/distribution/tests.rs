//! Fetching from a server of this process, which can be made to misbehave.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sha2::Digest as _;

use super::*;

const CONTENT: &[u8] = b"hello, this is a jar or something like it";

/// What a server does to the nth request.
#[derive(Clone, Copy)]
enum Act {
    Serve,
    BreakOffAfter(usize),
    Lie,
    Refuse(u16),
}

struct Server {
    repository: String,
    requests: Arc<Mutex<Vec<String>>>,
}

fn server(acts: &'static [Act]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let repository = format!("http://{}/maven2", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (seen, count) = (requests.clone(), AtomicUsize::new(0));
    std::thread::spawn(move || {
        for tcp in listener.incoming() {
            let mut tcp = tcp.unwrap();
            let mut head = String::new();
            let mut reader = BufReader::new(tcp.try_clone().unwrap());
            while reader.read_line(&mut head).is_ok_and(|size| size > 2) {}
            let begin =
                head.to_ascii_lowercase().split("bytes=").nth(1).map_or(0, |range| range.split('-').next().unwrap().parse().unwrap());
            seen.lock().unwrap().push(format!("{} from {begin}", head.split(' ').nth(1).unwrap()));
            let act = *acts.get(count.fetch_add(1, Ordering::Relaxed)).unwrap_or(&Act::Serve);
            let (status, body, sent) = match act {
                Act::Serve => (if begin > 0 { 206 } else { 200 }, CONTENT[begin..].to_vec(), usize::MAX),
                Act::BreakOffAfter(sent) => (200, CONTENT.to_vec(), sent),
                Act::Lie => (200, vec![b'x'; CONTENT.len()], usize::MAX),
                Act::Refuse(status) => (status, Vec::new(), 0),
            };
            let _ = write!(tcp, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = tcp.write_all(&body[..sent.min(body.len())]);
        }
    });
    Server { repository, requests }
}

fn artifact() -> Artifact {
    let sha256 = Box::leak(fetch::hexadecimal(&sha2::Sha256::digest(CONTENT)).into_boxed_str());
    Artifact { path: "org/x/a/1/a-1.jar", size: CONTENT.len() as u64, sha256 }
}

fn fetch(server: &Server, folder: &Path) -> Result<Progress, DistributionError> {
    let http = Http::new(&HttpOptions::default()).unwrap();
    let last = Mutex::new(Progress { bytes: 0, total: 0 });
    let progress = |progress| *last.lock().unwrap() = progress;
    let fetch = Fetch { http: &http, repository: &server.repository, folder, progress: &progress };
    fetch.all(&[artifact()])?;
    Ok(*last.lock().unwrap())
}

#[test]
fn file_is_fetched_checked_and_named() {
    let (folder, server) = (tempfile::tempdir().unwrap(), server(&[]));
    let size = CONTENT.len() as u64;
    assert_eq!(fetch(&server, folder.path()).unwrap(), Progress { bytes: size, total: size });
    assert_eq!(fs_err::read(folder.path().join("org.x-a-1.jar")).unwrap(), CONTENT);
    assert_eq!(fetch(&server, folder.path()).unwrap().bytes, size);
    assert_eq!(*server.requests.lock().unwrap(), ["/maven2/org/x/a/1/a-1.jar from 0"]);
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn file_that_broke_off_is_gone_on_with() {
    let (folder, server) = (tempfile::tempdir().unwrap(), server(&[Act::BreakOffAfter(10), Act::Refuse(503)]));
    fetch(&server, folder.path()).unwrap();
    assert_eq!(fs_err::read(folder.path().join("org.x-a-1.jar")).unwrap(), CONTENT);
    let froms: Vec<_> = server.requests.lock().unwrap().iter().map(|request| request.rsplit(' ').next().unwrap().to_owned()).collect();
    assert_eq!(froms, ["0", "10", "10"]);
}

#[test]
fn damaged_file_is_fetched_again_from_the_start() {
    let (folder, server) = (tempfile::tempdir().unwrap(), server(&[Act::Lie]));
    fetch(&server, folder.path()).unwrap();
    assert_eq!(server.requests.lock().unwrap().len(), 2);
}

#[test]
fn file_that_is_not_there_is_not_asked_for_twice() {
    let (folder, server) = (tempfile::tempdir().unwrap(), server(&[Act::Refuse(404)]));
    assert!(matches!(fetch(&server, folder.path()), Err(DistributionError::Refused { status: 404, .. })));
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}

#[test]
fn folder_without_mark_is_no_distribution() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join(format!("pulsar-{VERSION}"));
    fs_err::create_dir_all(folder.join("lib")).unwrap();
    assert_eq!(Distribution::find(cache.path()), None);
    fs_err::write(folder.join("complete"), "").unwrap();
    assert_eq!(Distribution::find(cache.path()).unwrap().folder(), folder);
}
