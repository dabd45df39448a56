//! A real Pulsar: started, used and gone.
//!
//! They need Java 17 and `FNPACK_TEST_CACHE`, below which Pulsar is kept; it is fetched once.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fnpack_pulsar::admin::{Admin, AdminOptions, Code, FunctionName, PackageMetadata, PackageName};
use fnpack_pulsar::distribution::{Distribution, FetchOptions};
use fnpack_pulsar::messages::{Client, ClientOptions, Consumer, ErrorCode, MessageError, MessageId, Outgoing, Position, Schema};
use fnpack_pulsar::standalone::{Folder, Standalone, StandaloneOptions};
use fnpack_pulsar::{Endpoint, HttpOptions};
use serde_json::json;

/// Asks this program to start a Pulsar and to wait for its own death.
const STARTER: &str = "FNPACK_PULSAR_TEST_STARTER";
const PATIENCE: Duration = Duration::from_mins(1);

/// What is there to start Pulsar from; `None`, with the reason printed, where something is missing.
fn distribution() -> Option<Distribution> {
    let Some(cache) = std::env::var_os("FNPACK_TEST_CACHE") else {
        return missing("FNPACK_TEST_CACHE is not set");
    };
    if Command::new("java").arg("-version").output().is_err() {
        return missing("there is no Java");
    }
    let roots = rustls_native_certs::load_native_certs().certs.into_iter().map(|certificate| certificate.to_vec()).collect();
    let options = FetchOptions { http: HttpOptions { roots, ..HttpOptions::default() }, ..FetchOptions::default() };
    let cache = Path::new(&cache).join("pulsar");
    Some(Distribution::fetch(&cache, &options, &|_| ()).unwrap())
}

#[expect(clippy::print_stderr, reason = "tells why a test is not run")]
fn missing(reason: &str) -> Option<Distribution> {
    assert!(std::env::var_os("CI").is_none(), "{reason}");
    eprintln!("not run: {reason}");
    None
}

fn options(distribution: Distribution, folder: &Path) -> StandaloneOptions {
    StandaloneOptions { timeout: Duration::from_mins(4), ..StandaloneOptions::new(distribution, folder) }
}

/// Processes whose command line has this text.
fn processes(text: &str) -> Vec<String> {
    let folders = fs_err::read_dir("/proc").unwrap().flatten();
    let lines = folders.filter_map(|folder| fs_err::read(folder.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(text)).collect()
}

/// Where processes with this folder in their command line listen on other addresses than the loopback's.
fn open_to_others(folder: &Path) -> Vec<String> {
    let text = folder.to_str().unwrap();
    let mine = fs_err::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(|process| process.path())
        .filter(|process| fs_err::read(process.join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(text)));
    let files = mine.filter_map(|process| fs_err::read_dir(process.join("fd")).ok()).flat_map(|files| files.flatten().collect::<Vec<_>>());
    let sockets: Vec<String> =
        files.filter_map(|file| fs_err::read_link(file.path()).ok()).map(|link| link.display().to_string()).collect();
    let tables: String = ["tcp", "tcp6"].iter().map(|name| fs_err::read_to_string(format!("/proc/net/{name}")).unwrap()).collect();
    let rows = tables.lines().map(|row| row.split_ascii_whitespace().collect::<Vec<_>>());
    // Columns: number, local address, remote address, state (0A is listening) … inode.
    let listening = rows.filter(|row| row.len() > 9 && row[3] == "0A" && sockets.contains(&format!("socket:[{}]", row[9])));
    let addresses: Vec<String> = listening.map(|row| row[1].to_owned()).collect();
    assert!(addresses.len() >= 3, "{addresses:?}");
    addresses.into_iter().filter(|address| !address.starts_with("0100007F:")).collect()
}

fn wait_for<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < end, "waited in vain");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn client(endpoint: &Endpoint) -> Client {
    Client::connect(&ClientOptions::new(&endpoint.service)).unwrap()
}

