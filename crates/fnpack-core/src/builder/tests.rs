//! A whole builder: made, read back, described.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use super::labels::{ApiVersions, CreatedBy, LifecycleApis};
use super::*;
use crate::digest::DiffId;
use crate::image::{History, Image, ImageConfig, Layer, MemoryBlobs};
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
}

impl Workshop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workshop = Self { folder, build_image: build_image(|_| {}), blobs: MemoryBlobs::default(), text: BUILDER_TOML.to_owned() };
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
            run_images: &[],
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
    use crate::image::BlobSink as _;
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

#[test]
fn builder_parts_that_do_not_fit_are_named() {
    let go = |rest: &str| format!("api = \"0.10\"\n[buildpack]\nid = \"a/go\"\nversion = \"1\"\n{rest}");
    let change = |path: &'static str, text: String| {
        Box::new(move |workshop: &mut Workshop| workshop.write(path, &text)) as Box<dyn Fn(&mut Workshop)>
    };
    let image = |change: fn(&mut ImageConfig)| {
        Box::new(move |workshop: &mut Workshop| workshop.build_image = build_image(change)) as Box<dyn Fn(&mut Workshop)>
    };
    let add = |text: &'static str| Box::new(move |workshop: &mut Workshop| workshop.text.push_str(text)) as Box<dyn Fn(&mut Workshop)>;
    let cases: Vec<(Box<dyn Fn(&mut Workshop)>, &str)> = vec![
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
        (add("[[order]]\n[[order.group]]\nid = \"a/c\"\n"), "`order` of `builder.toml` names buildpack `a/c`, which is not in the builder"),
        (
            add("[[order]]\n[[order.group]]\nid = \"a/go\"\nversion = \"9\"\n"),
            "`order` of `builder.toml` names buildpack `a/go@9`, which is not in the builder; of this id it has `1`",
        ),
        (
            change("go/buildpack.toml", go("").replace("0.10", "0.99")),
            "buildpack `a/go@1` is written for Buildpack API 0.99; the lifecycle speaks 0.9, 0.10, 0.11",
        ),
        (
            change("go/buildpack.toml", go("[[targets]]\nos = \"linux\"\narch = \"arm64\"\n")),
            "buildpack `a/go@1` does not support linux/amd64, only `linux/arm64`",
        ),
        (
            change("go/bin/build", "#!/bin/bash\r\necho\r\n".to_owned()),
            "`bin/build` of buildpack `a/go@1` has Windows line ends and cannot start: convert it, for example with `sed -i 's/\\r$//'`",
        ),
        (
            change("go/bin/build", "\u{feff}#!/bin/sh\n".to_owned()),
            "`bin/build` of buildpack `a/go@1` cannot start: it is neither a Linux binary nor a script that begins with `#!`",
        ),
        (
            Box::new(|workshop| fs_err::remove_file(workshop.folder.path().join("go/bin/detect")).unwrap()),
            "buildpack `a/go@1` has no `bin/detect`",
        ),
        (
            change("all/buildpack.toml", ALL.replace("\"a/go\"\nversion = \"1\"", "\"a/all\"")),
            "composite buildpacks contain each other: a/all@2 → a/all@2",
        ),
        (
            change("all/buildpack.toml", ALL.replace("version = \"1\"", "version = \"7\"")),
            "the order of `a/all@2` names buildpack `a/go@7`, which is not in the builder; of this id it has `1`",
        ),
        (
            change("all/buildpack.toml", ALL.replace("\"2\"", "\"../2\"")),
            "buildpack `a/all@../2` cannot have this id and version: a version cannot have a `/` in it",
        ),
        (
            change("all/buildpack.toml", ALL.replace("\"2\"", "\"..\"")),
            "buildpack `a/all@..` cannot have this id and version: it cannot be the name of a folder",
        ),
        (
            change("all/buildpack.toml", ALL.replace("a/all", "config")),
            "buildpack `config@2` cannot have this id and version: the lifecycle keeps the name for itself",
        ),
        (
            change("all/buildpack.toml", go("[[targets]]\nos = \"linux\"\n").replace("a/go", "a_go")),
            "buildpack `a_go@1` has no `bin/detect`",
        ),
    ];
    for (spoil, message) in cases {
        let mut workshop = Workshop::new();
        spoil(&mut workshop);
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
    let stacks = |text: &str| format!("api = \"0.10\"\n[buildpack]\nid = \"a/go\"\nversion = \"1\"\n{text}");
    workshop.write("go/buildpack.toml", &stacks("[[stacks]]\nid = \"s\"\nmixins = [\"git\", \"build:gcc\", \"run:x\"]\n"));
    assert_eq!(workshop.create().unwrap().warnings, []);
    workshop.write("go/buildpack.toml", &stacks("[[stacks]]\nid = \"*\"\nmixins = [\"build:make\"]\n"));
    assert_eq!(workshop.error(), "buildpack `a/go@1` needs `build:make` in the build image");
    workshop.write("go/buildpack.toml", &stacks("[[stacks]]\nid = \"t\"\n"));
    assert_eq!(workshop.error(), "buildpack `a/go@1` does not support stack `s`, only `t`");
    workshop.write("go/buildpack.toml", &stacks(""));
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

fn tar_of(folder: &Path, prefix: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_dir_all(prefix, folder).unwrap();
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn builder_takes_buildpacks_from_archives() {
    let mut workshop = Workshop::new();
    let from_folder = workshop.create().unwrap().image.diff_ids()[3];
    let archive = tar_of(&workshop.folder.path().join("go"), "./");
    for (name, bytes) in [("go.tar", archive.clone()), ("go.tgz", gzip(&archive))] {
        fs_err::write(workshop.folder.path().join(name), bytes).unwrap();
        workshop.text = BUILDER_TOML.replace("uri = \"go\"", &format!("uri = \"{name}\""));
        assert_eq!(workshop.create().unwrap().image.diff_ids()[3], from_folder, "{name}");
    }
    workshop.write("go.tar", "no archive");
    workshop.text = BUILDER_TOML.replace("uri = \"go\"", "uri = \"go.tar\"");
    assert!(workshop.modules().unwrap_err().to_string().starts_with("cannot unpack the buildpack at `"));
}

/// A buildpack package as a tar of an OCI image layout.
fn package(workshop: &Workshop) -> Vec<u8> {
    let layer = tar_of(&workshop.folder.path().join("go"), "cnb/buildpacks/a_go/1");
    let diff_id = DiffId::of(&layer);
    let blob = gzip(&layer);
    let layers = format!(r#"{{"a/go":{{"1":{{"api":"0.10","layerDiffID":"{diff_id}"}}}}}}"#);
    let descriptor = crate::image::Descriptor::of(crate::image::media_type::OCI_LAYER_GZIP, &blob);
    let source = crate::image::MemoryBlobs::default();
    let mut pending = crate::image::BlobSink::create(&source).unwrap();
    std::io::Write::write_all(&mut pending, &blob).unwrap();
    let layer = Layer { descriptor, diff_id, blob: pending.commit(None).unwrap().2 };
    let target: Target = "linux/amd64".parse().unwrap();
    let image = Image::empty(&target).appended([(layer, History::default())]).with_config(|config| {
        config.config.labels.insert(labels::BUILDPACKAGE_METADATA.into(), r#"{"id":"a/go","version":"1","stacks":null}"#.into());
        config.config.labels.insert(labels::BUILDPACK_LAYERS.into(), layers);
    });
    let manifest = crate::image::Descriptor::of(crate::image::media_type::OCI_MANIFEST, image.manifest_bytes());
    let mut archive = tar::Builder::new(Vec::new());
    let mut append = |name: String, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, name, bytes).unwrap();
    };
    append(format!("blobs/sha256/{}", manifest.digest.hex()), image.manifest_bytes());
    append(format!("blobs/sha256/{}", image.manifest().config.digest.hex()), image.config_bytes());
    append(format!("blobs/sha256/{}", image.layers()[0].descriptor.digest.hex()), &blob);
    append("index.json".into(), &crate::image::Index::new(vec![manifest]).encode());
    archive.into_inner().unwrap()
}

#[test]
fn builder_takes_buildpacks_from_packages() {
    let mut workshop = Workshop::new();
    let from_folder = workshop.create().unwrap().image.diff_ids()[3];
    fs_err::write(workshop.folder.path().join("go.cnb"), package(&workshop)).unwrap();
    workshop.text = BUILDER_TOML.replace("uri = \"go\"", "uri = \"go.cnb\"");
    assert_eq!(workshop.create().unwrap().image.diff_ids()[3], from_folder);
}

#[test]
fn archive_that_leads_out_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::open(folder.path()).unwrap();
    let entry = |kind, name: &str, target: &str| {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o644);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        archive.append(&header, std::io::empty()).unwrap();
        archive.into_inner().unwrap()
    };
    for (bytes, message) in [
        (entry(tar::EntryType::Regular, "a/../../b", ""), "entry `a/../../b`: its name leads out of the archive"),
        (entry(tar::EntryType::Link, "a", "b"), "entry `a`: hard links are not taken, write the file again"),
        (entry(tar::EntryType::Fifo, "a", ""), "entry `a`: it is neither a file nor a folder nor a symlink"),
        (b"no archive".repeat(100), "cannot read it as a tar archive"),
        (gzip(b"")[..9].to_vec(), "cannot read it as a tar archive"),
    ] {
        assert_eq!(unpack::unpack(bytes.as_slice(), &root).unwrap_err().to_string(), message);
    }
    let escape = [&entry(tar::EntryType::Symlink, "out", "../../..")[..512], &entry(tar::EntryType::Regular, "out/f", "")].concat();
    unpack::unpack(escape.as_slice(), &root).unwrap();
    assert!(root.is_file("f"));
}

