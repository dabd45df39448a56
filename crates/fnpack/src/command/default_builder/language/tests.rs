use super::*;

/// Names that end with `/` are folders.
fn source(files: &[&str]) -> (tempfile::TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        if file.ends_with('/') {
            fs_err::create_dir_all(path).unwrap();
        } else {
            fs_err::write(path, "").unwrap();
        }
    }
    let source = Source::open(folder.path()).unwrap();
    (folder, source)
}

#[test]
fn language_is_told_by_the_files() {
    for (files, builder) in [
        (&["go.mod", "main.go"][..], "fnpack/golang-builder"),
        (&["go.mod", "tool.py", "main.go"], "fnpack/golang-builder"),
        (&["pom.xml", "src/main/java/F.java"], "fnpack/java-builder"),
        (&["build.gradle"], "fnpack/java-builder"),
        (&["build.gradle.kts", "settings.gradle.kts"], "fnpack/java-builder"),
        (&["function.py"], "fnpack/python-builder"),
        (&["pyproject.toml", "src/orders/function.py"], "fnpack/python-builder"),
        (&["requirements.txt"], "fnpack/python-builder"),
        (&["setup.py"], "fnpack/python-builder"),
    ] {
        let (_folder, source) = source(files);
        assert_eq!(builder_of(&source).unwrap().name, builder, "{files:?}");
    }
}

#[test]
fn source_of_no_language_is_told_what_was_looked_for() {
    let go = "Go: looked for go.mod: not found";
    let java = "Java: looked for pom.xml, build.gradle, build.gradle.kts: not found";
    let python = "Python: looked for pyproject.toml, requirements.txt, setup.py, *.py: not found";
    for (files, lines) in [
        (&[][..], vec![go.to_owned(), java.to_owned(), python.to_owned()]),
        (&["README.md", "main.go", "F.java"], vec![go.to_owned(), java.to_owned(), python.to_owned()]),
        (&["go.mo"], vec![format!("{go} (found go.mo)")]),
        (&["Go.mod"], vec![format!("{go} (found Go.mod)")]),
        (&["Pom.xml"], vec![format!("{java} (found Pom.xml)")]),
        (&["pom.XML"], vec![format!("{java} (found pom.XML)")]),
        (&["build.gradel"], vec![format!("{java} (found build.gradel)")]),
        (&["pyproject.tml"], vec![format!("{python} (found pyproject.tml)")]),
        (&["requirement.txt"], vec![format!("{python} (found requirement.txt)")]),
        (&["FUNCTION.PY"], vec![format!("{python} (found FUNCTION.PY)")]),
        (&["go.mod/"], vec![go.to_owned()]),
    ] {
        let (_folder, source) = source(files);
        let error = builder_of(&source).unwrap_err();
        assert_eq!(error.code(), 1);
        let text = error.render();
        for line in lines {
            assert!(text.contains(&format!("\n  {line}\n")), "{line} in\n{text}");
        }
        assert!(text.contains("hint: name the folder"), "{text}");
    }
}

#[test]
fn functions_in_folders_below_are_named() {
    for (files, found, folder) in [
        (&["orders/pom.xml"][..], "orders/pom.xml", "orders"),
        (&["functions/orders/go.mod", "functions/README.md"], "functions/orders/go.mod", "functions/orders"),
        (&["a/b/c/pyproject.toml"], "a/b/c/pyproject.toml", "a/b/c"),
    ] {
        let (place, source) = source(files);
        let text = builder_of(&source).unwrap_err().render();
        let folder = place.path().join(folder);
        assert!(text.contains(&format!("\n  found {found}: fnpack build NAME {}\n", folder.display())), "{text}");
        assert!(text.ends_with(&format!("hint: name the function's folder: `fnpack build NAME {}`", folder.display())), "{text}");
    }
    for files in [&["a/b/c/d/go.mod"][..], &["node_modules/x/go.mod"], &[".git/go.mod"], &["scripts/tool.py"]] {
        let (_folder, source) = source(files);
        let text = builder_of(&source).unwrap_err().render();
        assert!(!text.contains("fnpack build NAME"), "{text}");
    }
}

#[test]
fn several_languages_are_asked_about() {
    let (_folder, source) = source(&["go.mod", "pom.xml", "tool.py"]);
    let error = builder_of(&source).unwrap_err();
    assert_eq!(error.code(), 2);
    let text = error.render();
    assert!(text.contains("has the files of several languages\n  Go: go.mod\n  Java: pom.xml\nhint: "), "{text}");
    assert!(text.contains("`--builder fnpack/golang-builder`") && text.contains("fnpack/function-builder"), "{text}");
}
