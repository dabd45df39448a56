//! Images into an engine of the test kit and out of it.

use testkit::engine::{Engine, Fault, Kind};

use super::*;
use crate::engine::{EngineError, EngineSettings, Loaded};

fn bench_with(engine: &Engine) -> (TempDir, Workbench<'static>) {
    let (folder, bench) = bench();
    let settings = EngineSettings { sockets: vec![engine.socket()], ..EngineSettings::default() };
    (folder, Workbench { engine: EngineAccess::new(settings), ..bench })
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn copied(bench: &Workbench<'_>, from: &str, to: &str) -> Result<Copied, CopyError> {
    copy(bench, &address(from), &address(to), &Selection::One(bench.target.clone()))
}

fn put(bench: &Workbench<'_>, name: &str, layers: &[&str]) -> Image {
    let image = image("linux/amd64", layers);
    bench.store.put_image(&image, Some(&name.parse().unwrap())).unwrap();
    image
}

fn exports(engine: &Engine) -> usize {
    engine.take_requests().iter().filter(|line| line.ends_with("/get")).count()
}

#[test]
fn image_that_the_store_has_comes_back_without_an_export() {
    let engine = Engine::new(Kind::Docker);
    let (_folder, bench) = bench_with(&engine);
    let image = put(&bench, "app:1", &["base", "app"]);
    let there = copied(&bench, "app:1", "docker-daemon:app:1").unwrap();
    assert_eq!((there.loaded, there.digest), (Some(Loaded { sent: 2, present: 0 }), image.digest()));
    let id = format!("docker-daemon:{}", image.manifest().config.digest);
    for from in ["docker-daemon:app:1", &id] {
        assert_eq!(copied(&bench, from, "back:1").unwrap().digest, image.digest(), "{from}");
    }
    assert_eq!(exports(&engine), 0);
}

#[test]
fn image_that_the_store_lacks_is_exported_once() {
    for kind in [Kind::Docker, Kind::Containerd, Kind::Podman] {
        let engine = Engine::new(kind);
        let (_folder, first) = bench_with(&engine);
        let image = put(&first, "app:1", &["base", "app"]);
        copied(&first, "app:1", "docker-daemon:app:1").unwrap();
        let (_folder, bench) = bench_with(&engine);
        let brought = bench.bring(&address("docker-daemon:app:1"), &bench.target).unwrap();
        assert_eq!((brought.config_bytes(), brought.diff_ids()), (image.config_bytes(), image.diff_ids()), "{kind:?}");
        assert!(brought.layers().iter().all(|layer| bench.store.existing(&layer.descriptor.digest).is_some()));
        assert_eq!(bench.bring(&address("docker-daemon:app:1"), &bench.target).unwrap().digest(), brought.digest());
        // Over containerd the Id is the engine's own, which tells nothing of what the store has.
        assert_eq!(exports(&engine), if kind == Kind::Containerd { 2 } else { 1 }, "{kind:?}");
    }
}

#[test]
fn export_that_is_another_image_or_none_is_refused() {
    let engine = Engine::new(Kind::Docker);
    let (_folder, bench) = bench_with(&engine);
    put(&bench, "app:1", &["app"]);
    copied(&bench, "app:1", "docker-daemon:app:1").unwrap();
    let (_folder, bench) = bench_with(&engine);
    engine.fault("GET /images/docker.io/library/app:1/get", 1, Fault::Answer(200, "no tar"));
    let error = copied(&bench, "docker-daemon:app:1", "back:1").unwrap_err();
    let CopyError::Find(FindError::Engine(error)) = error else { panic!("{error:?}") };
    assert!(matches!(*error, EngineError::NotExported { .. }), "{error:?}");
    assert!(bench.store.digest_of(&"back:1".parse().unwrap()).unwrap().is_none());
}

#[test]
fn only_names_are_given_in_an_engine_and_only_to_images() {
    let engine = Engine::new(Kind::Docker);
    let (_folder, bench) = bench_with(&engine);
    let image = put(&bench, "app:1", &["app"]);
    let index = Index::new(vec![ManifestTree::of(&image).descriptor]);
    bench.store.put_index(&index.encode(), &"all:1".parse().unwrap()).unwrap();
    let digest = image.digest();
    for to in [format!("docker-daemon:{digest}"), format!("docker-daemon:app@{digest}")] {
        assert!(matches!(copied(&bench, "app:1", &to), Err(CopyError::NoNameInEngine { .. })), "{to}");
    }
    let whole = copy(&bench, &address("all:1"), &address("docker-daemon:all:1"), &Selection::All);
    assert!(matches!(whole, Err(CopyError::OneTargetOnly { .. })));
    assert_eq!(engine.take_requests(), Vec::<String>::new(), "nothing was asked of it");
}

#[test]
fn image_of_an_engine_gets_its_name_in_the_store() {
    let engine = Engine::new(Kind::Docker);
    let (_folder, bench) = bench_with(&engine);
    let image = put(&bench, "app:1", &["app"]);
    copied(&bench, "app:1", "docker-daemon:ghcr.io/acme/runner:2").unwrap();
    let name = bench.named(&address("docker-daemon:ghcr.io/acme/runner:2"), &bench.target).unwrap();
    assert_eq!((name.to_string(), bench.stored(&name).unwrap().digest()), ("ghcr.io/acme/runner:2".to_owned(), image.digest()));
    let id = address(&format!("docker-daemon:{}", image.manifest().config.digest));
    assert!(matches!(bench.named(&id, &bench.target), Err(FindError::Nameless { .. })));
}

#[test]
fn layers_that_the_engine_has_are_not_fetched_for_it() {
    let (engine, registry) = (Engine::new(Kind::Docker), stocked());
    let (_folder, bench) = bench_with(&engine);
    put(&bench, "base:1", &["shared", "one"]);
    copied(&bench, "base:1", "docker-daemon:base:1").unwrap();
    registry.forget_requests();
    let from = format!("docker://{}", name(&registry, "function:1"));
    assert_eq!(copied(&bench, &from, "docker-daemon:function:1").unwrap().loaded, Some(Loaded { sent: 1, present: 2 }));
    let fetched = registry.request_lines().iter().filter(|line| line.starts_with("GET") && line.contains("/blobs/")).count();
    assert_eq!(fetched, 2, "the config and one layer: {:#?}", registry.request_lines());
}
