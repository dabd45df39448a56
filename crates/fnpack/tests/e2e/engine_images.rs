//! Images go into real engines, as far as they are not there, and come back as they went.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::engine::{self, Engine, host};
use super::environment::{Environment, Outcome};
use super::layers::image;

/// What is more than this has the large layer in it, which is eight times as much.
const MUCH: u64 = 1 << 20;
/// Questions and answers without any layer.
const LITTLE: u64 = 64 << 10;

/// Counts what goes through a socket of its own to an engine and back.
struct Counted {
    socket: PathBuf,
    sent: Arc<AtomicU64>,
    received: Arc<AtomicU64>,
}

/// A command's outcome with the bytes that went to the engine and came from it.
struct Exchange {
    outcome: Outcome,
    sent: u64,
    received: u64,
}

impl Counted {
    fn before(engine: &Engine, folder: &Path) -> Self {
        let counted = Self { socket: folder.join("counted.sock"), sent: Arc::default(), received: Arc::default() };
        let (listener, engine) = (UnixListener::bind(&counted.socket).unwrap(), engine.socket());
        let (sent, received) = (Arc::clone(&counted.sent), Arc::clone(&counted.received));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = UnixStream::connect(&engine).unwrap();
                pass(client.try_clone().unwrap(), server.try_clone().unwrap(), Arc::clone(&sent));
                pass(server, client, Arc::clone(&received));
            }
        });
        counted
    }

    fn fnpack(&self, environment: &Environment, arguments: &str) -> Exchange {
        let outcome = environment.command().env("DOCKER_HOST", host(&self.socket)).args(arguments.split(' ')).output().unwrap();
        let taken = |counter: &AtomicU64| counter.swap(0, Ordering::SeqCst);
        Exchange { outcome: outcome.into(), sent: taken(&self.sent), received: taken(&self.received) }
    }
}

