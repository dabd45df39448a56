//! A root file system that becomes an image's layer, and is then read as one.

#![no_main]

use fnpack_core::archive::rootfs::{ImportOptions, import};
use fnpack_core::image::MemoryBlobs;
use fnpack_core::layers::apply::{ApplyOptions, apply};
use fnpack_core::layers::decompress::decompress;
use fnpack_core::root::Root;
use fnpack_core::target::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Larger bombs say nothing that this one does not.
    if bytes.len() > 64 << 10 {
        return;
    }
    let Ok(image) = import(bytes, &ImportOptions::new(Target::of_this_program()), &MemoryBlobs::default()) else { return };
    let folder = tempfile::tempdir().expect("a folder to apply to");
    let root = Root::open(folder.path()).expect("the folder made above");
    for layer in image.layers() {
        let blob = layer.blob.open().expect("it is in memory");
        let tar = decompress(blob).expect("what was packed can be unpacked");
        let _ = apply(tar, &root, &ApplyOptions { single_id: true, ..ApplyOptions::default() });
    }
    for entry in root.read_dir("").unwrap_or_default() {
        let _ = root.remove_all(&entry.name);
    }
});
