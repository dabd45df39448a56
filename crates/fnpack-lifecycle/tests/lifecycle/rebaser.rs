//! The rebaser.

use fnpack_core::lifecycle::api::PlatformApi;
use serde_json::json;

use crate::support::{Container, client, label, run_image};

#[test]
fn rebaser_swaps_the_base_and_nothing_else() {
    for api in PlatformApi::advertised() {
        let text: &'static str = Box::leak(api.to_string().into_boxed_str());
        let container = Container::with_buildpacks(text);
        container.create(&[]).success();
        let before = container.image("function");
        container.push_run_image("run", "a newer base");
        let (name, report) = (container.name("function"), container.path("report.toml").display().to_string());
        // The name that is recorded first cannot be reached; its mirror can.
        container.call("rebaser", ["-report", &report, &name, &container.name("function:next")]).success();
        let after = container.image("function");
        assert_ne!(after.layers()[0].diff_id, before.layers()[0].diff_id);
        assert_eq!(after.diff_ids()[1..], before.diff_ids()[1..]);
        assert_eq!(label(&after, "io.buildpacks.lifecycle.metadata")["runImage"]["topLayer"], json!(after.layers()[0].diff_id));
        assert_eq!(container.image("function:next").digest(), after.digest());
        assert!(fs_err::read_to_string(report).unwrap().contains(&after.digest().to_string()));
    }
}

#[test]
fn rebaser_refuses_what_does_not_fit() {
    let container = Container::with_buildpacks("0.15");
    container.create(&[]).success();
    let other = run_image("other")
        .with_config(|config| drop(config.config.labels.insert("io.buildpacks.base.distro.version".to_owned(), "12".to_owned())));
    client().push(&other, &container.reference("other")).unwrap();
    let (name, other) = (container.name("function"), container.name("other"));
    container.call("rebaser", ["-run-image", &other, &name]).ends(72, "ERROR: failed to rebase: `");
    container.call("rebaser", ["-force", "-run-image", &other, &name]).success();
    container.call("rebaser", ["-run-image", &other, &container.name("run")]).ends(72, "ERROR: failed to rebase: `");
    container.call("rebaser", ["-run-image", &other, &container.name("nothing")]).ends(72, "ERROR: failed to rebase: there is no image");
    container.call("rebaser", [""; 0]).ends(3, "ERROR: failed to parse arguments: at least one image argument is required");
}