fn admin(endpoint: &Endpoint) -> Admin {
    Admin::new(&AdminOptions { web: endpoint.web.clone(), token: None, http: HttpOptions::default() }).unwrap()
}

fn payloads(consumer: &mut Consumer, count: usize) -> Vec<String> {
    (0..count)
        .map(|_| {
            let message = consumer.receive(PATIENCE).unwrap().expect("a message");
            consumer.acknowledge(&message).unwrap();
            String::from_utf8(message.payload).unwrap()
        })
        .collect()
}

#[test]
fn standalone_serves_messages_packages_and_functions() {
    let Some(distribution) = distribution() else { return };
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let options = StandaloneOptions { functions_worker: true, folder: Folder::Kept(kept), ..options(distribution, folder.path()) };
    // Once for the cache; the start is one from prepared classes then.
    assert!(Standalone::prepare(&options, &|| false).unwrap());
    let pulsar = Standalone::start(&options, &|| false).unwrap();
    assert!(pulsar.runs_java_functions() && pulsar.log().exists());

    assert_eq!(open_to_others(folder.path()), Vec::<String>::new());
    messages_come_back(&client(pulsar.endpoint()));
    partitions_are_one_topic(pulsar.endpoint());
    schemas_of_others_are_let_in(pulsar.endpoint());
    refusals_are_told(&client(pulsar.endpoint()));
    package_is_kept(&admin(pulsar.endpoint()), folder.path());
    function_answers(&pulsar, folder.path());
    let stored = store(&client(pulsar.endpoint()));

    let began = Instant::now();
    pulsar.stop().unwrap();
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(processes(folder.path().to_str().unwrap()), Vec::<String>::new());

    // What was stored is there when it starts again in its folder.
    let pulsar = Standalone::start(&StandaloneOptions { functions_worker: false, ..options }, &|| false).unwrap();
    let mut consumer = client(pulsar.endpoint()).consumer("stored", "test", Schema::Bytes, Position::Latest).unwrap();
    assert_eq!(consumer.receive(PATIENCE).unwrap().unwrap().id, stored);
    drop(pulsar);
    assert_eq!(processes(folder.path().to_str().unwrap()), Vec::<String>::new());
}

fn messages_come_back(client: &Client) {
    let mut producer = client.producer("hundred", Schema::Bytes).unwrap();
    let sent: Vec<String> = (0..100).map(|number| format!("message {number}")).collect();
    for text in &sent {
        producer.send(text.as_bytes()).unwrap();
    }
    let mut consumer = client.consumer("hundred", "test", Schema::Bytes, Position::Earliest).unwrap();
    assert_eq!(payloads(&mut consumer, 100), sent);
    assert_eq!(consumer.receive(Duration::from_millis(100)).unwrap(), None);

    let large = Outgoing { payload: vec![b'x'; 4 << 20], key: Some("k".to_owned()), properties: [("a".to_owned(), "b".to_owned())].into() };
    let id = producer.send_message(&large).unwrap();
    let message = consumer.receive(PATIENCE).unwrap().unwrap();
    assert_eq!((message.payload, message.key, message.properties, message.id), (large.payload, large.key, large.properties, id));
    assert!(matches!(producer.send(&vec![0; 6 << 20]), Err(MessageError::TooLarge { .. })));

    // What was acknowledged does not come again, the rest does.
    drop(consumer);
    let mut consumer = client.consumer("hundred", "test", Schema::Bytes, Position::Earliest).unwrap();
    assert_eq!(consumer.receive(PATIENCE).unwrap().unwrap().id, id);
    consumer.unsubscribe().unwrap();
    let mut latest = client.consumer("hundred", "test", Schema::Bytes, Position::Latest).unwrap();
    producer.send(b"new").unwrap();
    assert_eq!(payloads(&mut latest, 1), ["new"]);
}

