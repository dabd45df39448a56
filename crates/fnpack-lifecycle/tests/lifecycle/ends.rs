//! How calls end that cannot do their work: the codes and words that platforms know.

use testkit::registry::Fault;

use crate::support::{Container, is_root, outcome};

/// Arguments, variables, how the last line starts.
type Case = (&'static [&'static str], &'static [(&'static str, &'static str)], &'static str);

#[test]
fn version_of_the_platform_comes_first() {
    let container = Container::new("0.15");
    let run = |program: &str, api: Option<&str>, arguments: &[&str]| {
        let mut command = container.command(program);
        command.args(arguments);
        match api {
            Some(api) => command.env("CNB_PLATFORM_API", api),
            None => command.env_remove("CNB_PLATFORM_API"),
        };
        outcome(&mut command)
    };
    let version = format!("{}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run("lifecycle", None, &["-version"]).success(), version);
    assert_eq!(run("creator", Some("0.9"), &["-version"]).success(), version);
    run("creator", None, &["-version"]).ends(11, "ERROR: failed to set platform API: CNB_PLATFORM_API is not set");
    run("creator", Some(" "), &[]).ends(11, "ERROR: failed to set platform API: CNB_PLATFORM_API is not set");
    run("creator", Some("0.6"), &["-nothing"]).ends(11, "ERROR: failed to set platform API: Platform API `0.6` is not supported");
    run("lifecycle", None, &["launch"]).ends(3, "ERROR: failed to parse arguments: unknown phase `launch`");
    run("extender", Some("0.15"), &[]).ends(3, "ERROR: failed to start: this lifecycle has no phase `extender`");
}

#[test]
fn wrong_flags_end_as_gos_do() {
    let container = Container::new("0.9");
    for (arguments, message) in [
        (&["-nothing"][..], "flag provided but not defined: -nothing"),
        (&["-run", "x"], "flag provided but not defined: -run"),
        (&["-uid", "root"], "invalid value `root` for flag -uid"),
        (&["-app"], "flag needs an argument: -app"),
    ] {
        let ended = container.call("creator", arguments);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.starts_with(&format!("{message}\nUsage of creator:\n  -app string\n")), "{ended:?}");
    }
    let help = container.call("creator", ["-help"]);
    assert_eq!((help.code, help.stderr.starts_with("Usage of creator:")), (Some(0), true));
}

#[test]
fn wrong_arguments_are_named() {
    let container = Container::with_buildpacks("0.15");
    let cases: [Case; 12] = [
        (&[], &[], "failed to parse arguments: received 0 arguments, but expected 1"),
        (&["a", "b"], &[], "failed to parse arguments: received 2 arguments, but expected 1"),
        (&["Team/Function"], &[], "failed to parse arguments: invalid image reference `Team/Function`: a repository name is lower case"),
        (&["-tag", "ghcr.io/a/b", "localhost/a"], &[], "failed to parse arguments: writing to several registries is not supported"),
        (&["-previous-image", "-", "a"], &[], "failed to parse arguments: invalid image reference `-`"),
        (&["-daemon", "a"], &[], "failed to start: `-daemon` is not supported: this lifecycle works with registries and needs no daemon"),
        (&["a"], &[("CNB_USE_DAEMON", "true")], "failed to start: `-daemon` is not supported"),
        (&["a"], &[("CNB_USE_LAYOUT", "1")], "failed to start: `-layout` is not supported"),
        (&["-cache-image", "-", "a"], &[], "failed to parse arguments: invalid image reference `-`"),
        (&["-log-level", "loud", "a"], &[], "failed to set log level: `loud` is no log level"),
        (&["a"], &[("CNB_LOG_LEVEL", "loud")], "failed to set log level: `loud` is no log level"),
        (&["a@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"], &[], "failed to parse arguments: `a@sha256:2cf2"),
    ];
    for (arguments, variables, message) in cases {
        outcome(container.command("creator").envs(variables.iter().copied()).args(arguments)).ends(3, &format!("ERROR: {message}"));
    }
    container.call_as_build_user("detector", &["a"]).ends(3, "ERROR: failed to parse arguments: received unexpected arguments");
    let time = outcome(container.creator(&[]).env("SOURCE_DATE_EPOCH", "now").arg(container.name("function")));
    time.ends(3, "ERROR: failed to parse arguments: SOURCE_DATE_EPOCH is `now`");
    let login = outcome(container.creator(&[]).env("CNB_REGISTRY_AUTH", "{").arg(container.name("function")));
    login.ends(1, "ERROR: failed to resolve keychain: cannot use the registry logins: cannot read the logins in `CNB_REGISTRY_AUTH`");
}

