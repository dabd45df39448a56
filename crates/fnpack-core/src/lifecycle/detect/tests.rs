use std::error::Error as _;
use std::os::unix::fs::symlink;

use super::*;
use crate::executor::{Here, Network};
use crate::lifecycle::exit::ExitCode;
use crate::lifecycle::tests::{Fake, Fixture, argument, order};

fn fixture(buildpacks: &[&str]) -> Fixture {
    let fixture = Fixture::new();
    for id in buildpacks {
        fixture.buildpack(id, "1", "");
    }
    fixture
}

fn run(fixture: &Fixture, order_text: &str, executor: &dyn Executor) -> Result<Detected, DetectError> {
    detect(&fixture.context(), &order(order_text), executor)
}

fn group(detected: &Detected) -> Vec<String> {
    detected.group.group.iter().map(|member| member.module().to_string()).collect()
}

#[test]
fn first_group_that_satisfies_wins() {
    let fixture = fixture(&["a", "b", "c", "d"]);
    let fake = Fake::default()
        .on("a/detect", |_, output| {
            output.write_all(b"no go.mod\n\n")?;
            Ok(100)
        })
        .passes(&fixture, "b", "[[provides]]\nname = 'x'")
        .passes(&fixture, "c", "[[requires]]\nname = 'x'\nmetadata.version = '1'")
        .passes(&fixture, "d", "[[provides]]\nname = 'unused'");
    let detected = run(&fixture, "a b c | b | b d? c | c", &fake).unwrap();
    assert_eq!(group(&detected), ["b@1", "c@1"]);
    assert_eq!((detected.considered, detected.group.group[0].api.as_str()), (3, "0.10"));
    assert_eq!(detected.plan.entries[0].requires[0].metadata["version"].as_str(), Some("1"));
    let results: Vec<String> = detected.results.iter().map(|result| result.module.to_string()).collect();
    assert_eq!(results, ["a@1", "b@1", "c@1", "d@1"]);
    assert_eq!(detected.results[0].last_line().as_deref(), Some("no go.mod"));
    for id in ["a", "b", "c", "d"] {
        assert_eq!(fake.commands(&format!("{id}/detect")).len(), 1, "{id}");
    }
}

#[test]
fn refusals_tell_why_each_group_was_given_up() {
    let fixture = fixture(&["a", "b", "c"]);
    let fake =
        Fake::default().on("a/detect", |_, _| Ok(100)).passes(&fixture, "b", "[[requires]]\nname = 'x'").on("c/detect", |_, _| Ok(100));
    let error = run(&fixture, "a b c? | a? c? | b", &fake).unwrap_err();
    assert_eq!(error.to_string(), "no group of buildpacks accepted the application");
    assert_eq!(ExitCode::of_detect(&error).code(), 20);
    let DetectError::NoGroup { attempts, results } = error else { panic!("{error:?}") };
    let refusals: Vec<String> = attempts.iter().map(|attempt| attempt.refusal.to_string()).collect();
    let expected = [
        "these did not pass: `a@1`",
        "all of its buildpacks are optional, and none passed",
        "`b@1` requires `x`, which no buildpack before it provides",
    ];
    assert_eq!(refusals, expected);
    let outcomes: Vec<String> = results.iter().map(|result| format!("{} {}", result.module.id, result.outcome)).collect();
    assert_eq!(outcomes, ["a declined", "b passed", "c declined"]);
}

#[test]
fn fault_is_no_refusal() {
    for (status, has_hint) in [(1, true), (2, true), (3, false)] {
        let fixture = fixture(&["a"]);
        let fake = Fake::default().on("a/detect", |_, _| Ok(status));
        let error = run(&fixture, "a", &fake).unwrap_err();
        assert_eq!(ExitCode::of_detect(&error), ExitCode::NoGroupWithErrors);
        let DetectError::NoGroup { results, .. } = error else { panic!("{error:?}") };
        let Outcome::Errored { status: ended, hint } = results[0].outcome else { panic!("{:?}", results[0].outcome) };
        assert_eq!((ended, hint.is_some()), (ExitStatus::Code(status), has_hint));
    }
}

