use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use proptest::prelude::*;

use super::*;

/// A tar made by hand: entries as real ones have them, and as nobody should.
#[derive(Default, Clone)]
struct Tar(Vec<u8>);

impl Tar {
    fn raw(mut self, header: &tar::Header, data: &[u8]) -> Self {
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn entry(self, kind: u8, name: &str, link: &str, data: &[u8]) -> Self {
        self.with(kind, name, |header| header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes()), data)
    }

    fn with(self, kind: u8, name: &str, change: impl FnOnce(&mut tar::Header), data: &[u8]) -> Self {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_mode(if kind == b'5' { 0o750 } else { 0o640 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1000);
        header.set_size(data.len() as u64);
        change(&mut header);
        header.set_cksum();
        self.raw(&header, data)
    }

    fn file(self, name: &str, text: &str) -> Self {
        self.entry(b'0', name, "", text.as_bytes())
    }

    fn folder(self, name: &str) -> Self {
        self.entry(b'5', name, "", b"")
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(b'2', name, target, b"")
    }

    fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(b'1', name, target, b"")
    }

    fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (1..20).map(|digits| rest + digits).find(|length| length.to_string().len() + rest == *length).unwrap();
            body.extend_from_slice(format!("{length} {key}=").as_bytes());
            body.extend_from_slice(value);
            body.push(b'\n');
        }
        self.entry(b'x', "PaxHeaders/x", "", &body)
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

/// A root with a neighbour that nothing may touch.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("root")).unwrap();
        fs_err::create_dir(folder.path().join("outside")).unwrap();
        fs_err::write(folder.path().join("outside/secret"), "secret").unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("root").join(name)
    }

    fn apply(&self, tar: Tar) -> Result<Applied, ApplyError> {
        let options = ApplyOptions { single_id: !rustix::process::geteuid().is_root(), ..ApplyOptions::default() };
        apply(tar.end().as_slice(), &Root::open(self.path("")).unwrap(), &options)
    }

    fn text(&self, name: &str) -> String {
        fs_err::read_to_string(self.path(name)).unwrap()
    }

    fn outside_is_untouched(&self) -> bool {
        let names = |path: &Path| {
            let mut names: Vec<_> = fs_err::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        names(self.folder.path()) == ["outside", "root"]
            && names(&self.folder.path().join("outside")) == ["secret"]
            && fs_err::read_to_string(self.folder.path().join("outside/secret")).unwrap() == "secret"
    }
}

/// Whether a test has to be left out; says why. On a CI machine nothing is left out silently.
#[expect(clippy::print_stderr, reason = "the reason for leaving a test out")]
#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the library")]
fn missing(works: bool, reason: &str) -> bool {
    assert!(works || std::env::var_os("CI").is_none(), "{reason}");
    if !works {
        eprintln!("left out: {reason}");
    }
    !works
}

fn tar() -> Tar {
    Tar::default()
}

#[test]
fn kinds_modes_and_times_arrive() {
    let place = Place::new();
    let applied = place
        .apply(
            tar()
                .folder("./")
                .folder("bin/")
                .with(b'0', "bin/su", |header| header.set_mode(0o4755), b"suid")
                .hard_link("bin/sudo", "bin/su")
                .symlink("bin/sh", "/bin/su")
                .with(b'6', "fifo", |header| header.as_ustar_mut().unwrap().dev_major = *b"        ", b"")
                .file("bin/late", "x"),
        )
        .unwrap();
    assert_eq!((applied.entries, applied.bytes), (7, 5));
    let metadata = |name: &str| fs_err::symlink_metadata(place.path(name)).unwrap();
    assert_eq!((metadata("bin/su").mode() & 0o7777, metadata("bin/su").nlink(), metadata("bin/su").mtime()), (0o4755, 2, 1000));
    assert_eq!((metadata("bin").mode() & 0o7777, metadata("bin").mtime()), (0o750, 1000), "later entries change no time");
    assert_eq!((metadata("").mode() & 0o7777, metadata("").mtime()), (0o750, 1000));
    assert_eq!(fs_err::read_link(place.path("bin/sh")).unwrap(), Path::new("/bin/su"));
    assert_eq!(metadata("bin/sh").mtime(), 1000);
    assert!(metadata("fifo").file_type().is_fifo());
}

