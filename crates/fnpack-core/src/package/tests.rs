use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fnpack_artifact::{Facts, Language};
use testkit::java::{ClassSource, jar};

use super::unzip::tests::{zip, zip_of};
use super::*;
use crate::root::Root;

const MODULE: &str = "def process(input):\n    return input\n";
const CLASS: &str = "class Orders:\n    def process(self, input, context):\n        return input\n";

/// A folder with files, and the name of one to look at.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, bytes) in files {
            let path = folder.at(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, bytes).unwrap();
        }
        folder
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> Result<Artifact, String> {
        let read = Artifact::read(&self.at(name), ArtifactOptions::default());
        read.map_err(|error| {
            let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
        })
    }
}

/// What `place` made of a file: the artifact's path, every file with its mode, and the paths of each slice.
type PlacedFiles = (String, Vec<String>, Vec<String>);

fn placed(folder: &Folder, name: &str, options: ArtifactOptions<'_>) -> Result<PlacedFiles, String> {
    let artifact = Artifact::read(&folder.at(name), options).map_err(|error| error.to_string())?;
    let (app, way) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = Root::open(app.path()).unwrap();
    let placed = place(&artifact, &root, Path::new("/pulsar/function"), &Root::open(way.path()).unwrap());
    let placed = placed.map_err(|error| error.to_string())?;
    Ok((placed.facts.artifact, files(&root, Path::new("")), placed.slices.into_iter().map(|slice| slice.paths.join(" ")).collect()))
}

fn files(root: &Root, folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in root.read_dir(folder).unwrap() {
        let path = folder.join(entry.name);
        if root.is_dir(&path) {
            found.extend(files(root, &path));
        } else {
            found.push(format!("{} {:o}", path.display(), root.symlink_metadata(&path).unwrap().st_mode & 0o777));
        }
    }
    found
}

fn function_jar(manifest: &str) -> Vec<u8> {
    let (name, class) = ClassSource::function("org/example/Orders").entry();
    jar(&[("META-INF/MANIFEST.MF".to_owned(), manifest.as_bytes().to_vec()), (name, class)])
}

fn wheel(files: &[(&str, &str)]) -> Vec<u8> {
    zip(&[files, &[("dep-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n"), ("dep-1.0.dist-info/METADATA", "Name: dep\n")]].concat())
}

#[test]
fn place_puts_each_kind_where_pulsar_finds_it() {
    let dependency = wheel(&[("dep/__init__.py", ""), ("dep-1.0.data/purelib/extra.py", ""), ("dep-1.0.data/scripts/tool", "")]);
    let package = zip_of(&[("orders/deps/dep-1.0-py3-none-any.whl", &dependency), ("orders/src/orders.py", MODULE.as_bytes())]);
    let own = wheel(&[("shop/__init__.py", ""), ("shop/orders.py", CLASS)]);
    let folder = Folder::new(&[
        ("orders.py", MODULE.as_bytes()),
        ("orders.zip", &package),
        ("dep-1.0-py3-none-any.whl", &own),
        ("fat.jar", &function_jar("")),
        ("thin.jar", &function_jar("Class-Path: lib/a.jar\n")),
        ("lib/a.jar", &jar(&[("x.txt", "")])),
    ]);
    for (name, artifact, files, slices) in [
        ("orders.py", "orders.py", &["orders.py 644"][..], &[][..]),
        (
            "orders.zip",
            "orders.py",
            &["dep/__init__.py 644", "dep-1.0.dist-info/METADATA 644", "dep-1.0.dist-info/WHEEL 644", "extra.py 644", "orders.py 644"],
            &["dep dep-1.0.dist-info extra.py"],
        ),
        (
            "dep-1.0-py3-none-any.whl",
            "function.py",
            &[
                "dep-1.0.dist-info/METADATA 644",
                "dep-1.0.dist-info/WHEEL 644",
                "function.py 644",
                "shop/__init__.py 644",
                "shop/orders.py 644",
            ],
            &[],
        ),
        ("fat.jar", "function.jar", &["function.jar 644"], &[]),
        ("thin.jar", "function.jar", &["function.jar 644", "lib/a.jar 644"], &["lib/a.jar"]),
    ] {
        let (path, found, parts) = placed(&folder, name, ArtifactOptions::default()).unwrap();
        assert_eq!(path, format!("/pulsar/function/{artifact}"), "{name}");
        assert_eq!(found, files, "{name}");
        assert_eq!(parts, slices, "{name}");
    }
}