#[test]
fn needs_root_refusals_of_root() {
    if !is_root() {
        assert!(std::env::var_os("CI").is_none(), "tests run as root in CI");
        return;
    }
    let container = Container::with_buildpacks("0.15");
    for (program, verb) in [("detector", "detect"), ("builder", "build")] {
        container.call(program, [""; 0]).ends(1, &format!("ERROR: failed to {verb}: refusing to run as root"));
    }
    let nobody = outcome(container.creator(&[]).env_remove("CNB_USER_ID").arg(container.name("function")));
    nobody.ends(3, "ERROR: failed to parse arguments: `-uid` and `-gid`, or CNB_USER_ID and CNB_GROUP_ID, must say who runs the build");
}

#[test]
fn failures_of_analyze_come_before_the_build() {
    let container = Container::with_buildpacks("0.15");
    container
        .create(&["-run-image", &container.name("nothing")])
        .ends(32, "ERROR: failed to find the run image: cannot read the run image");
    fs_err::remove_file(container.path("cnb/run.toml")).unwrap();
    let message = "ERROR: failed to find the run image: `-run-image` is required when there is no run metadata available";
    container.create(&[]).ends(32, message);
    container.write("cnb/run.toml", "[[images]]\nimage = 'mirror.invalid/run'\n");
    container.create(&[]).ends(32, "ERROR: failed to find the run image: none of the run images `mirror.invalid/run` is accessible");
    container.registry.fault(Fault::status("POST", "/blobs/uploads/", 403));
    container.create(&["-run-image", &container.name("run")]).ends(32, "ERROR: failed to analyze: ensure registry read/write access to `");
}

#[test]
fn failures_of_detect_have_codes_of_their_own() {
    let container = Container::new("0.15");
    container.push_run_image("run", "base");
    container.create(&[]).ends(22, "ERROR: failed to detect: `");
    container.only_buildpack("0.10", "echo not mine; exit 100", "");
    container.create(&["-app", "/nowhere"]).ends(22, "ERROR: failed to detect: cannot open folder `/nowhere`");
    let declined = container.create(&[]);
    declined.ends(20, "ERROR: failed to detect: no buildpack accepted the application");
    for line in [
        "======== Output: test/only@1 ========\nnot mine\n",
        "\nfail: test/only@1: declined\n",
        "Please check that you are running against the correct path.\nERROR: No buildpack groups passed detection.\n",
    ] {
        assert!(declined.stdout.contains(line), "{line}\n{}", declined.stdout);
    }
    container.only_buildpack("0.10", "exit 7", "");
    container.create(&[]).ends(21, "ERROR: failed to detect: no buildpack accepted the application");
    container.only_buildpack("0.99", "exit 0", "");
    container.create(&[]).ends(12, "ERROR: failed to detect: cannot use buildpack `test/only@1`: Buildpack API `0.99` is not supported");
    container.write("cnb/order.toml", "[[order-extensions]]\ngroup = [{ id = 'e', version = '1' }]\n");
    container.create(&[]).ends(22, "ERROR: failed to detect: cannot use the order of the buildpacks: the order has image extensions");
}

#[test]
fn failures_of_build_and_export_have_codes_of_their_own() {
    let container = Container::new("0.15");
    container.push_run_image("run", "base");
    container.only_buildpack("0.10", "exit 0", "echo working; exit 3");
    let failed = container.create(&[]);
    failed.ends(51, "ERROR: failed to build: buildpack `test/only` 1 failed while building (exit status 3)");
    assert!(failed.stdout.contains("\nworking\n"), "{failed:?}");
    container.only_buildpack("0.10", "exit 0", "echo '[[' > $1/launch.toml");
    container.create(&[]).ends(52, "ERROR: failed to build: buildpack `test/only@1` left something that cannot be used");
    container.only_buildpack("0.10", "exit 0", "rm -f $1/*.toml");
    container.create(&["-process-type", "web"]).ends(62, "ERROR: failed to export: there is no process type `web`, only none");
    assert!(container.registry.manifest("function", "latest").is_none());
}
