use std::error::Error as _;
use std::os::unix::fs::symlink;

use super::*;
use crate::executor::Here;
use crate::lifecycle::exit::ExitCode;
use crate::lifecycle::files::group::GroupMember;
use crate::lifecycle::files::plan::{PlanEntry, Provider, Require};
use crate::lifecycle::tests::{Fake, Fixture, argument};

fn group(ids: &str) -> Group {
    let member = |id: &str| GroupMember { id: id.to_owned(), version: "1".into(), ..GroupMember::default() };
    Group { group: ids.split_whitespace().map(member).collect(), ..Group::default() }
}

fn fixture(ids: &str) -> Fixture {
    let fixture = Fixture::new();
    for id in ids.split_whitespace() {
        fixture.buildpack(id, "1", "");
    }
    fixture
}

fn run(fixture: &Fixture, ids: &str, executor: &dyn Executor) -> Result<Built, BuildError> {
    build(&fixture.context(), &group(ids), &Plan::default(), executor, &mut Vec::new())
}

/// A buildpack `a` that writes these files into its layers folder.
fn writes<'a>(fixture: &'a Fixture, files: &'a [(&'a str, &'a str)]) -> Fake<'a> {
    also_writes(Fake::default(), fixture, "a", files)
}

fn also_writes<'a>(fake: Fake<'a>, fixture: &'a Fixture, id: &str, files: &'a [(&'a str, &'a str)]) -> Fake<'a> {
    fake.on(&format!("{id}/build"), move |command, _| {
        for (name, contents) in files {
            let path = fixture.host(argument(command, 1)).join(name);
            fs_err::create_dir_all(path.parent().unwrap())?;
            match contents.strip_prefix("-> ") {
                Some(target) => symlink(target, path)?,
                None => fs_err::write(path, contents)?,
            }
        }
        Ok(0)
    })
}

#[test]
fn layers_and_launch_are_collected() {
    let fixture = fixture("a b");
    fixture.write("/layers/sbom/launch/old", "");
    let launch = "[[processes]]\ntype = 'function'\ncommand = ['/run']\ndefault = true\n[[labels]]\nkey = 'k'\nvalue = 'v'\n[[slices]]\npaths = ['x']";
    let files = [
        ("launch.toml", launch),
        ("store.toml", "[metadata]\nn = 1"),
        ("z.toml", "[types]\nlaunch = true\ncache = true\n[metadata]\nm = 2"),
        ("z/file", ""),
        ("reused.toml", "[types]\nlaunch = true"),
        ("idle.toml", "[metadata]"),
        ("idle/file", "new"),
        ("idle.ignore/file", "old"),
        ("undescribed/file", ""),
    ];
    let fake = also_writes(writes(&fixture, &files), &fixture, "b", &[]);
    let built = run(&fixture, "a b", &fake).unwrap();
    let mut members = group("a b");
    members.group.iter_mut().for_each(|member| member.api = "0.10".into());
    assert_eq!(read_built(&fixture.context().places.layers, &members).unwrap(), built);

    assert_eq!((built.default_process.as_deref(), built.processes[0].buildpack_id.as_str()), (Some("function"), "a"));
    assert_eq!((built.labels.len(), built.slices.len(), built.buildpacks.len()), (1, 1, 2));
    let buildpack = &built.buildpacks[0];
    let layers: Vec<String> = buildpack
        .layers
        .iter()
        .map(|layer| format!("{} {} {} {} {}", layer.name, layer.launch, layer.build, layer.cache, layer.present))
        .collect();
    assert_eq!(layers, ["reused true false false false", "z true false true true"]);
    assert_eq!(buildpack.layers[1].metadata["m"].as_integer(), Some(2));
    assert_eq!(buildpack.store.as_ref().unwrap()["n"].as_integer(), Some(1));
    assert_eq!(fixture.read("/layers/a/idle.ignore/file"), "new");
    assert!(!fixture.host("/layers/a/idle").exists());
    assert!(!fixture.host("/layers/sbom/launch/old").exists());
    assert!(fixture.read("/layers/config/metadata.toml").contains("buildpack-default-process-type = \"function\""));
}

