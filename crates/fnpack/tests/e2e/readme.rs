//! Every command that the README shows in a `console` block is run as it stands.

use super::environment::{cache, repository};
use super::golang::{build, example, tree};

#[test]
fn commands_of_the_readme_work_as_they_stand() {
    let Some(environment) = tree() else { return };
    let readme = fs_err::read_to_string(repository().join("README.md")).unwrap();
    assert!(readme.lines().count() <= 150, "the README has {} lines", readme.lines().count());
    // What the README's first lines take for granted: the module from the file-system GOPROXY is in the build's cache.
    build(&environment, "my-function", &example(), &[]).success();
    environment.fnpack(["image", "tag", "stack/go-runner", "stack/go-runner:next"]).success();

    let mut commands = Vec::new();
    let mut console = false;
    for line in readme.lines() {
        match (line, line.strip_prefix("$ fnpack ")) {
            ("```console", _) => console = true,
            ("```", _) => console = false,
            (_, Some(command)) if console => commands.push(command),
            _ if console => panic!("not a command: {line}"),
            _ => {}
        }
    }
    assert!(commands.len() > 15, "{commands:?}");
    let rootfs = environment.path().join("rootfs.tar");
    std::os::unix::fs::symlink(cache().unwrap().join("debian-trixie.tar"), rootfs).unwrap();
    for folder in ["examples", "stack", "builders", "buildpacks"] {
        std::os::unix::fs::symlink(repository().join(folder), environment.path().join(folder)).unwrap();
    }
    for command in commands {
        let outcome = environment.call(command);
        assert_eq!(outcome.code, Some(0), "fnpack {command}\n{}", outcome.stderr);
    }
}