#[test]
fn optional_fault_does_not_stop_the_group() {
    let fixture = fixture(&["a", "b"]);
    let fake = Fake::default().on("a/detect", |_, _| Ok(7)).passes(&fixture, "b", "");
    assert_eq!(group(&run(&fixture, "a? b", &fake).unwrap()), ["b@1"]);
}

fn only_outcome(result: Result<Detected, DetectError>) -> Outcome {
    match result {
        Err(DetectError::NoGroup { mut results, .. }) => results.remove(0).outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn invalid_plans_are_faults() {
    let fixture = fixture(&["a"]);
    let invalid = Fake::default().passes(&fixture, "a", "[[provides]]\nname = 1");
    let Outcome::InvalidPlan(error) = only_outcome(run(&fixture, "a", &invalid)) else { panic!() };
    assert_eq!(error.to_string(), "invalid `/scratch/detect-0/plan.toml`");
    assert_eq!(error.source().unwrap().to_string(), "line 2: invalid type: integer `1`, expected a string, in `provides.name`");

    let linked = Fake::default().on("a/detect", |command, _| {
        let plan = fixture.host(argument(command, 2));
        fs_err::remove_file(&plan)?;
        symlink("/etc/passwd", plan)?;
        Ok(0)
    });
    let Outcome::InvalidPlan(error) = only_outcome(run(&fixture, "a", &linked)) else { panic!() };
    assert_eq!(error.to_string(), "`/scratch/detect-0/plan.toml` is a symlink to `/etc/passwd`: it must be a file");

    let deleted = Fake::default().on("a/detect", |command, _| fs_err::remove_file(fixture.host(argument(command, 2))).map(|()| 0));
    assert_eq!(group(&run(&fixture, "a", &deleted).unwrap()), ["a@1"]);
}

#[test]
fn other_targets_are_not_asked_unless_optional() {
    let fixture = fixture(&["b"]);
    fixture.buildpack("a", "1", "[[targets]]\nos = 'windows'\narch = 'amd64'");
    let fake = Fake::default().passes(&fixture, "a", "").on("b/detect", |_, _| Ok(100));
    let error = run(&fixture, "a | b", &fake).unwrap_err();
    assert_eq!((fake.commands("a/detect").len(), ExitCode::of_detect(&error)), (0, ExitCode::NoGroupWithErrors));
    let Outcome::Unsupported { targets, wanted } = only_outcome(Err(error)) else { panic!() };
    assert_eq!((targets.as_str(), wanted.as_str()), ("windows/amd64", "linux/amd64:debian@13"));
    assert_eq!(group(&run(&fixture, "a | a? b?", &fake).unwrap()), ["a@1"]);

    let mut old = Fixture::new();
    old.api = "0.11".parse().unwrap();
    old.buildpack("a", "1", "[[targets]]\nos = 'windows'\narch = 'amd64'");
    let fake = Fake::default().passes(&old, "a", "");
    assert_eq!(group(&run(&old, "a", &fake).unwrap()), ["a@1"]);
}

#[test]
fn command_is_what_the_specification_says() {
    let fixture = Fixture::new();
    fixture.buildpack_with_api("0.12", "org/new", "1", "");
    fixture.buildpack_with_api("0.7", "old", "1", "clear-env = true");
    fixture.write("/platform/env/USER_SET", "yes");
    fixture.write("/platform/env/CNB_BUILDPACK_DIR", "stolen");
    fixture.write("/cnb/build-config/env/USER_SET", "default");
    fixture.write("/cnb/build-config/env/CONFIG_SET", "yes");
    let fake = Fake::default().passes(&fixture, "org_new", "").passes(&fixture, "old", "");
    run(&fixture, "org/new old", &fake).unwrap();

    let shown = |name: &str| {
        let command = fake.commands(name).remove(0);
        let arguments: Vec<String> = command.arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
        let variables: Vec<String> =
            command.environment.iter().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect();
        assert_eq!((command.network, command.working_folder.to_str()), (Network::None, Some("/workspace")));
        (arguments.join(" "), variables)
    };
    let (arguments, variables) = shown("org_new/detect");
    assert_eq!(arguments, "/cnb/buildpacks/org_new/1/bin/detect /platform /scratch/detect-0/plan.toml");
    let expected = [
        "CNB_BUILDPACK_DIR=/cnb/buildpacks/org_new/1",
        "CNB_BUILD_PLAN_PATH=/scratch/detect-0/plan.toml",
        "CNB_EXEC_ENV=production",
        "CNB_PLATFORM_DIR=/platform",
        "CNB_TARGET_ARCH=amd64",
        "CNB_TARGET_DISTRO_NAME=debian",
        "CNB_TARGET_DISTRO_VERSION=13",
        "CNB_TARGET_OS=linux",
        "CONFIG_SET=yes",
        "PATH=/usr/bin:/bin",
        "USER_SET=yes",
    ];
    assert_eq!(variables, expected);
    let (_, variables) = shown("old/detect");
    assert_eq!(variables, ["CNB_BUILDPACK_DIR=/cnb/buildpacks/old/1", "CONFIG_SET=yes", "PATH=/usr/bin:/bin", "USER_SET=default"]);
}

#[test]
fn unusable_order_or_buildpack_stops_before_anything_runs() {
    let fixture = fixture(&["a"]);
    fixture.buildpack_with_api("0.99", "new", "1", "");
    let fake = Fake::default().passes(&fixture, "a", "");
    let error = run(&fixture, "a | new", &fake).unwrap_err();
    assert_eq!((ExitCode::of_detect(&error), error.to_string().as_str()), (ExitCode::BuildpackApi, "cannot use buildpack `new@1`"));
    let error = run(&fixture, "a | none", &fake).unwrap_err();
    assert_eq!(ExitCode::of_detect(&error), ExitCode::Detect);
    assert!(fake.commands("a/detect").is_empty());
}

#[test]
fn output_is_kept_up_to_a_limit() {
    let fixture = fixture(&["a"]);
    let fake = Fake::default().on("a/detect", |_, output| {
        for _ in 0..1536 {
            output.write_all(&[b'x'; 1 << 10])?;
        }
        Ok(0)
    });
    assert_eq!(run(&fixture, "a", &fake).unwrap().results[0].output.len(), 1 << 20);
}

#[test]
fn real_programs_run_and_say_why_they_do_not() {
    let fixture = Fixture::with_real_paths();
    let detect = |id: &str| format!("/cnb/buildpacks/{id}/1/bin/detect");
    for id in ["good", "missing", "locked", "windows", "strange", "folder"] {
        fixture.buildpack(id, "1", "");
    }
    fixture.script(
        &detect("good"),
        "#!/bin/sh\necho in $(pwd)\necho '[[provides]]\nname = \"x\"\n[[requires]]\nname = \"x\"' > \"$CNB_BUILD_PLAN_PATH\"\n",
    );
    fixture.write(&detect("locked"), "#!/bin/sh\n");
    fixture.script(&detect("windows"), "#!/bin/sh\r\nexit 0\r\n");
    fixture.script(&detect("strange"), "#!/nowhere/python -u\n");
    fixture.write(&format!("{}/file", detect("folder")), "");

    let detected = run(&fixture, "good", &Here).unwrap();
    assert_eq!(detected.plan.entries[0].providers[0].id, "good");
    assert_eq!(detected.results[0].last_line().unwrap(), format!("in {}", fixture.host("/workspace").display()));

    let path = |id: &str| fixture.host(detect(id)).display().to_string();
    for (id, message) in [
        ("missing", format!("the buildpack has no `{}`", path("missing"))),
        ("locked", format!("`{}` is not executable", path("locked"))),
        (
            "windows",
            format!(
                r"the first line of `{}` ends in a carriage return, so that an interpreter `/bin/sh\r` is looked for: save it with Unix line ends",
                path("windows")
            ),
        ),
        ("strange", format!("cannot run `{}` with the interpreter `/nowhere/python -u`", path("strange"))),
        ("folder", format!("`{}` is not a file", path("folder"))),
    ] {
        let Outcome::CannotStart(error) = only_outcome(run(&fixture, id, &Here)) else { panic!("{id}") };
        assert_eq!(error.to_string(), message);
    }
}