#[test]
fn names_never_leave_the_root() {
    let up = "../".repeat(9);
    let cases: Vec<Tar> = vec![
        tar().file("/absolute", "x"),
        tar().file(&format!("{up}outside/secret"), "x"),
        tar().file(&format!("a/{up}outside/secret"), "x"),
        tar().symlink("link", "../outside").file("link/secret", "x"),
        tar().symlink("link", &format!("{up}outside")).file("link/new", "x").entry(b'5', "link/secret", "", b""),
        tar().symlink("link", "../outside/secret").file("link", "x"),
        tar().symlink("a", "b").symlink("b", "../outside").file("a/secret", "x"),
        tar().symlink("link", "../outside").file("link/.wh.secret", ""),
        tar().symlink("link", "../outside").file("link/.wh..wh..opq", ""),
        tar().file(&format!("{up}outside/.wh.secret"), ""),
        tar().symlink("link", "../outside").folder("link"),
        tar().symlink("p", "/proc/self/cwd").file("p/secret", "x"),
    ];
    for (number, case) in cases.into_iter().enumerate() {
        let place = Place::new();
        place.apply(case).unwrap_or_else(|error| panic!("case {number}: {error}"));
        assert!(place.outside_is_untouched(), "case {number}");
    }
}

#[test]
fn hard_links_never_leave_the_root() {
    for target in ["../outside/secret", "/outside/secret", "link/secret", "missing"] {
        let place = Place::new();
        let error = place.apply(tar().symlink("link", "../outside").hard_link("stolen", target)).unwrap_err();
        let cleaned = target.trim_start_matches("../").trim_start_matches('/');
        assert!(
            matches!(&error, ApplyError::HardLink { path, target, .. } if path == Path::new("stolen") && target == Path::new(cleaned)),
            "{error}"
        );
    }
}

#[test]
fn hard_link_to_itself_keeps_the_file() {
    let place = Place::new();
    place
        .apply(
            tar().file("usr/lib/a", "kept").symlink("lib", "usr/lib").hard_link("usr/lib/a", "usr/lib/a").hard_link("lib/a", "usr/lib/a"),
        )
        .unwrap();
    assert_eq!(place.text("usr/lib/a"), "kept");
}

#[test]
fn missing_parents_are_made_behind_links_too() {
    let place = Place::new();
    place.apply(tar().symlink("var/run", "/run/deep").symlink("run", "system").file("var/run/pid", "1").file("a/b/c", "x")).unwrap();
    assert_eq!(place.text("system/deep/pid"), "1");
    let folder = fs_err::metadata(place.path("a/b")).unwrap();
    assert_eq!((folder.mode() & 0o7777, folder.mtime()), (0o755, 0));
}

#[test]
fn symlink_loops_and_files_as_parents_are_errors() {
    let place = Place::new();
    assert!(place.apply(tar().symlink("a", "b").symlink("b", "a").file("a/x", "")).is_err());
    assert!(place.apply(tar().file("f", "").file("f/x", "")).is_err());
}

#[test]
fn entries_replace_what_was_there() {
    let place = Place::new();
    place
        .apply(tar().file("dir/sub/file", "1").file("file", "2").symlink("link", "dir").file("same", "3").hard_link("other", "same"))
        .unwrap();
    place.apply(tar().file("dir", "now a file").file("file/below", "now a folder")).unwrap_err();
    place.apply(tar().folder("file").file("file/below", "now a folder").folder("link").file("same", "new")).unwrap();
    assert_eq!(
        (place.text("dir"), place.text("file/below"), place.text("other")),
        ("now a file".into(), "now a folder".into(), "3".into())
    );
    assert!(fs_err::symlink_metadata(place.path("link")).unwrap().is_dir());
    place.apply(tar().folder("same").file("same/x", "1").symlink("same", "dir")).unwrap();
    assert!(fs_err::symlink_metadata(place.path("same")).unwrap().is_symlink());
}

#[test]
fn whiteouts_remove_only_what_came_from_below() {
    let below = || tar().file("a/x", "").file("a/deep/y", "").file("b/x", "").file("c", "");
    let cases: [(Tar, &[&str], &[&str]); 8] = [
        (tar().file(".wh.a", ""), &["b/x", "c"], &["a"]),
        (tar().file("a/.wh.x", ""), &["a/deep/y"], &["a/x"]),
        (tar().file("a/.wh..wh..opq", "").file("a/new", ""), &["a/new"], &["a/x", "a/deep"]),
        (tar().file("a/new", "").file("a/.wh..wh..opq", ""), &["a/new"], &["a/x", "a/deep"]),
        (tar().file("a/deep/new", "").file("a/.wh..wh..opq", ""), &["a/deep/new"], &["a/x", "a/deep/y"]),
        (tar().file("a/deep/new", "").file(".wh.a", ""), &["a/deep/new"], &["a/x", "a/deep/y"]),
        (tar().file("c", "new").file(".wh.c", ""), &["c"], &[]),
        (tar().symlink("l", "a").file("l/new", "").file("a/.wh..wh..opq", ""), &["a/new"], &["a/x"]),
    ];
    for (number, (layer, there, gone)) in cases.into_iter().enumerate() {
        let place = Place::new();
        place.apply(below()).unwrap();
        place.apply(layer).unwrap();
        for name in there {
            assert!(place.path(name).exists(), "case {number}: {name}");
        }
        for name in gone {
            assert!(!place.path(name).exists(), "case {number}: {name}");
        }
    }
}

