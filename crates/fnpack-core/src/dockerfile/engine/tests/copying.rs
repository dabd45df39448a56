use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::fake::{FakeHost, OLD, context};
use crate::image::CONSTANT_TIME_SECONDS;

/// What an instruction adds to the base, the base's own names left out.
fn added(host: &FakeHost, instructions: &str, folder: &Path) -> Vec<String> {
    let before = host.files(&host.build("FROM base", folder).unwrap());
    let image = host.build(&format!("FROM base\n{instructions}"), folder).unwrap_or_else(|error| panic!("{instructions}: {error:?}"));
    let after = host.files(&image);
    after.lines().filter(|line| !before.lines().any(|known| known == *line)).map(str::to_owned).collect()
}

#[test]
fn copy_follows_docker() {
    let folder = context(&[("a.txt", "A"), ("b.txt", "B"), ("d/x", "X"), ("d/e/y", "Y"), ("with space", "S"), ("star*", "T")]);
    fs_err::set_permissions(folder.path().join("d/x"), std::fs::Permissions::from_mode(0o751)).unwrap();
    let host = FakeHost::new();
    for (instructions, expected) in [
        // One file: a name, or into a folder.
        ("COPY a.txt /new", &["/new 644 A"] as &[&str]),
        ("COPY a.txt /new/", &["/new/ 755", "/new/a.txt 644 A"]),
        ("COPY a.txt /p/q/new", &["/p/ 755", "/p/q/ 755", "/p/q/new 644 A"]),
        ("COPY a.txt /srv", &["/srv/a.txt 644 A"]),
        ("COPY ./a.txt .", &["/a.txt 644 A"]),
        ("COPY ../../a.txt /srv/..", &["/a.txt 644 A"]),
        ("COPY /a.txt srv/", &["/srv/a.txt 644 A"]),
        ("WORKDIR /srv\nCOPY a.txt b", &["/srv/b 644 A"]),
        ("WORKDIR /srv\nCOPY a.txt ./", &["/srv/a.txt 644 A"]),
        ("COPY a.txt /etc/passwd", &["/etc/passwd 644 A"]),
        ("COPY [\"with space\", \"/x y\"]", &["/x y 644 S"]),
        ("ARG F=a.txt\nCOPY ${F} /$F.new", &["/a.txt.new 644 A"]),
        // Folders: their contents.
        ("COPY d /new", &["/new/ 755", "/new/e/ 755", "/new/e/y 644 Y", "/new/x 751 X"]),
        ("COPY d/ /srv", &["/srv/e/ 755", "/srv/e/y 644 Y", "/srv/x 751 X"]),
        ("COPY d a.txt /srv/", &["/srv/a.txt 644 A", "/srv/e/ 755", "/srv/e/y 644 Y", "/srv/x 751 X"]),
        // Wildcards.
        ("COPY *.txt /srv/", &["/srv/a.txt 644 A", "/srv/b.txt 644 B"]),
        ("COPY [ab].tx? /srv/", &["/srv/a.txt 644 A", "/srv/b.txt 644 B"]),
        ("COPY d/*/y /srv/", &["/srv/y 644 Y"]),
        ("COPY a.tx* /new", &["/new 644 A"]),
        ("COPY a.txt nosuc[h] /srv/", &["/srv/a.txt 644 A"]),
        ("COPY [\"star\\\\*\", \"/srv/\"]", &["/srv/star* 644 T"]),
        // Owners and modes.
        ("COPY --chown=pulsar a.txt /new/", &["/new/ 755 10000:10001", "/new/a.txt 644 10000:10001 A"]),
        ("COPY --chown=7 a.txt /srv/", &["/srv/a.txt 644 7:7 A"]),
        ("ARG U=0:pulsar\nCOPY --chown=$U a.txt /srv/", &["/srv/a.txt 644 0:10001 A"]),
        ("COPY --chmod=0600 d /new", &["/new/ 600", "/new/e/ 600", "/new/e/y 600 Y", "/new/x 600 X"]),
        ("COPY --chmod=4755 a.txt /new", &["/new 4755 A"]),
        // Symlinks in the image.
        ("COPY a.txt /lib/", &["/usr/lib/a.txt 644 A"]),
        ("COPY d /lib/sub", &["/usr/lib/sub/ 755", "/usr/lib/sub/e/ 755", "/usr/lib/sub/e/y 644 Y", "/usr/lib/sub/x 751 X"]),
    ] {
        assert_eq!(added(&host, instructions, folder.path()), expected, "{instructions}");
    }
}

