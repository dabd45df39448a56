//! What Pulsar runs of Python: sources, zips and wheels, and the names and files in them.

#![no_main]

use fnpack_artifact::python::wheel::{Metadata, WheelName, fits, tags_of};
use fnpack_artifact::python::wheel::{Runtime, Version};
use fnpack_artifact::python::{SourceFile, facts, python_fits, recorded_files};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = SourceFile::parse(&text);
    let _ = Metadata::parse(&text);
    let _ = recorded_files(&text).count();
    let _ = python_fits(&text, Version(3, 13));
    let runtime = Runtime { python: Version(3, 13), libc: None, libc_version: None, arch: "amd64".to_owned() };
    let _ = fits(&tags_of(&text), &runtime);
    let _ = text.parse::<WheelName>();

    let folder = tempfile::tempdir().expect("a folder for the archive");
    for name in ["fn.zip", "fn-1-cp313-cp313-manylinux_2_17_x86_64.whl"] {
        let path = folder.path().join(name);
        fs_err::write(&path, bytes).expect("the archive is written");
        let _ = facts(&path, None);
    }
});
