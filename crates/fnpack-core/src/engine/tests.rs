//! An engine of the test kit, given images and asked for them.

use std::io::{Read, Write};
use std::path::PathBuf;

use testkit::engine::{Engine as TestEngine, Fault, Kind as TestKind};

use super::*;
use crate::archive::ArchiveError;
use crate::digest::{DiffId, Digest};
use crate::image::{BlobSink, Descriptor, Image, ImageConfig, Layer, MemoryBlobs, media_type};
use crate::reference::Reference;
use crate::target::Target;

fn target() -> Target {
    "linux/amd64".parse().unwrap()
}

fn layer(text: &[u8]) -> Layer {
    let mut pending = MemoryBlobs::default().create().unwrap();
    pending.write_all(text).unwrap();
    let (digest, size, blob) = pending.commit(None).unwrap();
    Layer { descriptor: Descriptor::new(media_type::OCI_LAYER, digest, size), diff_id: DiffId::of(text), blob }
}

/// An image of layers that are these texts.
pub(super) fn image(layers: &[&str]) -> Image {
    Image::from_parts(ImageConfig::new(&target()), layers.iter().map(|text| layer(text.as_bytes())).collect())
}

fn name(text: &str) -> Reference {
    text.parse().unwrap()
}

fn settings(engine: &TestEngine) -> EngineSettings {
    EngineSettings { sockets: vec![engine.socket()], ..EngineSettings::default() }
}

fn connect(engine: &TestEngine) -> Result<Engine, EngineError> {
    Engine::connect(&settings(engine))
}

fn load(engine: &TestEngine, image: &Image, names: &[&str]) -> Result<Loaded, EngineError> {
    let names: Vec<Reference> = names.iter().map(|text| name(text)).collect();
    connect(engine)?.load(image, &names, &|_, _| {})
}

fn loaded(sent: usize, present: usize) -> Loaded {
    Loaded { sent, present }
}

fn export(engine: &TestEngine, what: &str) -> Result<Image, EngineError> {
    let scratch = tempfile::tempdir().unwrap();
    let engine = connect(engine)?;
    engine.export(&engine.find(&what.parse().unwrap())?, scratch.path(), &target())
}

#[test]
fn only_layers_that_docker_lacks_are_sent() {
    let engine = TestEngine::new(TestKind::Docker);
    assert_eq!(load(&engine, &image(&["base", "one"]), &["app:1"]).unwrap(), loaded(2, 0));
    assert_eq!(load(&engine, &image(&["base", "two"]), &["other:1"]).unwrap(), loaded(1, 1));
    assert_eq!(engine.received_layers(), 1);
    // The same layer on another parent is another layer.
    assert_eq!(load(&engine, &image(&["two", "base"]), &["swapped:1"]).unwrap(), loaded(2, 0));
    assert_eq!(
        load(&engine, &image(&["base", "one"]).with_config(|config| config.config.user = "1".to_owned()), &["user:1"]).unwrap(),
        loaded(0, 2)
    );
    assert_eq!(engine.id_of("user:1").unwrap(), engine.id_of("docker.io/library/user:1").unwrap());
}

#[test]
fn image_that_the_engine_has_only_gets_names() {
    for kind in [TestKind::Docker, TestKind::Podman] {
        let engine = TestEngine::new(kind);
        let image = image(&["base"]);
        load(&engine, &image, &["app:1"]).unwrap();
        engine.take_requests();
        assert_eq!(load(&engine, &image, &["app:1", "ghcr.io/acme/app:2"]).unwrap(), loaded(0, 1));
        let posts: Vec<String> = engine.take_requests().into_iter().filter(|line| line.starts_with("POST")).collect();
        let id = image.manifest().config.digest;
        assert_eq!(posts, [format!("POST /images/{id}/tag?repo=ghcr.io/acme/app&tag=2")], "{kind:?}");
        assert_eq!(engine.id_of("ghcr.io/acme/app:2"), Some(id.to_string()));
    }
}

#[test]
fn podman_is_sent_no_layer_that_it_has_anywhere() {
    let engine = TestEngine::new(TestKind::Podman);
    load(&engine, &image(&["base", "one"]), &["app:1"]).unwrap();
    assert_eq!(load(&engine, &image(&["one", "two", "base"]), &["app:2"]).unwrap(), loaded(1, 2));
    assert_eq!(engine.received_layers(), 1);
}

