use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    folder
}

const PROJECT: (&str, &str) = ("pyproject.toml", "[project]\nname = 'x'\ndependencies = ['requests>=2']\n");
const POETRY: &str = "[tool.poetry.dependencies]\npython = '^3.11'\nrequests = '^2'\n";

#[test]
fn find_takes_the_file_that_says_most() {
    for (files, expected, passed_over) in [
        (&[][..], "", &[][..]),
        (&[("requirements.txt", "")], "requirements.txt", &[]),
        (&[PROJECT], "pyproject.toml", &[]),
        (&[PROJECT, ("uv.lock", "")], "uv.lock", &[]),
        (&[PROJECT, ("requirements.txt", ""), ("poetry.lock", "")], "poetry.lock", &["requirements.txt"]),
        (&[("Pipfile", ""), ("Pipfile.lock", "{}")], "Pipfile.lock", &[]),
        (&[("pyproject.toml", "[tool.black]\n")], "", &[]),
        (&[("pyproject.toml", "[project]\nname = 'x'\ndynamic = ['dependencies']\n")], "pyproject.toml", &[]),
        (&[("pyproject.toml", "[tool.poetry.dependencies]\npython = '^3.11'\n")], "", &[]),
    ] {
        let mut others = Vec::new();
        let found = Manifest::find(folder(files).path(), None, &mut others).unwrap();
        let found = found.map(|manifest| manifest.file.display().to_string()).unwrap_or_default();
        assert_eq!((found.as_str(), others.as_slice()), (expected, passed_over), "{files:?}");
    }
}

#[test]
fn find_says_what_is_missing() {
    for (files, given, expected) in [
        (&[("Pipfile", "")][..], None, "Pipfile names dependencies, but there is no Pipfile.lock, which pins them"),
        (&[("pyproject.toml", POETRY)], None, "pyproject.toml names dependencies, but there is no poetry.lock, which pins them"),
        (&[], Some("requirements.txt"), "there is no `requirements.txt`, which BP_PYTHON_REQUIREMENTS names"),
        (
            &[("setup.py", "")],
            Some("setup.py"),
            "`setup.py` is not a file that names dependencies: requirements (.txt), pyproject.toml, uv.lock, poetry.lock or Pipfile.lock",
        ),
        (&[("pyproject.toml", "[project")], None, "read `pyproject.toml`"),
    ] {
        let found = Manifest::find(folder(files).path(), given.map(Path::new), &mut Vec::new());
        assert_eq!(found.unwrap_err().to_string(), expected, "{files:?}");
    }
    let given = Manifest::find(folder(&[("deploy/base.txt", "")]).path(), Some(Path::new("deploy/base.txt")), &mut Vec::new());
    assert_eq!(given.unwrap().unwrap().file, Path::new("deploy/base.txt"));
}

fn wanted(files: &[(&str, &str)]) -> Result<Wanted, ManifestError> {
    let folder = folder(files);
    Manifest::find(folder.path(), None, &mut Vec::new())?.unwrap().wanted(folder.path())
}

#[test]
fn requirements_may_leave_versions_open() {
    for (text, is_open, names) in [
        ("a==1 \\\n    --hash=sha256:0\nb==2 ; python_version < '3'\n# c\n-i https://x\n", false, &["a", "b"][..]),
        ("a>=1 # one\n", true, &["a"]),
        ("A_b\n", true, &["a-b"]),
        ("a @ https://host/a-1.zip\n", false, &["a"]),
    ] {
        let found = wanted(&[("requirements.txt", text)]).unwrap();
        let direct: Vec<&str> = found.direct.iter().map(|requirement| requirement.name.as_str()).collect();
        assert_eq!((found.is_open, direct.as_slice()), (is_open, names), "{text}");
    }
}

