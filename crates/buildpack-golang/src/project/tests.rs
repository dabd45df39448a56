use super::*;

const FUNCTION: &str = "package main\nimport \"github.com/apache/pulsar/pulsar-function-go/pf\"\nfunc main() { pf.Start(f) }\n";
const OTHER: &str = "package main\nfunc main() {}\n";
const CGO: &str = "package clib\nimport \"C\"\n";
const MODULE: &str = "module example.com/x\n\ngo 1.23\n";

fn source(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    folder
}

fn found(files: &[(&str, &str)], target: Option<&str>) -> Result<Project, Absent> {
    let tags = BuildTags::new("linux", "amd64", &std::collections::BTreeMap::new());
    find(source(files).path(), target.map(Path::new), &tags).unwrap()
}

/// The packages found, or the line that the user reads, without the long name of the package.
fn told(files: &[(&str, &str)], target: Option<&str>) -> String {
    match found(files, target) {
        Ok(project) => project.packages.iter().map(|folder| as_argument(folder)).collect::<Vec<_>>().join(" "),
        Err(absent) => absent.to_string().replace(FUNCTION_PACKAGE, "pf"),
    }
}

#[test]
fn find_looks_for_module_and_function() {
    for (files, expected) in [
        (&[("go.mod", MODULE), ("main.go", FUNCTION)][..], "."),
        (&[("main.go", FUNCTION)], "looked for go.mod: not found (found main.go)"),
        (&[("go.mod", MODULE)], "looked for a main package that calls pf.Start of pf: not found (no main package)"),
        (&[("README.md", "")], "looked for go.mod: not found"),
        (&[("go.mo", MODULE), ("main.go", FUNCTION)], "looked for go.mod: not found (found go.mo)"),
        (&[("Go.mod", MODULE), ("main.go", FUNCTION)], "looked for go.mod: not found (found Go.mod)"),
        (&[("go.mod/x", ""), ("main.go", FUNCTION)], "looked for go.mod: not found (found go.mod)"),
        (&[("go.sum", ""), ("pom.xml", "")], "looked for go.mod: not found"),
        (
            &[("a/fn/go.mod", MODULE), ("a/fn/main.go", FUNCTION)],
            "looked for go.mod in the source folder itself: not found (name the folder of a main package in BP_GO_TARGETS; found a/fn/go.mod)",
        ),
        (
            &[("fn/go.mod", MODULE), ("x.go", OTHER)],
            "looked for go.mod in the source folder itself: not found (name the folder of a main package in BP_GO_TARGETS; found fn/go.mod)",
        ),
        // An empty one is for Go to complain about.
        (&[("go.mod", ""), ("main.go", FUNCTION)], "."),
        (&[("go.mod", MODULE), ("main.go", "")], "looked for a main package that calls pf.Start of pf: not found (no main package)"),
        (
            &[("go.mod", MODULE), ("main.go", OTHER)],
            "looked for a main package that calls pf.Start of pf: not found (it is not called in .)",
        ),
        (&[("go.mod", MODULE), ("cmd/a/main.go", FUNCTION), ("cmd/b/main.go", OTHER)], "./cmd/a"),
        (&[("go.mod", MODULE), ("cmd/a/main.go", FUNCTION), ("cmd/b/main.go", FUNCTION)], "./cmd/a ./cmd/b"),
        (&[("go.mod", MODULE), ("main.go", OTHER), ("start.go", FUNCTION)], "."),
    ] {
        assert_eq!(told(files, None), expected, "{files:?}");
    }
}

#[test]
fn find_leaves_out_what_go_leaves_out() {
    for path in [
        "main_test.go",
        "vendor/x/main.go",
        "testdata/main.go",
        "cmd/testdata/main.go",
        "_old/main.go",
        ".hidden/main.go",
        "_main.go",
        "main_windows.go",
    ] {
        assert!(found(&[("go.mod", MODULE), (path, FUNCTION)], None).is_err(), "{path}");
    }
    let ignored = format!("//go:build ignore\n\n{FUNCTION}");
    assert!(found(&[("go.mod", MODULE), ("gen.go", &ignored)], None).is_err());
    assert!(found(&[("go.mod", MODULE), ("inner/go.mod", MODULE), ("inner/main.go", FUNCTION)], None).is_err());
}

#[test]
fn find_believes_the_target() {
    let files = [("fn/go.mod", MODULE), ("fn/cmd/a/main.go", OTHER), ("fn/cmd/b/main.go", FUNCTION), ("lib/go.mod", MODULE)];
    let project = found(&files, Some("fn/cmd/a")).unwrap();
    assert_eq!((project.module, project.packages), (PathBuf::from("fn"), vec![PathBuf::from("fn/cmd/a")]));
    for (target, expected) in [
        ("fn", "looked for a main package in ./fn, as BP_GO_TARGETS says: not found"),
        ("lib", "looked for a main package in ./lib, as BP_GO_TARGETS says: not found"),
        ("fn/absent", "looked for a main package in ./fn/absent, as BP_GO_TARGETS says: not found"),
        (
            "absent",
            "looked for go.mod in the source folder itself: not found (name the folder of a main package in BP_GO_TARGETS; found fn/go.mod, lib/go.mod)",
        ),
    ] {
        assert_eq!(told(&files, Some(target)), expected);
    }
}

#[test]
fn find_names_cgo_files() {
    let files = [("go.mod", MODULE), ("main.go", FUNCTION), ("clib/c.go", CGO)];
    assert_eq!(found(&files, None).unwrap().cgo_files, [PathBuf::from("clib/c.go")]);
}

#[test]
fn find_survives_odd_files() {
    let folder = source(&[("go.mod", MODULE), ("main.go", FUNCTION)]);
    std::os::unix::fs::symlink("/nowhere", folder.path().join("broken.go")).unwrap();
    std::os::unix::fs::symlink("..", folder.path().join("loop")).unwrap();
    fs_err::write(folder.path().join("bytes.go"), b"package main \xff\xfe").unwrap();
    let tags = BuildTags::new("linux", "amd64", &std::collections::BTreeMap::new());
    assert_eq!(find(folder.path(), None, &tags).unwrap().unwrap().packages, [PathBuf::new()]);
}
