//! The archives against those of Go 1.26's `archive/tar`, byte for byte, and against the `tar` crate.

use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::digest::Digest;

fn file(path: impl Into<Vec<u8>>) -> Entry {
    Entry::new(path, EntryKind::File { size: 5 }, 0o644)
}

fn folder(path: impl Into<Vec<u8>>) -> Entry {
    Entry::new(path, EntryKind::Directory, 0o755)
}

fn symlink(target: &str) -> Entry {
    Entry::new("/l", EntryKind::Symlink { target: target.into() }, 0o777)
}

fn with_attributes(entry: Entry, xattrs: &[(&str, &[u8])]) -> Entry {
    let xattrs = xattrs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())).collect();
    Entry { xattrs, ..entry }
}

fn archive(entry: &Entry, contents: &[u8]) -> Result<Vec<u8>, TarError> {
    let mut tar = TarWriter::new(Vec::new());
    tar.append(entry, &mut &contents[..])?;
    tar.finish()
}

#[test]
fn contents_of_another_length_are_an_error() {
    for contents in ["hell", "hello!", ""] {
        let error = archive(&file("/a"), contents.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "`/a` was 5 bytes long and changed while it was read", "{contents}");
    }
}

#[test]
fn entry_that_no_header_holds_is_an_error() {
    let device = |major| Entry::new("d", EntryKind::CharDevice { major, minor: 0 }, 0o600);
    for (entry, reason) in [
        (file(""), "empty"),
        (file("a\0b"), "NUL"),
        (symlink("a\0"), "NUL"),
        (file("a/"), "slash"),
        (device(1 << 21), "device number"),
        (with_attributes(file("a"), &[("user.a=b", b"")]), "`=`"),
        (Entry { kind: EntryKind::File { size: u64::MAX }, ..file("a") }, "too large"),
    ] {
        let error = archive(&entry, b"hello").unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn entry_is_read_back(
        path in "[a-zü]{1,90}(/[a-z0-9]{1,120}){0,4}",
        target in "[^\x00\x0a]{1,140}",
        link in any::<bool>(),
        (uid, gid, mode) in (any::<u32>(), any::<u32>(), 0_u32..0o10000),
        mtime in 0_i64..1 << 33,
        contents in proptest::collection::vec(any::<u8>(), 0..1500),
        // The crate `tar` cuts records at line ends; values with such are in the table above.
        xattr in proptest::option::of(proptest::collection::vec(11_u8..=255, 0..300)),
    ) {
        let contents = if link { Vec::new() } else { contents };
        let kind = if link { EntryKind::Symlink { target: target.clone().into() } } else { EntryKind::File { size: contents.len() as u64 } };
        let xattrs = xattr.iter().map(|value| (b"user.x".to_vec(), value.clone())).collect();
        let entry = Entry { uid, gid, mtime, xattrs, ..Entry::new(path.as_str(), kind, mode) };
        let bytes = archive(&entry, &contents).unwrap();
        prop_assert_eq!(bytes.len() % BLOCK, 0);
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut entries = archive.entries().unwrap();
        let mut read = entries.next().unwrap().unwrap();
        prop_assert_eq!(&*read.path_bytes(), path.as_bytes());
        let header = read.header();
        prop_assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (uid.into(), gid.into()));
        prop_assert_eq!((header.mode().unwrap(), header.mtime().unwrap()), (mode, u64::try_from(mtime).unwrap()));
        if link {
            prop_assert_eq!(&*read.link_name_bytes().unwrap(), target.as_bytes());
        }
        let records = read.pax_extensions().unwrap();
        let found = records.into_iter().flatten().map(Result::unwrap).find(|record| record.key_bytes() == b"SCHILY.xattr.user.x");
        prop_assert_eq!(found.map(|record| record.value_bytes().to_vec()), xattr);
        let mut back = Vec::new();
        read.read_to_end(&mut back).unwrap();
        prop_assert_eq!(back, contents);
        prop_assert!(entries.next().is_none());
    }
}

#[test]
fn archive_is_that_of_go() {
    for (name, entry, expected) in entries_and_hashes() {
        let contents = vec![b'x'; usize::try_from(entry.size()).unwrap()];
        let contents = if entry.size() == 5 { b"hello" } else { contents.as_slice() };
        assert_eq!(Digest::of(archive(&entry, contents).unwrap()).hex(), expected, "{name}");
    }
}

