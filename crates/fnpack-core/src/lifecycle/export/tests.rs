use std::io::Read;

use serde_json::json;

use super::*;
use crate::image::{Descriptor, MemoryBlobs, media_type};
use crate::layers::{Contents, FilesLayer};
use crate::lifecycle::built::{BuiltBuildpack, BuiltLayer};
use crate::lifecycle::files::launch::{Label, Process, Slice};
use crate::lifecycle::label::{BUILD_METADATA, EXEC_ENV, LIFECYCLE_METADATA, LifecycleMetadata, PROJECT_METADATA};

/// Folders, blobs and values of an export, to be changed by a test before it runs.
struct Fixture {
    _folder: tempfile::TempDir,
    layers: Root,
    app: Root,
    run_image: Image,
    built: Built,
    blobs: MemoryBlobs,
    platform_api: PlatformApi,
    process_type: Option<&'static str>,
    source_date_epoch: Option<i64>,
}

const OWNER: Owner = Owner { uid: 1000, gid: 1001 };

fn layer(name: &str, types: &str, present: bool) -> BuiltLayer {
    BuiltLayer {
        name: name.to_owned(),
        launch: types.contains("launch"),
        build: types.contains("build"),
        cache: types.contains("cache"),
        metadata: "version = \"1\"".parse().unwrap(),
        present,
    }
}

fn process(process_type: &str) -> Process {
    Process {
        process_type: process_type.to_owned(),
        command: vec!["run".to_owned(), "--fixed".to_owned()],
        args: vec!["more".to_owned()],
        direct: true,
        buildpack_id: "a/one".to_owned(),
        ..Process::default()
    }
}

fn buildpack(id: &str, layers: Vec<BuiltLayer>) -> BuiltBuildpack {
    BuiltBuildpack { id: id.to_owned(), version: "1.0".to_owned(), api: "0.10".to_owned(), homepage: None, layers, store: None }
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            fs_err::create_dir(folder.path().join(name)).unwrap();
            let root = Root::open(folder.path().join(name)).unwrap();
            root.chmod("", 0o755).unwrap();
            root
        };
        let (layers, app) = (open("layers"), open("app"));
        layers.create_dir_all("a_one/dist", 0o755).unwrap();
        layers.write("a_one/dist/tool", b"tool", 0o755).unwrap();
        layers.create_dir_all("config", 0o755).unwrap();
        layers.write("config/metadata.toml", b"processes = []\n", 0o644).unwrap();
        app.write("main", b"main", 0o644).unwrap();
        let mut built = Built {
            buildpacks: vec![buildpack("a/one", vec![layer("dist", "launch", true)]), buildpack("two", vec![])],
            ..Built::default()
        };
        built.buildpacks[0].homepage = Some("https://one".to_owned());
        built.buildpacks[0].store = Some("k = 1".parse().unwrap());
        built.processes = vec![process("job"), process("web")];
        built.default_process = Some("web".to_owned());
        built.labels = vec![Label { key: "a".into(), value: "first".into() }, Label { key: "a".into(), value: "last".into() }];
        let blobs = MemoryBlobs::default();
        let base = FilesLayer::new().file("/base", 0o644, Owner::ROOT, "base");
        let base = crate::layers::write(&base, Compression::Gzip, &blobs).unwrap();
        let run_image =
            Image::empty(&"linux/amd64".parse().unwrap()).appended([(base, crate::image::History::default())]).with_config(|config| {
                config.config.env = vec!["PATH=/bin".to_owned(), "A=b".to_owned()];
                config.config.user = "1000".to_owned();
                config.config.cmd = Some(vec!["sh".to_owned()]);
                config.config.labels.insert("io.buildpacks.base.distro.name".to_owned(), "debian".to_owned());
            });
        let platform_api = PlatformApi::NEWEST;
        Self { _folder: folder, layers, app, run_image, built, blobs, platform_api, process_type: None, source_date_epoch: None }
    }

    fn input<T>(&self, previous: Option<&Image>, run: impl FnOnce(&ExportInput<'_>) -> T) -> T {
        let names = RunImageNames { image: "run".to_owned(), mirrors: vec!["mirror/run".to_owned()] };
        let input = ExportInput {
            platform_api: self.platform_api,
            run_image: RunImage { image: &self.run_image, extended: None, reference: "run@sha256:1", names },
            previous,
            built: &self.built,
            layers: Folder { root: &self.layers, at: Path::new("/layers"), parents: Vec::new() },
            app: Folder { root: &self.app, at: Path::new("/app"), parents: Vec::new() },
            owner: OWNER,
            launcher: Launcher { program: b"launcher", version: "0.1.0", repository: "https://repo", commit: "c0ffee" },
            sboms: Sboms { lifecycle: &[], launcher: &[SbomFile { name: "sbom.cdx.json", contents: b"{}" }] },
            process_type: self.process_type,
            project_metadata: None,
            execution_environment: Some("production"),
            source_date_epoch: self.source_date_epoch,
            compression: Compression::Gzip,
        };
        run(&input)
    }

    fn export(&self, previous: Option<&Image>, known: &dyn Fn(&DiffId) -> Option<Layer>) -> Result<Exported, ExportError> {
        self.input(previous, |input| export(input, Blobs { sink: &self.blobs, known }))
    }

    fn exported(&self) -> Exported {
        self.export(None, &|_| None).unwrap()
    }
}

