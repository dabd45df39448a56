//! The files that buildpacks and phases write.

#![no_main]

use fnpack_core::lifecycle::analyze::Analyzed;
use fnpack_core::lifecycle::api::BuildpackApi;
use fnpack_core::lifecycle::files::{build, group, launch, layer, metadata, order, plan, project_metadata, run, stack, store};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let lines = text.matches('\n').count() + 1;
    let errors = [
        build::parse(text).err(),
        group::parse(text).err(),
        launch::parse(text, BuildpackApi::OLDEST, "a").err(),
        launch::parse(text, BuildpackApi::NEWEST, "a").err(),
        layer::parse(text).err(),
        metadata::parse(text).err(),
        order::parse(text).err(),
        plan::parse_build_plan(text).err(),
        plan::parse_plan(text).err(),
        project_metadata::parse(text).err(),
        run::parse(text).err(),
        stack::parse(text).err(),
        store::parse(text).err(),
    ];
    for error in errors.into_iter().flatten() {
        assert!((1..=lines).contains(&error.line), "{error}");
    }
    if let Ok(analyzed) = Analyzed::parse(text) {
        Analyzed::parse(&analyzed.encode()).expect("what we write we can read");
    }
});
