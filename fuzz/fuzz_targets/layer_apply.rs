//! A layer's tar, applied to a folder.

#![no_main]

use fnpack_core::layers::apply::{ApplyOptions, apply};
use fnpack_core::root::Root;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder to apply to");
    let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
    for path in [&inside, &outside] {
        fs_err::create_dir(path).expect("a folder in it");
    }
    let root = Root::open(&inside).expect("the folder made above");
    let options = ApplyOptions { single_id: true, max_entries: 1000 };
    let _ = apply(bytes, &root, &options);
    assert_eq!(fs_err::read_dir(&outside).expect("it was not removed").count(), 0);
    assert_eq!(fs_err::read_dir(folder.path()).expect("it was not removed").count(), 2);
    drop(root);
    // Modes without rights for the owner must not keep it from being removed.
    let _ = Root::open(folder.path()).map(|root| root.remove_all("inside"));
});