#[test]
fn place_names_jars_that_are_not_there() {
    let folder = Folder::new(&[("thin.jar", &function_jar("Class-Path: lib/a.jar ../b.jar https://example.com/c.jar\n"))]);
    let error = placed(&folder, "thin.jar", ArtifactOptions::default()).unwrap_err();
    assert!(error.ends_with("needs jars that are not beside it: lib/a.jar, ../b.jar, https://example.com/c.jar"), "{error}");
}

#[test]
fn place_leaves_out_what_runners_bring_if_asked() {
    let (name, class) = ClassSource::function("org/example/Orders").entry();
    let folder = Folder::new(&[("fat.jar", &jar(&[(name, class), ClassSource::new("org/slf4j/Logger").entry()]))]);
    let artifact = folder.read("fat.jar").unwrap();
    assert!(artifact.notes.iter().any(|note| note.contains("org.slf4j") && note.contains("--strip-provided")), "{:?}", artifact.notes);

    let options = ArtifactOptions { strip_provided: true, ..ArtifactOptions::default() };
    let artifact = Artifact::read(&folder.at("fat.jar"), options).unwrap();
    assert_eq!(artifact.notes, Vec::<String>::new());
    let (app, way) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    place(&artifact, &Root::open(app.path()).unwrap(), Path::new("/f"), &Root::open(way.path()).unwrap()).unwrap();
    let names: Vec<String> = zip::ZipArchive::new(fs_err::File::open(app.path().join("function.jar")).unwrap())
        .unwrap()
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    assert_eq!(names, ["META-INF/MANIFEST.MF", "org/example/Orders.class"]);
}

#[test]
fn artifact_that_is_no_function_says_why() {
    let class = |name: &str| ClassSource::function(name).entry();
    let folder = Folder::new(&[
        ("no.jar", &jar(&[ClassSource::new("x/A").entry()])),
        ("two.jar", &jar(&[class("x/A"), class("x/B")])),
        ("empty.py", b"x = 1\n"),
        ("two.py", b"class A:\n    def process(self, input, context): pass\nclass B:\n    def process(self, input, context): pass\n"),
        ("other.zip", &zip(&[("orders/src/orders.py", MODULE)])),
        ("orders.whl", &zip(&[("orders/src/orders.py", MODULE)])),
        ("text", MODULE.as_bytes()),
        ("cut.jar", &function_jar("")[..200]),
        ("bin", b"\x7fELF\x02\x01\x01"),
    ]);
    for (name, reason) in [
        ("no.jar", "no class that Pulsar could run as a function, among 1 classes"),
        ("two.jar", "has several functions"),
        ("empty.py", "not found"),
        ("two.py", "several Python functions"),
        ("other.zip", "no `other/src`"),
        ("text", "is a text file not named `.py`"),
        ("orders.whl", "is a Python zip, and its name does not end in `.zip`"),
        ("cut.jar", "is a damaged zip archive"),
        ("bin", "is no Go function"),
        ("none", "cannot read"),
        (".", "is not a regular file"),
    ] {
        let error = folder.read(name).unwrap_err();
        assert!(error.contains(reason), "{name}: {error}");
    }
    let named = |name: &str, class_name| {
        let options = ArtifactOptions { class_name: Some(class_name), ..ArtifactOptions::default() };
        Artifact::read(&folder.at(name), options).map(|artifact| artifact.facts.class_name.unwrap())
    };
    assert_eq!(named("two.jar", "x.B").unwrap(), "x.B");
    assert_eq!(named("two.py", "two.B").unwrap(), "two.B");
    assert!(matches!(named("two.jar", "x.C"), Err(ArtifactError::Class { .. })));
    assert!(matches!(named("bin", "x"), Err(ArtifactError::ClassOfGo { .. })));
}

/// What `take` makes of these files of an application folder.
fn taken(language: Language, artifact: &str, files: &[&str], wanted: &Wanted) -> Result<Taken, TakeError> {
    let app = tempfile::tempdir().unwrap();
    for name in files {
        fs_err::create_dir_all(app.path().join(name).parent().unwrap()).unwrap();
        fs_err::write(app.path().join(name), name).unwrap();
    }
    let facts = Facts::new(language, format!("/pulsar/function/{artifact}"));
    take(&Root::open(app.path()).unwrap(), Path::new("/pulsar/function"), Some(facts), wanted)
}

