use std::os::unix::fs::{FileTypeExt, MetadataExt};

use fnpack_sandbox::{Overlay, Upper};

use super::*;

/// What an image looks like, seen through an overlay of its snapshot.
fn seen(store: &Store, image: &Image) -> (crate::root::Root, Snapshot, Scratch) {
    let snapshot = store.snapshot(image, &quiet).unwrap();
    let scratch = store.scratch().unwrap();
    for folder in ["upper", "work"] {
        fs_err::create_dir(scratch.path().join(folder)).unwrap();
    }
    snapshot.describe_upper(&scratch.path().join("upper")).unwrap();
    let upper = Upper { folder: scratch.path().join("upper"), work: scratch.path().join("work") };
    let overlay = Overlay { lowers: snapshot.lowers().to_vec(), upper: Some(upper), xattr: OverlayXattr::here() };
    (crate::root::Root::from_fd(overlay.view().unwrap()), snapshot, scratch)
}

#[test]
fn needs_root_layers_are_unpacked_as_seen_over_their_parents() {
    if !can_mount() {
        return;
    }
    let home = Home::new();
    let store = home.open();
    let built = image(&[
        &[
            ("./", "751"),
            ("tmp/", "1777"),
            ("usr/lib/", "755"),
            ("lib->usr/lib", ""),
            ("usr/lib/a", "below"),
            ("gone/x", "x"),
            ("kept/old", "old"),
            ("f", "f"),
        ],
        &[
            ("tmp/file", "1"),
            ("lib/b", "through the link"),
            ("usr/lib/c=>usr/lib/a", ""),
            (".wh.gone", ""),
            ("kept/.wh..wh..opq", ""),
            ("kept/new", "new"),
            ("f/", "755"),
            ("f/x", "1"),
        ],
        &[("lib/.wh.a", "")],
    ]);
    let (root, snapshot, _scratch) = seen(&store, &built);
    assert_eq!(snapshot.lowers().len(), 3);
    let mode = |path: &str| root.metadata(path).unwrap().st_mode & 0o7777;
    assert_eq!((mode("/"), mode("/tmp")), (0o751, 0o1777));
    let text = |path: &str| root.read_to_string(path, 100).unwrap();
    assert_eq!(
        (text("usr/lib/b"), text("usr/lib/c"), text("kept/new"), text("f/x")),
        ("through the link".into(), "below".into(), "new".into(), "1".into())
    );
    for absent in ["gone", "kept/old", "usr/lib/a"] {
        assert!(root.try_symlink_metadata(absent).unwrap().is_none(), "{absent}");
    }
    let whiteout = fs_err::symlink_metadata(snapshot.lowers()[0].join("usr/lib/a")).unwrap();
    assert!(whiteout.file_type().is_char_device() && whiteout.rdev() == 0);
    assert!(fs_err::symlink_metadata(snapshot.lowers()[1].join("lib")).is_err(), "the link was followed, not replaced");
    assert_eq!(root.metadata("/tmp").unwrap().st_mtime, 1000, "a folder without entry keeps its time");
}

#[test]
fn needs_root_snapshots_are_made_once_and_shared() {
    if !can_mount() {
        return;
    }
    let home = Home::new();
    let store = home.open();
    let (base, one, two) = ([("a", "1")], [("b", "2")], [("c", "3")]);
    let calls = std::sync::Mutex::new(Vec::new());
    let count = |progress: Unpacking| calls.lock().unwrap().push((progress.layer, progress.layers, progress.bytes == progress.total));
    let first = store.snapshot(&image(&[&base, &one]), &count).unwrap();
    assert_eq!(std::mem::take(&mut *calls.lock().unwrap()), [(1, 2, true), (2, 2, true)]);
    let second = store.snapshot(&image(&[&base, &two]), &count).unwrap();
    assert_eq!(std::mem::take(&mut *calls.lock().unwrap()), [(2, 2, true)]);
    assert_eq!(first.lowers()[1], second.lowers()[1]);
    assert_ne!(first.lowers()[0], second.lowers()[0]);
    home.open().snapshot(&image(&[&base, &two]), &count).unwrap();
    assert!(calls.lock().unwrap().is_empty());
    let other = Store::open(home.path(), StoreOptions { mapping_key: "range-1".into(), ..options() }).unwrap();
    assert_ne!(other.snapshot(&image(&[&base]), &quiet).unwrap().lowers()[0], first.lowers()[1]);
}

#[test]
fn doubtful_snapshot_is_made_again() {
    let home = Home::new();
    let store = home.open();
    let built = image(&[&[("a", "1")]]);
    let path = store.snapshot(&built, &quiet).unwrap().lowers()[0].clone();
    fs_err::write(path.join("a"), "half").unwrap();
    fs_err::write(path.with_file_name("snapshot.json"), "").unwrap();
    let faults = store.check(&CheckOptions::default()).unwrap();
    assert!(matches!(faults.as_slice(), [Fault::Snapshot { .. }]), "{faults:?}");
    store.snapshot(&built, &quiet).unwrap();
    assert_eq!(fs_err::read_to_string(path.join("a")).unwrap(), "1");
    assert!(store.check(&CheckOptions::default()).unwrap().is_empty());
}