#[test]
fn build_layers_change_the_environment_of_later_buildpacks() {
    let fixture = fixture("a b");
    fixture.write("/platform/env/PATH", "/user");
    let files = [
        ("y.toml", "[types]\nbuild = true"),
        ("y/bin/tool", ""),
        ("y/env/A.append", "y"),
        ("y/env.build/A.append", "Y"),
        ("y/env.launch/A", "launch"),
        ("x.toml", "[types]\nbuild = true"),
        ("x/bin", "-> /layers/a/y/bin"),
        ("x/env/A.append", "x"),
        ("w.toml", "[types]\nlaunch = true"),
        ("w/bin/tool", ""),
    ];
    let fake = also_writes(writes(&fixture, &files), &fixture, "b", &[]);
    run(&fixture, "a b", &fake).unwrap();
    let environment = fake.commands("b/build").remove(0).environment;
    let value = |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string_lossy().into_owned());
    assert_eq!(value("A").as_deref(), Some("xyY"));
    assert_eq!(value("PATH").as_deref(), Some("/user:/layers/a/y/bin:/layers/a/x/bin:/usr/bin:/bin"));
    assert_eq!(value("CNB_LAYERS_DIR").as_deref(), Some("/layers/b"));
    assert_eq!(value("CNB_BP_PLAN_PATH").as_deref(), Some("/scratch/build-1/plan.toml"));
    assert_eq!(value("CNB_REGISTRY_AUTH"), None);
}

#[test]
fn plan_goes_to_the_first_provider_unless_unmet() {
    let fixture = fixture("a b");
    let providers = ["a", "b"].map(|id| Provider { id: id.into(), version: "1".into(), extension: false }).to_vec();
    let entry =
        |name: &str| PlanEntry { providers: providers.clone(), requires: vec![Require { name: name.into(), ..Require::default() }] };
    let plan = Plan { entries: vec![entry("go"), entry("java")] };
    let fake = also_writes(writes(&fixture, &[("build.toml", "[[unmet]]\nname = 'java'")]), &fixture, "b", &[]);
    build(&fixture.context(), &group("a b"), &plan, &fake, &mut Vec::new()).unwrap();
    assert_eq!(fixture.read("/scratch/build-0/plan.toml"), "[[entries]]\nname = \"go\"\n\n[[entries]]\nname = \"java\"\n");
    assert_eq!(fixture.read("/scratch/build-1/plan.toml"), "[[entries]]\nname = \"java\"\n");
}

#[test]
fn errors_name_buildpack_file_and_line() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (
            &[("x.toml", "[types]\nlaunch = 1")],
            "invalid `/layers/a/x.toml`: line 2: invalid type: integer `1`, expected a boolean, in `types.launch`",
        ),
        (
            &[("x.toml", "launch = true")],
            "invalid `/layers/a/x.toml`: line 1: `launch` is not allowed at the top: it belongs into `[types]`",
        ),
        (&[("launch.toml", "[[processes]]")], "invalid `/layers/a/launch.toml`: line 1: missing field `type`, in `processes`"),
        (&[("store.toml", "-> /etc/passwd")], "`/layers/a/store.toml` is a symlink to `/etc/passwd`: it must be a file"),
        (&[("x.toml", "-> ../b/x.toml")], "`/layers/a/x.toml` is a symlink to `../b/x.toml`: it must be a file"),
        (&[("x.toml", "[types]\nlaunch = true"), ("x", "-> /etc")], "layer `x` is a symlink to `/etc`: a layer must be a folder"),
        (&[("x.toml", "[types]\nlaunch = true"), ("x", "text")], "layer `x` is not a folder"),
        (&[(".toml", "")], "`/layers/a/.toml` cannot describe a layer: its name is empty or not UTF-8"),
        (&[("build.toml", "[[unmet]]\nname = 'go'")], "build.toml leaves `go` unmet, which the buildpack was not asked for"),
        (
            &[("x.toml", "[types]\nbuild = true"), ("x/env/A=B", "")],
            "`/layers/a/x/env/A=B` cannot set a variable: its name is empty or has a `=`",
        ),
        (
            &[("launch.sbom.cdx.json", "{}")],
            "`/layers/a/launch.sbom.cdx.json` is `application/vnd.cyclonedx+json`, which `sbom-formats` in buildpack.toml does not have",
        ),
    ];
    for (files, message) in cases {
        let fixture = fixture("a");
        let error = run(&fixture, "a", &writes(&fixture, files)).unwrap_err();
        assert_eq!(
            (ExitCode::of_build(&error), error.to_string().as_str()),
            (ExitCode::Build, "buildpack `a@1` left something that cannot be used")
        );
        let mut chain = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            chain.push(error.to_string());
            cause = error.source();
        }
        assert_eq!(chain.join(": "), *message);
    }
}

