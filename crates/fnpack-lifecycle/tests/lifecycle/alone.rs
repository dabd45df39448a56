//! The phases one by one, as platforms run them that do not trust buildpacks.

use fnpack_core::lifecycle::api::PlatformApi;

use crate::support::Container;

#[test]
fn phases_alone_make_the_image_of_the_creator() {
    for api in PlatformApi::advertised() {
        let text: &'static str = Box::leak(api.to_string().into_boxed_str());
        let container = Container::with_buildpacks(text);
        container.create(&[]).success();
        let expected = container.image("function").digest();
        let cache = container.path("cache").display().to_string();
        let launcher = container.path("cnb/lifecycle/launcher").display().to_string();
        for round in 1..=2 {
            container.forget_layers();
            let name = container.name("alone");
            container.call("analyzer", [&name]).success();
            container.call_as_build_user("detector", &[]).success();
            let restored = container.call("restorer", ["-cache-dir", &cache]).success();
            let built = container.call_as_build_user("builder", &[]).success();
            let exported = container.call("exporter", ["-cache-dir", &cache, "-launcher", &launcher, &name]).success();
            assert_eq!(restored.contains("Restoring data for"), round == 2, "{restored}");
            assert_eq!(built.contains("cache 7 hit") && built.contains("sbom 7 back"), round == 2, "{built}");
            assert!(exported.contains("*** Images (sha256:"), "{exported}");
            for file in ["analyzed.toml", "group.toml", "plan.toml", "report.toml", "config/metadata.toml"] {
                assert!(container.path("layers").join(file).is_file(), "{file}");
            }
            assert_eq!(container.image("alone").digest(), expected, "{api} round {round}");
        }
    }
}

#[test]
fn phases_are_subcommands_too() {
    let container = Container::with_buildpacks("0.15");
    container.call("lifecycle", ["analyze", &container.name("function")]).success();
    let analyzed = fs_err::read_to_string(container.path("layers/analyzed.toml")).unwrap();
    assert!(analyzed.contains("[run-image.target.distro]") && analyzed.contains("/run:latest@sha256:"), "{analyzed}");
}

#[test]
fn phases_name_the_file_that_they_miss() {
    let container = Container::with_buildpacks("0.15");
    let layers = container.path("layers");
    let missing = |file: &str| format!("`{}` is missing", layers.join(file).display());
    container.call("restorer", [""; 0]).ends(42, &format!("ERROR: failed to restore: {}", missing("group.toml")));
    container.call_as_build_user("builder", &[]).ends(52, &format!("ERROR: failed to build: {}", missing("group.toml")));
    let name = container.name("function");
    container.call("exporter", [&name]).ends(62, &format!("ERROR: failed to export: {}", missing("group.toml")));
    container.write("layers/group.toml", "[[group]]\nid = 'a'\nversion = '1'\napi = '0.99'\n");
    for (program, arguments) in [("restorer", vec![]), ("exporter", vec![name])] {
        container.call(program, arguments).ends(12, "ERROR: failed to set API for buildpack `a@1`: Buildpack API `0.99` is not supported");
    }
    container.write("layers/group.toml", "[[group]]\nid = 7\n");
    container.call("restorer", [""; 0]).ends(42, "ERROR: failed to restore: invalid `");
}