#[test]
fn copy_keeps_symlinks_and_never_leaves_the_context() {
    let outside = context(&[("secret", "outside")]);
    let folder = context(&[("d/x", "X"), ("real/y", "Y")]);
    let link = |target: &Path, name: &str| symlink(target, folder.path().join(name)).unwrap();
    link(Path::new("x"), "d/link");
    link(&outside.path().join("secret"), "d/absolute");
    link(Path::new("../../../../secret"), "d/dots");
    link(Path::new("real"), "folder");
    link(outside.path(), "hostile");
    link(Path::new("/real"), "inside");
    let host = FakeHost::new();
    let copied = added(&host, "COPY d /new", folder.path());
    let secret = outside.path().join("secret");
    assert_eq!(
        copied,
        [
            "/new/ 755",
            &format!("/new/absolute -> {}", secret.display()),
            "/new/dots -> ../../../../secret",
            "/new/link -> x",
            "/new/x 644 X"
        ]
    );
    // A symlink that is named itself is followed, inside the context.
    for name in ["folder", "inside", "folder/."] {
        assert_eq!(added(&host, &format!("COPY {name} /srv"), folder.path()), ["/srv/y 644 Y"], "{name}");
    }
    assert_eq!(added(&host, "COPY d/link /srv/", folder.path()), ["/srv/link 644 X"]);
    for name in ["hostile", "hostile/secret", "d/absolute", "d/dots", "../secret"] {
        let error = host.fail(&format!("FROM base\nCOPY {name} /srv/"), folder.path());
        assert!(error.contains(&format!("`{name}` is not in the build context `CONTEXT`")), "{error}");
    }
}

#[test]
fn copy_follows_hostile_symlinks_of_the_image_inside_it() {
    let outside = context(&[]);
    let target = outside.path().to_owned();
    let host = FakeHost::new().with_image("hostile", |root| {
        root.create_dir_all(&target, 0o755).unwrap();
        root.symlink(&target, "out").unwrap();
        root.symlink("/nowhere", "dangling").unwrap();
    });
    let folder = context(&[("a", "1")]);
    let image = host.build("FROM hostile\nCOPY a /out/\nCOPY a /dangling", folder.path()).unwrap();
    assert_eq!(host.root(&image).read(target.join("a"), 10).unwrap(), b"1");
    assert_eq!(host.root(&image).read("dangling", 10).unwrap(), b"1");
    assert!(fs_err::read_dir(outside.path()).unwrap().next().is_none());
}

#[test]
fn copy_honours_the_ignore_file() {
    let files = [("a.txt", "A"), ("secret/key", "K"), ("secret/public", "P"), ("d/b.log", "L"), ("d/c", "C"), ("e/b.log", "L")];
    let folder = context(&files);
    fs_err::write(folder.path().join(".dockerignore"), "secret\n!secret/public\n**/*.log\n.dockerignore\n").unwrap();
    let host = FakeHost::new();
    let expected =
        ["/new/ 755", "/new/a.txt 644 A", "/new/d/ 755", "/new/d/c 644 C", "/new/e/ 755", "/new/secret/ 755", "/new/secret/public 644 P"];
    assert_eq!(added(&host, "COPY . /new", folder.path()), expected);
    assert_eq!(added(&host, "COPY secret /srv", folder.path()), ["/srv/public 644 P"]);
    assert_eq!(
        host.fail("FROM base\nCOPY secret/key /", folder.path()),
        "Dockerfile:2: cannot copy `secret/key` to `/`: `secret/key` is left out of the build context `CONTEXT` by its ignore file"
    );
}

#[test]
fn copy_gives_constant_times() {
    let folder = context(&[("a", "1"), ("d/x", "2")]);
    let host = FakeHost::new();
    let image = host.build("FROM base\nCOPY a d /usr/lib/\nCOPY d /p/q", folder.path()).unwrap();
    let root = host.root(&image);
    for path in ["usr/lib/a", "usr/lib/x", "p", "p/q", "p/q/x"] {
        assert_eq!(root.symlink_metadata(path).unwrap().st_mtime, CONSTANT_TIME_SECONDS, "{path}");
    }
    assert_eq!(root.symlink_metadata("usr/lib").unwrap().st_mtime, OLD.tv_sec);
}

#[test]
fn copy_is_found_again_by_content() {
    let folder = context(&[("a", "1"), ("b", "2")]);
    let host = FakeHost::new();
    let text = "FROM base\nCOPY a /x";
    let path = folder.path().join("a");
    let first = host.build(text, folder.path()).unwrap();
    assert_eq!(host.opened(), 1);
    let change = |change: &dyn Fn()| {
        change();
        host.build(text, folder.path()).unwrap();
        host.opened()
    };
    assert_eq!(change(&|| fs_err::write(&path, "1").unwrap()), 0);
    assert_eq!(change(&|| fs_err::write(folder.path().join("b"), "3").unwrap()), 0);
    assert_eq!(change(&|| fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap()), 1);
    assert_eq!(change(&|| fs_err::write(&path, "2").unwrap()), 1);
    assert_eq!(change(&|| fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap()), 1);
    assert_eq!(change(&|| fs_err::write(&path, "1").unwrap()), 0);
    assert_eq!(host.build(text, folder.path()).unwrap().digest(), first.digest());
    for (changed, opened) in
        [("COPY a /y", 1), ("COPY --chown=7 a /x", 1), ("COPY --chmod=640 a /x", 1), ("COPY --chmod=644 a /x", 0), ("COPY ./a /x", 0)]
    {
        host.build(&format!("FROM base\n{changed}"), folder.path()).unwrap();
        assert_eq!(host.opened(), opened, "{changed}");
    }
}