#[test]
fn whiteouts_of_nothing_are_no_fault_and_of_no_name_are() {
    let place = Place::new();
    place.apply(tar().file("no/such/.wh.x", "").file(".wh.y", "").file(".wh..wh.plnk", "").file("no/.wh..wh..opq", "")).unwrap();
    assert_eq!(fs_err::read_dir(place.path("")).unwrap().count(), 0);
    for name in [".wh.", ".wh..", ".wh..."] {
        assert!(matches!(place.apply(tar().file(name, "")), Err(ApplyError::Entry { .. })), "{name}");
    }
}

#[test]
fn parents_without_entry_keep_their_time() {
    let place = Place::new();
    place.apply(tar().folder("d").file("d/x", "")).unwrap();
    place.apply(tar().file("d/.wh.x", "").file("d/y", "")).unwrap();
    assert_eq!(fs_err::metadata(place.path("d")).unwrap().mtime(), 1000);
}

#[test]
fn long_names_and_large_numbers_are_read() {
    let place = Place::new();
    let long = format!("{}/file", "n".repeat(200));
    let gnu = tar().entry(b'L', "././@LongLink", "", format!("{long}\0").as_bytes()).file("short", "gnu");
    let link = tar().entry(b'K', "././@LongLink", "", format!("{long}\0").as_bytes()).symlink("link", "short");
    place.apply(Tar([gnu.0, link.0].concat())).unwrap();
    assert_eq!((place.text(&long), place.text("link")), ("gnu".into(), "gnu".into()));
    let pax =
        tar().pax(&[("path", b"from/pax"), ("mtime", b"-1.5"), ("size", b"3")]).with(b'0', "short", |header| header.set_size(3), b"pax");
    place.apply(pax).unwrap();
    let metadata = fs_err::metadata(place.path("from/pax")).unwrap();
    assert_eq!((place.text("from/pax").as_str(), metadata.mtime(), metadata.mtime_nsec()), ("pax", -2, 500_000_000));
}

#[test]
fn sizes_beyond_eight_gibibytes_are_read() {
    let size: u64 = 9 << 30;
    let mut field = [0; 12];
    field[0] = 0x80;
    field[4..].copy_from_slice(&size.to_be_bytes());
    let binary = tar().with(b'0', "big", |header| header.as_old_mut().size = field, b"");
    let pax = tar().pax(&[("size", size.to_string().as_bytes())]).file("big", "");
    for tar in [binary, pax] {
        let place = Place::new();
        // The data is cut off at once, and that is what the error is about.
        let error =
            apply(tar.0.as_slice(), &Root::open(place.path("")).unwrap(), &ApplyOptions { single_id: true, ..ApplyOptions::default() });
        assert!(matches!(error, Err(ApplyError::Malformed { reason: "it ends in the middle of an entry", .. })), "{error:?}");
    }
}

