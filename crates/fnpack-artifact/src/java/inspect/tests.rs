use testkit::java::{ClassSource, jar};

use super::*;

const FUNCTION: &str = "org/apache/pulsar/functions/api/Function";
const JAVA_FUNCTION: &str = "java/util/function/Function";

/// A jar of classes in a folder.
fn write(classes: &[ClassSource], more: &[(&str, &[u8])]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jar");
    let more = more.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()));
    let entries: Vec<(String, Vec<u8>)> = classes.iter().map(ClassSource::entry).chain(more).collect();
    fs_err::write(&path, jar(&entries)).unwrap();
    (folder, path)
}

fn read(classes: &[ClassSource]) -> JavaArchive {
    let (_folder, path) = write(classes, &[]);
    JavaArchive::read(&path, &[]).unwrap()
}

fn names(archive: &JavaArchive) -> Vec<String> {
    archive.functions().into_iter().map(|function| function.name).collect()
}

fn helper(name: &str) -> ClassSource {
    ClassSource::new(name).implements(JAVA_FUNCTION)
}

#[test]
fn functions_prefer_pulsars_interface() {
    for (classes, expected) in [
        (vec![ClassSource::function("x/A"), helper("x/H"), ClassSource::new("x/B")], &["x.A"][..]),
        (vec![helper("x/H"), ClassSource::new("x/B")], &["x.H"]),
        (vec![helper("x/H"), helper("x/I")], &["x.H", "x.I"]),
        (vec![ClassSource::function("x/A"), ClassSource::function("x/Outer$B")], &["x.A", "x.Outer$B"]),
        (vec![ClassSource::function("x/A").flags(0x0401), helper("x/H")], &["x.H"]),
        (vec![], &[]),
    ] {
        assert_eq!(names(&read(&classes)), expected, "{classes:?}");
    }
}

#[test]
fn function_of_a_name_or_why_not() {
    let archive = read(&[
        ClassSource::function("x/Good"),
        ClassSource::function("x/Hidden").flags(0),
        ClassSource::function("x/Base").flags(0x0401),
        ClassSource::function("x/Face").flags(0x0601),
        ClassSource::function("x/Needy").constructor(1, "(I)V"),
        ClassSource::function("x/Private").constructor(2, "()V"),
        ClassSource::new("x/Other").extends("org/lib/Base"),
        helper("x/Helper"),
    ]);
    let said = "implements none of the interfaces that Pulsar runs: org.apache.pulsar.functions.api.Function, \
                org.apache.pulsar.functions.api.WindowFunction, java.util.function.Function (not found: org.lib.Base)";
    for (name, expected) in [
        ("x.Good", Ok("x.Good (java.lang.String to java.lang.String)")),
        ("x/Good", Ok("x.Good (java.lang.String to java.lang.String)")),
        ("x.Helper", Ok("x.Helper (java.lang.Object to java.lang.Object)")),
        ("x.None", Err("class `x.None` is not in the jar")),
        ("x.Hidden", Err("class `x.Hidden` is not public")),
        ("x.Base", Err("class `x.Base` is abstract")),
        ("x.Face", Err("`x.Face` is an interface, not a class")),
        ("x.Needy", Err("class `x.Needy` has no public constructor without parameters")),
        ("x.Private", Err("class `x.Private` has no public constructor without parameters")),
        ("x.Other", Err(format!("class `x.Other` {said}").as_str())),
    ] {
        let found = archive.function(name).map(|function| function.to_string()).map_err(|error| error.to_string());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned));
    }
    let misses: Vec<String> = archive.near_misses().iter().map(|miss| miss.class().to_owned()).collect();
    assert_eq!(misses, ["x.Hidden", "x.Base", "x.Face", "x.Needy", "x.Private"]);
}

