//! Ready artifacts: what a file is, which function is in it, and how it is unpacked. The first byte chooses its name.

#![no_main]

use std::path::Path;

use fnpack_core::package::{Artifact, ArtifactOptions, place};
use fnpack_core::root::Root;
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 5] = ["orders", "orders.jar", "orders.py", "orders.zip", "orders-1.0-py3-none-any.whl"];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let (Ok(folder), Ok(app), Ok(way)) = (tempfile::tempdir(), tempfile::tempdir(), tempfile::tempdir()) else { return };
    let path = folder.path().join(NAMES[usize::from(*first) % NAMES.len()]);
    if fs_err::write(&path, bytes).is_err() {
        return;
    }
    match (
        Artifact::read(&path, ArtifactOptions { class_name: None, strip_provided: true }),
        Root::open(app.path()),
        Root::open(way.path()),
    ) {
        (Ok(artifact), Ok(app), Ok(way)) => drop(place(&artifact, &app, Path::new("/pulsar/function"), &way)),
        (Err(error), ..) => drop(error.to_string()),
        _ => {}
    }
});