#[test]
fn engine_over_containerd_gets_everything() {
    let engine = TestEngine::new(TestKind::Containerd);
    load(&engine, &image(&["base", "one"]), &["app:1"]).unwrap();
    assert_eq!(load(&engine, &image(&["base", "two"]), &["app:2"]).unwrap(), loaded(2, 0));
    assert_eq!(engine.received_layers(), 2);
}

/// Only so many images are looked at: which ones first decides what is found.
#[test]
fn images_that_share_labels_are_looked_at_first() {
    let engine = TestEngine::new(TestKind::Docker);
    let labelled = |layers: &[&str]| image(layers).with_config(|config| drop(config.config.labels.insert("stack".into(), "go".into())));
    for number in 0..150 {
        load(&engine, &image(&["other", &number.to_string()]), &[&format!("other:{number}")]).unwrap();
    }
    load(&engine, &labelled(&["base"]), &["runner:1"]).unwrap();
    engine.take_requests();
    assert_eq!(load(&engine, &labelled(&["base", "app"]), &["app:1"]).unwrap(), loaded(1, 1));
    let looked_at = engine.take_requests().iter().filter(|line| line.starts_with("GET /images/sha256:")).count();
    assert!(looked_at <= 101, "{looked_at}");
}

#[test]
fn layer_that_is_removed_meanwhile_is_sent_after_all() {
    for kind in [TestKind::Docker, TestKind::Podman] {
        let engine = TestEngine::new(kind);
        load(&engine, &image(&["base", "one"]), &["app:1"]).unwrap();
        engine.fault("POST /images/load", 1, Fault::ForgetLayers);
        assert_eq!(load(&engine, &image(&["base", "two"]), &["app:2"]).unwrap(), loaded(2, 0), "{kind:?}");
    }
}

#[test]
fn image_comes_back_as_it_went() {
    for kind in [TestKind::Docker, TestKind::Containerd, TestKind::Podman] {
        let engine = TestEngine::new(kind);
        let image = image(&["base", "one", "base"]);
        load(&engine, &image, &["app:1"]).unwrap();
        let id = engine.id_of("app:1").unwrap();
        for what in ["app:1", &id] {
            let back = export(&engine, what).unwrap();
            assert_eq!((back.config_bytes(), back.diff_ids()), (image.config_bytes(), image.diff_ids()), "{kind:?} {what}");
        }
        let found = connect(&engine).unwrap().find(&"app:1".parse().unwrap()).unwrap();
        assert_eq!(found.config.is_some(), kind != TestKind::Containerd);
    }
}

#[test]
fn layers_of_an_engine_that_cannot_list_its_images_are_all_sent() {
    let engine = TestEngine::new(TestKind::Docker);
    load(&engine, &image(&["base", "one"]), &["app:1"]).unwrap();
    engine.fault("GET /images/json", 1, Fault::Answer(200, "{}"));
    assert_eq!(load(&engine, &image(&["base", "two"]), &["app:2"]).unwrap(), loaded(2, 0));
}

#[test]
fn export_of_another_image_than_was_found_is_refused() {
    let test_engine = TestEngine::new(TestKind::Docker);
    for layer in ["one", "other"] {
        load(&test_engine, &image(&[layer]), &[&format!("{layer}:1")]).unwrap();
    }
    let (engine, scratch) = (connect(&test_engine).unwrap(), tempfile::tempdir().unwrap());
    let found = engine.find(&"one:1".parse().unwrap()).unwrap();
    test_engine.retag("one:1", &test_engine.id_of("other:1").unwrap());
    let error = engine.export(&found, scratch.path(), &target()).unwrap_err();
    assert!(matches!(error, EngineError::OtherImage { .. }), "{error}");
}

#[test]
fn image_that_is_not_there_is_named_with_its_engine() {
    let engine = TestEngine::new(TestKind::Docker);
    let error = export(&engine, "nope").unwrap_err();
    assert_eq!(error.to_string(), format!("there is no image `nope:latest` in the engine at `{}`", engine.socket().display()));
}

/// What an engine's misbehaviour becomes.
fn error_of(line: &str, fault: Fault) -> EngineError {
    let engine = TestEngine::new(TestKind::Docker);
    load(&engine, &image(&["base"]), &["known:1"]).unwrap();
    engine.fault(line, usize::MAX, fault);
    let large = "x".repeat(4 << 20);
    match load(&engine, &image(&["base", &large]), &["app:1"]) {
        Err(error) => error,
        Ok(_) => export(&engine, "app:1").unwrap_err(),
    }
}