#[test]
fn copy_mistakes_are_named() {
    let folder = context(&[("word-count.zip", ""), ("target/function.jar", ""), ("d/x", ""), ("d/y", "")]);
    rustix::fs::mknodat(rustix::fs::CWD, folder.path().join("fifo"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    let host = FakeHost::new();
    for (instruction, expected) in [
        (
            "COPY wordcount.zip /srv/",
            "cannot copy `wordcount.zip` to `/srv`: `wordcount.zip` is not in the build context `CONTEXT` (did you mean `word-count.zip`?)",
        ),
        (
            "COPY function.jar /srv/",
            "cannot copy `function.jar` to `/srv`: `function.jar` is not in the build context `CONTEXT` (did you mean `target/function.jar`?)",
        ),
        ("COPY nosuch /srv/", "cannot copy `nosuch` to `/srv`: `nosuch` is not in the build context `CONTEXT`"),
        ("COPY *.nosuch /srv/", "cannot copy `*.nosuch` to `/srv`: `*.nosuch` is not in the build context `CONTEXT`"),
        ("COPY [ /srv/", "cannot copy `[` to `/srv`: `[` is not a pattern"),
        ("COPY d/x d/y /z", "cannot copy `d/x`, `d/y` to `/z`: 2 sources need a destination that ends with `/`, and `/z` does not"),
        ("COPY d/* /z", "cannot copy `d/*` to `/z`: 2 sources need a destination that ends with `/`, and `/z` does not"),
        ("COPY --chmod=u+x d /z", "cannot copy `d` to `/z`: `u+x` is not a file mode in octal digits"),
        ("COPY --chmod=77777 d /z", "cannot copy `d` to `/z`: `77777` is not a file mode in octal digits"),
        ("COPY --chown=nobody d /z", "cannot tell who `nobody` is: the image has no user `nobody` in /etc/passwd"),
        ("COPY d /etc/passwd", "cannot copy `d` to `/etc/passwd`: `/etc/passwd` is a file in the image and would be replaced by a folder"),
        (
            "COPY d/x /etc/passwd/",
            "cannot copy `d/x` to `/etc/passwd`: `/etc/passwd` is a file in the image and would be replaced by a folder",
        ),
        ("COPY fifo /z", "cannot copy `fifo` to `/z`: `fifo` is a fifo and cannot be copied"),
        ("COPY . /z", "cannot copy `.` to `/z`: `fifo` is a fifo and cannot be copied"),
    ] {
        assert_eq!(host.fail(&format!("FROM base\n\n{instruction}"), folder.path()), format!("Dockerfile:3: {expected}"), "{instruction}");
    }
}

#[test]
fn linked_copy_looks_at_nothing_below() {
    let folder = context(&[("a.txt", "A")]);
    let host = FakeHost::new().with_image("other", |root| root.symlink("usr/lib", "lib").unwrap());
    let top = |text: &str| {
        let image = host.build(text, folder.path()).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let mut layer = String::new();
        image.layers().last().unwrap().blob.open().unwrap().read_to_string(&mut layer).unwrap();
        layer
    };
    let own = "COPY --link --chown=7:8 a.txt /lib/sub/a\n";
    let linked = "/lib/ 755 7:8\n/lib/sub/ 755 7:8\n/lib/sub/a 644 7:8 A\n";
    assert_eq!((top(&format!("FROM base\n{own}")).as_str(), host.opened()), (linked, 1));
    assert_eq!((top(&format!("FROM other\n{own}")).as_str(), host.opened()), (linked, 0), "the same layer on every image");
    // The folder is there for sure.
    assert_eq!((top(&format!("FROM base\n{own}WORKDIR /lib/sub\n")).as_str(), host.opened()), (linked, 0));
    // Names are those of the image, which is looked at for them.
    let named = top("FROM base\nCOPY --link --chown=pulsar a.txt /new\n");
    assert_eq!((named.as_str(), host.opened()), ("/new 644 10000:10001 A\n", 2));
    let error = host.fail("FROM other\nCOPY --link --chown=pulsar a.txt /new\n", folder.path());
    assert!(error.contains("pulsar"), "{error}");
}
