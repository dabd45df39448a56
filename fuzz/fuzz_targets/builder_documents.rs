//! `builder.toml`, `buildpack.toml` and `project.toml`.

#![no_main]

use std::path::Path;

use fnpack_core::builder::{BuilderToml, BuildpackToml};
use fnpack_core::project::ProjectToml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for error in [BuilderToml::parse("builder.toml", text, Path::new("/")).err(), BuildpackToml::parse("buildpack.toml", text).err()] {
        let _ = error.map(|error| error.to_string());
    }
    if let Ok(project) = ProjectToml::parse("project.toml", text, Path::new("/")) {
        let _ = project.selection.takes(Path::new("a/b"), false);
    }
});
