use serde_json::json;

use super::*;
use crate::layers::Owner;
use crate::root::Root;

fn layer(sha: &str, types: &str) -> BuildpackLayerRecord {
    BuildpackLayerRecord {
        sha: sha.to_owned(),
        data: json!({ "sha": sha }),
        build: types.contains("build"),
        launch: types.contains("launch"),
        cache: types.contains("cache"),
    }
}

fn records(layers: &[(&str, &str, &str)]) -> Vec<BuildpackRecord> {
    let layers = layers.iter().map(|(name, sha, types)| ((*name).to_owned(), layer(sha, types))).collect();
    vec![BuildpackRecord { id: "a/b".to_owned(), layers, ..BuildpackRecord::default() }]
}

type Rows<'a> = &'a [(&'a str, &'a str, &'a str)];

/// One line a layer: name, origin, whether contents come back; stale layers end in `stale`.
fn decided(app: Rows<'_>, cached: Rows<'_>, api: u32) -> Vec<String> {
    let previous = LifecycleMetadata { buildpacks: records(app), ..LifecycleMetadata::default() };
    let cache = CacheMetadata { buildpacks: records(cached), ..CacheMetadata::default() };
    let restored = decide(["a/b"], &previous, &cache, platform_api(api)).remove(0);
    let line = |layer: &RestoredLayer| format!("{} {:?} {}", layer.name, layer.origin, layer.contents.is_some());
    restored.layers.iter().map(line).chain(restored.stale.iter().map(|name| format!("{name} stale"))).collect()
}

fn platform_api(minor: u32) -> PlatformApi {
    format!("0.{minor}").parse().unwrap()
}

#[test]
fn layers_come_back_by_their_types() {
    let cases: [(&str, Rows<'_>, Rows<'_>, &[&str]); 12] = [
        ("launch only needs no contents", &[("l", "1", "launch")], &[], &["l Image false"]),
        ("launch and build has none to give", &[("l", "1", "launch build")], &[], &[]),
        ("launch and cache that the cache lacks", &[("l", "1", "launch cache")], &[], &[]),
        ("launch and cache", &[("l", "1", "launch cache")], &[("l", "1", "launch cache")], &["l Image true"]),
        ("launch, build and cache", &[("l", "1", "launch build cache")], &[("l", "1", "launch build cache")], &["l Image true"]),
        ("launch and cache of other contents", &[("l", "1", "launch cache")], &[("l", "2", "launch cache")], &["l stale"]),
        ("cached once, but not as cache", &[("l", "1", "launch cache")], &[("l", "1", "launch")], &[]),
        ("cache only", &[], &[("l", "1", "cache")], &["l Cache true"]),
        ("build and cache", &[], &[("l", "1", "build cache")], &["l Cache true"]),
        ("cache without the type", &[], &[("l", "1", "build")], &[]),
        ("launch only in the image, cached under the same name", &[("l", "1", "launch")], &[("l", "2", "cache")], &["l Cache true"]),
        ("names that are no file names", &[("../l", "1", "launch"), ("", "1", "launch")], &[("..", "1", "cache")], &[]),
    ];
    for (case, app, cached, expected) in cases {
        assert_eq!(decided(app, cached, 15), expected, "{case}");
    }
}

#[test]
fn cached_launch_layer_without_image_comes_back_from_platform_0_14() {
    let cached: Rows<'_> = &[("l", "1", "launch cache")];
    assert_eq!(decided(&[], cached, 13), Vec::<String>::new());
    assert_eq!(decided(&[], cached, 14), ["l Cache true"]);
}

#[test]
fn only_buildpacks_of_the_group_get_something() {
    let previous = LifecycleMetadata { buildpacks: records(&[("l", "1", "launch")]), ..LifecycleMetadata::default() };
    let restored = decide(["other"], &previous, &CacheMetadata::default(), platform_api(15));
    assert_eq!(restored, [Restored { buildpack: "other".into(), ..Restored::default() }]);
}

#[test]
fn restored_files_hold_metadata_and_no_types() {
    let folder = tempfile::tempdir().unwrap();
    let layers = Root::open(folder.path()).unwrap();
    let mut buildpacks = records(&[("l", "1", "launch")]);
    buildpacks[0].store = Some(crate::lifecycle::label::StoreRecord { metadata: json!({"k": "v"}) });
    let previous = LifecycleMetadata { buildpacks, ..LifecycleMetadata::default() };
    let restored = decide(["a/b"], &previous, &CacheMetadata::default(), platform_api(15));
    let stat = layers.metadata("").unwrap();
    let owner = Owner { uid: stat.st_uid, gid: stat.st_gid };
    apply(&layers, &restored, owner).unwrap();
    assert_eq!(layers.read_to_string("a_b/l.toml", 100).unwrap(), "[metadata]\nsha = \"1\"\n");
    assert_eq!(layers.read_to_string("a_b/store.toml", 100).unwrap(), "[metadata]\nk = \"v\"\n");
    let restored = stores_only(restored);
    layers.remove_all("a_b").unwrap();
    apply(&layers, &restored, owner).unwrap();
    assert_eq!(layers.read_dir("a_b").unwrap().len(), 1);
}

#[test]
fn bills_of_materials_go_to_the_layers_that_came_back() {
    let folder = tempfile::tempdir().unwrap();
    let layers = Root::open(folder.path()).unwrap();
    for path in ["sbom/launch/a_b/l", "sbom/cache/a_b/l", "sbom/launch/a_b/gone", "sbom/launch/other/l", "a_b"] {
        layers.create_dir_all(path, 0o755).unwrap();
    }
    for (path, text) in [("launch/a_b/l/sbom.cdx.json", "launch"), ("cache/a_b/l/sbom.spdx.json", "cache"), ("launch/a_b/l/other", "")] {
        layers.write(format!("sbom/{path}"), text.as_bytes(), 0o644).unwrap();
    }
    let layer = RestoredLayer { name: "l".into(), origin: Origin::Image, metadata: Table::new(), contents: None };
    distribute_sboms(&layers, &[Restored { buildpack: "a/b".into(), layers: vec![layer], ..Restored::default() }]).unwrap();
    let names: Vec<_> = layers.read_dir("a_b").unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["l.sbom.cdx.json", "l.sbom.spdx.json"]);
    assert_eq!(layers.read("a_b/l.sbom.spdx.json", 10).unwrap(), b"cache");
    assert!(layers.try_metadata("sbom").unwrap().is_none());
}
