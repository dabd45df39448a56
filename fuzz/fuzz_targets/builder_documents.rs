//! `builder.toml` and `buildpack.toml`.

#![no_main]

use std::path::Path;

use fnpack_core::builder::{BuilderToml, BuildpackToml};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for error in [BuilderToml::parse("builder.toml", text, Path::new("/")).err(), BuildpackToml::parse("buildpack.toml", text).err()] {
        let _ = error.map(|error| error.to_string());
    }
});
