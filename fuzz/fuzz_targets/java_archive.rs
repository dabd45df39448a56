//! Jars and NARs: their classes, and jars written anew from them.

#![no_main]

use std::path::PathBuf;

use fnpack_artifact::java::{JavaArchive, fat_jar, is_union, thin_jar};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for the jar");
    let path = folder.path().join("function.jar");
    fs_err::write(&path, bytes).expect("the jar is written");
    let libraries: [PathBuf; 1] = [path.clone()];
    let Ok(archive) = JavaArchive::read(&path, &libraries) else { return };
    for function in archive.functions() {
        assert_eq!(archive.function(&function.name).as_ref(), Ok(&function), "found by its name");
    }
    let _ = archive.near_misses();
    let _ = is_union(&path, &libraries);
    let thin = folder.path().join("thin.jar");
    if thin_jar(&path, &["lib/a.jar".to_owned()], true, &thin).is_ok() {
        let again = folder.path().join("again.jar");
        thin_jar(&thin, &["lib/a.jar".to_owned()], true, &again).expect("what was written is read");
        assert!(fs_err::read(&thin).expect("written") == fs_err::read(&again).expect("written"), "bytes repeat");
        let _ = fat_jar(&thin, &libraries, &folder.path().join("fat.jar"));
    }
});