#[test]
fn poetry_lock_becomes_constraints() {
    let lock = r#"
[[package]]
name = "requests"
version = "2.31.0"
groups = ["main", "dev"]
files = [{file = "requests-2.31.0.tar.gz", hash = "sha256:1"}, {file = "requests.whl", hash = "sha256:2"}]
[[package]]
name = "pytest"
version = "8"
groups = ["dev"]
files = []
[[package]]
name = "numpy"
version = "1.0"
markers = "python_version < '3.12'"
[[package]]
name = "numpy"
version = "2.0"
markers = {main = "python_version >= '3.12'"}
[[package]]
name = "own"
version = "1"
source = {type = "git", url = "https://host/own.git", resolved_reference = "abc"}
"#;
    let pyproject = "[tool.poetry.dependencies]\npython = '^3.11'\nrequests = {version = '^2', extras = ['socks'], markers = \"sys_platform == 'linux'\"}\n\
                     numpy = [{version = '1', python = '<3.12'}, {version = '2', python = '>=3.12'}]\nown = {git = 'x'}\nmore = {version = '*', optional = true}\n";
    let found = wanted(&[("poetry.lock", lock), ("pyproject.toml", pyproject)]).unwrap();
    assert_eq!(
        found.requirements.as_deref(),
        Some("requests[socks] ; sys_platform == 'linux'\nnumpy\nown @ git+https://host/own.git@abc\n")
    );
    assert_eq!(
        found.constraints.as_deref(),
        Some(
            "requests==2.31.0 --hash=sha256:1 --hash=sha256:2\nnumpy==1.0 ; python_version < '3.12'\nnumpy==2.0 ; python_version >= '3.12'\n"
        )
    );
    assert!(!found.is_complete && !found.is_open);
}

#[test]
fn poetry_lock_refuses_what_it_does_not_say() {
    for (lock, expected) in [
        (
            "[[package]]\nname='a'\nversion='1'\n[[package]]\nname='A'\nversion='2'\n",
            "poetry.lock has 2 versions of `a` and does not say when which is meant",
        ),
        (
            "[[package]]\nname='a'\nversion='1'\n[package.source]\ntype='directory'\nurl='../a'\n",
            "poetry.lock has `a` from directory ../a, which is not in the source folder",
        ),
        ("package = 1", "read `poetry.lock`"),
    ] {
        assert_eq!(wanted(&[("poetry.lock", lock)]).unwrap_err().to_string(), expected, "{lock}");
    }
}

#[test]
fn pipfile_lock_becomes_requirements() {
    let lock = r#"{"_meta": {"sources": [{"url": "https://${USER}@host/simple"}, {"url": "https://pypi.org/simple"}]},
        "default": {
            "requests": {"version": "==2.31.0", "hashes": ["sha256:1"], "extras": ["socks"], "markers": "python_version >= '3.7'"},
            "own": {"git": "https://host/own.git", "ref": "abc"},
            "here": {"path": "./libs/here", "editable": true}
        }, "develop": {"pytest": {"version": "==8"}}}"#;
    let found = wanted(&[("Pipfile.lock", lock)]).unwrap();
    let expected = "--index-url https://${USER}@host/simple\n./libs/here\nown @ git+https://host/own.git@abc\n\
                    requests[socks]==2.31.0 ; python_version >= '3.7' --hash=sha256:1\n";
    assert_eq!(found.requirements.as_deref(), Some(expected));
    assert!(found.is_complete);
    for lock in ["", "1", r#"{"default": {"a": {}}}"#, r#"{"default": {"a": {"path": "../a"}}}"#] {
        assert!(wanted(&[("Pipfile.lock", lock)]).is_err(), "{lock}");
    }
}

#[test]
fn inputs_are_all_files_that_count() {
    for (files, expected) in [
        (
            &[("requirements.txt", "-r more/base.txt\n-cc.txt\na==1\n"), ("more/base.txt", "-r ../requirements.txt\n"), ("c.txt", "")][..],
            Some(3),
        ),
        (&[("requirements.txt", "-e .\n")], None),
        (&[("requirements.txt", "./libs/a\n")], None),
        (&[("requirements.txt", "libs/a-1-py3-none-any.whl\n")], None),
        (&[("requirements.txt", "-r ../x\n")], None),
        (&[("requirements.txt", "a @ https://host/a-1-py3-none-any.zip\n--index-url https://host/simple\n")], Some(1)),
        (&[PROJECT, ("uv.lock", "source = { virtual = \".\" }\nsource = { registry = \"https://pypi.org/simple\" }")], Some(2)),
        (&[PROJECT, ("uv.lock", "source = { directory = \"libs/a\" }")], None),
        (&[("Pipfile.lock", "{\"default\": {\"a\": {\"path\": \".\"}}}")], None),
    ] {
        let folder = folder(files);
        let manifest = Manifest::find(folder.path(), None, &mut Vec::new()).unwrap().unwrap();
        assert_eq!(manifest.inputs(folder.path()).unwrap().map(|files| files.len()), expected, "{files:?}");
    }
}