fn origins(exported: &Exported) -> Vec<(&str, LayerOrigin)> {
    exported.layers.iter().map(|layer| (layer.name.as_str(), layer.origin)).collect()
}

fn of(contents: &dyn Contents) -> DiffId {
    crate::layers::diff_id(contents).unwrap()
}

/// The names in a layer's blob.
fn names(layer: &Layer) -> Vec<String> {
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(layer.blob.open().unwrap()).read_to_end(&mut tar).unwrap();
    let mut archive = tar::Archive::new(tar.as_slice());
    archive.entries().unwrap().map(|entry| String::from_utf8(entry.unwrap().path_bytes().into_owned()).unwrap()).collect()
}

#[test]
fn layers_are_in_the_order_of_the_specification() {
    let exported = Fixture::new().exported();
    let expected = [
        (
            "a/one:dist",
            "Layer: 'dist', Created by buildpack: a/one@1.0",
            "/layers /layers/a_one /layers/a_one/dist /layers/a_one/dist/tool",
        ),
        (
            "buildpacksio/lifecycle:launch.sbom",
            "Software Bill-of-Materials",
            "/layers /layers/sbom /layers/sbom/launch /layers/sbom/launch/buildpacksio_lifecycle \
             /layers/sbom/launch/buildpacksio_lifecycle/launcher /layers/sbom/launch/buildpacksio_lifecycle/launcher/sbom.cdx.json",
        ),
        ("slice-1", "Application Layer", "/app /app/main"),
        ("buildpacksio/lifecycle:launcher", "Buildpacks Application Launcher", "/cnb /cnb/lifecycle /cnb/lifecycle/launcher"),
        ("buildpacksio/lifecycle:config", "Buildpacks Launcher Config", "/layers /layers/config /layers/config/metadata.toml"),
        ("buildpacksio/lifecycle:process-types", "Buildpacks Process Types", "/cnb /cnb/process /cnb/process/job /cnb/process/web"),
    ];
    let layers = exported.image.layers();
    let history = &exported.image.config().history;
    assert_eq!((layers.len(), history.len(), exported.layers.len()), (7, 7, 6));
    for (((name, created_by, content), layer), (history, told)) in
        expected.into_iter().zip(&layers[1..]).zip(history[1..].iter().zip(&exported.layers))
    {
        assert_eq!((told.name.as_str(), told.diff_id, told.origin), (name, layer.diff_id, LayerOrigin::New));
        assert_eq!((history.created_by.as_deref(), history.created.as_deref()), (Some(created_by), Some("1980-01-01T00:00:01Z")));
        assert_eq!(names(layer).join(" "), content, "{name}");
    }
}

