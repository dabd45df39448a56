use super::super::build;
use super::fake::{FakeHost, causes, context, plan};

#[test]
fn only_needed_stages_are_built() {
    let (host, folder) = (FakeHost::new(), context(&[]));
    let text = "FROM base AS one\nRUN write /1 x\nFROM base AS unused\nRUN exit 1\nFROM one AS two\nRUN write /2 x\n\
                FROM base\nCOPY --from=two /2 /from-two\nCOPY --from=0 /1 /\n";
    let image = host.build(text, folder.path()).unwrap();
    assert!(host.files(&image).contains("/1 644 x\n") && host.files(&image).contains("/from-two 644 x\n"), "{}", host.files(&image));
    assert!(!host.files(&image).contains("/2 "));
    assert_eq!(
        host.events(),
        [
            "1/7 one: FROM base AS one",
            "2/7 one: RUN write /1 x",
            "3/7 two: FROM one AS two",
            "4/7 two: RUN write /2 x",
            "5/7 FROM base",
            "6/7 COPY --from=two /2 /from-two",
            "7/7 COPY --from=0 /1 /",
        ]
    );
}

#[test]
fn target_chooses_a_stage() {
    let (host, folder) = (FakeHost::new(), context(&[]));
    let mut plan = plan("FROM base AS one\nLABEL s=one\nFROM one AS two\nLABEL s=two\nFROM base\nRUN exit 1", folder.path());
    plan.labels = [("extra".to_owned(), "yes".to_owned())].into();
    for (stage, expected) in [("one", "one"), ("TWO", "two"), ("0", "one")] {
        plan.stage = Some(stage.to_owned());
        let image = build(&plan, &host).unwrap();
        assert_eq!((image.label("s"), image.label("extra")), (Some(expected), Some("yes")));
        assert_eq!(image.config().history.last().unwrap().created_by.as_deref(), Some("LABEL extra=yes"));
    }
    for stage in ["three", "3"] {
        plan.stage = Some(stage.to_owned());
        assert_eq!(causes(&build(&plan, &host).unwrap_err()), format!("Dockerfile has no stage `{stage}` (stages: `one`, `two`)"));
    }
}

#[test]
fn scratch_starts_from_nothing() {
    let (host, folder) = (FakeHost::new(), context(&[("a", "1")]));
    let image = host.build("FROM scratch\nCOPY a /", folder.path()).unwrap();
    assert_eq!(host.files(&image), "/a 644 1\n");
    assert_eq!(image.env("PATH"), Some("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
    assert_eq!((image.layers().len(), image.config().history.len()), (1, 1));
}

#[test]
fn copies_from_images_and_stages_are_found_again() {
    let host = FakeHost::new().with_image("tools", |root| root.write("tool", b"x", 0o755).unwrap());
    let folder = context(&[]);
    let text = "FROM base AS b\nRUN write /1 x\nFROM base\nCOPY --from=tools /tool /bin/\nCOPY --from=b /1 /1\n";
    host.build(text, folder.path()).unwrap();
    assert_eq!(host.opened(), 5);
    host.build(text, folder.path()).unwrap();
    assert_eq!(host.opened(), 0);
    // The stage is another one with the same file: it is looked at, and nothing is copied.
    host.build(&text.replace("RUN write /1 x", "RUN write /1 x\nRUN write /2 y"), folder.path()).unwrap();
    assert_eq!(host.opened(), 2);
}

#[test]
fn stage_mistakes_are_named() {
    let (mut host, folder) = (FakeHost::new().with_image("triggers", |_| {}), context(&[]));
    host.change_image("triggers", |config| {
        config.config.rest.insert("OnBuild".to_owned(), serde_json::json!(["RUN x"]));
    });
    for (text, expected) in [
        ("FROM nosuch", "Dockerfile:1: cannot get the image `nosuch:latest` for linux/amd64: no such image"),
        ("FROM --platform=linux/arm64 base", "Dockerfile:1: cannot get the image `base:latest` for linux/arm64: no such platform"),
        ("FROM --platform=arm base", "Dockerfile:1: not a platform: `arm` is not `os/architecture` or `os/architecture/variant`"),
        ("FROM Base", "Dockerfile:1: not an image name: invalid image reference `Base`: a repository name is lower case"),
        ("FROM triggers", "Dockerfile:1: the image `triggers:latest` has `ONBUILD` instructions, which are not supported yet"),
        ("FROM base\nCOPY --from=0 a b", "Dockerfile:2: `--from=0` is not an earlier stage"),
        ("FROM base\nCOPY --from=x a b\nFROM base AS x", "Dockerfile:2: `--from=x` is not an earlier stage"),
        ("FROM base\nCOPY --from=x a b", "Dockerfile:2: cannot get the image `x:latest` for linux/amd64: no such image"),
        (
            "FROM base AS one\nFROM base\nCOPY --from=one /etc/paswd /",
            "Dockerfile:3: cannot copy `/etc/paswd` to `/`: `/etc/paswd` is not in the stage `one` (did you mean `etc/passwd`?)",
        ),
    ] {
        assert_eq!(host.fail(text, folder.path()), expected, "{text}");
    }
}
