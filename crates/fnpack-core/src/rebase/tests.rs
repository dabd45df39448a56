use serde_json::{Value, json};

use super::*;
use crate::image::{BlobSink, Descriptor, ImageConfig, MemoryBlobs, media_type};
use std::io::Write;

fn layer(text: &str) -> Layer {
    let sink = MemoryBlobs::default();
    let mut pending = sink.create().unwrap();
    pending.write_all(text.as_bytes()).unwrap();
    let (digest, size, blob) = pending.commit(None).unwrap();
    Layer { descriptor: Descriptor::new(media_type::OCI_LAYER, digest, size), diff_id: DiffId::of(text), blob }
}

fn base(layers: &[&str], labels: &[(&str, &str)]) -> Image {
    let mut config = ImageConfig::new(&"linux/amd64".parse().unwrap());
    config.config.labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Image::from_parts(config, layers.iter().map(|text| layer(text)).collect())
}

fn application(on: &Image, own: &[&str]) -> Image {
    let app: Vec<Value> = own.iter().map(|text| json!({ "sha": DiffId::of(text) })).collect();
    let top = on.layers().last().unwrap().diff_id;
    let metadata = json!({
        "app": app,
        "runImage": { "topLayer": top, "reference": "x", "image": "stack/run", "mirrors": ["ghcr.io/stack/run"] },
        "stack": { "runImage": { "image": "stack/run" } },
        "unknown": 7,
    });
    on.appended(own.iter().map(|text| (layer(text), History::default())))
        .with_config(|config| drop(config.config.labels.insert(labels::LIFECYCLE_METADATA.into(), metadata.to_string())))
}

fn name(text: &str) -> Reference {
    text.parse().unwrap()
}

fn on<'a>(image: &'a Image, reference: &'a Reference) -> NewBase<'a> {
    NewBase { image, reference, facts: None }
}

fn metadata(image: &Image) -> Value {
    serde_json::from_str(image.label(labels::LIFECYCLE_METADATA).unwrap()).unwrap()
}

#[test]
fn layers_above_the_base_stay_and_those_below_are_replaced() {
    let image = application(&base(&["a", "b"], &[]), &["app", "config"]);
    let (new, reference) = (base(&["c", "d", "e"], &[]), name("stack/run:next"));
    let rebased = rebase("fn", &image, on(&new, &reference), false).unwrap();
    let texts: Vec<DiffId> = ["c", "d", "e", "app", "config"].iter().map(DiffId::of).collect();
    assert_eq!(rebased.image.diff_ids(), texts);
    assert_eq!((rebased.removed, rebased.added), (2, 3));
    assert_eq!(rebased.image.config().history.len(), 5);
    let metadata = metadata(&rebased.image);
    assert_eq!(metadata["runImage"]["topLayer"], json!(DiffId::of("e")));
    assert_eq!(metadata["runImage"]["reference"], json!(format!("docker.io/stack/run:next@{}", new.digest())));
    assert_eq!((&metadata["runImage"]["image"], &metadata["unknown"]), (&json!("stack/run:next"), &json!(7)));
    assert!(metadata["runImage"].get("mirrors").is_none());
}

#[test]
fn rebasing_again_on_the_same_base_changes_nothing() {
    let image = application(&base(&["a"], &[]), &["app"]);
    let (new, reference) = (base(&["b"], &[]), name("stack/run"));
    let once = rebase("fn", &image, on(&new, &reference), false).unwrap().image;
    let twice = rebase("fn", &once, on(&new, &reference), false).unwrap().image;
    assert_eq!(once.digest(), twice.digest());
    assert_eq!(metadata(&once)["runImage"]["mirrors"], json!(["ghcr.io/stack/run"]), "a recorded name keeps its mirrors");
}

#[test]
fn steps_without_a_layer_go_with_their_base() {
    let step = |text: &str| History { created_by: Some(text.into()), empty_layer: true, ..History::default() };
    let with_step = |base: Image, text: &str| {
        base.with_config(|config| {
            config.pad_history(1);
            config.history.push(step(text));
        })
    };
    let image = application(&with_step(base(&["a"], &[]), "USER old"), &["app"]);
    let (new, reference) = (with_step(base(&["b"], &[]), "USER new"), name("stack/run"));
    let history = rebase("fn", &image, on(&new, &reference), false).unwrap().image.config().history.clone();
    let steps: Vec<&str> = history.iter().filter_map(|entry| entry.created_by.as_deref()).collect();
    assert_eq!((steps, history.len()), (vec!["USER new"], 3));
}

#[test]
fn repeated_top_layer_is_cut_at_the_right_place() {
    let image = application(&base(&["a", "empty", "b", "empty"], &[]), &["app"]);
    let (new, reference) = (base(&["n"], &[]), name("stack/run"));
    let rebased = rebase("fn", &image, on(&new, &reference), false).unwrap();
    assert_eq!(rebased.image.diff_ids(), [DiffId::of("n"), DiffId::of("app")]);
}