#[test]
fn misbehaviour_is_told_apart() {
    let full = r#"{"message":"write: no space left on device"}"#;
    let late = "{\"stream\":\"Loading\"}\n{\"errorDetail\":{\"message\":\"no space left\"},\"error\":\"no space left\"}";
    let is_refusal =
        |error: &EngineError, expected: &str| matches!(error, EngineError::Refused { message, .. } if message.contains(expected));
    for (line, fault, expected) in [
        ("GET /_ping", Fault::Answer(200, "<html>"), "`Api-Version`"),
        ("GET /_ping", Fault::Junk(b"220 mail.example.com ESMTP\r\n\r\n"), "is not a docker or podman engine"),
        ("GET /_ping", Fault::HangUp, "hung up (GET /_ping)"),
        ("GET /info", Fault::Answer(200, "<html>"), "cannot read what"),
        ("GET /info", Fault::Truncate(3), "hung up (GET /info)"),
        ("POST /images/load", Fault::HangUp, "hung up (POST /images/load)"),
        ("POST /images/load", Fault::Truncate(4), "hung up (POST /images/load)"),
        ("POST /images/load", Fault::Answer(200, late), "does not take `app:1`: no space left"),
        ("POST /images/load", Fault::Answer(200, "{\"error\":\"a\\u001b[31m\\n b\"}"), "`app:1`: a [31m b"),
        ("POST /images/load", Fault::Answer(200, "junk"), "cannot read what"),
        ("GET /images/docker.io/library/app:1/get", Fault::Truncate(100_000), "hung up"),
        ("GET /images/docker.io/library/app:1/get", Fault::Answer(500, full), "no space left"),
    ] {
        let error = error_of(line, fault.clone()).to_string();
        assert!(error.contains(expected), "{line} {fault:?}: {error}");
    }
    assert!(is_refusal(&error_of("POST /images/load", Fault::Answer(500, full)), "no space left"));
    let early = error_of("POST /images/load", Fault::EarlyAnswer(500, full));
    assert!(is_refusal(&early, "no space left"), "the answer is read although the engine takes no more: {early}");
    assert!(is_refusal(&error_of("GET /images/sha256", Fault::Answer(500, "<html>\n <b>bad</b>")), "<html> <b>bad</b>"));
}