/// SHA-256 of the archives that a program in Go wrote of the same entries: files hold `hello`, the one
/// of two blocks is full of `x`.
#[expect(clippy::too_many_lines, reason = "a table")]
fn entries_and_hashes() -> Vec<(&'static str, Entry, &'static str)> {
    vec![
        ("file", file("/a"), "d43c2ea08d78808f00eab258a36d8e3b4011248d6734907464447c77e3f29db1"),
        (
            "folder",
            Entry { uid: 1000, gid: 1001, ..Entry::new("/layers/x", EntryKind::Directory, 0o755) },
            "7532468b1dba04cf0a9d5af9ee0ae01f4aba971548794c6d60d1e63667e35205",
        ),
        ("symlink", symlink("target"), "b2acb9524990ffbdf7b9de32c47fd98195ab6ce1b259c9a7fdb9bf5831b2561c"),
        ("setuid", Entry { mode: 0o4755, ..file("/s") }, "070632626ee85caf97038f85bbd83b8eac8bca4d6b4b3facfa4bbed6b3311c73"),
        ("name of 100", file(format!("/{}", "a".repeat(99))), "65181443bbe71d58df0fefe0304d85d11eefcfd4fc9261d6e551c72b2285eff5"),
        (
            "name split",
            file(format!("/{}/{}", "a".repeat(60), "b".repeat(60))),
            "ae7ee8fdd943c0fe6919532c49cd5f2b0420620e4ea5d6b9d8622b2875a479b0",
        ),
        (
            "name split at most",
            file(format!("{}/{}", "a".repeat(155), "b".repeat(100))),
            "5d8abcc07180462af09aa9603e6481d00d35adf09ca67a88aca79bc1d46908a1",
        ),
        ("name not split", file(format!("/{}", "a".repeat(120))), "b2660b11be64fb114cbb86078bffc9faf14bbb9cefb02495ef1fe0bc3b61ea60"),
        (
            "folder split",
            folder(format!("{}/{}/", "a".repeat(60), "b".repeat(60))),
            "61b1f6b447d5edb89b8f2759177173a56ae6ff4f9d9610e28c2cbe9d5a874732",
        ),
        (
            "folder of 101 with slash",
            folder(format!("{}/", "a".repeat(100))),
            "8178bae335c331d1ecfa11e08810aee087108cbe1e8ff6c1b315c9fcb413bbea",
        ),
        ("foreign name", file("/ü/é.txt"), "4c11be3a7ab8768a5926bef544f30ae4e9b7de41643ed51b6ef4d09a99851e2c"),
        ("foreign folder", folder("usr/ü/"), "f3b1f34cbebd68c0743bf917dd07498383cef1c5d2283372f938d5d0c5d786f9"),
        (
            "long foreign name",
            file(format!("/{}{}", "ü/".repeat(70), "x".repeat(30))),
            "688004bb3c12323da8357de04ec991ebcdf7753796edcfe15007db7b9580eee5",
        ),
        (
            "slash at the cut",
            file(format!("{}/{}", "a".repeat(99), "b".repeat(120))),
            "d21c499a4c71f17fa7903511e5e39b146c470bdacfb0cf95bc4848d3b2035e26",
        ),
        ("invalid utf-8", file(*b"/\xff\xfe"), "47aa39901eb2c3840b96667a1e1f44daa25289340ce570e840a511193297cb66"),
        ("long target", symlink(&"t".repeat(101)), "de51afd512c1477152b7722b1c074b5f6b4867b5fb0a237702a6f6a94b0badec"),
        ("target of 100", symlink(&"t".repeat(100)), "92dbfc7e699d12745f7ce4f9eae52cab3ba12490724ac8a81e97cd3b201837df"),
        ("foreign target", symlink("ü"), "1b3a616000f99bd55ba73d045a88ad8a1432e0d118b8b6ed7d60583b8783f1fa"),
        (
            "large ids",
            Entry { uid: 2_097_151, gid: 2_097_152, ..file("/a") },
            "d37282bdc54bb113cfd24a3f85bfd4e91f95ab72c35e27a5da13b1bca888b2f6",
        ),
        ("time before 1970", Entry { mtime: -5, ..file("/a") }, "c86bcba30f01ac54ced8a71b0d630f13a7e26e32255af2f9476fc8b426491b27"),
        ("time after 2242", Entry { mtime: 1 << 33, ..file("/a") }, "d520a7f92a6672e6ca0f39961e31320f69cced827e87425b150902584b9008ee"),
        (
            "attributes",
            with_attributes(file("/a"), &[("user.b", b"2"), ("security.capability", b"\x01\x00\n=")]),
            "7a3408b81f9457725ee8dcdd94983a3a96b8d72a40776fabfa14b3a565e88c79",
        ),
        (
            "attributes and split name",
            with_attributes(file(format!("/{}/{}", "a".repeat(60), "b".repeat(60))), &[("user.b", b"2")]),
            "ddb1e71743b6571aff61380cd3555fcf425a839a653de4e5c6edf48bf2773247",
        ),
        (
            "hard link",
            Entry::new("b", EntryKind::HardLink { target: b"a".to_vec() }, 0o644),
            "2c7c70ec39d54770781d5c56473cf28f84f592332a5d6a94316ec516fd464ecd",
        ),
        (
            "character device",
            Entry::new("dev/x", EntryKind::CharDevice { major: 5, minor: 1 }, 0o666),
            "747dbc5821cc8ab0689c288872709d62c42cd4c519b8b0e8fe77d61349345c07",
        ),
        (
            "block device",
            Entry::new("dev/y", EntryKind::BlockDevice { major: 259, minor: 1_048_575 }, 0o666),
            "a407b77f712608cb030619095ecc655f6afc7b48ac0a60b8bcd1a7626a85244d",
        ),
        ("pipe", Entry::new("p", EntryKind::Fifo, 0o600), "9a68460a3de739373bf2f6d55272129705300bb73e93a42107ef758baa95f2f8"),
        (
            "two blocks",
            Entry { kind: EntryKind::File { size: 1024 }, ..file("/a") },
            "4c9f2c49b43ac74e51b376cc08fc232e03ea81e0ebaf7016121fdf584c84496f",
        ),
    ]
}
