//! Copies and rebases with a store and the test kit's registries, without any sandbox.

mod engine;

use std::io::{Read, Write};
use std::sync::Arc;

use fnpack_sandbox::OverlayXattr;
use serde_json::json;
use tempfile::TempDir;
use testkit::registry::{Fault, Registry as TestRegistry};

use super::*;
use crate::digest::DiffId;
use crate::image::{BlobSink, Descriptor, History, ImageConfig, Index, Layer, ManifestTree, MemoryBlobs, media_type};
use crate::rebase::RebaseError;
use crate::reference::Reference;
use crate::registry::{RegistryClient, RegistryError, Settings};
use crate::store::StoreOptions;

struct Silent;

impl Report for Silent {
    fn step(&self, _text: &str) {}
    fn detail(&self, _text: &str) {}
    fn warning(&self, _text: &str) {}
    fn output(&self, _bytes: &[u8]) {}
    fn progress(&self, _what: &str, _done: u64, _all: Option<u64>) {}
}

fn client() -> Result<RegistryClient, RegistryError> {
    RegistryClient::new(Settings::default())
}

/// A workbench over an empty store.
fn bench() -> (TempDir, Workbench<'static>) {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { mapping_key: "test".to_owned(), xattr: OverlayXattr::here(), single_id: true, faults: None };
    let registry = Registry::new(|| Ok(client()?));
    let bench = Workbench {
        store: Store::open(folder.path().join("store"), options).unwrap().with_fetcher(Arc::new(registry.clone())),
        registry: Some(registry),
        engine: EngineAccess::default(),
        pull_policy: PullPolicy::default(),
        made_here: Vec::new(),
        surroundings: Surroundings { init: "/proc/self/exe".into(), certificates: None, proxy: Vec::new() },
        xattr: OverlayXattr::here(),
        single_id: true,
        target: target("linux/amd64"),
        report: &Silent,
    };
    (folder, bench)
}

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

fn layer(text: &str) -> Layer {
    let mut pending = MemoryBlobs::default().create().unwrap();
    pending.write_all(text.as_bytes()).unwrap();
    let (digest, size, blob) = pending.commit(None).unwrap();
    Layer { descriptor: Descriptor::new(media_type::OCI_LAYER, digest, size), diff_id: DiffId::of(text), blob }
}

fn image(platform: &str, layers: &[&str]) -> Image {
    Image::from_parts(ImageConfig::new(&target(platform)), layers.iter().map(|text| layer(text)).collect())
}

/// A function on a base, as an exporter leaves it.
fn function(on: &Image, run_image: &Reference) -> Image {
    let top = on.layers().last().unwrap().diff_id;
    let metadata = json!({
        "app": [{ "sha": DiffId::of("app") }],
        "runImage": { "topLayer": top, "reference": run_image.to_string(), "image": run_image.to_string() },
    });
    on.appended([(layer("app"), History::default())])
        .with_config(|config| drop(config.config.labels.insert("io.buildpacks.lifecycle.metadata".into(), metadata.to_string())))
}

fn name(registry: &TestRegistry, rest: &str) -> Reference {
    format!("{}/{rest}", registry.host()).parse().unwrap()
}

fn push(image: &Image, name: &Reference) {
    client().unwrap().push(image, name).unwrap();
}

/// A registry with a runner, the next one and a function on the first.
fn stocked() -> TestRegistry {
    let registry = TestRegistry::new();
    let (old, new) = (image("linux/amd64", &["shared", "one"]), image("linux/amd64", &["shared", "two", "three"]));
    push(&old, &name(&registry, "runner:1"));
    push(&new, &name(&registry, "runner:next"));
    push(&function(&old, &name(&registry, "runner:1")), &name(&registry, "function:1"));
    registry.forget_requests();
    registry
}

fn rebase(bench: &Workbench<'_>, from: &Reference, on: &Reference, to: &Reference) -> Result<RebasedInRegistry, RegistryRebaseError> {
    let options = RebaseOptions { image: from, run_image: Some(on), names: std::slice::from_ref(to), force: false, dry_run: false };
    rebase_in_registry(bench, &options)
}

#[test]
fn rebase_in_a_registry_takes_six_requests_and_one_a_lacking_layer() {
    let (_folder, bench) = bench();
    // Whether a registry takes a blob in one request decides on one of them.
    for (single_posts, most) in [(true, 6), (false, 7)] {
        let registry = stocked();
        if single_posts {
            registry.take_single_posts();
        }
        let (from, on, to) = (name(&registry, "function:1"), name(&registry, "runner:next"), name(&registry, "function:2"));
        let rebased = rebase(&bench, &from, &on, &to).unwrap();
        let lacking = 2;
        assert_eq!(registry.requests().len(), most + lacking, "{:#?}", registry.request_lines());
        let pulled = client().unwrap().pull(&to, &bench.target).unwrap();
        let texts: Vec<DiffId> = ["shared", "two", "three", "app"].iter().map(DiffId::of).collect();
        assert_eq!((pulled.digest(), pulled.diff_ids()), (rebased.digest, texts));
        for layer in pulled.layers() {
            layer.blob.open().unwrap();
        }
    }
}

