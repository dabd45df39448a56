use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use rustix::fs::{RawDir, ResolveFlags};

use super::*;

/// Folders `0`…`count - 1`, each with a file of its own name and a common one; 0 is topmost.
fn layers(count: usize) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..count).map(|number| folder.path().join(format!("layer, with: odd \\name {number}"))).collect();
    for (number, path) in paths.iter().enumerate() {
        fs_err::create_dir(path).unwrap();
        fs_err::write(path.join(number.to_string()), "").unwrap();
        fs_err::write(path.join("common"), number.to_string()).unwrap();
    }
    (folder, paths)
}

fn upper(folder: &Path) -> Upper {
    let upper = Upper { folder: folder.join("upper"), work: folder.join("work") };
    fs_err::create_dir(&upper.folder).unwrap();
    fs_err::create_dir(&upper.work).unwrap();
    upper
}

fn read(view: &OwnedFd, name: &str) -> String {
    let file = rustix::fs::openat2(view, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT).unwrap();
    let mut text = String::new();
    File::from(file).read_to_string(&mut text).unwrap();
    text
}

fn count_names(view: &OwnedFd) -> usize {
    let folder = rustix::fs::openat(view, ".", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let mut buffer = Vec::with_capacity(8192);
    let mut names = RawDir::new(folder, buffer.spare_capacity_mut());
    let mut count = 0;
    while let Some(entry) = names.next() {
        entry.unwrap();
        count += 1;
    }
    count - 2
}

fn missing_rights() -> bool {
    crate::test_needs::missing(rustix::process::geteuid().is_root(), "root is needed to mount")
}

#[test]
fn needs_root_view_shows_every_layer_and_the_topmost_first() {
    if missing_rights() {
        return;
    }
    for count in [2, 3, 200] {
        let (_folder, lowers) = layers(count);
        let overlay = Overlay { lowers, upper: None, xattr: OverlayXattr::here() };
        for view in [overlay.view().unwrap(), legacy::view(&overlay).unwrap()] {
            assert_eq!(read(&view, "common"), "0");
            assert_eq!(count_names(&view), count + 1);
        }
    }
}

#[test]
fn needs_root_view_of_one_layer_is_read_only() {
    if missing_rights() {
        return;
    }
    let (_folder, lowers) = layers(1);
    let view = Overlay { lowers, upper: None, xattr: OverlayXattr::here() }.view().unwrap();
    assert_eq!(read(&view, "common"), "0");
    assert_eq!(rustix::fs::mkdirat(&view, "new", Mode::RWXU).unwrap_err(), Errno::ROFS);
}

#[test]
fn needs_root_view_writes_into_the_upper_folder_only() {
    if missing_rights() {
        return;
    }
    for xattr in [OverlayXattr::Trusted, OverlayXattr::User] {
        let (folder, lowers) = layers(2);
        let upper = upper(folder.path());
        let overlay = Overlay { lowers: lowers.clone(), upper: Some(upper.clone()), xattr };
        for (name, view) in [("new", overlay.view()), ("newer", legacy::view(&overlay))] {
            let view = view.unwrap();
            rustix::fs::mkdirat(&view, name, Mode::RWXU).unwrap();
        }
        rustix::fs::unlinkat(overlay.view().unwrap(), "1", AtFlags::empty()).unwrap();
        assert!(upper.folder.join("new").is_dir() && upper.folder.join("newer").is_dir());
        assert!(lowers[1].join("1").exists() && !lowers[0].join("new").exists());
        let whiteout = rustix::fs::lstat(upper.folder.join("1")).unwrap();
        assert_eq!((whiteout.st_mode & 0o170_000, whiteout.st_rdev), (0o020_000, 0));
    }
}

#[test]
fn needs_root_view_is_in_no_mount_table() {
    if missing_rights() {
        return;
    }
    let (folder, lowers) = layers(2);
    let overlay = Overlay { lowers, upper: Some(upper(folder.path())), xattr: OverlayXattr::here() };
    let _views = (overlay.view().unwrap(), legacy::view(&Overlay { upper: None, ..overlay }).unwrap());
    let mounts = fs_err::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("odd \\name") && !mounts.contains("odd\\040"), "{mounts}");
    assert!(!mounts.contains("/proc/self/fd"), "{mounts}");
}

#[test]
fn needs_root_view_that_cannot_be_says_why() {
    if missing_rights() {
        return;
    }
    let (folder, mut lowers) = layers(2);
    let overlay = |lowers: &[PathBuf]| Overlay { lowers: lowers.to_vec(), upper: None, xattr: OverlayXattr::here() };
    lowers.push(folder.path().join("absent"));
    let error = overlay(&lowers).view().unwrap_err();
    assert!(matches!(&error, SandboxError::Layer { path, source: Errno::NOENT } if path.ends_with("absent")), "{error}");
    let error = overlay(&[lowers[0].clone(), lowers[0].clone()]).view().unwrap_err();
    assert!(error.to_string().starts_with("cannot mount an overlay of 2 layers"), "{error}");
    let error = overlay(&[lowers[0].join("common")]).view().unwrap_err();
    assert!(matches!(error, SandboxError::Layer { source: Errno::NOTDIR, .. }), "{error}");
}

#[test]
fn layers_beyond_the_limit_of_the_kernel_are_refused_by_number() {
    let overlay = Overlay { lowers: vec!["/".into(); 501], upper: None, xattr: OverlayXattr::User };
    assert_eq!(overlay.view().unwrap_err().to_string(), "501 layers are more than the 500 that overlayfs can stack");
}

#[test]
fn legacy_options_are_never_cut() {
    let lowers = (0..1100).map(|_| rustix::fs::openat(CWD, "/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()));
    let Ok(lowers) = lowers.collect::<Result<Vec<_>, _>>() else {
        // The limit of open files of this machine is lower than what would be needed to get there.
        return;
    };
    let overlay = Overlay { lowers: Vec::new(), upper: None, xattr: OverlayXattr::User };
    let folders = legacy::Folders { lowers, upper: None };
    assert!(legacy::options(&overlay, &folders).is_err());
}