#[test]
fn sparse_files_of_all_formats_are_read() {
    let gnu = {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..6].copy_from_slice(b"sparse");
        header.set_entry_type(tar::EntryType::GNUSparse);
        header.set_mode(0o600);
        header.set_size(6);
        let fields = header.as_gnu_mut().unwrap();
        fields.realsize.copy_from_slice(b"00000002000\0");
        for (sparse, (offset, length)) in fields.sparse.iter_mut().zip([(0o10, 3)]) {
            sparse.offset.copy_from_slice(format!("{offset:011o}\0").as_bytes());
            sparse.numbytes.copy_from_slice(format!("{length:011o}\0").as_bytes());
        }
        fields.isextended = [1];
        header.set_cksum();
        let mut extended = tar::GnuExtSparseHeader::new();
        extended.sparse[0].offset.copy_from_slice(b"00000000020\0");
        extended.sparse[0].numbytes.copy_from_slice(b"00000000003\0");
        let mut tar = tar();
        tar.0.extend_from_slice(header.as_bytes());
        tar.0.extend_from_slice(extended.as_bytes());
        tar.0.extend_from_slice(b"abcdef");
        tar.0.resize(tar.0.len().next_multiple_of(512), 0);
        tar
    };
    let sized = |tar: Tar, data: &[u8]| tar.file_bytes("other", data);
    let old = tar().pax(&[
        ("GNU.sparse.name", b"sparse"),
        ("GNU.sparse.size", b"1024"),
        ("GNU.sparse.numblocks", b"2"),
        ("GNU.sparse.offset", b"8"),
        ("GNU.sparse.numbytes", b"3"),
        ("GNU.sparse.offset", b"16"),
        ("GNU.sparse.numbytes", b"3"),
    ]);
    let map = tar().pax(&[("GNU.sparse.name", b"sparse"), ("GNU.sparse.size", b"1024"), ("GNU.sparse.map", b"8,3,16,3")]);
    let new = tar().pax(&[
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"sparse"),
        ("GNU.sparse.realsize", b"1024"),
    ]);
    let mut data = b"2\n8\n3\n16\n3\n".to_vec();
    data.resize(512, 0);
    data.extend_from_slice(b"abcdef");
    let mut expected = vec![0; 1024];
    expected[8..11].copy_from_slice(b"abc");
    expected[16..19].copy_from_slice(b"def");
    for (number, tar) in [gnu, sized(old, b"abcdef"), sized(map, b"abcdef"), sized(new, &data)].into_iter().enumerate() {
        let place = Place::new();
        place.apply(tar.file("next", "entry")).unwrap();
        assert_eq!(fs_err::read(place.path("sparse")).unwrap(), expected, "format {number}");
        assert_eq!(place.text("next"), "entry");
    }
}

impl Tar {
    fn file_bytes(self, name: &str, data: &[u8]) -> Self {
        self.entry(b'0', name, "", data)
    }
}

#[test]
fn sparse_maps_that_lie_are_refused() {
    for map in [&b"8,3,4,3"[..], b"8,4", b"8,3,1023,3", b"18446744073709551615,6", b"8", b"a,b"] {
        let tar = tar().pax(&[("GNU.sparse.name", b"s"), ("GNU.sparse.size", b"1024"), ("GNU.sparse.map", map)]).file("o", "abcdef");
        assert!(matches!(Place::new().apply(tar), Err(ApplyError::Malformed { .. })), "{}", map.escape_ascii());
    }
}

#[test]
fn attributes_of_machine_and_overlay_are_dropped() {
    let place = Place::new();
    let capability = [1, 0, 0, 3, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0];
    let records: [(&str, &[u8]); 6] = [
        ("SCHILY.xattr.user.kept", b"a\nb\0"),
        ("SCHILY.xattr.user.overlay.opaque", b"y"),
        ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
        ("SCHILY.xattr.security.selinux", b"label"),
        ("SCHILY.xattr.system.nfs4_acl", b"acl"),
        ("SCHILY.xattr.security.capability", &capability),
    ];
    let applied = place.apply(tar().pax(&records).file("ping", "x").pax(&records[1..5]).folder("d")).unwrap();
    let mut names = vec![0; 4096];
    let length = rustix::fs::listxattr(place.path("ping"), &mut names).unwrap();
    let names = String::from_utf8_lossy(&names[..length]).into_owned();
    assert!(!names.contains("overlay") && !names.contains("nfs"), "{names}");
    if missing(applied.skipped_attributes == 0, "there are no rights or no room for extended attributes here") {
        return;
    }
    let value = |name: &str| {
        let mut value = vec![0; 64];
        let length = rustix::fs::getxattr(place.path("ping"), name, &mut value).unwrap();
        value.truncate(length);
        value
    };
    assert_eq!(value("user.kept"), b"a\nb\0");
    assert_eq!(value("security.capability"), [&[1, 0, 0, 2], &capability[4..20]].concat());
}

#[test]
fn needs_root_owners_and_devices_arrive() {
    if missing(rustix::process::geteuid().is_root(), "only root may give files away") {
        return;
    }
    let place = Place::new();
    let device = |major, minor| {
        move |header: &mut tar::Header| {
            header.set_device_major(major).unwrap();
            header.set_device_minor(minor).unwrap();
        }
    };
    let owned = |header: &mut tar::Header| {
        header.set_uid(10000);
        header.set_gid(10001);
    };
    let applied = place
        .apply(
            tar()
                .with(b'3', "null", device(1, 3), b"")
                .with(b'3', "hole", device(0, 0), b"")
                .with(b'0', "mine", owned, b"")
                .symlink("link", "mine")
                .file("behind", "x"),
        )
        .unwrap();
    match fs_err::symlink_metadata(place.path("null")) {
        Ok(null) => assert_eq!((null.rdev(), applied.skipped_devices), (rustix::fs::makedev(1, 3), 1)),
        Err(_) => assert_eq!(applied.skipped_devices, 2, "a user namespace may not make devices"),
    }
    assert!(!place.path("hole").exists());
    let mine = fs_err::metadata(place.path("mine")).unwrap();
    assert_eq!((mine.uid(), mine.gid()), (10000, 10001));
}

