//! The lifecycle inside our builders, called as a platform such as kpack calls it.

use std::os::unix::fs::chown;

use super::environment::{Environment, bash_builder, user_is_root};

#[test]
fn creator_in_the_builder_makes_the_image_for_both_platform_apis() {
    let Some(environment) = Environment::with_base() else { return };
    if !user_is_root() {
        return;
    }
    let start = "cat > $1/launch.toml <<'TOML'\n[[processes]]\ntype = \"show\"\ncommand = [\"/bin/cat\", \"/workspace/file\"]\ndefault = true\nTOML\n";
    bash_builder(&environment, "creator/builder", "exit 0", start);
    let registry = testkit::registry::Registry::new();
    let run_image = format!("{}/creator/run:1", registry.host());
    environment.fnpack(["image", "push", "test/run", &run_image]).success();
    for api in ["0.9", "0.15"] {
        let source = environment.path().join(format!("source-{api}"));
        environment.write(&format!("source-{api}/file"), "made by the creator");
        for path in [source.clone(), source.join("file")] {
            chown(path, Some(10000), Some(10001)).unwrap();
        }
        let name = format!("{}/creator/function:{api}", registry.host());
        let (volume, api) = (format!("{}:/workspace:rw", source.display()), format!("CNB_PLATFORM_API={api}"));
        let container =
            ["run", "--raw", "creator/builder", "--volume", &volume, "-e", &api, "--entrypoint", "/cnb/lifecycle/creator", "--"];
        environment.fnpack(container.iter().chain(&["-app", "/workspace", "-run-image", &run_image, &name])).success();
        environment.fnpack(["image", "pull", &name]).success();
        assert_eq!(environment.fnpack(["run", "--raw", &name]).success(), "made by the creator");
    }
}