#[test]
fn rebase_to_another_repository_mounts_the_function_too() {
    let (_folder, bench) = bench();
    let registry = stocked();
    let to = name(&registry, "elsewhere/function:2");
    rebase(&bench, &name(&registry, "function:1"), &name(&registry, "runner:next"), &to).unwrap();
    let moved = registry.requests().iter().filter(|request| request.method != "GET" && request.body > 10_000).count();
    assert_eq!(moved, 0);
    let mounts = registry.requests().iter().filter(|request| request.target.contains("mount=")).count();
    assert_eq!(mounts, 4);
    client().unwrap().pull(&to, &bench.target).unwrap();
}

#[test]
fn index_is_rebased_child_by_child_or_not_at_all() {
    let (_folder, bench) = bench();
    let registry = stocked();
    let (at, on) = (name(&registry, "function:all"), name(&registry, "runner:all"));
    let arm = function(&image("linux/arm64", &["arm"]), &name(&registry, "runner:1"));
    let amd = client().unwrap().pull(&name(&registry, "function:1"), &bench.target).unwrap();
    let put_index = |at: &Reference, images: &[&Image]| {
        for image in images {
            push(image, &at.pinned(image.digest()));
        }
        let entries = images.iter().map(|image| ManifestTree::of(image).descriptor).collect();
        let index = Index::new(entries).encode();
        registry.put_manifest(at.repository(), at.tag().unwrap(), media_type::OCI_INDEX, &index);
    };
    put_index(&at, &[&amd, &arm]);
    let before = registry.manifest("function", "all");
    put_index(&on, &[&image("linux/amd64", &["new"])]);
    let error = rebase(&bench, &at, &on, &at).unwrap_err();
    assert!(matches!(error, RegistryRebaseError::Find(_)), "{error}");
    assert_eq!(registry.manifest("function", "all"), before, "one target has no runner");

    put_index(&on, &[&image("linux/amd64", &["new"]), &image("linux/arm64", &["new-arm"])]);
    let rebased = rebase(&bench, &at, &on, &at).unwrap();
    assert_eq!((rebased.images.len(), rebased.left_out), (2, 0));
    for (platform, base) in [("linux/amd64", "new"), ("linux/arm64", "new-arm")] {
        let pulled = client().unwrap().pull(&at, &target(platform)).unwrap();
        assert_eq!(pulled.diff_ids(), [DiffId::of(base), DiffId::of("app")], "{platform}");
    }
}

#[test]
fn index_with_a_child_that_cannot_be_read_stays_as_it_is() {
    let (_folder, bench) = bench();
    let registry = stocked();
    let at = name(&registry, "function:all");
    let amd = client().unwrap().pull(&name(&registry, "function:1"), &bench.target).unwrap();
    let index = Index::new(vec![ManifestTree::of(&amd).descriptor]).encode();
    registry.put_manifest("function", "all", media_type::OCI_INDEX, &index);
    registry.fault(Fault::status("GET", &amd.manifest().config.digest.to_string(), 404));
    let error = rebase(&bench, &at, &name(&registry, "runner:next"), &at).unwrap_err();
    assert!(matches!(error, RegistryRebaseError::NotAnImage { .. }), "{error}");
    let error = copy(&bench, &Address::Registry(at), &Address::Named("here:1".parse().unwrap()), &Selection::All).unwrap_err();
    assert!(matches!(error, CopyError::Unusable { .. }), "{error}");
    assert_eq!(registry.manifest("function", "all"), Some(index));
}

#[test]
fn what_would_not_run_is_refused_before_anything_is_sent() {
    let (_folder, bench) = bench();
    let registry = stocked();
    let labelled = image("linux/amd64", &["two"]).with_config(|config| {
        config.config.labels.insert("io.buildpacks.base.distro.name".to_owned(), "alpine".to_owned());
    });
    push(&labelled, &name(&registry, "runner:alpine"));
    registry.forget_requests();
    let to = name(&registry, "function:2");
    let error = rebase(&bench, &name(&registry, "function:1"), &name(&registry, "runner:alpine"), &to).unwrap_err();
    assert!(matches!(error, RegistryRebaseError::Rebase(RebaseError::Refused { .. })), "{error}");
    assert!(registry.requests().iter().all(|request| request.method == "GET"));
}

#[test]
fn digest_alone_is_no_name_for_the_result() {
    let (_folder, bench) = bench();
    let registry = stocked();
    let pinned = name(&registry, "function:1").pinned(image("linux/amd64", &[]).digest());
    let error = rebase(&bench, &pinned, &name(&registry, "runner:next"), &pinned).unwrap_err();
    assert!(matches!(error, RegistryRebaseError::NoTag { .. }), "{error}");
    assert_eq!(registry.request_lines(), Vec::<String>::new());
}

