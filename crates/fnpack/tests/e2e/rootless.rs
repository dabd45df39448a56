//! The same as root and as a user with a range of ids.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use testkit::engine::{Engine, Kind};

use super::custom::buildpack;
use super::environment::{Environment, Outcome, bash_builder, cache};

const USER: &str = "fnpack-test";

/// Ids of the user that `./test` makes; `None` when we are not root and so cannot become it.
fn user() -> Option<(u32, u32)> {
    cache()?;
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "the rootless tests are started as root");
        eprintln!("skipped: only root can become another user");
        return None;
    }
    let passwd = fs_err::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with(&format!("{USER}:"))).expect("./test makes the user fnpack-test");
    let fields: Vec<&str> = line.split(':').collect();
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}

fn give(path: &Path, (uid, gid): (u32, u32)) {
    chown(path, Some(uid), Some(gid)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        for entry in fs_err::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), (uid, gid));
        }
    }
}

fn as_user(environment: &Environment, arguments: &[&str]) -> Outcome {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--init-groups", "--inh-caps=-all"]).arg(env!("CARGO_BIN_EXE_fnpack")).args(arguments);
    command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").env("USER", USER);
    command.env("HOME", environment.path().join("home")).env("FNPACK_STORE", environment.store()).current_dir(environment.path());
    command.output().unwrap().into()
}

#[test]
fn user_with_a_range_builds_the_same_digest_as_root() {
    let (Some(root), Some(ids)) = (Environment::with_base(), user()) else { return };
    let build = "mkdir $1/a; cp data $1/a/; printf '[types]\\nlaunch = true\\n' > $1/a.toml; chmod 600 data";
    root.write("bp/of-the-builder", "");
    bash_builder(&root, "rootless/builder", "exit 0", build);
    root.write("function/data", "contents");
    let as_root = root.call("build rootless/function function -B rootless/builder").success();

    let environment = Environment::empty();
    environment.write("function/data", "contents");
    for name in ["rootless/builder", "test/run"] {
        let tar = environment.path().join("moved.tar");
        root.fnpack(["image", "save", "-o", tar.to_str().unwrap(), name]).success();
        give(environment.path(), ids);
        as_user(&environment, &["image", "load", tar.to_str().unwrap()]).success();
    }
    give(environment.path(), ids);
    let rootless = as_user(&environment, &["build", "rootless/function", "function", "-B", "rootless/builder"]).success();
    assert_eq!(as_root.rsplit_once('@').unwrap().1, rootless.rsplit_once('@').unwrap().1);
    let owner = as_user(
        &environment,
        &["run", "--raw", "rootless/function", "--entrypoint", "stat", "--", "-c", "%u:%g:%a", "/pulsar/function/data"],
    )
    .success();
    assert_eq!(owner, "10000:10001:600");

    // A buildpack of one's own takes the place of the builder's of that name, whoever mounts it.
    buildpack(&environment, "own", "example/bash", "ls -A $CNB_BUILDPACK_DIR > seen");
    give(&environment.path().join("own"), ids);
    as_user(&environment, &["build", "rootless/own", "function", "-B", "rootless/builder", "-b", "own"]).success();
    let seen = as_user(&environment, &["run", "--raw", "rootless/own", "--entrypoint", "cat", "--", "/pulsar/function/seen"]);
    assert_eq!(seen.success(), "bin\nbuildpack.toml");
    environment_cleanup(&environment);
}

#[test]
fn user_with_a_range_builds_from_a_dockerfile() {
    let (Some(root), Some(ids)) = (Environment::with_base(), user()) else { return };
    let environment = Environment::empty();
    let tar = environment.path().join("moved.tar");
    root.fnpack(["image", "save", "-o", tar.to_str().unwrap(), "test/run"]).success();
    environment.write("context/Dockerfile", "FROM test/run\nUSER root\nRUN id -u > /id && touch /owned && chown 10000:10001 /owned\n");
    give(environment.path(), ids);
    as_user(&environment, &["image", "load", tar.to_str().unwrap()]).success();
    as_user(&environment, &["image", "build", "-t", "rootless/made", "context"]).success();
    let owner = as_user(&environment, &["run", "--raw", "rootless/made", "--entrypoint", "stat", "--", "-c", "%u:%g", "/owned"]).success();
    assert_eq!(owner, "10000:10001");
    environment_cleanup(&environment);
}