#[test]
fn read_looks_for_superclasses_in_libraries() {
    let object = "Ljava/lang/Object;";
    let base = ClassSource::new("lib/Base").signature(&format!("<T:{object}>{object}L{FUNCTION}<TT;[B>;")).major(65);
    let (_function_folder, function) = write(&[ClassSource::new("x/F").extends("lib/Base").signature("Llib/Base<Ljava/lang/Long;>;")], &[]);
    let (_library_folder, library) = write(&[base, ClassSource::function("lib/NotMine")], &[]);
    assert_eq!(names(&JavaArchive::read(&function, &[]).unwrap()), [""; 0]);
    let archive = JavaArchive::read(&function, &[library]).unwrap();
    let found = archive.functions();
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), ["x.F (java.lang.Long to [B)"]);
    assert_eq!((archive.java_release(), archive.class_count()), (Some(21), 1));
    assert_eq!(archive.newest_class(), Some(("lib.Base", false)));
    let facts = archive.facts(&found[0], "/pulsar/function/function.jar");
    assert_eq!((facts.class_name.as_deref(), facts.window, facts.java_release), (Some("x.F"), Some(false), Some(21)));
}

#[test]
fn read_leaves_out_what_newer_javas_find() {
    let newest = ClassSource::new("x/A").major(69).bytes();
    let (_folder, path) = write(
        &[ClassSource::function("x/A").major(52)],
        &[("META-INF/versions/25/x/A.class", &newest), ("module-info.class", &newest), ("x/Damaged.class", b"\xCA\xFE\xBA\xBE\0\0\0\x37")],
    );
    let archive = JavaArchive::read(&path, &[]).unwrap();
    assert_eq!((archive.java_release(), names(&archive)), (Some(11), vec!["x.A".to_owned()]));
    assert_eq!(archive.newest_class(), Some(("x.Damaged", false)));
}

#[test]
fn read_counts_what_most_of_a_library_needs() {
    let many = |count: usize, major| (0..count).map(move |number| ClassSource::new(&format!("lib/C{major}x{number}")).major(major));
    for (newer, expected) in [(1, 17), (2, 17), (3, 21)] {
        let classes: Vec<ClassSource> = many(20 - newer, 52).chain(many(newer, 65)).collect();
        let (_own_folder, own) = write(&[ClassSource::function("x/F")], &[]);
        let (_folder, library) = write(&classes, &[]);
        assert_eq!(JavaArchive::read(&own, std::slice::from_ref(&library)).unwrap().java_release(), Some(expected), "{newer}");
        assert_eq!(JavaArchive::read(&library, &[]).unwrap().java_release(), Some(21));
    }
}

#[test]
fn functions_are_where_loaders_look() {
    let (_folder, path) = write(&[], &[("BOOT-INF/classes/x/A.class", &ClassSource::function("x/A").bytes())]);
    let archive = JavaArchive::read(&path, &[]).unwrap();
    assert_eq!((archive.class_count(), names(&archive)), (0, vec![]));
}

#[test]
fn read_names_bundled_packages() {
    let archive = read(&[ClassSource::function("x/A"), ClassSource::new("com/google/gson/Gson"), ClassSource::new(FUNCTION)]);
    assert_eq!(archive.bundled_packages().collect::<Vec<_>>(), ["com.google.gson", "org.apache.pulsar.functions.api"]);
}

#[test]
fn read_looks_into_the_jars_of_a_nar() {
    let inner = jar(&[ClassSource::function("x/A").entry()]);
    let yaml = b"name: orders\nfunctionClass: \"x.A\" # ours\n";
    let (_folder, path) = write(&[], &[("META-INF/bundled-dependencies/a.jar", &inner), ("META-INF/services/pulsar-io.yaml", yaml)]);
    let archive = JavaArchive::read(&path, &[]).unwrap();
    assert_eq!(names(&archive), ["x.A"]);
    assert_eq!(archive.nar().and_then(|nar| nar.function_class.as_deref()), Some("x.A"));
}

#[test]
fn read_errors_name_the_jar() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jar");
    assert_eq!(JavaArchive::read(&path, &[]).unwrap_err().to_string(), format!("open `{}`", path.display()));
    fs_err::write(&path, "not a zip").unwrap();
    assert_eq!(JavaArchive::read(&path, &[]).unwrap_err().to_string(), format!("`{}` is not a jar that can be read", path.display()));
}
