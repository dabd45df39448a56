//! Same source, builder and runner: same digest, wherever and whenever.

use std::path::Path;
use std::process::Command;

use super::environment::{Environment, bash_builder};

const BUILD: &str = "\
mkdir -p $1/dependency/bin
umask > $1/dependency/build-umask
cp data $1/dependency/bin/tool
printf '[types]\\nlaunch = true\\ncache = true\\n' > $1/dependency.toml
pwd > where
rm data
cat > $1/launch.toml <<'TOML'
[[processes]]
type = \"show\"
command = [\"cat\", \"where\"]
default = true
TOML
";

fn source(folder: &Path) {
    fs_err::create_dir_all(folder.join("sub")).unwrap();
    fs_err::write(folder.join("data"), "contents").unwrap();
    fs_err::write(folder.join("sub/more"), "contents").unwrap();
}

fn digest(reference: &str) -> &str {
    reference.rsplit_once('@').unwrap().1
}

#[test]
fn digest_does_not_depend_on_store_umask_time_zone_or_path() {
    let Some(environment) = Environment::with_base() else { return };
    bash_builder(&environment, "same/builder", "exit 0", BUILD);
    source(&environment.path().join("function"));
    let first = environment.call("build same/function function -B same/builder").success();

    source(&environment.path().join("a/longer path/to it"));
    let script = "umask 077; export TZ=Pacific/Kiritimati LC_ALL=C; exec \"$0\" build same/other 'a/longer path/to it' -B same/builder";
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_fnpack")).current_dir(environment.path());
    shell.env("HOME", environment.path().join("home")).env("FNPACK_STORE", environment.store());
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(digest(&first), digest(String::from_utf8(output.stdout).unwrap().trim()));

    let other = Environment::empty();
    for name in ["same/builder", "test/run"] {
        let tar = environment.path().join("moved.tar");
        environment.fnpack(["image", "save", "-o", tar.to_str().unwrap(), name]).success();
        other.fnpack(["image", "load", tar.to_str().unwrap()]).success();
    }
    source(&other.path().join("function"));
    let second = other.call("build same/function function -B same/builder").success();
    assert_eq!(digest(&first), digest(&second));
}

#[test]
fn builder_is_the_same_bytes_each_time() {
    let Some(environment) = Environment::with_base() else { return };
    bash_builder(&environment, "same/twice:1", "exit 0", BUILD);
    let first = environment.call("builder create same/twice:1 -c builder.toml").success();
    let second = environment.call("builder create same/twice:2 -c builder.toml").success();
    assert_eq!(digest(&first), digest(&second));
}

#[test]
fn builds_at_the_same_time_do_not_disturb_each_other() {
    let Some(environment) = Environment::with_base() else { return };
    bash_builder(&environment, "same/many", "exit 0", BUILD);
    source(&environment.path().join("function"));
    // Two of each name: builds of one image race for its name and its cache as well.
    let digests: Vec<String> = std::thread::scope(|scope| {
        let builds = (0..6).map(|number| {
            let (environment, arguments) = (&environment, format!("build same/many-{} function -B same/many", number % 3));
            scope.spawn(move || environment.call(&arguments).success())
        });
        let builds: Vec<_> = builds.collect();
        builds.into_iter().map(|build| digest(&build.join().unwrap()).to_owned()).collect()
    });
    assert!(digests.iter().all(|other| *other == digests[0]), "{digests:?}");
    environment.call("store check").success();
}