/// Leaves a message for a subscription.
fn store(client: &Client) -> MessageId {
    drop(client.consumer("stored", "test", Schema::Bytes, Position::Latest).unwrap());
    client.producer("stored", Schema::Bytes).unwrap().send(b"to stay").unwrap()
}

fn partitions_are_one_topic(endpoint: &Endpoint) {
    let (client, admin) = (client(endpoint), admin(endpoint));
    assert!(admin.create_topic("parted", Some(3)).unwrap());
    assert!(!admin.create_topic("parted", Some(3)).unwrap());
    let mut consumer = client.consumer("parted", "test", Schema::String, Position::Latest).unwrap();
    let mut producer = client.producer("parted", Schema::String).unwrap();
    let ids: Vec<_> = (0..6).map(|number| producer.send(format!("{number}").as_bytes()).unwrap().partition).collect();
    assert_eq!(ids, [0, 1, 2, 0, 1, 2]);
    let mut received = payloads(&mut consumer, 6);
    received.sort_unstable();
    assert_eq!(received, ["0", "1", "2", "3", "4", "5"]);
    assert!(admin.delete_topic("parted").unwrap());
    assert!(matches!(consumer.receive(PATIENCE), Err(MessageError::Closed { .. })));
}

fn schemas_of_others_are_let_in(endpoint: &Endpoint) {
    let (client, admin) = (client(endpoint), admin(endpoint));
    assert!(!admin.is_consumed("open", None).unwrap());
    let mut consumer = client.consumer("open", "test", Schema::Auto, Position::Latest).unwrap();
    assert!(admin.is_consumed("open", Some("test")).unwrap() && !admin.is_consumed("open", Some("other")).unwrap());
    client.producer("open", Schema::String).unwrap().send(b"text").unwrap();
    assert_eq!(payloads(&mut consumer, 1), ["text"]);
    let _without = client.consumer("shut", "test", Schema::Bytes, Position::Latest).unwrap();
    let refused = client.consumer("shut", "other", Schema::String, Position::Latest).err().unwrap();
    assert!(matches!(&refused, MessageError::Refused { code: ErrorCode::INCOMPATIBLE_SCHEMA, .. }), "{refused}");
}

fn refusals_are_told(client: &Client) {
    let _first = client.consumer("alone", "test", Schema::Bytes, Position::Latest).unwrap();
    let second = client.consumer("alone", "test", Schema::Bytes, Position::Latest).err().unwrap();
    assert!(matches!(&second, MessageError::Refused { code: ErrorCode::CONSUMER_BUSY, .. }), "{second}");
    let nowhere = client.producer("nobody/nothing/x", Schema::Bytes).err().unwrap();
    assert!(matches!(&nowhere, MessageError::Refused { .. }), "{nowhere}");
}

fn package_is_kept(admin: &Admin, folder: &Path) {
    assert!(admin.is_healthy().unwrap());
    assert!(admin.tenant_exists("public").unwrap() && !admin.tenant_exists("nobody").unwrap());
    assert!(admin.namespace_exists("public", "default").unwrap() && !admin.namespace_exists("public", "nothing").unwrap());
    let (name, file): (PackageName, _) = ("function://public/default/kept@1.0".parse().unwrap(), folder.join("kept.py"));
    fs_err::write(&file, "def process(input):\n    return input\n").unwrap();
    let metadata = PackageMetadata { properties: [("sha256".to_owned(), "abc".to_owned())].into(), ..PackageMetadata::default() };
    admin.upload_package(&name, &metadata, &file).unwrap();
    assert_eq!(admin.upload_package(&name, &metadata, &file).unwrap_err().status(), Some(409));
    assert_eq!(admin.package_metadata(&name).unwrap().unwrap().properties, metadata.properties);
    assert_eq!(admin.package_versions(&name).unwrap(), ["1.0"]);
    assert!(admin.delete_package(&name).unwrap() && !admin.delete_package(&name).unwrap());
}