#[test]
fn labels_of_the_old_base_go_and_those_of_the_new_one_come() {
    let old = base(&["a"], &[("io.buildpacks.base.old", "1"), ("io.buildpacks.stack.id", "x"), ("mine", "kept")]);
    let (new, reference) = (base(&["b"], &[("io.buildpacks.base.new", "2"), ("other", "not copied")]), name("stack/run"));
    let image = rebase("fn", &application(&old, &["app"]), on(&new, &reference), false).unwrap().image;
    let keys: Vec<&str> = image.config().config.labels.keys().map(String::as_str).collect();
    assert_eq!(keys, ["io.buildpacks.base.new", labels::LIFECYCLE_METADATA, "mine"]);
}

#[test]
fn facts_refuse_and_force_reports_them() {
    let trixie = [("io.buildpacks.base.distro.name", "debian"), ("io.buildpacks.base.distro.version", "13")];
    let bookworm = [("io.buildpacks.base.distro.name", "debian"), ("io.buildpacks.base.distro.version", "12")];
    let image = application(&base(&["a"], &trixie), &["app"]);
    let (new, reference) = (base(&["b"], &bookworm).with_config(|config| config.architecture = "arm64".into()), name("stack/run"));
    let error = rebase("fn", &image, on(&new, &reference), false).unwrap_err();
    let RebaseError::Refused { objections, .. } = error else { panic!("{error}") };
    let texts: Vec<String> = objections.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["it is made for linux/amd64, the run image for linux/arm64", "it was built for debian 13, the run image is debian 12"]
    );
    assert_eq!(rebase("fn", &image, on(&new, &reference), true).unwrap().overridden.len(), 2);
}

