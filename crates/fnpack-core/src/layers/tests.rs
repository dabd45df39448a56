use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, FileType, Mode, XattrFlags};

use super::*;
use crate::digest::Digest;
use crate::image::{CONSTANT_TIME_SECONDS, MemoryBlobs};
use crate::root::Root;

#[expect(clippy::print_stderr, clippy::disallowed_methods, reason = "a test that does not run says why, and must run in CI")]
fn skipped(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "{reason}");
    eprintln!("skipped: {reason}");
}

fn set_time(path: &Path, seconds: i64) {
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn archive(contents: &dyn Contents) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut tar = TarWriter::new(&mut bytes as &mut dyn Write);
    contents.write_to(&mut tar).unwrap();
    tar.finish().unwrap();
    bytes
}

/// One line an entry: type flag, name, mode, owner, time, target.
fn listing(contents: &dyn Contents) -> Vec<String> {
    let bytes = archive(contents);
    let mut archive = tar::Archive::new(bytes.as_slice());
    let line = |entry: tar::Entry<'_, &[u8]>| {
        let header = entry.header();
        let flag = char::from(header.entry_type().as_byte());
        let link = entry.link_name_bytes().map(|target| format!(" -> {}", String::from_utf8_lossy(&target))).unwrap_or_default();
        let time = match i64::try_from(header.mtime().unwrap()).unwrap() {
            CONSTANT_TIME_SECONDS => "constant".to_owned(),
            other => other.to_string(),
        };
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        format!("{flag} {name} {:o} {}:{} {time}{link}", header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap())
    };
    archive.entries().unwrap().map(|entry| line(entry.unwrap())).collect()
}