#[test]
fn description_of_what_is_no_builder_says_so() {
    let image = build_image(|_| {});
    assert_eq!(
        BuilderDescription::of(&image, "debian").unwrap_err().to_string(),
        "`debian` is not a builder: label `io.buildpacks.builder.metadata` is missing"
    );
    let image = build_image(|config| drop(config.config.labels.insert(labels::BUILDER_METADATA.into(), "[1".into())));
    assert_eq!(
        BuilderDescription::of(&image, "debian").unwrap_err().to_string(),
        "cannot read label `io.buildpacks.builder.metadata` of `debian`"
    );
}

#[test]
fn description_reads_labels_of_old_builders() {
    let image = build_image(|config| {
        let labels = &mut config.config.labels;
        labels.insert(
            labels::BUILDER_METADATA.into(),
            r#"{"buildpacks":null,"stack":{"runImage":{"image":"r","mirrors":null}},"lifecycle":{"version":"0.5.0"}}"#.into(),
        );
        labels.insert(labels::BUILDPACK_ORDER.into(), "null".into());
        labels.insert(labels::BUILDPACK_LAYERS.into(), "{}".into());
    });
    let image = image.with_config(|config| drop(config.config.labels.insert(labels::BUILDPACK_ORDER.into(), "[]".into())));
    let description = BuilderDescription::of(&image, "old").unwrap();
    assert_eq!(description.run_images()[0].image, "r");
    assert_eq!(Inspection::of(&description).build_env, None);
}