#[test]
fn config_starts_the_application() {
    let exported = Fixture::new().exported();
    let config = exported.image.config();
    assert_eq!(config.created.as_deref(), Some("1980-01-01T00:00:01Z"));
    let container = &config.config;
    assert_eq!(
        container.env,
        [
            "PATH=/cnb/process:/cnb/lifecycle:/bin",
            "A=b",
            "CNB_LAYERS_DIR=/layers",
            "CNB_APP_DIR=/app",
            "CNB_PLATFORM_API=0.15",
            "CNB_DEPRECATION_MODE=quiet"
        ]
    );
    assert_eq!(container.entrypoint.as_deref(), Some(&["/cnb/process/web".to_owned()][..]));
    assert_eq!((container.cmd.as_ref(), container.working_dir.as_str(), container.user.as_str()), (None, "/app", "1000"));
    let label = |key| exported.image.label(key);
    assert_eq!((label("a"), label(EXEC_ENV), label(PROJECT_METADATA)), (Some("last"), Some("production"), Some("{}")));
    assert_eq!(label("io.buildpacks.base.distro.name"), Some("debian"));
}

#[test]
fn labels_have_the_form_of_the_specification() {
    let fixture = Fixture::new();
    let exported = fixture.exported();
    let sha = |name: &str| exported.layers.iter().find(|layer| layer.name == name).unwrap().diff_id;
    let ours = |name: &str| sha(&format!("buildpacksio/lifecycle:{name}"));
    let expected = format!(
        concat!(
            r#"{{"app":[{{"sha":"{}"}}],"sbom":{{"sha":"{}"}},"#,
            r#""buildpacks":[{{"key":"a/one","version":"1.0","layers":{{"dist":{{"sha":"{}","data":{{"version":"1"}},"#,
            r#""build":false,"launch":true,"cache":false}}}},"store":{{"metadata":{{"k":1}}}}}},{{"key":"two","version":"1.0","layers":{{}}}}],"#,
            r#""config":{{"sha":"{}"}},"launcher":{{"sha":"{}"}},"process-types":{{"sha":"{}"}},"#,
            r#""runImage":{{"topLayer":"{}","reference":"run@sha256:1","image":"run","mirrors":["mirror/run"]}},"#,
            r#""stack":{{"runImage":{{"image":"run","mirrors":["mirror/run"]}}}}}}"#
        ),
        sha("slice-1"),
        ours("launch.sbom"),
        sha("a/one:dist"),
        ours("config"),
        ours("launcher"),
        ours("process-types"),
        fixture.run_image.diff_ids()[0],
    );
    assert_eq!(exported.image.label(LIFECYCLE_METADATA), Some(expected.as_str()));
    let process =
        |name: &str| format!(r#"{{"type":"{name}","command":["run","--fixed"],"args":["more"],"direct":true,"buildpackID":"a/one"}}"#);
    let expected = format!(
        concat!(
            r#"{{"buildpacks":[{{"id":"a/one","version":"1.0","homepage":"https://one"}},{{"id":"two","version":"1.0"}}],"#,
            r#""launcher":{{"version":"0.1.0","source":{{"git":{{"repository":"https://repo","commit":"c0ffee"}}}}}},"#,
            r#""processes":[{},{}],"buildpack-default-process-type":"web"}}"#
        ),
        process("job"),
        process("web"),
    );
    assert_eq!(exported.image.label(BUILD_METADATA), Some(expected.as_str()));
}

#[test]
fn older_platforms_get_what_they_know() {
    let mut fixture = Fixture::new();
    fixture.source_date_epoch = Some(86_400);
    fixture.platform_api = PlatformApi::OLDEST;
    let image = fixture.exported().image;
    let json = |key| serde_json::from_str::<Value>(image.label(key).unwrap()).unwrap();
    let build = json(BUILD_METADATA);
    assert_eq!((&build["bom"], &build["processes"][0]["command"]), (&json!([]), &json!("run")));
    assert_eq!(build["processes"][0]["args"], json!(["--fixed", "more"]));
    let run_image = &json(LIFECYCLE_METADATA)["runImage"];
    assert_eq!(run_image.as_object().unwrap().keys().collect::<Vec<_>>(), ["topLayer", "reference"]);
    assert_eq!((image.label(EXEC_ENV), image.config().history[1].created_by.as_ref()), (None, None));
    assert_eq!((image.layers().len(), image.config().created.as_deref()), (6, Some("1980-01-01T00:00:01Z")));
    fixture.platform_api = "0.9".parse().unwrap();
    assert_eq!(fixture.exported().image.config().created.as_deref(), Some("1970-01-02T00:00:00Z"));
}

#[test]
fn no_change_gives_the_same_image_and_takes_every_layer_from_it() {
    let fixture = Fixture::new();
    let first = fixture.exported();
    let again = fixture.export(Some(&first.image), &|_| unreachable!("the previous image is asked first")).unwrap();
    assert_eq!(again.image.digest(), first.image.digest());
    assert!(again.layers.iter().all(|layer| layer.origin == LayerOrigin::PreviousImage), "{:?}", again.layers);
    assert_eq!(fixture.exported().image.digest(), first.image.digest());
}

#[test]
fn changed_layer_alone_is_made() {
    let fixture = Fixture::new();
    let first = fixture.exported();
    fixture.app.write("main", b"changed", 0o644).unwrap();
    let second = fixture.export(Some(&first.image), &|_| None).unwrap();
    let new: Vec<_> = origins(&second).into_iter().filter(|(_, origin)| *origin == LayerOrigin::New).collect();
    assert_eq!(new, [("slice-1", LayerOrigin::New)]);
    let stored = second.image.layers().to_vec();
    let known = |diff_id: &DiffId| stored.iter().find(|layer| layer.diff_id == *diff_id).cloned();
    let third = fixture.export(None, &known).unwrap();
    assert!(third.layers.iter().all(|layer| layer.origin == LayerOrigin::Known), "{:?}", third.layers);
    assert_eq!(third.image.digest(), second.image.digest());
}

#[test]
fn layer_known_under_the_wrong_name_is_refused() {
    let fixture = Fixture::new();
    let wrong = fixture.run_image.layers()[0].clone();
    let error = fixture.export(None, &|_| Some(wrong.clone())).unwrap_err();
    assert_eq!(error.to_string(), "layer `a/one:dist` changed while it was exported");
}

#[test]
fn layer_without_contents_comes_from_the_previous_image() {
    let mut fixture = Fixture::new();
    let first = fixture.exported();
    fixture.layers.remove_all("a_one/dist").unwrap();
    fixture.built.buildpacks[0].layers = vec![layer("dist", "launch", false)];
    let second = fixture.export(Some(&first.image), &|_| None).unwrap();
    assert_eq!(second.image.digest(), first.image.digest());

    let missing = "cannot reuse layer `a/one:dist`: the previous image has no such layer";
    assert_eq!(fixture.export(None, &|_| None).unwrap_err().to_string(), missing);
    let damaged = first.image.with_config(|config| drop(config.config.labels.insert(LIFECYCLE_METADATA.into(), "{".into())));
    assert_eq!(fixture.export(Some(&damaged), &|_| None).unwrap_err().to_string(), missing);
    let lying = first.image.with_config(|config| {
        let label = config.config.labels.get_mut(LIFECYCLE_METADATA).unwrap();
        let mut metadata: LifecycleMetadata = serde_json::from_str(label).unwrap();
        metadata.buildpacks[0].layers.get_mut("dist").unwrap().sha = DiffId::of("other").to_string();
        *label = serde_json::to_string(&metadata).unwrap();
    });
    assert_eq!(fixture.export(Some(&lying), &|_| None).unwrap_err().to_string(), missing);

    fixture.built.buildpacks[0].layers = vec![layer("dist", "launch cache", false)];
    let error = fixture.export(Some(&first.image), &|_| None).unwrap_err();
    assert_eq!(error.to_string(), "layer `a/one:dist` has `cache = true` and no contents");
}

#[test]
fn only_launch_layers_are_in_the_image() {
    let mut fixture = Fixture::new();
    fixture.built.buildpacks[0].layers = vec![layer("dist", "build cache", true)];
    let exported = fixture.exported();
    assert_eq!(origins(&exported)[0].0, "buildpacksio/lifecycle:launch.sbom");
    assert!(LifecycleMetadata::of(&exported.image).buildpacks[0].layers.is_empty());
}

#[test]
fn slices_are_layers_before_the_rest() {
    let mut fixture = Fixture::new();
    fixture.app.write("static", b"", 0o644).unwrap();
    fixture.built.slices = vec![Slice { paths: vec!["s*".into()] }, Slice { paths: vec!["nothing".into()] }];
    let exported = fixture.exported();
    let layers = &exported.image.layers()[3..6];
    assert_eq!(layers.iter().map(|layer| names(layer).join(" ")).collect::<Vec<_>>(), ["/app /app/static", "", "/app /app/main"]);
    assert_eq!(layers[1].diff_id, of(&FilesLayer::new()));
    let created_by = |index: usize| exported.image.config().history[index].created_by.clone().unwrap();
    assert_eq!([created_by(3), created_by(4), created_by(5)], ["Application Slice: 1", "Application Slice: 2", "Application Layer"]);
    assert_eq!(LifecycleMetadata::of(&exported.image).app.len(), 3);
}

#[test]
fn default_process_is_the_users_choice_then_the_buildpacks() {
    let mut fixture = Fixture::new();
    let entrypoint = |fixture: &Fixture| fixture.exported().image.config().config.entrypoint.clone().unwrap().remove(0);
    fixture.process_type = Some("job");
    assert_eq!(entrypoint(&fixture), "/cnb/process/job");
    fixture.process_type = None;
    fixture.built.default_process = None;
    assert_eq!(entrypoint(&fixture), "/cnb/lifecycle/launcher");
    fixture.process_type = Some("other");
    let error = fixture.export(None, &|_| None).unwrap_err();
    assert_eq!(error.to_string(), "there is no process type `other`, only `job`, `web`");
    fixture.process_type = None;
    fixture.built.processes.clear();
    let exported = fixture.exported();
    assert_eq!(origins(&exported).last().unwrap().0, "buildpacksio/lifecycle:config");
    assert_eq!(LifecycleMetadata::of(&exported.image).process_types.sha, "");
}

#[test]
fn process_type_that_is_no_file_name_is_refused() {
    for name in ["", ".", "..", "a/b", "a>b", "a<b", "a:b", "a|b", "a&b", "a\\b", "a\0b"] {
        let mut fixture = Fixture::new();
        fixture.built.processes.push(process(name));
        assert!(matches!(fixture.export(None, &|_| None), Err(ExportError::ProcessType { .. })), "{name}");
    }
}

#[test]
fn extended_run_image_is_below_and_the_original_is_recorded() {
    let fixture = Fixture::new();
    let extension = FilesLayer::new().file("/ext", 0o644, Owner::ROOT, "");
    let extension = crate::layers::write(&extension, Compression::Gzip, &fixture.blobs).unwrap();
    let extended = fixture.run_image.appended([(extension.clone(), crate::image::History::default())]);
    let names = RunImageNames::default();
    let input = ExportInput {
        platform_api: PlatformApi::NEWEST,
        run_image: RunImage { image: &fixture.run_image, extended: Some(&extended), reference: "run@sha256:1", names },
        previous: None,
        built: &fixture.built,
        layers: Folder { root: &fixture.layers, at: Path::new("/layers"), parents: Vec::new() },
        app: Folder {
            root: &fixture.app,
            at: Path::new("/pulsar/function"),
            parents: Entry::parents_of(Path::new("/pulsar/function"), 0o755, Owner::ROOT),
        },
        owner: OWNER,
        launcher: Launcher { program: b"", version: "", repository: "", commit: "" },
        sboms: Sboms::default(),
        process_type: None,
        project_metadata: Some(&json!({"source": {"type": "git"}})),
        execution_environment: None,
        source_date_epoch: None,
        compression: Compression::Gzip,
    };
    let image = export(&input, Blobs { sink: &fixture.blobs, known: &|_| None }).unwrap().image;
    assert_eq!(image.layers()[1].diff_id, extension.diff_id);
    assert_eq!(LifecycleMetadata::of(&image).run_image.top_layer, fixture.run_image.diff_ids()[0].to_string());
    assert_eq!(image.label(PROJECT_METADATA), Some(r#"{"source":{"type":"git"}}"#));
    assert_eq!(names_of_app(&image), ["/pulsar", "/pulsar/function", "/pulsar/function/main"]);
}

fn names_of_app(image: &Image) -> Vec<String> {
    let recorded = &LifecycleMetadata::of(image).app[0].sha;
    names(image.layers().iter().find(|layer| layer.diff_id.to_string() == *recorded).unwrap())
}

#[test]
fn image_of_docker_media_types_is_a_base_too() {
    let mut fixture = Fixture::new();
    let mut layer = fixture.run_image.layers()[0].clone();
    layer.descriptor = Descriptor { media_type: media_type::DOCKER_LAYER_GZIP.to_owned(), ..layer.descriptor };
    let oci = fixture.exported().image;
    fixture.run_image = Image::from_parts(fixture.run_image.config().clone(), vec![layer]);
    assert_eq!(fixture.exported().image.digest(), oci.digest());
}

#[test]
fn run_image_names_are_those_of_the_entry_that_lists_it() {
    let entry = |image: &str, mirror: &str| run::RunImage { image: image.to_owned(), mirrors: vec![mirror.to_owned()] };
    let entries = [entry("first:1", "ghcr.io/first"), entry("second:1", "ghcr.io/second")];
    for (image, extended, expected) in [
        ("first:2", false, (&entries[0]).into()),
        ("ghcr.io/second:9", true, (&entries[1]).into()),
        ("other", false, (&entries[0]).into()),
        ("other", true, RunImageNames { image: "other".to_owned(), mirrors: Vec::new() }),
    ] {
        assert_eq!(run_image_names(&entries, image, extended), expected, "{image}");
    }
    assert_eq!(run_image_names(&[], "a", false), RunImageNames::default());
}

#[test]
fn cache_keeps_what_the_next_build_gets_back() {
    let mut fixture = Fixture::new();
    fixture.built.buildpacks[0].layers = vec![layer("dist", "launch cache", true)];
    let image = fixture.exported().image;
    let folder = tempfile::tempdir().unwrap();
    let volume = crate::lifecycle::cache_volume::CacheVolume::open(Root::open(folder.path()).unwrap()).unwrap();
    let saved = fixture.input(None, |input| save_cache(input, &volume)).unwrap();
    assert_eq!(volume.metadata(), saved);
    let previous = LifecycleMetadata::of(&image);
    let restored = crate::lifecycle::restore::decide(["a/one"], &previous, &saved, PlatformApi::NEWEST);
    let contents = restored[0].layers[0].contents.as_ref().unwrap();
    assert_eq!(*contents, previous.layer("a/one", "dist").unwrap().sha);
    assert!(volume.layer(&contents.parse().unwrap()).unwrap().is_some());
    fixture.built.buildpacks[0].layers = vec![layer("dist", "cache", false)];
    assert!(matches!(fixture.input(None, |input| save_cache(input, &volume)), Err(CacheError::Contents(_))));
    assert_eq!(volume.metadata(), saved);
}
