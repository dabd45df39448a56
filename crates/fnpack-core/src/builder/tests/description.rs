//! Builders described and inspected.

use super::{Workshop, build_image};
use crate::builder::{BuilderDescription, Inspection, OrderEntry, OrderGroup, labels};

#[test]
fn description_of_what_is_no_builder_says_so() {
    let image = build_image(|_| {});
    assert_eq!(
        BuilderDescription::of(&image, "debian").unwrap_err().to_string(),
        "`debian` is not a builder: label `io.buildpacks.builder.metadata` is missing"
    );
    let image = build_image(|config| drop(config.config.labels.insert(labels::BUILDER_METADATA.into(), "[1".into())));
    assert_eq!(
        BuilderDescription::of(&image, "debian").unwrap_err().to_string(),
        "cannot read label `io.buildpacks.builder.metadata` of `debian`"
    );
}

#[test]
fn description_reads_labels_of_old_builders() {
    let image = build_image(|config| {
        let labels = &mut config.config.labels;
        labels.insert(
            labels::BUILDER_METADATA.into(),
            r#"{"buildpacks":null,"stack":{"runImage":{"image":"r","mirrors":null}},"lifecycle":{"version":"0.5.0"}}"#.into(),
        );
        labels.insert(labels::BUILDPACK_ORDER.into(), "null".into());
        labels.insert(labels::BUILDPACK_LAYERS.into(), "{}".into());
    });
    let image = image.with_config(|config| drop(config.config.labels.insert(labels::BUILDPACK_ORDER.into(), "[]".into())));
    let description = BuilderDescription::of(&image, "old").unwrap();
    assert_eq!(description.run_images()[0].image, "r");
    assert_eq!(Inspection::of(&description).build_env, None);
}

#[test]
fn inspection_resolves_nested_orders_and_stops_at_cycles() {
    let image = Workshop::new().create().unwrap().image;
    let mut description = BuilderDescription::of(&image, "b").unwrap();
    let shown = serde_json::to_value(Inspection::of(&description)).unwrap();
    let expected = serde_json::json!([{"buildpacks": [{"id": "a/all", "version": "2", "buildpacks": [{"buildpacks": [{"id": "a/go", "version": "1"}]}]}]}]);
    assert_eq!(shown["detection_order"], expected);
    assert_eq!(shown["build_env"][0]["name"], "GOFLAGS.append");
    assert_eq!(shown["user"], serde_json::json!({"uid": 10000, "gid": 10001}));

    let all = description.buildpacks.get_mut("a/all").unwrap().get_mut("2").unwrap();
    let itself = OrderEntry { id: "a/all".into(), ..OrderEntry::default() };
    all.order = vec![OrderGroup { group: vec![itself.clone(); 3] }];
    let shown = Inspection::of(&description);
    let inner = &shown.detection_order[0].buildpacks[0].groups[0].buildpacks;
    assert!(inner.iter().all(|entry| entry.cyclic && entry.groups.is_empty()));
}

#[test]
fn inspection_of_an_exploding_order_is_cut() {
    let image = Workshop::new().create().unwrap().image;
    let mut description = BuilderDescription::of(&image, "b").unwrap();
    let template = description.buildpacks["a/all"]["2"].clone();
    for level in 0..40 {
        let below = OrderEntry { id: format!("level/{}", level + 1), ..OrderEntry::default() };
        let layer = labels::ModuleLayer { order: vec![OrderGroup { group: vec![below; 10] }], ..template.clone() };
        description.buildpacks.insert(format!("level/{level}"), [("1".to_owned(), layer)].into());
    }
    description.order = vec![OrderGroup { group: vec![OrderEntry { id: "level/0".into(), ..OrderEntry::default() }] }];
    let text = serde_json::to_string(&Inspection::of(&description)).unwrap();
    assert!(text.contains("\"cut\":true") && text.len() < 1_000_000, "{}", text.len());
}