#[test]
fn take_makes_the_form_of_the_language() {
    let out = tempfile::tempdir().unwrap();
    for (language, artifact, files, format, expected, mode) in [
        (Language::Go, "function", &["function"][..], None, Ok("orders-function"), 0o755),
        (Language::Java, "function.jar", &["function.jar"], None, Ok("orders.jar"), 0o644),
        (Language::Java, "function.nar", &["function.nar"], Some(Format::Nar), Ok("orders.nar"), 0o644),
        (Language::Python, "exclaim.py", &["exclaim.py"], None, Ok("exclaim.py"), 0o644),
        (Language::Python, "exclaim.py", &["exclaim.py"], Some(Format::Zip), Ok("orders.zip"), 0o644),
        (Language::Python, "function.py", &["src/a.py", "src/b/c.py"], None, Ok("orders.zip"), 0o644),
        (Language::Java, "function.jar", &["function.jar"], Some(Format::Zip), Err("a Java function has no form `zip`, only `jar`"), 0),
        (Language::Python, "f.py", &["src/a.py"], Some(Format::Py), Err("a Python function has no form `py`, only `zip`"), 0),
        (Language::Go, "function", &["other"], None, Err("the buildpacks left no `function` in the application folder"), 0),
    ] {
        let wanted = Wanted { format, output: Output::Folder { folder: out.path().to_owned(), base: "orders".into() } };
        match (taken(language, artifact, files, &wanted), expected) {
            (Ok(taken), Ok(name)) => {
                assert_eq!((taken.path.as_path(), taken.facts.artifact.as_str()), (out.path().join(name).as_path(), name));
                let written = fs_err::metadata(&taken.path).unwrap();
                assert_eq!((taken.size, written.permissions().mode() & 0o777), (written.len(), mode), "{name}");
                assert_eq!(taken.digest, crate::digest::Digest::of(fs_err::read(&taken.path).unwrap()), "{name}");
            }
            (Err(error), Err(reason)) => assert_eq!(error.to_string(), reason),
            (result, expected) => panic!("{result:?} instead of {expected:?}"),
        }
    }
    assert!(fs_err::read_dir(out.path()).unwrap().all(|entry| entry.unwrap().path().extension().is_none_or(|suffix| suffix != "part")));
}

#[test]
fn take_gives_the_same_bytes_again() {
    let out = tempfile::tempdir().unwrap();
    let digest = |files: &[&str]| {
        let wanted = Wanted { format: None, output: Output::File(out.path().join("orders.zip")) };
        taken(Language::Python, "function.py", files, &wanted).unwrap().digest
    };
    assert_eq!(digest(&["src/a.py", "src/b.py"]), digest(&["src/b.py", "src/a.py"]));
}

#[test]
fn take_refuses_names_that_would_not_run() {
    let out = tempfile::tempdir().unwrap();
    let wanted = |name: &str| Wanted { format: None, output: Output::File(out.path().join(name)) };
    let error = taken(Language::Python, "exclaim.py", &["exclaim.py"], &wanted("other.py")).unwrap_err();
    assert!(matches!(error, TakeError::ModuleName { ref module, .. } if module == "exclaim.py"), "{error}");
    let error = taken(Language::Python, "f.py", &["src/a.py"], &wanted("my orders;.zip")).unwrap_err();
    assert!(matches!(error, TakeError::Zip { .. }), "{error}");
    assert!(matches!(taken(Language::Go, "f", &["f"], &wanted("no/folder")), Err(TakeError::Write { .. })));
    fs_err::create_dir(out.path().join("folder")).unwrap();
    assert!(matches!(taken(Language::Go, "f", &["f"], &wanted("folder")), Err(TakeError::Write { .. })));
    fs_err::remove_dir(out.path().join("folder")).unwrap();
    assert!(matches!(take(&Root::open(out.path()).unwrap(), Path::new("/f"), None, &wanted("x")), Err(TakeError::NoFunction)));
    assert_eq!(fs_err::read_dir(out.path()).unwrap().count(), 0);
}
