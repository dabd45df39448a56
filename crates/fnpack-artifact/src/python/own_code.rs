//! Which files of a source folder are the function's own code and data, and which only serve to develop it.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// Endings of names, in lower case, of files that are never needed to run.
const FILE_ENDINGS: [&str; 7] = [".pyc", ".pyo", "_test.py", ".whl", ".orig", ".rej", ".egg-link"];

/// Folders that are not the function wherever they are.
const FOLDERS: [&str; 4] = ["__pycache__", "node_modules", "test", "tests"];

/// What stands beside the code in a source folder, in lower case: files about the project and its tools.
const AT_TOP: [&str; 32] = [
    "authors",
    "build",
    "changelog",
    "changes",
    "constraints.txt",
    "contributing",
    "copying",
    "dist",
    "docker-compose.yaml",
    "docker-compose.yml",
    "dockerfile",
    "docs",
    "function-config.yaml",
    "function-config.yml",
    "jenkinsfile",
    "justfile",
    "license",
    "makefile",
    "manifest.in",
    "notice",
    "noxfile.py",
    "pdm.lock",
    "pipfile",
    "pipfile.lock",
    "poetry.lock",
    "procfile",
    "project.toml",
    "pyproject.toml",
    "readme",
    "setup.cfg",
    "setup.py",
    "uv.lock",
];

/// Likewise, by endings.
const ENDINGS_AT_TOP: [&str; 4] = [".md", ".rst", ".ini", ".toml"];

/// The folder that goes on Python's path, relative to the source folder: `src` if Python code is in it and it is no
/// package itself, else the source folder.
pub fn import_root(source: &Path) -> io::Result<PathBuf> {
    let src = source.join("src");
    let is_layout = src.is_dir() && !src.join("__init__.py").is_file();
    let has_code = is_layout && own_files(&src, false)?.iter().any(|file| is_source(file));
    Ok(if has_code { "src".into() } else { PathBuf::new() })
}

/// Files, and links to files, of an import root, by name and relative to it. `is_top` says that it is the source
/// folder too, with what belongs to the project rather than to the function.
pub fn own_files(root: &Path, is_top: bool) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(place) = waiting.pop() {
        for entry in fs_err::read_dir(root.join(&place))? {
            let entry = entry?;
            let name = entry.file_name();
            let path = place.join(&name);
            let is_folder = entry.file_type()?.is_dir();
            if is_left_out(&name.to_string_lossy().to_lowercase(), is_folder, is_top && place.as_os_str().is_empty()) {
                continue;
            }
            if !is_folder {
                files.extend(entry.path().is_file().then_some(path));
            } else if !entry.path().join("pyvenv.cfg").exists() {
                waiting.push(path);
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn is_left_out(name: &str, is_folder: bool, is_top: bool) -> bool {
    let anywhere = name.starts_with('.')
        || name.ends_with(".egg-info")
        || if is_folder {
            FOLDERS.contains(&name)
        } else {
            name == "conftest.py" || is_test(name) || FILE_ENDINGS.iter().any(|ending| name.ends_with(ending))
        };
    let stem = name.split('.').next().unwrap_or_default();
    let about_project = is_top
        && (AT_TOP.contains(&name)
            || AT_TOP.contains(&stem) && !is_folder && !is_source(Path::new(name))
            || !is_folder && (is_requirements(name) || ENDINGS_AT_TOP.iter().any(|ending| name.ends_with(ending))));
    anywhere || about_project
}

fn is_test(name: &str) -> bool {
    name.starts_with("test_") && is_source(Path::new(name))
}

fn is_requirements(name: &str) -> bool {
    name.starts_with("requirements") && [".txt", ".in"].iter().any(|ending| name.ends_with(ending))
}

/// Whether a file is a Python source.
pub fn is_source(file: &Path) -> bool {
    file.extension() == Some(OsStr::new("py"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
        folder
    }

    fn own(files: &[&str], is_top: bool) -> Vec<String> {
        let folder = folder(files);
        own_files(folder.path(), is_top).unwrap().into_iter().map(|file| file.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn own_files_are_code_and_data() {
        let kept = ["a.py", "b/__init__.py", "b/data.json", "b/readme.md", "build.py", "model.bin", "words.txt"];
        let left_out = [
            ".git/config",
            ".env",
            "__pycache__/a.pyc",
            "b/__pycache__/a.pyc",
            "b/tests/test_b.py",
            "b/b_test.py",
            "b/test_b.py",
            "conftest.py",
            "venv/pyvenv.cfg",
            "venv/lib/a.py",
            "orders.egg-info/PKG-INFO",
            "README.md",
            "Readme",
            "LICENSE.txt",
            "Dockerfile",
            "docs/a.py",
            "build/lib/a.py",
            "requirements.txt",
            "requirements-dev.txt",
            "pyproject.toml",
            "pylock.toml",
            "Pipfile.lock",
            "setup.py",
            "tox.ini",
            "libs/own-1-py3-none-any.whl",
        ];
        assert_eq!(own(&[&kept[..], &left_out[..]].concat(), true), kept);
        assert_eq!(own(&["docs/a.py", "setup.py", "tests/b.py"], false), ["docs/a.py", "setup.py"]);
    }

    #[test]
    fn own_files_follow_links_to_files_only() {
        let folder = folder(&["b/a.py"]);
        for (target, link) in [("b/a.py", "one.py"), ("b", "two"), ("nowhere", "three.py")] {
            std::os::unix::fs::symlink(target, folder.path().join(link)).unwrap();
        }
        assert_eq!(own_files(folder.path(), true).unwrap(), [Path::new("b/a.py"), Path::new("one.py")]);
    }

    #[test]
    fn import_root_is_src_if_code_is_there() {
        for (files, expected) in [
            (&["src/a.py", "b.py"][..], "src"),
            (&["src/orders/a.py"], "src"),
            (&["src/__init__.py", "src/a.py"], ""),
            (&["src/main.go", "a.py"], ""),
            (&["a.py"], ""),
        ] {
            assert_eq!(import_root(folder(files).path()).unwrap(), Path::new(expected), "{files:?}");
        }
    }
}
