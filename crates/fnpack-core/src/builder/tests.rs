//! A whole builder: made and read back.

mod archives;
mod description;

use std::io::Read;

use flate2::read::GzDecoder;

use super::labels::{ApiVersions, CreatedBy, LifecycleApis};
use super::*;
use crate::digest::DiffId;
use crate::image::{BlobSink as _, Image, ImageConfig, Layer, MemoryBlobs};
use crate::root::Root;
use crate::target::Target;

const BUILDER_TOML: &str = r#"
description = "test builder"
[[buildpacks]]
id = "a/go"
version = "1"
uri = "go"
[[buildpacks]]
uri = "all"
[[order]]
[[order.group]]
id = "a/all"
[build]
image = "stack/build"
[[build.env]]
name = "GOFLAGS"
value = "-trimpath"
suffix = "append"
delim = " "
[run]
[[run.images]]
image = "stack/run"
mirrors = ["example.com/run"]
"#;

/// Buildpack folders, a build image and blobs.
struct Workshop {
    folder: tempfile::TempDir,
    build_image: Image,
    blobs: MemoryBlobs,
    text: String,
    run_images: Vec<(String, Image)>,
}

impl Workshop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workshop = Self {
            folder,
            build_image: build_image(|_| {}),
            blobs: MemoryBlobs::default(),
            text: BUILDER_TOML.to_owned(),
            run_images: Vec::new(),
        };
        workshop
            .buildpack("go", "api = \"0.10\"\n[buildpack]\nid = \"a/go\"\nversion = \"1\"\nname = \"Go\"\n[[targets]]\nos = \"linux\"\n");
        workshop.write("all/buildpack.toml", ALL);
        workshop
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    fn buildpack(&self, folder: &str, toml: &str) {
        self.write(&format!("{folder}/buildpack.toml"), toml);
        self.write(&format!("{folder}/bin/detect"), "#!/bin/sh\n");
        self.write(&format!("{folder}/bin/build"), "#!/bin/sh\n");
    }

    fn config(&self) -> BuilderToml {
        BuilderToml::parse("builder.toml", &self.text, self.folder.path()).unwrap()
    }

    fn modules(&self) -> Result<Vec<Module>, LoadError> {
        let scratch = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        load(&self.config().buildpacks, "builder.toml", &Root::open(scratch).unwrap())
    }

    fn create(&self) -> Result<Created, CreateError> {
        self.create_with(&|_| None)
    }

    fn create_with(&self, known: &dyn Fn(&DiffId) -> Option<Layer>) -> Result<Created, CreateError> {
        let input = CreateInput {
            config: &self.config(),
            build_image: &self.build_image,
            run_images: &self.run_images,
            modules: &self.modules().unwrap(),
            lifecycle: &bundle(),
            created_by: CreatedBy { name: "fnpack".into(), version: "1.2.3".into() },
        };
        create(&input, &Output { sink: &self.blobs, known })
    }

    fn error(&self) -> String {
        self.create().unwrap_err().to_string()
    }
}

const ALL: &str =
    "api = \"0.10\"\n[buildpack]\nid = \"a/all\"\nversion = \"2\"\n[[order]]\n[[order.group]]\nid = \"a/go\"\nversion = \"1\"\n";

fn build_image(change: impl FnOnce(&mut ImageConfig)) -> Image {
    let target: Target = "linux/amd64".parse().unwrap();
    Image::from_parts(ImageConfig::new(&target), Vec::new()).with_config(|config| {
        config.config.set_env("CNB_USER_ID", "10000");
        config.config.set_env("CNB_GROUP_ID", "10001");
        change(config);
    })
}