#[test]
fn inspection_resolves_nested_orders_and_stops_at_cycles() {
    let image = Workshop::new().create().unwrap().image;
    let mut description = BuilderDescription::of(&image, "b").unwrap();
    let shown = serde_json::to_value(Inspection::of(&description)).unwrap();
    let expected = serde_json::json!([{"buildpacks": [{"id": "a/all", "version": "2", "buildpacks": [{"buildpacks": [{"id": "a/go", "version": "1"}]}]}]}]);
    assert_eq!(shown["detection_order"], expected);
    assert_eq!(shown["build_env"][0]["name"], "GOFLAGS.append");
    assert_eq!(shown["user"], serde_json::json!({"uid": 10000, "gid": 10001}));

    let all = description.buildpacks.get_mut("a/all").unwrap().get_mut("2").unwrap();
    let itself = OrderEntry { id: "a/all".into(), ..OrderEntry::default() };
    all.order = vec![OrderGroup { group: vec![itself.clone(); 3] }];
    let shown = Inspection::of(&description);
    let inner = &shown.detection_order[0].buildpacks[0].groups[0].buildpacks;
    assert!(inner.iter().all(|entry| entry.cyclic && entry.groups.is_empty()));
}

#[test]
fn inspection_of_an_exploding_order_is_cut() {
    let image = Workshop::new().create().unwrap().image;
    let mut description = BuilderDescription::of(&image, "b").unwrap();
    let template = description.buildpacks["a/all"]["2"].clone();
    for level in 0..40 {
        let below = OrderEntry { id: format!("level/{}", level + 1), ..OrderEntry::default() };
        let layer = labels::ModuleLayer { order: vec![OrderGroup { group: vec![below; 10] }], ..template.clone() };
        description.buildpacks.insert(format!("level/{level}"), [("1".to_owned(), layer)].into());
    }
    description.order = vec![OrderGroup { group: vec![OrderEntry { id: "level/0".into(), ..OrderEntry::default() }] }];
    let text = serde_json::to_string(&Inspection::of(&description)).unwrap();
    assert!(text.contains("\"cut\":true") && text.len() < 1_000_000, "{}", text.len());
}