#[test]
fn replaced_folders_are_refused() {
    let fixture = fixture("a");
    let replaced = Fake::default().on("a/build", |command, _| {
        fs_err::remove_dir(fixture.host(argument(command, 1)))?;
        symlink("/", fixture.host(argument(command, 1)))?;
        Ok(0)
    });
    let error = run(&fixture, "a", &replaced).unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "`/layers/a` was replaced by something that is not a folder");

    let fixture = self::fixture("a");
    let config = Fake::default().on("a/build", |_, _| symlink("a", fixture.host("/layers/config")).map(|()| 0));
    assert!(matches!(run(&fixture, "a", &config), Err(BuildError::Folder(_))));
}

#[test]
fn folder_without_a_finished_build_is_refused() {
    let fixture = fixture("a");
    let error = read_built(&fixture.context().places.layers, &group("a")).unwrap_err();
    assert_eq!(error.to_string(), "`/layers/config/metadata.toml` is missing: no build has ended here");
}

#[test]
fn failure_names_the_buildpack_and_stops() {
    let fixture = fixture("a b");
    let fake = Fake::default().on("a/build", |_, _| Ok(3));
    let error = run(&fixture, "a b", &fake).unwrap_err();
    assert_eq!(error.to_string(), "buildpack `a` 1 failed while building (exit status 3)");
    assert_eq!(ExitCode::of_build(&error).code(), 51);
    assert!(fake.commands("b/build").is_empty());
}

#[test]
fn sboms_are_kept_by_use() {
    let fixture = Fixture::new();
    fixture.buildpack("o/a", "1", "sbom-formats = ['application/vnd.cyclonedx+json;version=1.4', 'application/spdx+json']");
    let files = [
        ("launch.sbom.cdx.json", "launch"),
        ("build.sbom.spdx.json", "build"),
        ("l.toml", "[types]\nlaunch = true\ncache = true"),
        ("l.sbom.cdx.json", "l"),
        ("b.toml", "[types]\nbuild = true"),
        ("b.sbom.cdx.json", "b"),
        ("unknown.sbom.cdx.json", ""),
        ("launch.toml", "[[bom]]\nname = 'n'\nmetadata.when = 1979-05-27\n"),
    ];
    let fake = also_writes(Fake::default(), &fixture, "o_a", &files);
    run(&fixture, "o/a", &fake).unwrap();
    for (path, contents) in [
        ("launch/o_a/sbom.cdx.json", "launch"),
        ("build/o_a/sbom.spdx.json", "build"),
        ("launch/o_a/l/sbom.cdx.json", "l"),
        ("cache/o_a/l/sbom.cdx.json", "l"),
        ("build/o_a/b/sbom.cdx.json", "b"),
        (
            "launch/sbom.legacy.json",
            "[{\"name\":\"n\",\"metadata\":{\"when\":\"1979-05-27\"},\"buildpack\":{\"id\":\"o/a\",\"version\":\"1\"}}]\n",
        ),
        ("build/sbom.legacy.json", "null\n"),
    ] {
        assert_eq!(fixture.read(&format!("/layers/sbom/{path}")), contents, "{path}");
    }
    assert!(!fixture.host("/layers/sbom/build/o_a/unknown").exists());
}

#[test]
fn real_program_builds_and_its_output_passes_unchanged() {
    let fixture = Fixture::with_real_paths();
    fixture.buildpack("a", "1", "");
    fixture.script(
        "/cnb/buildpacks/a/1/bin/build",
        "#!/bin/sh\nset -e\nprintf 'one\\033[0m\\ntwo'\ncd \"$CNB_LAYERS_DIR\"\nmkdir app\necho '[types]\nlaunch = true' > app.toml\n",
    );
    let mut output = Vec::new();
    let built = build(&fixture.context(), &group("a"), &Plan::default(), &Here, &mut output).unwrap();
    assert_eq!(output, b"one\x1b[0m\ntwo");
    assert_eq!((built.buildpacks[0].layers[0].name.as_str(), built.buildpacks[0].layers[0].present), ("app", true));

    fixture.script("/cnb/buildpacks/a/1/bin/build", "#!/bin/sh\r\n");
    let error = run(&fixture, "a", &Here).unwrap_err();
    assert_eq!(error.to_string(), "cannot start buildpack `a@1`");
    assert!(matches!(error, BuildError::CannotStart { source: StartError::CarriageReturn { .. }, .. }));
}