fn bundle() -> LifecycleBundle {
    let versions =
        |supported: &[&str]| ApiVersions { deprecated: vec![], supported: supported.iter().map(|text| (*text).to_owned()).collect() };
    LifecycleBundle {
        version: "0.1.0".into(),
        apis: LifecycleApis { buildpack: versions(&["0.9", "0.10", "0.11"]), platform: versions(&["0.12"]) },
        target: "linux/amd64".parse().unwrap(),
        files: vec![
            ("lifecycle".into(), LifecycleFile::Program(b"\x7fELF".into())),
            ("detector".into(), LifecycleFile::Link("lifecycle".into())),
        ],
    }
}

/// One line an entry: mode, owner, name, and contents or target.
fn listing(layer: &Layer) -> Vec<String> {
    let mut lines = Vec::new();
    let mut archive = tar::Archive::new(GzDecoder::new(layer.blob.open().unwrap()));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        assert_eq!(header.mtime().unwrap(), 315_532_801);
        let owner = format!("{}:{}", header.uid().unwrap(), header.gid().unwrap());
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let more = match (header.entry_type(), entry.link_name().unwrap()) {
            (tar::EntryType::Directory, _) => String::new(),
            (_, Some(target)) => format!(" -> {}", target.display()),
            (_, None) => {
                let mut text = Vec::new();
                entry.read_to_end(&mut text).unwrap();
                format!(" {:?}", String::from_utf8_lossy(&text))
            }
        };
        lines.push(format!("{:o} {owner} {name}{more}", header.mode().unwrap()));
    }
    lines
}

#[test]
fn builder_layers_and_entries_are_in_order() {
    let workshop = Workshop::new();
    workshop.write("go/lib/data", "data");
    std::os::unix::fs::symlink("data", workshop.folder.path().join("go/lib/link")).unwrap();
    let created = workshop.create().unwrap();
    let listings: Vec<Vec<String>> = created.image.layers().iter().map(listing).collect();
    let expected: [&[&str]; 9] = [
        &[
            "755 10000:10001 /workspace",
            "755 10000:10001 /layers",
            "755 0:0 /cnb",
            "755 0:0 /cnb/buildpacks",
            "755 0:0 /cnb/extensions",
            "755 0:0 /platform",
            "755 0:0 /platform/env",
            "755 0:0 /cnb/build-config",
            "755 0:0 /cnb/build-config/env",
        ],
        &[
            "755 0:0 /cnb/lifecycle",
            "777 0:0 /cnb/lifecycle/detector -> lifecycle",
            "755 0:0 /cnb/lifecycle/lifecycle \"\\u{7f}ELF\"",
            "777 0:0 /lifecycle -> /cnb/lifecycle",
        ],
        &[
            "755 0:0 /cnb/buildpacks/a_all",
            "755 0:0 /cnb/buildpacks/a_all/2",
            "644 0:0 /cnb/buildpacks/a_all/2/buildpack.toml \"api = \\\"0.10\\\"\\n[buildpack]\\nid = \\\"a/all\\\"\\nversion = \\\"2\\\"\\n[[order]]\\n[[order.group]]\\nid = \\\"a/go\\\"\\nversion = \\\"1\\\"\\n\"",
        ],
        &[
            "755 0:0 /cnb/buildpacks/a_go",
            "755 0:0 /cnb/buildpacks/a_go/1",
            "755 0:0 /cnb/buildpacks/a_go/1/bin",
            "755 0:0 /cnb/buildpacks/a_go/1/bin/build \"#!/bin/sh\\n\"",
            "755 0:0 /cnb/buildpacks/a_go/1/bin/detect \"#!/bin/sh\\n\"",
            "644 0:0 /cnb/buildpacks/a_go/1/buildpack.toml \"api = \\\"0.10\\\"\\n[buildpack]\\nid = \\\"a/go\\\"\\nversion = \\\"1\\\"\\nname = \\\"Go\\\"\\n[[targets]]\\nos = \\\"linux\\\"\\n\"",
            "755 0:0 /cnb/buildpacks/a_go/1/lib",
            "644 0:0 /cnb/buildpacks/a_go/1/lib/data \"data\"",
            "777 0:0 /cnb/buildpacks/a_go/1/lib/link -> data",
        ],
        &["644 0:0 /cnb/order.toml \"[[order]]\\n\\n[[order.group]]\\nid = \\\"a/all\\\"\\nversion = \\\"2\\\"\\n\""],
        &["644 0:0 /cnb/stack.toml \"[run-image]\\nimage = \\\"stack/run:latest\\\"\\nmirrors = [\\\"example.com/run:latest\\\"]\\n\""],
        &["644 0:0 /cnb/run.toml \"[[images]]\\nimage = \\\"stack/run:latest\\\"\\nmirrors = [\\\"example.com/run:latest\\\"]\\n\""],
        &[
            "755 0:0 /cnb/build-config/env",
            "644 0:0 /cnb/build-config/env/GOFLAGS.append \"-trimpath\"",
            "644 0:0 /cnb/build-config/env/GOFLAGS.delim \" \"",
        ],
        &["755 0:0 /platform/env"],
    ];
    assert_eq!(listings, expected);
    let config = created.image.config();
    assert_eq!((config.config.user.as_str(), config.config.working_dir.as_str()), ("10000:10001", "/layers"));
    assert_eq!(config.history.len(), 9);
    assert_eq!(created.warnings, []);
}