#[test]
fn copy_between_all_places_keeps_digest_and_bytes() {
    let (folder, bench) = bench();
    let (one, other) = (stocked(), TestRegistry::new());
    let place = |kind: &str, name: &str| -> Address { format!("{kind}:{}", folder.path().join(name).display()).parse().unwrap() };
    let places = [
        Address::Registry(name(&one, "runner:next")),
        place("oci", "layout:label"),
        Address::Named("kept:1".parse().unwrap()),
        place("oci-archive", "archive.tar"),
        Address::Registry(name(&other, "copied:1")),
    ];
    let expected = image("linux/amd64", &["shared", "two", "three"]);
    for selection in [Selection::One(bench.target.clone()), Selection::All] {
        for from in &places {
            copy(&bench, &places[0], from, &selection).unwrap();
            for to in &places[1..] {
                let copied = copy(&bench, from, to, &selection).unwrap();
                assert_eq!(copied.digest, expected.digest(), "{from} {to}");
                let image = bench.look_at(to, &bench.target).unwrap();
                assert_eq!((image.digest(), image.manifest_bytes()), (expected.digest(), expected.manifest_bytes()), "{from} {to}");
            }
        }
    }
}

#[test]
fn nothing_is_asked_of_registries_when_they_must_not_be() {
    let (_folder, mut bench) = bench();
    let registry = stocked();
    let at = Address::Named(name(&registry, "function:1"));
    bench.pull_policy = PullPolicy::Never;
    assert!(matches!(bench.look_at(&at, &bench.target), Err(FindError::NotStored { .. })));
    assert!(matches!(bench.bring(&at, &bench.target), Err(FindError::NotStored { .. })));
    bench.pull_policy = PullPolicy::IfNotPresent;
    bench.registry = None;
    assert!(matches!(bench.look_at(&at, &bench.target), Err(FindError::Offline { .. })));
    assert!(matches!(bench.prove_push(&[&name(&registry, "a")]), Err(CopyError::Find(FindError::OfflinePush { .. }))));
    assert_eq!(registry.request_lines(), Vec::<String>::new());
}

#[test]
fn newer_image_is_pulled_always_but_not_what_is_made_here() {
    let (_folder, mut bench) = bench();
    let registry = stocked();
    let at = name(&registry, "runner:1");
    let first = bench.find(&at, &bench.target).unwrap().digest();
    push(&image("linux/amd64", &["newer"]), &at);
    assert_eq!(bench.find(&at, &bench.target).unwrap().digest(), first);
    bench.pull_policy = PullPolicy::Always;
    bench.made_here = vec![at.clone()];
    assert_eq!(bench.find(&at, &bench.target).unwrap().digest(), first);
    bench.made_here.clear();
    assert_ne!(bench.find(&at, &bench.target).unwrap().digest(), first);
    let local: Reference = name(&registry, "only/here:1");
    bench.store.put_image(&image("linux/amd64", &["local"]), Some(&local)).unwrap();
    bench.find(&local, &bench.target).unwrap();
}

#[test]
fn layers_stay_in_the_registry_until_they_are_needed() {
    let (folder, mut bench) = bench();
    let registry = stocked();
    let at = name(&registry, "runner:next");
    let known = bench.find_base(&at, &bench.target, Destination::Registry).unwrap();
    assert_eq!(registry.requests().len(), 2, "{:#?}", registry.request_lines());
    assert_eq!(bench.store.absent_layers(&known).unwrap().len(), 3);
    let online = bench.registry.take();
    let error = bench.find(&at, &bench.target).unwrap_err();
    assert!(matches!(error, FindError::LayersElsewhere { .. }), "{error}");
    bench.find_base(&at, &bench.target, Destination::Registry).unwrap();
    bench.registry = online;

    // What came is there for others.
    let absent = |image: &Image| {
        let options = StoreOptions { mapping_key: "test".to_owned(), xattr: OverlayXattr::here(), single_id: true, faults: None };
        Store::open(folder.path().join("store"), options).unwrap().absent_layers(image).unwrap().len()
    };
    let whole = bench.find(&at, &bench.target).unwrap();
    assert_eq!((whole.digest(), absent(&whole)), (known.digest(), 0));
    registry.forget_requests();
    bench.find(&at, &bench.target).unwrap();
    assert_eq!(registry.request_lines(), Vec::<String>::new());
    let at = name(&registry, "runner:1");
    let known = bench.find_base(&at, &bench.target, Destination::Registry).unwrap();
    assert_eq!(absent(&known), 1);
    bench.pull(&at, &bench.target).unwrap();
    assert_eq!(absent(&known), 0);
}

#[test]
fn blob_of_the_store_that_is_elsewhere_is_read_from_there_and_checked() {
    let (_folder, bench) = bench();
    let registry = stocked();
    let known = bench.find_base(&name(&registry, "runner:1"), &bench.target, Destination::Registry).unwrap();
    let read = |layer: &Layer| {
        let mut bytes = Vec::new();
        layer.blob.open()?.read_to_end(&mut bytes)?;
        std::io::Result::Ok(bytes)
    };
    assert_eq!(read(&known.layers()[0]).unwrap(), b"shared");
    registry.fault(Fault::corrupt("GET", "/blobs/"));
    assert!(read(&known.layers()[1]).is_err());
}