#[test]
fn images_without_a_known_base_are_refused_by_name() {
    let (new, reference) = (base(&["b"], &[]), name("stack/run"));
    let plain = base(&["a"], &[]);
    assert!(matches!(rebase("fn", &plain, on(&new, &reference), false), Err(RebaseError::NotABuildpackImage { source: None, .. })));
    let damaged = base(&["a"], &[(labels::LIFECYCLE_METADATA, "[")]);
    assert!(matches!(rebase("fn", &damaged, on(&new, &reference), false), Err(RebaseError::NotABuildpackImage { source: Some(_), .. })));
    let lost = base(&["a"], &[(labels::LIFECYCLE_METADATA, r#"{"runImage":{"topLayer":"sha256:x"}}"#)]);
    assert!(matches!(rebase("fn", &lost, on(&new, &reference), false), Err(RebaseError::BaseNotFound { .. })));
    let image = application(&base(&["a"], &[]), &["app"]);
    assert!(matches!(rebase("fn", &image, on(&base(&[], &[]), &reference), false), Err(RebaseError::EmptyBase { .. })));
}

#[test]
fn needs_of_the_function_are_compared() {
    const LABELS: [(&str, &str); 4] = [
        ("io.fnpack.function.language", "python"),
        ("io.fnpack.function.artifact", "/pulsar/function/function.py"),
        ("io.fnpack.function.arch", "arm64"),
        ("io.fnpack.function.libc", "musl"),
    ];
    let runner = |language, libc, distro| {
        base(
            &["b"],
            &[
                ("io.buildpacks.base.runner.language", language),
                ("io.buildpacks.base.runner.libc", libc),
                ("io.buildpacks.base.distro.name", distro),
            ],
        )
    };
    let described = |image: &Image, distro: Option<&str>| {
        image.with_config(|config| {
            config.config.labels.extend(LABELS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
            config.config.labels.extend(distro.map(|distro| ("io.buildpacks.base.distro.name".to_owned(), distro.to_owned())));
        })
    };
    let image = application(&base(&["a"], &[]), &["app"]);
    for (built_on, new, expected) in [
        (None, runner("python", "musl 1.2.5", "alpine"), &[][..]),
        (Some("alpine"), runner("go python", "musl 1.2.5", "alpine"), &[]),
        (Some("debian"), runner("python", "musl", "alpine"), &["it was built for debian, the run image is alpine"]),
        (
            None,
            runner("go", "glibc 2.41", "debian"),
            &["it is a Python function, the run image is for Go", "it is bound to musl, the run image has glibc 2.41"],
        ),
    ] {
        let verdict = Verdict::of(&described(&image, built_on), &new);
        let texts: Vec<String> = verdict.objections.iter().map(ToString::to_string).collect();
        assert_eq!(texts, expected);
    }
    let read = RunnerFacts::of_labels(&runner("go", "musl", "alpine"));
    let (silent, reference) = (base(&["b"], &[]), name("stack/run:next"));
    let silent = NewBase { facts: Some(&read), ..on(&silent, &reference) };
    assert!(matches!(rebase("fn", &described(&image, None), silent, false), Err(RebaseError::Refused { .. })));
}

/// A function's image by labels of its own, and its base's.
fn described(on: &[(&str, &str)], needs: &[(&str, &str)]) -> Image {
    application(&base(&["a"], on), &["app"]).with_config(|config| {
        let needs = needs.iter().map(|(key, value)| (format!("io.fnpack.function.{key}"), (*value).to_owned()));
        config.config.labels.extend(needs);
    })
}

fn runner(labels: &[(&str, &str)]) -> Image {
    let labels: Vec<(String, &str)> = labels.iter().map(|(key, value)| (format!("io.buildpacks.base.{key}"), *value)).collect();
    base(&["b"], &labels.iter().map(|(key, value)| (key.as_str(), *value)).collect::<Vec<_>>())
}

#[test]
fn every_fact_refuses_with_its_reason_and_force_overrides_it_alone() {
    const DEBIAN: [(&str, &str); 2] = [("io.buildpacks.base.distro.name", "debian"), ("io.buildpacks.base.distro.version", "13")];
    let go = [("language", "go"), ("artifact", "/pulsar/function/function")];
    let of = |more: &[(&'static str, &'static str)]| [&go[..], more].concat();
    let python = [("language", "python"), ("artifact", "/pulsar/function/function.py")];
    let java = [("language", "java"), ("artifact", "/pulsar/function/function.jar"), ("java.release", "21")];
    let glibc = of(&[("libc", "glibc"), ("libc.version", "2.38")]);
    let bound = [&python[..], &[("python.version", "3.13")]].concat();
    let on_target = |image: Image, os: &str, arch: &str, variant: Option<&str>| {
        image.with_config(|config| {
            (config.os, config.architecture) = (os.to_owned(), arch.to_owned());
            config.variant = variant.map(str::to_owned);
        })
    };
    let trixie = || runner(&[("distro.name", "debian"), ("distro.version", "13")]);
    let plain = || described(&DEBIAN, &go);
    for (image, base, reason) in [
        (plain(), on_target(trixie(), "windows", "amd64", None), "it is made for linux/amd64, the run image for windows/amd64"),
        (plain(), on_target(trixie(), "linux", "arm64", None), "it is made for linux/amd64, the run image for linux/arm64"),
        (
            on_target(plain(), "linux", "arm", Some("v7")),
            on_target(trixie(), "linux", "arm", Some("v6")),
            "it is made for linux/arm/v7, the run image for linux/arm/v6",
        ),
        (plain(), runner(&[("distro.name", "alpine"), ("distro.version", "13")]), "it was built for debian 13, the run image is alpine 13"),
        (plain(), runner(&[("distro.name", "debian"), ("distro.version", "12")]), "it was built for debian 13, the run image is debian 12"),
        (described(&[], &glibc), runner(&[("runner.libc", "musl 1.2.5")]), "it is bound to glibc, the run image has musl 1.2.5"),
        (described(&[], &glibc), runner(&[("runner.libc", "glibc 2.36")]), "it needs glibc 2.38 or newer, the run image has glibc 2.36"),
        (described(&[], &java), runner(&[("runner.java", "17")]), "its class files need Java 21 or newer, the run image has Java 17"),
        (
            described(&[], &bound),
            runner(&[("runner.python", "3.12")]),
            "its packages are bound to Python 3.13, the run image has Python 3.12",
        ),
        (described(&[], &python), runner(&[("runner.language", "go java")]), "it is a Python function, the run image is for Go and Java"),
        (described(&[], &go), runner(&[("runner.language", "")]), "it is a Go function, the run image can start no functions"),
        (
            plain().with_config(|config| drop(config.config.labels.insert("io.buildpacks.rebasable".into(), "false".into()))),
            trixie(),
            "its label `io.buildpacks.rebasable` says `false`",
        ),
    ] {
        let reference = name("stack/run:next");
        let error = rebase("fn", &image, on(&base, &reference), false).unwrap_err();
        assert_eq!(error.to_string(), "`fn` would not run on `stack/run:next`");
        let RebaseError::Refused { objections, .. } = error else { panic!("{reason}") };
        assert_eq!(objections.iter().map(ToString::to_string).collect::<Vec<_>>(), [reason]);
        let forced = rebase("fn", &image, on(&base, &reference), true).unwrap();
        assert_eq!(forced.overridden, objections, "{reason}");
        assert_eq!(forced.image.diff_ids(), [DiffId::of("b"), DiffId::of("app")]);
    }
    for (image, base) in [
        (plain(), trixie()),
        (described(&[], &glibc), runner(&[("runner.libc", "glibc 2.41")])),
        (described(&[], &java), runner(&[("runner.java", "21"), ("runner.language", "java")])),
        (described(&[], &java), runner(&[("runner.java", "25")])),
        (described(&[], &bound), runner(&[("runner.python", "3.13")])),
        (described(&[], &python), runner(&[("runner.python", "3.14")])),
    ] {
        assert_eq!(Verdict::of(&image, &base).objections, []);
    }
}