/// Snapshots belong to mapped ids: root removes them before the folder is dropped.
#[test]
fn group_that_may_use_the_engine_may_load_into_it() {
    let Some(ids) = user() else { return };
    let (environment, engine) = (Environment::empty(), Engine::new(Kind::Docker));
    environment.write("context/Dockerfile", "FROM scratch\nCOPY Dockerfile /file\n");
    give(environment.path(), ids);
    let group = 4242;
    chown(engine.socket(), None, Some(group)).unwrap();
    fs_err::set_permissions(engine.socket(), Permissions::from_mode(0o660)).unwrap();
    fs_err::set_permissions(engine.socket().parent().unwrap(), Permissions::from_mode(0o755)).unwrap();
    let load = |groups: &[&str]| -> Outcome {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", USER, "--regid", USER, "--inh-caps=-all"]).args(groups).arg(env!("CARGO_BIN_EXE_fnpack"));
        command.args(["image", "build", "-t", "app:1", "--load", "context"]).env("DOCKER_HOST", engine.host());
        command.env("HOME", environment.path().join("home")).env("FNPACK_STORE", environment.store()).current_dir(environment.path());
        command.output().unwrap().into()
    };
    let error = load(&["--clear-groups"]).failure(4);
    assert!(error.contains("may not use the engine") && error.contains("group `docker`"), "{error}");
    load(&["--groups", &group.to_string()]).success();
    assert!(engine.id_of("app:1").is_some());
    environment_cleanup(&environment);
}

fn environment_cleanup(environment: &Environment) {
    fs_err::remove_dir_all(environment.store()).unwrap();
}

/// Runs as a user who has no range of ids, only its own.
fn as_nobody(environment: &Environment, arguments: &[&str]) -> Outcome {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all"])
        .arg(env!("CARGO_BIN_EXE_fnpack"))
        .args(arguments);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", environment.path().join("home"));
    command.env("FNPACK_STORE", environment.store()).current_dir(environment.path());
    command.output().unwrap().into()
}

#[test]
fn user_with_a_single_id_builds_the_same_digest_and_is_refused_root() {
    let (Some(root), Some(_)) = (Environment::with_base(), user()) else { return };
    bash_builder(
        &root,
        "single/builder",
        "exit 0",
        "mkdir $1/a; cp data $1/a/; printf '[types]\\nlaunch = true\\n' > $1/a.toml; chmod 600 data",
    );
    root.write("function/data", "contents");
    let as_root = root.call("build single/function function -B single/builder").success();

    let environment = Environment::empty();
    environment.write("function/data", "contents");
    environment.write("context/Dockerfile", "FROM test/run\nUSER root\nRUN chown 10000 /etc/passwd\n");
    for name in ["single/builder", "test/run"] {
        let tar = environment.path().join("moved.tar");
        root.fnpack(["image", "save", "-o", tar.to_str().unwrap(), name]).success();
        give(environment.path(), (65534, 65534));
        as_nobody(&environment, &["image", "load", tar.to_str().unwrap()]).success();
    }
    give(environment.path(), (65534, 65534));
    let single = as_nobody(&environment, &["build", "single/function", "function", "-B", "single/builder"]).success();
    assert_eq!(as_root.rsplit_once('@').unwrap().1, single.rsplit_once('@').unwrap().1);
    let error = as_nobody(&environment, &["image", "build", "-t", "single/made", "context"]).failure(5);
    assert!(error.contains("only one user id"), "{error}");
    environment_cleanup(&environment);
}