/// An archive written by other code than [`TarWriter`]: name, type flag, mode, uid, contents or target.
fn independent(entries: &[(&str, char, u32, u32, &str)]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, flag, mode, uid, text) in entries {
        let (contents, target) = if *flag == '0' { (*text, "") } else { ("", *text) };
        let front = format!("{name:\0<100}{mode:07o}\0{uid:07o}\0{uid:07o}\0{:011o}\0{CONSTANT_TIME_SECONDS:011o}\0", contents.len());
        let back = format!("{flag}{target:\0<100}ustar\x0000{:\0<64}0000000\x000000000\0{:\0<167}", "", "");
        let sum: u32 = front.bytes().chain(back.bytes()).map(u32::from).sum::<u32>() + 8 * 32;
        archive.extend(format!("{front}{sum:06o}\0 {back}{contents}").bytes());
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn sample() -> (tempfile::TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    let layer = folder.path().join("bp/layer");
    fs_err::create_dir_all(layer.join("bin")).unwrap();
    fs_err::write(layer.join("bin/tool"), "tool").unwrap();
    fs_err::set_permissions(layer.join("bin/tool"), PermissionsExt::from_mode(0o4755)).unwrap();
    fs_err::write(layer.join("bin-x"), "").unwrap();
    fs_err::set_permissions(layer.join("bin-x"), PermissionsExt::from_mode(0o640)).unwrap();
    fs_err::hard_link(layer.join("bin/tool"), layer.join("z")).unwrap();
    symlink("bin/tool", layer.join("link")).unwrap();
    rustix::fs::mknodat(CWD, layer.join("socket"), FileType::Socket, Mode::RUSR, 0).unwrap();
    for path in [".", "bin"] {
        fs_err::set_permissions(layer.join(path), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let root = Root::open(folder.path()).unwrap();
    (folder, root)
}

fn layer(root: &Root) -> FolderLayer<'_> {
    let owner = Owner { uid: 1000, gid: 1000 };
    FolderLayer {
        parents: Entry::parents_of(Path::new("/layers/bp/layer"), 0o755, owner),
        attributes: Attributes::owned_by(owner),
        ..FolderLayer::new(root, "bp/layer", "/layers/bp/layer")
    }
}

#[test]
fn folder_is_written_as_the_lifecycle_does() {
    let (_folder, root) = sample();
    let expected = independent(&[
        ("/layers", '5', 0o755, 1000, ""),
        ("/layers/bp", '5', 0o755, 1000, ""),
        ("/layers/bp/layer", '5', 0o755, 1000, ""),
        ("/layers/bp/layer/bin", '5', 0o755, 1000, ""),
        ("/layers/bp/layer/bin/tool", '0', 0o4755, 1000, "tool"),
        ("/layers/bp/layer/bin-x", '0', 0o640, 1000, ""),
        ("/layers/bp/layer/link", '2', 0o777, 1000, "bin/tool"),
        ("/layers/bp/layer/z", '0', 0o4755, 1000, "tool"),
    ]);
    assert!(archive(&layer(&root)) == expected, "{:#?}", listing(&layer(&root)));
    assert_eq!(diff_id(&layer(&root)).unwrap(), DiffId::of(expected));
}

#[test]
fn folder_leaves_out_and_changes_modes_as_told() {
    let (_folder, root) = sample();
    let executable = |_: &Path, mode: u32| if mode & 0o111 == 0 { 0o644 } else { 0o755 };
    let changed = FolderLayer {
        exclude: vec!["bin".into(), "z".into()],
        attributes: Attributes { mode: executable, ..Attributes::owned_by(Owner::ROOT) },
        ..FolderLayer::new(&root, "bp/layer", "/x")
    };
    let expected = ["5 /x 755 0:0 constant", "0 /x/bin-x 644 0:0 constant", "2 /x/link 755 0:0 constant -> bin/tool"];
    assert_eq!(listing(&changed), expected);
}

#[test]
fn needs_root_device_in_a_folder_is_refused() {
    let (folder, root) = sample();
    let device =
        rustix::fs::mknodat(CWD, folder.path().join("bp/layer/null"), FileType::CharacterDevice, Mode::RUSR, rustix::fs::makedev(1, 3));
    if let Err(errno) = device {
        return skipped(&format!("cannot make a device: {errno}"));
    }
    assert_eq!(diff_id(&layer(&root)).unwrap_err().to_string(), "`null` is a device, which does not belong in a layer");
}

#[test]
fn paths_are_written_in_the_order_given() {
    let (_folder, root) = sample();
    let mut paths = PathsLayer {
        root: &root,
        inside: "bp/layer".into(),
        at: "/app".into(),
        parents: vec![Entry::new("/p", EntryKind::Directory, 0o755)],
        attributes: Attributes::owned_by(Owner::ROOT),
        paths: vec!["".into(), "bin".into(), "bin-x".into()],
    };
    let expected = ["5 /p 755 0:0 constant", "5 /app 755 0:0 constant", "5 /app/bin 755 0:0 constant", "0 /app/bin-x 640 0:0 constant"];
    assert_eq!(listing(&paths), expected);
    paths.paths.clear();
    assert_eq!(archive(&paths), [0; 1024]);
}

#[test]
fn blob_is_the_compressed_archive() {
    let files = FilesLayer::new().directory("/cnb", 0o755, Owner::ROOT).file("/cnb/order.toml", 0o644, Owner::ROOT, "[[order]]").symlink(
        "/lifecycle",
        "/cnb/lifecycle",
        0o755,
        Owner::ROOT,
    );
    let expected = archive(&files);
    for compression in [Compression::Gzip, Compression::Zstd] {
        let layer = write(&files, compression, &MemoryBlobs::default()).unwrap();
        let mut blob = Vec::new();
        std::io::Read::read_to_end(&mut layer.blob.open().unwrap(), &mut blob).unwrap();
        let plain = match compression {
            Compression::Gzip => {
                let mut plain = Vec::new();
                std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(blob.as_slice()), &mut plain).unwrap();
                plain
            }
            Compression::Zstd => ::zstd::decode_all(blob.as_slice()).unwrap(),
        };
        assert_eq!(plain, expected);
        assert_eq!(layer.descriptor, Descriptor::new(compression.media_type(), Digest::of(&blob), blob.len() as u64));
        assert_eq!((layer.diff_id, diff_id(&files).unwrap()), (DiffId::of(&expected), DiffId::of(&expected)));
    }
}

#[test]
fn joined_contents_follow_each_other() {
    let one = FilesLayer::new().file("/a", 0o644, Owner::ROOT, "a");
    let two = FilesLayer::new().file("/b", 0o600, Owner::ROOT, "b");
    assert_eq!(listing(&Joined(vec![&one, &two])), ["0 /a 644 0:0 constant", "0 /b 600 0:0 constant"]);
}

const START: i64 = 1_700_000_000;

fn upper() -> Option<(tempfile::TempDir, Root)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs_err::create_dir_all(path.join("etc/replaced")).unwrap();
    for (name, text) in [("etc/old", "old"), ("etc/new", "new"), ("etc/replaced/a", "a"), ("resolv.conf", "")] {
        fs_err::write(path.join(name), text).unwrap();
        fs_err::set_permissions(path.join(name), PermissionsExt::from_mode(0o644)).unwrap();
    }
    fs_err::hard_link(path.join("etc/new"), path.join("etc/same")).unwrap();
    symlink("etc", path.join("link")).unwrap();
    let made = rustix::fs::mknodat(CWD, path.join("etc/gone"), FileType::CharacterDevice, Mode::empty(), 0)
        .and_then(|()| rustix::fs::setxattr(path.join("etc/replaced"), "trusted.overlay.opaque", b"y", XattrFlags::empty()));
    if let Err(errno) = made {
        skipped(&format!("cannot make a whiteout: {errno}"));
        return None;
    }
    for name in ["etc/replaced", "etc"] {
        fs_err::set_permissions(path.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
    for (name, time) in [("etc/old", START - 10), ("etc/new", START), ("etc/replaced/a", START + 5), ("link", START + 1)] {
        set_time(&path.join(name), time);
    }
    let root = Root::open(path).unwrap();
    Some((folder, root))
}

fn changes(root: &Root) -> Changes<'_> {
    let since = SystemTime::UNIX_EPOCH + Duration::from_secs(START.unsigned_abs());
    Changes { exclude: vec!["/resolv.conf".into()], ..Changes::new(root, since) }
}

#[test]
fn needs_root_changes_are_written_as_docker_does() {
    let Some((_folder, root)) = upper() else { return };
    let expected = [
        "5 etc/ 755 0:0 constant",
        "0 etc/.wh.gone 600 0:0 constant",
        "0 etc/new 644 0:0 constant",
        "0 etc/old 644 0:0 1699999990",
        "5 etc/replaced/ 755 0:0 constant",
        "0 etc/replaced/.wh..wh..opq 600 0:0 constant",
        "0 etc/replaced/a 644 0:0 constant",
        "1 etc/same 644 0:0 constant -> etc/new",
        "2 link 777 0:0 constant -> etc",
    ];
    assert_eq!(listing(&changes(&root)), expected);
    assert!(!changes(&root).is_empty().unwrap());
}

#[test]
fn changes_with_only_excluded_names_are_empty() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::open(folder.path()).unwrap();
    assert!(changes(&root).is_empty().unwrap());
    fs_err::write(folder.path().join("resolv.conf"), "").unwrap();
    assert!(changes(&root).is_empty().unwrap());
    fs_err::write(folder.path().join(".wh.x"), "").unwrap();
    assert!(diff_id(&changes(&root)).unwrap_err().to_string().contains("mark of a removed file"));
}

#[test]
fn changes_keep_attributes() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("a"), "").unwrap();
    if rustix::fs::setxattr(folder.path().join("a"), "user.note", b"x=y", XattrFlags::empty()).is_err() {
        return skipped("this file system has no user attributes");
    }
    let root = Root::open(folder.path()).unwrap();
    let bytes = archive(&changes(&root));
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
    let records: BTreeMap<Vec<u8>, Vec<u8>> = entry
        .pax_extensions()
        .unwrap()
        .unwrap()
        .map(|record| record.map(|record| (record.key_bytes().into(), record.value_bytes().into())).unwrap())
        .collect();
    assert_eq!(records, BTreeMap::from([(b"SCHILY.xattr.user.note".to_vec(), b"x=y".to_vec())]));
}