#[test]
fn broken_tars_are_named() {
    let mut checksum = tar().file("a", "x").end();
    checksum[0] = b'b';
    let half = [tar().0, vec![0; 512], tar().file("a", "").0].concat();
    let cases: [(Vec<u8>, &str); 6] = [
        (checksum, "checksum"),
        (half, "half an end mark"),
        (tar().entry(b'Z', "a", "", b"").end(), "type"),
        (tar().file("a", "x").0[..512].to_vec(), "middle of an entry"),
        (tar().file("a", "x").0[..100].to_vec(), "middle of a header"),
        (tar().with(b'x', "p", |header| header.set_size(2 << 20), b"").end(), "1 MiB"),
    ];
    for (bytes, expected) in cases {
        let place = Place::new();
        let error = apply(bytes.as_slice(), &Root::open(place.path("")).unwrap(), &ApplyOptions::default()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn limits_hold() {
    let place = Place::new();
    let root = Root::open(place.path("")).unwrap();
    let options = ApplyOptions { single_id: true, max_entries: 2 };
    let three = tar().file("a", "").file("b", "").file("c", "").end();
    assert!(matches!(apply(three.as_slice(), &root, &options), Err(ApplyError::TooManyEntries { limit: 2 })));
    let long = "d/".repeat(3000);
    assert!(matches!(place.apply(tar().pax(&[("path", long.as_bytes())]).file("x", "")), Err(ApplyError::Malformed { .. })));
}

#[test]
fn tar_is_read_to_its_end() {
    let place = Place::new();
    let mut bytes = tar().file("a", "x").end();
    bytes.extend_from_slice(&[7; 10_000]);
    let mut reader = crate::digest::Hashing::new(bytes.as_slice());
    apply(&mut reader, &Root::open(place.path("")).unwrap(), &ApplyOptions { single_id: true, ..ApplyOptions::default() }).unwrap();
    assert_eq!(reader.size(), bytes.len() as u64);
    assert_eq!(place.apply(Tar::default()).unwrap().entries, 0);
}

#[test]
fn read_only_folders_are_replaced() {
    let place = Place::new();
    place.apply(tar().with(b'5', "mod", |header| header.set_mode(0o555), b"").file("mod/file", "x")).unwrap();
    place.apply(tar().symlink("mod", "elsewhere")).unwrap();
    assert!(fs_err::symlink_metadata(place.path("mod")).unwrap().is_symlink());
}

#[test]
fn symlinks_that_cannot_be_are_refused() {
    let place = Place::new();
    assert!(matches!(place.apply(tar().symlink("./", "/etc")), Err(ApplyError::Entry { .. })));
    assert!(matches!(place.apply(tar().symlink("empty", "")), Err(ApplyError::Place { action: "create symlink", .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bytes, nothing panics and nothing outside changes.
    #[test]
    fn hostile_tars_stay_inside(
        entries in prop::collection::vec((prop::sample::select(&b"0123456xgLKSV"[..]), name(), name(), prop::collection::vec(any::<u8>(), 0..40)), 0..12),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        fix in any::<bool>(),
    ) {
        let place = Place::new();
        let mut bytes = entries.into_iter().fold(tar(), |tar, (kind, name, link, data)| tar.entry(kind, &name, &link, &data)).end();
        for (index, value) in flips {
            let index = index.index(bytes.len());
            bytes[index] = value;
            if fix {
                let start = index / 512 * 512;
                let mut header = tar::Header::from_byte_slice(&bytes[start..start + 512]).clone();
                header.set_cksum();
                bytes[start..start + 512].copy_from_slice(header.as_bytes());
            }
        }
        let _outcome = apply(bytes.as_slice(), &Root::open(place.path("")).unwrap(), &ApplyOptions { single_id: true, ..ApplyOptions::default() });
        prop_assert!(place.outside_is_untouched());
    }
}

/// Names that collide, climb and hide.
fn name() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["a", "b", "..", ".", "", "outside", "secret", ".wh.a", ".wh..wh..opq", ".wh."]);
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.join("/"))
}