#[test]
fn layer_that_is_not_what_the_config_says_is_refused() {
    let home = Home::new();
    let store = home.open();
    let good = tar(&[("a", "1")]);
    let mut trailing = good.clone();
    trailing.extend_from_slice(&[0; 512]);
    for (number, wrong) in [tar(&[("a", "2")]), trailing].iter().enumerate() {
        let layers = vec![Layer { diff_id: DiffId::of(&good), ..layer(wrong) }];
        let error = store.snapshot(&Image::from_parts(ImageConfig::new(&target()), layers), &quiet).unwrap_err();
        assert!(matches!(error, StoreError::CorruptLayer { expected, .. } if expected == DiffId::of(&good)), "{number}: {error}");
        assert!(names_in(home.path().join("snapshots")).is_empty());
    }
    let layers = vec![layer(b"this is no tar, only a text that is longer than nothing")];
    let error = store.snapshot(&Image::from_parts(ImageConfig::new(&target()), layers), &quiet).unwrap_err();
    assert!(matches!(error, StoreError::Unpack { .. }), "{error}");
}

#[test]
fn needs_root_layers_below_a_faulty_one_are_kept() {
    if !can_mount() {
        return;
    }
    let home = Home::new();
    let store = home.open();
    let base = layer(&tar(&[("a", "1")]));
    let faulty = Layer { diff_id: DiffId::of("other"), ..layer(&tar(&[("b", "2")])) };
    store.snapshot(&Image::from_parts(ImageConfig::new(&target()), vec![base, faulty]), &quiet).unwrap_err();
    assert_eq!(names_in(home.path().join("snapshots")).len(), 1);
    assert!(store.check(&CheckOptions::default()).unwrap().is_empty());
}

#[test]
fn zstd_and_plain_layers_are_unpacked() {
    let home = Home::new();
    let store = home.open();
    for (number, packed) in
        [zstd::stream::encode_all(tar(&[("z", "zstd")]).as_slice(), 1).unwrap(), tar(&[("p", "plain")])].iter().enumerate()
    {
        let plain = if number == 0 { tar(&[("z", "zstd")]) } else { tar(&[("p", "plain")]) };
        let (digest, size, blob) = memory(packed);
        // The media type says gzip and the bytes know better.
        let layer = Layer { descriptor: Descriptor::new(media_type::OCI_LAYER_GZIP, digest, size), diff_id: DiffId::of(plain), blob };
        let snapshot = store.snapshot(&Image::from_parts(ImageConfig::new(&target()), vec![layer]), &quiet).unwrap();
        assert_eq!(names_in(&snapshot.lowers()[0]).len(), 1);
    }
}

#[test]
fn image_without_layers_has_an_empty_folder() {
    let home = Home::new();
    let store = home.open();
    let snapshot = store.snapshot(&image(&[]), &quiet).unwrap();
    assert!(names_in(&snapshot.lowers()[0]).is_empty());
    assert_eq!(fs_err::metadata(&snapshot.lowers()[0]).unwrap().mode() & 0o7777, 0o755);
    assert!(store.check(&CheckOptions::default()).unwrap().is_empty());
}

#[test]
fn scratch_goes_and_committed_folder_stays() {
    let home = Home::new();
    let store = home.open();
    let scratch = store.scratch().unwrap();
    let root = scratch.root().unwrap();
    root.create_dir("cache", 0o755).unwrap();
    root.write("cache/file", b"kept", 0o400).unwrap();
    root.chmod("cache", 0o555).unwrap();
    root.create_dir_all("other/deep", 0o755).unwrap();
    root.symlink("/etc", "link").unwrap();
    for bad in ["../", "other/deep", "link", "."] {
        assert!(store.commit_folder(&scratch, bad).is_err(), "{bad}");
    }
    let id = store.commit_folder(&scratch, "cache").unwrap();
    let path = scratch.path().to_owned();
    drop(scratch);
    assert!(!path.exists());
    assert_eq!(fs_err::read_to_string(store.folder(&id).unwrap().unwrap().join("file")).unwrap(), "kept");
    assert_eq!(store.folder(&FolderId::try_from("absent".to_owned()).unwrap()).unwrap(), None);
}

/// Run by the test below in a user namespace with one id.
#[test]
#[ignore = "the other side of the test of a user namespace"]
#[expect(clippy::disallowed_methods, reason = "how a test tells a process of its own where to work")]
fn child_unpacks_with_a_single_id() {
    let Some(path) = std::env::var_os("FNPACK_TEST_STORE") else { return };
    let mapping = IdMapping::current().unwrap();
    assert!(matches!(mapping, IdMapping::Single { .. }));
    let store = Store::open(path, StoreOptions::new(&mapping, OverlayXattr::here())).unwrap();
    let built =
        image(&[&[("gone", "1"), ("kept/old", "2"), ("ro/", "555")], &[(".wh.gone", ""), ("kept/.wh..wh..opq", ""), ("ro/file", "3")]]);
    let (root, _snapshot, _scratch) = seen(&store, &built);
    assert!(root.try_symlink_metadata("gone").unwrap().is_none() && root.read_dir("kept").unwrap().is_empty());
    assert_eq!(root.read_to_string("ro/file", 10).unwrap(), "3");
    assert!(store.check(&CheckOptions { deep: true, repair: false }).unwrap().is_empty());
}

#[test]
fn needs_userns_layers_are_unpacked_with_a_single_id() {
    let unshare = |arguments: &[&std::ffi::OsStr]| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount"]).args(arguments);
        command
    };
    let works = unshare(&["true".as_ref()]).output().is_ok_and(|output| output.status.success());
    if missing(works, "user namespaces cannot be made here") {
        return;
    }
    let home = Home::new();
    let program = std::env::current_exe().unwrap();
    let mut child = unshare(&[program.as_os_str()]);
    child.args(["--ignored", "--exact", "store::tests::unpacking::child_unpacks_with_a_single_id"]).env("FNPACK_TEST_STORE", home.path());
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