/// One way of a connection, until one of its ends is closed.
fn pass(mut from: UnixStream, mut to: UnixStream, counter: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(length @ 1..) = io::Read::read(&mut from, &mut bytes) {
            counter.fetch_add(length as u64, Ordering::SeqCst);
            if io::Write::write_all(&mut to, &bytes[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

fn config_digest(environment: &Environment, name: &str) -> String {
    testkit::registry::digest(image(environment, name).config_bytes())
}

/// The Id that the engine has for a name.
fn id(engine: &Engine, name: &str) -> String {
    engine.docker(["image", "inspect", "--format", "{{.Id}}", name]).success()
}

/// A store with `images/one` and `images/two`, which differ in a file above a large layer that they share. No other test has
/// any of these layers.
fn two_images() -> Environment {
    let environment = Environment::empty();
    let mut large = vec![0; 8 << 20];
    io::Read::read_exact(&mut fs_err::File::open("/dev/urandom").unwrap(), &mut large).unwrap();
    fs_err::create_dir(environment.path().join("context")).unwrap();
    fs_err::write(environment.path().join("context/large"), large).unwrap();
    for name in ["one", "two"] {
        let dockerfile = format!("FROM scratch\nCOPY large /large\nCOPY {name} /name\nLABEL name={name}\n");
        environment.write(&format!("context/{name}"), &environment.path().join(name).display().to_string());
        environment.write("context/Dockerfile", &dockerfile);
        environment.call(&format!("image build -t images/{name} context")).success();
    }
    environment
}

/// The large layer is sent once, and once more where the engine has lost it.
fn lacking_is_sent(engine: Option<&Engine>) {
    let Some(engine) = engine else { return };
    let environment = two_images();
    let counted = Counted::before(engine, environment.path());
    let load = |name: &str| {
        let Exchange { outcome, sent, .. } = counted.fnpack(&environment, &format!("image copy {name} docker-daemon:{name}"));
        let told = outcome.stderr.clone();
        outcome.success();
        assert_eq!(id(engine, name), config_digest(&environment, name));
        (told, sent)
    };
    for (name, said, is_much) in [
        ("images/one", "2 layers sent, 0 present", true),
        ("images/two", "1 layers sent, 1 present", false),
        ("images/two", "0 layers sent, 2 present", false),
    ] {
        let (told, sent) = load(name);
        assert!(told.contains(said), "{name}: {told}");
        assert_eq!(sent > MUCH, is_much, "{name}: {sent} bytes");
    }
    assert_given_back(&counted, "images/two", &config_digest(&environment, "images/two"));
    engine.docker(["image", "rm", "images/one", "images/two"]).success();
    let (told, sent) = load("images/two");
    assert!(told.contains("2 layers sent, 0 present") && sent > MUCH, "{sent} bytes: {told}");
}

/// A store that has nothing gets all of an image, and its layers are what the config says.
fn assert_given_back(counted: &Counted, name: &str, config: &str) {
    let environment = Environment::empty();
    let exported = counted.fnpack(&environment, &format!("image copy docker-daemon:{name} back"));
    exported.outcome.success();
    assert!(exported.received > MUCH);
    assert_eq!(config_digest(&environment, "back"), config);
    environment.call("store check --deep").success();
}

#[test]
fn docker_gets_what_it_lacks() {
    lacking_is_sent(engine::docker());
}

#[test]
fn podman_gets_what_it_lacks() {
    lacking_is_sent(engine::podman());
}

/// Into the engine under two names, out of it into a store that has nothing of it, and into one that has it.
fn round_trip(engine: Option<&Engine>) {
    let Some(engine) = engine else { return };
    let environment = two_images();
    let counted = Counted::before(engine, environment.path());
    let expected = config_digest(&environment, "images/two");
    let built = counted.fnpack(&environment, "image build -t images/built:1 -t images/built:2 --load context");
    let digest = built.outcome.success().rsplit_once('@').unwrap().1.to_owned();
    for name in ["images/built:1", "images/built:2"] {
        assert_eq!(id(engine, name), config_digest(&environment, name));
    }
    let again = counted.fnpack(&environment, "image copy images/built:1 docker-daemon:images/built:3");
    again.outcome.success();
    assert!(again.sent < LITTLE, "{} sent: {} bytes", engine.name, again.sent);

    let known = counted.fnpack(&environment, "image copy docker-daemon:images/built:3 known");
    assert!(known.outcome.success().ends_with(&digest), "the store's own image is taken");
    assert!(known.received < LITTLE, "{} received: {} bytes", engine.name, known.received);

    assert_given_back(&counted, "images/built:1", &expected);
    let missing = counted.fnpack(&environment, "inspect docker-daemon:images/none").outcome.failure(4);
    assert!(missing.contains("images/none") && missing.contains("counted.sock"), "{missing}");
}

#[test]
fn image_goes_to_docker_and_comes_back() {
    round_trip(engine::docker());
}

#[test]
fn image_goes_to_podman_and_comes_back() {
    round_trip(engine::podman());
}

/// What `docker load` takes: docker before 25 only its own archives.
fn archives_are_loaded(engine: Option<&Engine>, formats: &[&str]) {
    let Some(engine) = engine else { return };
    let environment = two_images();
    environment.call("image tag images/one images/archived").success();
    for format in formats {
        let file = environment.path().join("image.tar").display().to_string();
        environment.fnpack(["image", "save", "--format", format, "-o", &file, "images/archived"]).success();
        engine.docker(["load", "--quiet", "--input", &file]).success();
        assert_eq!(id(engine, "images/archived"), config_digest(&environment, "images/archived"), "{} {format}", engine.name);
        engine.docker(["image", "rm", "images/archived"]).success();
    }
}

#[test]
fn docker_loads_archives() {
    archives_are_loaded(engine::docker(), &["docker"]);
}

#[test]
fn podman_loads_archives() {
    archives_are_loaded(engine::podman(), &["docker", "oci"]);
}
