use testkit::java::{ClassSource, jar};

use super::*;

/// A jar of a build, with its entries.
type Made = (&'static str, Vec<(String, Vec<u8>)>);

struct Module(tempfile::TempDir);

impl Module {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, path: &str, entries: &[(String, Vec<u8>)]) -> PathBuf {
        let path = self.0.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, jar(entries)).unwrap();
        path
    }

    fn results(&self, named: Option<&str>) -> Results {
        let libraries = jars_in(&self.0.path().join("target/dependency")).unwrap();
        Results { tool: Tool::Maven, folder: self.0.path().to_path_buf(), named: named.map(PathBuf::from), libraries }
    }

    /// Jar, libraries, and whether it stays whole.
    fn chosen(&self, named: Option<&str>) -> (String, Vec<String>, bool) {
        let artifact = self.results(named).choose(None).unwrap();
        (file_name(&artifact.jar), artifact.libraries.iter().map(|path| file_name(path)).collect(), artifact.is_whole)
    }
}

fn own() -> (String, Vec<u8>) {
    ClassSource::function("x/F").entry()
}

fn library() -> (String, Vec<u8>) {
    ClassSource::new("lib/L").entry()
}

fn provided() -> (String, Vec<u8>) {
    ClassSource::new("org/slf4j/Logger").entry()
}

fn relocated() -> (String, Vec<u8>) {
    ClassSource::new("x/shaded/L").entry()
}

#[test]
fn choose_takes_the_function_apart_where_that_is_safe() {
    const LIBRARY: &str = "target/dependency/lib.lib-1.jar";
    let beside = vec!["lib.lib-1.jar".to_owned()];
    let cases: [(&[Made], &str, bool); 7] = [
        (&[("target/f-1.jar", vec![own()])], "f-1.jar", false),
        (&[("target/f-1.jar", vec![own()]), ("target/f-1-sources.jar", vec![]), ("target/f-1-tests.jar", vec![own()])], "f-1.jar", false),
        (&[("target/f-1.jar", vec![own(), library()]), ("target/original-f-1.jar", vec![own()])], "original-f-1.jar", false),
        (&[("target/f-1.jar", vec![own(), relocated()]), ("target/original-f-1.jar", vec![own()])], "f-1.jar", true),
        (&[("target/f-1.jar", vec![own()]), ("target/f-1-jar-with-dependencies.jar", vec![own(), library()])], "f-1.jar", false),
        (&[("target/f-1.jar", vec![own()]), ("target/f-1-all.jar", vec![own(), library(), provided()])], "f-1.jar", false),
        (&[("target/f-1.jar", vec![own(), library()])], "f-1.jar", true),
    ];
    for (jars, expected, is_whole) in cases {
        let module = Module::new();
        module.write(LIBRARY, &[library()]);
        module.write("target/dependency/org.slf4j.slf4j-api-2.0.jar", &[provided()]);
        for (path, entries) in jars {
            module.write(path, entries);
        }
        let libraries = if is_whole { vec![] } else { beside.clone() };
        assert_eq!(module.chosen(None), (expected.to_owned(), libraries, is_whole), "{expected}");
    }
}

#[test]
fn choose_leaves_the_runners_libraries_out() {
    let module = Module::new();
    module.write("target/f-1.jar", &[own()]);
    module.write("target/dependency/org.slf4j.slf4j-api-2.0.jar", &[provided()]);
    let artifact = module.results(None).choose(None).unwrap();
    assert_eq!((artifact.libraries, artifact.provided), (vec![], vec!["org.slf4j.slf4j-api-2.0.jar".to_owned()]));
}

#[test]
fn choose_believes_the_user_and_takes_nars() {
    let module = Module::new();
    module.write("target/f-1.jar", &[own(), library()]);
    module.write("target/f-1-small.jar", &[own()]);
    assert_eq!(module.chosen(None).0, "f-1.jar");
    assert_eq!(module.chosen(Some("target/f-1-small.jar")).0, "f-1-small.jar");
    let absent = module.results(Some("target/none.jar")).choose(None).unwrap_err();
    assert_eq!(absent.to_string(), "BP_MAVEN_BUILT_ARTIFACT names `target/none.jar`, which Maven did not make");
    module.write("target/f-1.nar", &[]);
    assert_eq!(module.chosen(None), ("f-1.nar".to_owned(), vec![], true));
}

#[test]
fn choose_without_jars_says_where_it_looked() {
    let module = Module::new();
    let error = module.results(None).choose(None).unwrap_err();
    assert_eq!(error.to_string(), format!("Maven made no jar in {}", module.0.path().join("target").display()));
}

#[test]
fn function_is_the_modules_own() {
    let module = Module::new();
    let entries = [own(), ClassSource::function("lib/G").entry()];
    let path = module.write("target/f-1.jar", &entries);
    let archive = JavaArchive::read(&path, &[]).unwrap();
    let found = |class| module.results(None).function(&archive, class, &path);
    let said = found(None).unwrap_err().to_string();
    assert_eq!(said, "`f-1.jar` has several functions: x.F, lib.G");
    assert_eq!(found(Some("lib.G")).unwrap().name, "lib.G");
    assert_eq!(found(Some("x.None")).unwrap_err().to_string(), "BP_FUNCTION_CLASS does not name a function");
    module.write("target/classes/x/F.class", &[]);
    assert_eq!(found(None).unwrap().name, "x.F");
}
