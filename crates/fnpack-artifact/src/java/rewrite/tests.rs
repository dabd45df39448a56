use testkit::java::{ClassSource, jar, jar_of_time};

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn jar(&self, name: &str, entries: &[(&str, &str)]) -> PathBuf {
        fs_err::write(self.at(name), jar(entries)).unwrap();
        self.at(name)
    }

    /// Names and texts, in the order of the jar.
    fn read(&self, name: &str) -> Vec<(String, String)> {
        let mut archive = Archive::open(&self.at(name)).unwrap();
        let entries = archive.entries().to_vec();
        let text = |entry: Entry| (entry.name.clone(), String::from_utf8(archive.read(&entry, TEXT_LIMIT).unwrap()).unwrap());
        entries.into_iter().map(text).collect()
    }

    fn thin(&self, entries: &[(&str, &str)], class_path: &[&str]) -> Vec<(String, String)> {
        let jar = self.jar("in.jar", entries);
        let class_path: Vec<String> = class_path.iter().map(|path| (*path).to_owned()).collect();
        thin_jar(&jar, &class_path, false, &self.at("out.jar")).unwrap();
        self.read("out.jar")
    }
}

fn pairs(entries: &[(&str, &str)]) -> Vec<(String, String)> {
    entries.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

const PLAIN: &str = "Manifest-Version: 1.0\r\n\r\n";

#[test]
fn thin_jar_names_its_libraries() {
    let found = Folder::new().thin(&[("x/", ""), ("x/B.class", "b"), ("x/A.class", "a")], &["lib/a-1.0.jar", "lib/b c.jar"]);
    let manifest = "Manifest-Version: 1.0\r\nClass-Path: lib/a-1.0.jar lib/b%20c.jar\r\n\r\n";
    assert_eq!(found, pairs(&[(MANIFEST, manifest), ("x/", ""), ("x/A.class", "a"), ("x/B.class", "b")]));
}

#[test]
fn thin_jar_leaves_signatures_and_moments_out() {
    let found = Folder::new().thin(
        &[
            ("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nBuilt-By: me\nClass-Path: old.jar\n\nName: x/A.class\nSHA-256-Digest: x\n"),
            ("META-INF/ME.SF", ""),
            ("META-INF/me.rsa", ""),
            ("META-INF/ME.EC", ""),
            ("META-INF/SIG-X", ""),
            ("META-INF/INDEX.LIST", ""),
            ("META-INF/keys/a.SF", "kept"),
            ("META-INF/maven/g/a/pom.properties", "#Created\n#Sat Nov 21\nversion=1\n"),
        ],
        &[],
    );
    let expected = [(MANIFEST, PLAIN), ("META-INF/keys/a.SF", "kept"), ("META-INF/maven/g/a/pom.properties", "version=1\n")];
    assert_eq!(found, pairs(&expected));
}

#[test]
fn thin_jar_strips_provided_classes_if_asked() {
    let folder = Folder::new();
    let jar = folder.jar("in.jar", &[("com/google/gson/Gson.class", ""), ("x/A.class", "")]);
    for (strip, expected) in [(false, 3), (true, 2)] {
        thin_jar(&jar, &[], strip, &folder.at("out.jar")).unwrap();
        assert_eq!(folder.read("out.jar").len(), expected, "{strip}");
    }
}

#[test]
fn thin_jar_bytes_repeat() {
    let folder = Folder::new();
    let (one, other) = ([("a/A.class", "a"), ("b/B.class", "b")], [("b/B.class", "b"), ("a/A.class", "a")]);
    fs_err::write(folder.at("one.jar"), jar_of_time(&one, 2020)).unwrap();
    fs_err::write(folder.at("other.jar"), jar_of_time(&other, 2024)).unwrap();
    for name in ["one", "other"] {
        thin_jar(&folder.at(&format!("{name}.jar")), &[], false, &folder.at(&format!("{name}.out"))).unwrap();
    }
    assert_eq!(fs_err::read(folder.at("one.out")).unwrap(), fs_err::read(folder.at("other.out")).unwrap());
}

#[test]
fn fat_jar_merges() {
    let folder = Folder::new();
    let thin = folder.jar(
        "thin.jar",
        &[
            ("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nClass-Path: lib/a.jar\n"),
            ("META-INF/services/s", "x.One\n"),
            ("META-INF/LICENSE", "ours"),
            ("x/A.class", "a"),
        ],
    );
    let one = folder.jar(
        "one.jar",
        &[
            ("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMulti-Release: true\n"),
            ("META-INF/services/s", "# ours\r\nx.Two\r\nx.One"),
            ("META-INF/LICENSE", "theirs"),
            ("META-INF/versions/21/module-info.class", "m"),
            ("META-INF/versions/21/y/B.class", "new"),
            ("org/slf4j/Logger.class", "provided"),
            ("same", "same"),
            ("y/B.class", "b"),
        ],
    );
    let other = folder.jar("other.jar", &[("same", "same"), ("y/B.class", "else"), ("module-info.class", "m")]);
    let found = fat_jar(&thin, &[one.clone(), other.clone()], &folder.at("out.jar")).unwrap();
    let left = |path: &Path| path.display().to_string();
    assert_eq!(found.duplicates, [Duplicate { name: "y/B.class".into(), kept: left(&one), left: left(&other) }]);
    let manifest = "Manifest-Version: 1.0\r\nMulti-Release: true\r\n\r\n";
    let expected = [
        (MANIFEST, manifest),
        ("META-INF/LICENSE", "ours"),
        ("META-INF/services/s", "x.One\n# ours\nx.Two\n"),
        ("META-INF/versions/21/y/B.class", "new"),
        ("same", "same"),
        ("x/A.class", "a"),
        ("y/B.class", "b"),
    ];
    assert_eq!(folder.read("out.jar"), pairs(&expected));
}

#[test]
fn fat_jar_is_read_as_one() {
    let folder = Folder::new();
    let (thin, library) = (folder.at("thin.jar"), folder.at("library.jar"));
    fs_err::write(&thin, jar(&[ClassSource::new("x/F").extends("lib/Base").entry()])).unwrap();
    fs_err::write(&library, jar(&[ClassSource::function("lib/Base").flags(0x0401).entry()])).unwrap();
    fat_jar(&thin, &[library], &folder.at("fat.jar")).unwrap();
    let archive = super::super::JavaArchive::read(&folder.at("fat.jar"), &[]).unwrap();
    assert_eq!(archive.functions()[0].name, "x.F");
}

#[test]
fn thin_jar_that_cannot_be_written_says_where() {
    let folder = Folder::new();
    let jar = folder.jar("in.jar", &[("a", "")]);
    let out = folder.at("nowhere/out.jar");
    let error = thin_jar(&jar, &[], false, &out).unwrap_err();
    assert_eq!(error.to_string(), format!("write `{}`", out.display()));
}