#[test]
fn builder_labels_are_those_of_pack() {
    let image = Workshop::new().create().unwrap().image;
    let metadata = concat!(
        r#"{"description":"test builder","buildpacks":[{"id":"a/all","version":"2"},{"id":"a/go","name":"Go","version":"1"}],"extensions":[],"#,
        r#""stack":{"runImage":{"image":"stack/run:latest","mirrors":["example.com/run:latest"]}},"#,
        r#""lifecycle":{"version":"0.1.0","api":{"buildpack":"0.9","platform":"0.12"},"apis":{"buildpack":{"deprecated":[],"supported":["0.9","0.10","0.11"]},"platform":{"deprecated":[],"supported":["0.12"]}}},"#,
        r#""createdBy":{"name":"fnpack","version":"1.2.3"},"images":[{"image":"stack/run:latest","mirrors":["example.com/run:latest"]}],"#,
        r#""buildEnv":[{"name":"GOFLAGS.append","value":"-trimpath"},{"name":"GOFLAGS.delim","value":" "}]}"#,
    );
    let diff_ids = image.diff_ids();
    let layers = format!(
        concat!(
            r#"{{"a/all":{{"2":{{"api":"0.10","order":[{{"group":[{{"id":"a/go","version":"1"}}]}}],"layerDiffID":"{}"}}}},"#,
            r#""a/go":{{"1":{{"api":"0.10","targets":[{{"os":"linux","arch":""}}],"layerDiffID":"{}","name":"Go"}}}}}}"#
        ),
        diff_ids[2], diff_ids[3]
    );
    assert_eq!(image.label(labels::BUILDER_METADATA), Some(metadata));
    assert_eq!(image.label(labels::BUILDPACK_LAYERS), Some(layers.as_str()));
    assert_eq!(image.label(labels::BUILDPACK_ORDER), Some(r#"[{"group":[{"id":"a/all","version":"2"}]}]"#));
    assert_eq!(image.label(labels::BUILDPACK_SYSTEM), None);
}

#[test]
fn builder_is_the_same_again_and_compresses_nothing_twice() {
    let first = Workshop::new();
    let image = first.create().unwrap().image;
    assert_eq!(Workshop::new().create().unwrap().image.digest(), image.digest());
    let empty = Workshop { blobs: MemoryBlobs::default(), ..first };
    let known = |diff_id: &DiffId| image.layers().iter().find(|layer| layer.diff_id == *diff_id).cloned();
    let again = empty.create_with(&known).unwrap().image;
    assert_eq!(again.digest(), image.digest());
    assert!(image.layers().iter().all(|layer| empty.blobs.existing(&layer.descriptor.digest).is_none()));
}

#[test]
fn builder_on_a_builder_keeps_replaces_and_skips() {
    let mut workshop = Workshop::new();
    let first = workshop.create().unwrap().image;
    workshop.build_image = first.clone();
    workshop.write("go/extra", "new");
    let created = workshop.create().unwrap();
    assert_eq!(created.warnings, [CreateWarning::Replaced(ModuleId::new("a/go", "1"))]);
    let added: Vec<Vec<String>> = created.image.layers().iter().skip(first.layers().len()).map(listing).collect();
    assert_eq!(added[2], ["644 0:0 /cnb/buildpacks/a_go/.wh.1 \"\""]);
    assert!(added[3].iter().any(|line| line.ends_with("/extra \"new\"")), "{:?}", added[3]);
    assert_eq!(added.len(), 9, "folders, lifecycle, whiteout, one buildpack, five documents");
    let description = BuilderDescription::of(&created.image, "b").unwrap();
    assert_eq!(description.metadata.buildpacks.len(), 2);
    assert_eq!(description.buildpacks["a/go"]["1"].layer_diff_id, created.image.diff_ids()[first.layers().len() + 3]);
}

/// A change that makes a workshop unfit.
type Spoil = Box<dyn Fn(&mut Workshop)>;

fn file(path: &'static str, text: String) -> Spoil {
    Box::new(move |workshop| workshop.write(path, &text))
}

fn image(change: fn(&mut ImageConfig)) -> Spoil {
    Box::new(move |workshop| workshop.build_image = build_image(change))
}

fn add(text: &'static str) -> Spoil {
    Box::new(move |workshop| workshop.text.push_str(text))
}

fn assert_errors(cases: Vec<(Spoil, &str)>) {
    for (spoil, message) in cases {
        let mut workshop = Workshop::new();
        spoil(&mut workshop);
        assert_eq!(workshop.error(), message);
    }
}

#[test]
fn builder_images_that_do_not_fit_are_named() {
    assert_errors(vec![
        (
            image(|config| config.config.env.clear()),
            "`stack/build:latest` does not say who buildpacks run as: put `ENV CNB_USER_ID=…` with a number into its Dockerfile",
        ),
        (image(|config| config.config.set_env("CNB_GROUP_ID", "cnb")), "`CNB_GROUP_ID` of `stack/build:latest` is `cnb`, not a number"),
        (
            image(|config| config.config.set_env("CNB_USER_ID", "0")),
            "`CNB_USER_ID` of `stack/build:latest` is 0: buildpacks never run as root",
        ),
        (
            image(|config| "arm64".clone_into(&mut config.architecture)),
            "the lifecycle is for linux/amd64, but `stack/build:latest` is for linux/arm64",
        ),
        (
            add("[[targets]]\nos = \"linux\"\narch = \"arm64\"\n"),
            "`stack/build:latest` is for linux/amd64, which is none of the `targets` of `builder.toml`",
        ),
        (
            add("[stack]\nid = \"s\"\n"),
            "`stack.id` of `builder.toml` is `s`, but `stack/build:latest` has no label `io.buildpacks.stack.id`",
        ),
        (
            Box::new(|workshop| {
                workshop.text.push_str("[stack]\nid = \"s\"\n");
                let label =
                    |id: &'static str| build_image(move |config| drop(config.config.labels.insert(labels::STACK_ID.into(), id.into())));
                workshop.build_image = label("s");
                workshop.run_images = vec![("stack/run".into(), label("t"))];
            }),
            "`stack.id` of `builder.toml` is `s`, but `stack/run` is of stack `t`",
        ),
    ]);
}

#[test]
fn builder_orders_that_name_nothing_are_named() {
    assert_errors(vec![
        (add("[[order]]\n[[order.group]]\nid = \"a/c\"\n"), "`order` of `builder.toml` names buildpack `a/c`, which is not in the builder"),
        (
            add("[[order]]\n[[order.group]]\nid = \"a/go\"\nversion = \"9\"\n"),
            "`order` of `builder.toml` names buildpack `a/go@9`, which is not in the builder; of this id it has `1`",
        ),
        (
            add("[[system.post.buildpacks]]\nid = \"x\"\n"),
            "`system.post` of `builder.toml` names buildpack `x`, which is not in the builder",
        ),
        (
            Box::new(|workshop| {
                workshop.text.push_str("[[buildpacks]]\nuri = \"two\"\n[[order]]\n[[order.group]]\nid = \"a/go\"\n");
                workshop.buildpack("two", &go("").replace("\"1\"", "\"2\""));
            }),
            "`order` of `builder.toml` names buildpack `a/go` without a version, and the builder has `1`, `2`",
        ),
        (
            file("all/buildpack.toml", ALL.replace("\"a/go\"\nversion = \"1\"", "\"a/all\"")),
            "composite buildpacks contain each other: a/all@2 → a/all@2",
        ),
        (
            file("all/buildpack.toml", ALL.replace("version = \"1\"", "version = \"7\"")),
            "the order of `a/all@2` names buildpack `a/go@7`, which is not in the builder; of this id it has `1`",
        ),
    ]);
}

fn go(rest: &str) -> String {
    format!("api = \"0.10\"\n[buildpack]\nid = \"a/go\"\nversion = \"1\"\n{rest}")
}

#[test]
fn builder_buildpacks_that_cannot_run_are_named() {
    assert_errors(vec![
        (
            file("go/buildpack.toml", go("").replace("0.10", "0.99")),
            "buildpack `a/go@1` is written for Buildpack API 0.99; the lifecycle speaks 0.9, 0.10, 0.11",
        ),
        (
            file("go/buildpack.toml", go("[[targets]]\nos = \"linux\"\narch = \"arm64\"\n")),
            "buildpack `a/go@1` does not support linux/amd64, only `linux/arm64`",
        ),
        (
            file("go/bin/build", "#!/bin/bash\r\necho\r\n".to_owned()),
            "`bin/build` of buildpack `a/go@1` has Windows line ends and cannot start: convert it, for example with `sed -i 's/\\r$//'`",
        ),
        (
            file("go/bin/build", "\u{feff}#!/bin/sh\n".to_owned()),
            "`bin/build` of buildpack `a/go@1` cannot start: it is neither a Linux binary nor a script that begins with `#!`",
        ),
        (
            Box::new(|workshop| fs_err::remove_file(workshop.folder.path().join("go/bin/detect")).unwrap()),
            "buildpack `a/go@1` has no `bin/detect`",
        ),
        (
            Box::new(|workshop| {
                let fifo = workshop.folder.path().join("go/fifo");
                rustix::fs::mknodat(rustix::fs::CWD, fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
            }),
            "`fifo` of buildpack `a/go@1` is neither a file nor a folder nor a symlink",
        ),
    ]);
}

#[test]
fn builder_buildpacks_with_impossible_names_are_named() {
    let cannot = "cannot have this id and version";
    for (from, to, message) in [
        ("\"2\"", "\"../2\"", format!("buildpack `a/all@../2` {cannot}: a version cannot have a `/` in it")),
        ("\"2\"", "\"..\"", format!("buildpack `a/all@..` {cannot}: it cannot be the name of a folder")),
        ("\"2\"", "\"a\\nb\"", format!("buildpack `a/all@a\nb` {cannot}: it cannot be the name of a folder")),
        ("a/all", "a//all", format!("buildpack `a//all@2` {cannot}: there is an empty part between the slashes of the id")),
        ("a/all", "config", format!("buildpack `config@2` {cannot}: the lifecycle keeps the name for itself")),
        (
            "a/all\"\nversion = \"2",
            "a_go\"\nversion = \"1",
            "buildpacks `a/go@1` and `a_go@1` would both be in `/cnb/buildpacks/a_go/1`".to_owned(),
        ),
    ] {
        let workshop = Workshop::new();
        workshop.write("all/buildpack.toml", &ALL.replace(from, to));
        assert_eq!(workshop.error(), message);
    }
}

#[test]
fn builder_stacks_and_mixins_count_in_the_old_style() {
    let mut workshop = Workshop::new();
    workshop.text.push_str("[stack]\nid = \"s\"\n");
    workshop.build_image = build_image(|config| {
        config.config.labels.insert(labels::STACK_ID.into(), "s".into());
        config.config.labels.insert(labels::STACK_MIXINS.into(), r#"["git","build:gcc"]"#.into());
    });
    workshop.write("go/buildpack.toml", &go("[[stacks]]\nid = \"s\"\nmixins = [\"git\", \"build:gcc\", \"run:x\"]\n"));
    assert_eq!(workshop.create().unwrap().warnings, []);
    workshop.write("go/buildpack.toml", &go("[[stacks]]\nid = \"*\"\nmixins = [\"build:make\"]\n"));
    assert_eq!(workshop.error(), "buildpack `a/go@1` needs `build:make` in the build image");
    workshop.write("go/buildpack.toml", &go("[[stacks]]\nid = \"t\"\n"));
    assert_eq!(workshop.error(), "buildpack `a/go@1` does not support stack `s`, only `t`");
    workshop.write("go/buildpack.toml", &go(""));
    assert_eq!(workshop.create().unwrap().warnings, [CreateWarning::NoTargets(ModuleId::new("a/go", "1"))]);
}

#[test]
fn builder_buildpack_twice_is_taken_once_or_refused() {
    let mut workshop = Workshop::new();
    workshop.text = format!("{BUILDER_TOML}\n[[buildpacks]]\nuri = \"copy\"\n");
    let toml = fs_err::read_to_string(workshop.folder.path().join("go/buildpack.toml")).unwrap();
    workshop.buildpack("copy", &toml);
    assert_eq!(workshop.create().unwrap().image.layers().len(), 9);
    workshop.write("copy/bin/build", "#!/bin/bash\n");
    let at = |name: &str| workshop.folder.path().join(name).display().to_string();
    assert_eq!(
        workshop.error(),
        format!("buildpack `a/go@1` is given twice, with different contents: `{}` and `{}`", at("go"), at("copy"))
    );
}

#[test]
fn builder_declared_id_and_version_must_be_the_buildpacks() {
    let mut workshop = Workshop::new();
    workshop.text = workshop.text.replace("version = \"1\"\nuri", "version = \"3\"\nuri");
    let message = workshop.modules().unwrap_err().to_string();
    let location = workshop.folder.path().join("go").display().to_string();
    assert_eq!(message, format!("`{location}` is buildpack `a/go@1`, but `builder.toml` says `a/go@3`"));
    workshop.text = workshop.text.replace("uri = \"go\"", "uri = \"no\"");
    let location = workshop.folder.path().join("no").display().to_string();
    assert_eq!(
        workshop.modules().unwrap_err().to_string(),
        format!("there is no buildpack at `{location}`: it names no file and no folder")
    );
}

#[test]
fn builder_system_buildpacks_have_a_document_and_a_label() {
    let mut workshop = Workshop::new();
    workshop.text.push_str("[[system.pre.buildpacks]]\nid = \"a/go\"\n");
    let image = workshop.create().unwrap().image;
    let label = r#"{"pre":{"buildpacks":[{"id":"a/go","version":"1"}]},"post":{"buildpacks":[]}}"#;
    assert_eq!(image.label(labels::BUILDPACK_SYSTEM), Some(label));
    let document = listing(&image.layers()[5]).concat();
    assert!(document.starts_with("644 0:0 /cnb/system.toml") && document.contains("[[system.pre.buildpacks]]"), "{document}");
}