#[test]
fn image_that_is_not_what_was_sent_is_noticed() {
    let engine = TestEngine::new(TestKind::Docker);
    load(&engine, &image(&["other"]), &["other:1"]).unwrap();
    engine.fault("POST /images/load", 1, Fault::Answer(200, r#"{"stream":"Loaded image: app:1"}"#));
    assert!(matches!(load(&engine, &image(&["base"]), &["app:1"]), Err(EngineError::NoSuchImage { .. })));
    engine.fault("POST /images/load", 1, Fault::Answer(200, ""));
    engine.retag("app:1", &engine.id_of("other:1").unwrap());
    assert!(matches!(load(&engine, &image(&["base"]), &["app:1"]), Err(EngineError::OtherImage { .. })));
}

#[test]
fn image_whose_layer_is_damaged_never_arrives() {
    let engine = TestEngine::new(TestKind::Docker);
    let damaged = Layer { diff_id: DiffId::of("base"), ..layer(b"base") };
    let wrong = Layer { descriptor: Descriptor::of(media_type::OCI_LAYER, b"esab"), ..damaged };
    let error = load(&engine, &Image::from_parts(ImageConfig::new(&target()), vec![wrong]), &["app:1"]).unwrap_err();
    assert!(matches!(&error, EngineError::Packing(ArchiveError::Write(_))), "{error:?}");
    assert_eq!(engine.id_of("app:1"), None);
}

#[test]
fn progress_counts_what_passes() {
    let engine = TestEngine::new(TestKind::Docker);
    let passed = std::sync::Mutex::new(Vec::new());
    let large = "x".repeat(1 << 20);
    let progress = |done, total| passed.lock().unwrap().push((done, total));
    connect(&engine).unwrap().load(&image(&[&large]), &[name("app:1")], &progress).unwrap();
    let passed = passed.into_inner().unwrap();
    assert!(passed.is_sorted() && passed.len() > 2);
    assert!(passed.iter().all(|(_, total)| *total == 1 << 20));
    assert!(passed.last().unwrap().0 > 1 << 20, "a tar has headers");
}

#[test]
fn engine_is_where_docker_would_look() {
    let (engine, folder) = (TestEngine::new(TestKind::Docker), tempfile::tempdir().unwrap());
    let nowhere = || EngineSettings { sockets: vec!["/nowhere/1".into(), "/nowhere/2".into()], ..EngineSettings::default() };
    let write = |path: PathBuf, text: &str| {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    };
    let docker = Some(folder.path().to_owned());
    let context = |name: &str| folder.path().join("contexts/meta").join(Digest::of(name).hex()).join("meta.json");
    let found =
        |settings: EngineSettings| Engine::connect(&settings).map(|engine| engine.place().to_owned()).map_err(|error| error.to_string());
    let here = Ok(engine.socket().display().to_string());

    let error = Engine::connect(&EngineSettings { docker_folder: docker.clone(), ..nowhere() }).unwrap_err();
    assert!(
        matches!(&error, EngineError::NoEngine { looked_at } if looked_at.iter().any(|place| place.contains("/nowhere/2"))),
        "{error:?}"
    );
    assert_eq!(found(EngineSettings { sockets: vec!["/nowhere".into(), engine.socket()], ..nowhere() }), here);
    assert_eq!(found(EngineSettings { container_host: Some(engine.host()), ..nowhere() }), here);
    write(context("lab"), &format!(r#"{{"Name":"lab","Endpoints":{{"docker":{{"Host":"{}"}}}}}}"#, engine.host()));
    write(folder.path().join("config.json"), r#"{"currentContext":"lab","auths":{}}"#);
    let unused = Some("unix:///nowhere/3".to_owned());
    assert_eq!(found(EngineSettings { docker_folder: docker.clone(), container_host: unused.clone(), ..nowhere() }), here);
    let by_variable = |context: &str| EngineSettings {
        docker_context: Some(context.to_owned()),
        docker_folder: docker.clone(),
        container_host: unused.clone(),
        ..nowhere()
    };
    assert!(found(by_variable("default")).unwrap_err().contains("/nowhere/3"));
    assert!(found(by_variable("gone")).unwrap_err().contains("the docker context `gone`"));
    let host = EngineSettings { docker_host: Some(engine.host()), ..by_variable("gone") };
    assert_eq!(found(host), here, "DOCKER_HOST comes before all");
    write(folder.path().join("config.json"), "junk");
    assert!(found(EngineSettings { docker_folder: docker, ..nowhere() }).unwrap_err().contains("config.json"));
}

/// A server over TCP that gives each connection the same answer.
fn over_tcp(answer: &'static [u8], connections: usize) -> (String, std::thread::JoinHandle<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("tcp://{}", listener.local_addr().unwrap());
    let serve = move || {
        for _ in 0..connections {
            let mut stream = listener.accept().unwrap().0;
            // What comes is of no interest, but has to be read before the end.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer);
        }
    };
    (host, std::thread::spawn(serve))
}

#[test]
fn engine_is_asked_over_tcp() {
    let settings = |host: &str| EngineSettings { docker_host: Some(host.to_owned()), ..EngineSettings::default() };
    let podman = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nLibpod-Api-Version: 5.0\r\nConnection: close\r\nContent-Length: 2\r\n\r\nOK";
    let (host, server) = over_tcp(podman, 1);
    assert_eq!(Engine::connect(&settings(&host)).unwrap().place(), host);
    server.join().unwrap();
    assert!(matches!(Engine::connect(&settings(&host)), Err(EngineError::NotConnected { .. })));

    let (host, server) = over_tcp(podman, 1);
    let folder = tempfile::tempdir().unwrap();
    let tls = || EngineSettings { certificates: Some(folder.path().to_owned()), ..settings(&host) };
    assert!(matches!(Engine::connect(&tls()), Err(EngineError::Certificates { .. })));
    fs_err::write(folder.path().join("ca.pem"), "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n").unwrap();
    let error = Engine::connect(&tls()).unwrap_err();
    assert!(matches!(error, EngineError::Tls { .. }), "{error:?}");
    server.join().unwrap();
}

#[test]
fn socket_that_nobody_listens_at_and_socket_of_others_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let error = Engine::connect(&EngineSettings { sockets: vec![path.clone()], ..EngineSettings::default() }).unwrap_err();
    assert!(matches!(error, EngineError::NotConnected { .. }), "{error}");
    if !rustix::process::geteuid().is_root() {
        let _listener = std::os::unix::net::UnixListener::bind(folder.path().join("closed.sock")).unwrap();
        let closed = folder.path().join("closed.sock");
        fs_err::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        let error = Engine::connect(&EngineSettings { sockets: vec![closed], ..EngineSettings::default() }).unwrap_err();
        assert!(matches!(error, EngineError::Forbidden { .. }), "{error}");
    }
}