fn function_answers(pulsar: &Standalone, folder: &Path) {
    let (admin, client) = (admin(pulsar.endpoint()), client(pulsar.endpoint()));
    let name = FunctionName::new("public", "default", "exclaim").unwrap();
    let config = json!({
        "tenant": "public", "namespace": "default", "name": "exclaim", "className": "Exclaim", "runtime": "JAVA",
        "inputs": ["persistent://public/default/in"], "output": "persistent://public/default/out",
    });
    let code = Code::File { path: exclaim(folder), name: "exclaim.jar".to_owned() };
    // The second time, what the worker kept of the first is in the way.
    for round in 0..2 {
        admin.create_function(&name, &config, &code).unwrap();
        assert_eq!(admin.create_function(&name, &config, &code).unwrap_err().status(), Some(400));
        wait_for(|| admin.function_status(&name).unwrap().filter(fnpack_pulsar::admin::FunctionStatus::is_running));
        wait_for(|| admin.is_consumed("in", Some("public/default/exclaim")).unwrap().then_some(()));
        let mut consumer = client.consumer("out", "test", Schema::String, Position::Latest).unwrap();
        client.producer("in", Schema::String).unwrap().send(format!("hello {round}").as_bytes()).unwrap();
        assert_eq!(payloads(&mut consumer, 1), [format!("hello {round}!")]);
        assert!(pulsar.function_log("public", "default", "exclaim").exists());
        assert!(admin.delete_function(&name).unwrap() && !admin.delete_function(&name).unwrap());
        assert_eq!(admin.function(&name).unwrap(), None);
    }
}

/// A jar with a Java function of one class.
fn exclaim(folder: &Path) -> PathBuf {
    let source = "public class Exclaim implements java.util.function.Function<String, String> {
        public String apply(String text) { return text + \"!\"; }
    }";
    fs_err::write(folder.join("Exclaim.java"), source).unwrap();
    let compiler = Command::new("java").args(["-m", "jdk.compiler/com.sun.tools.javac.Main", "Exclaim.java"]).current_dir(folder).status();
    assert!(compiler.unwrap().success());
    let path = folder.join("exclaim.jar");
    let mut jar = zip::ZipWriter::new(fs_err::File::create(&path).unwrap());
    jar.start_file("Exclaim.class", zip::write::SimpleFileOptions::default()).unwrap();
    jar.write_all(&fs_err::read(folder.join("Exclaim.class")).unwrap()).unwrap();
    jar.finish().unwrap();
    path
}

#[test]
#[expect(clippy::print_stdout, reason = "tells the other half of the test")]
fn standalone_ends_when_its_starter_is_killed() {
    let Some(distribution) = distribution() else { return };
    if let Some(folder) = std::env::var_os(STARTER) {
        let pulsar = Standalone::start(&options(distribution, Path::new(&folder)), &|| false).unwrap();
        println!("ready {}", pulsar.endpoint().service);
        std::thread::sleep(PATIENCE * 10);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--exact", "standalone_ends_when_its_starter_is_killed", "--nocapture"];
    let mut starter = Command::new(std::env::current_exe().unwrap());
    let mut starter = starter.args(arguments).env(STARTER, folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(starter.stdout.take().unwrap()).lines();
    let ready = lines.map_while(Result::ok).find_map(|line| line.split_once("ready ").map(|(_, service)| service.to_owned()));
    let client = Client::connect(&ClientOptions::new(ready.unwrap())).unwrap();
    let mut consumer = client.consumer("x", "test", Schema::Bytes, Position::Latest).unwrap();
    assert!(!processes(folder.path().to_str().unwrap()).is_empty());

    starter.kill().unwrap();
    starter.wait().unwrap();
    wait_for(|| processes(folder.path().to_str().unwrap()).is_empty().then_some(()));
    assert!(matches!(consumer.receive(PATIENCE), Err(MessageError::Broken { .. })));
}
