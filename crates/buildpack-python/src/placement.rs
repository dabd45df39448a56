//! The application folder as the function needs it: own code and dependencies flat beside each other, and nothing
//! else.
//!
//! Pulsar puts the folder of the file that it is given on Python's path. The dependencies come with it that way:
//! nothing is unpacked or installed when the function starts. No bytecode is laid down: it is bound to a minor of
//! Python, doubles the size, and Python makes its own in moments.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use fnpack_artifact::python::is_source;

use crate::dependencies::{self, Project};
use crate::error::PythonError;

/// Where own code waits while the folder is emptied; hidden files are never part of it.
const WAITING: &str = ".fnpack-own";

/// What the file says that only names the folder.
const PLACEHOLDER: &str = "# Pulsar is given this file for its folder, where the function and its dependencies are.\n";

/// Modules of Pulsar's instance, which are imported before the function's. It would get these instead of its own.
const OF_INSTANCE: [&str; 12] = [
    "Function_pb2",
    "InstanceCommunication_pb2",
    "InstanceCommunication_pb2_grpc",
    "contextimpl",
    "function_stats",
    "log",
    "prometheus_client_fix",
    "python_instance",
    "python_instance_main",
    "secretsprovider",
    "server",
    "state_context",
];

/// Also a module of the instance, but one that many functions have.
const OF_INSTANCE_COMMON: &str = "util";

/// The function's own code.
pub(crate) struct OwnCode<'a> {
    /// The application folder.
    pub(crate) application: &'a Path,
    /// What goes on the path, relative to it.
    pub(crate) root: &'a Path,
    /// Relative to that.
    pub(crate) files: &'a [PathBuf],
}

/// How the folder is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form<'a> {
    /// For an image: flat, with a file of this name if no module has it.
    Image(&'a str),
    /// For a function package: own code in `src`, dependencies as wheels in `deps`; or one file alone.
    Package,
}

/// A module of the function that the instance has too.
pub(crate) fn instance_module(files: &[PathBuf]) -> Option<String> {
    let top = files.iter().filter_map(|file| module_of(file));
    top.into_iter().find(|module| OF_INSTANCE.contains(&module.as_str()) || module == OF_INSTANCE_COMMON)
}

/// The module or package at the top that a file belongs to.
fn module_of(file: &Path) -> Option<String> {
    let first = Path::new(file.components().next()?.as_os_str());
    let is_module = first != file || is_source(file);
    is_module.then(|| first.file_stem().unwrap_or_default().to_string_lossy().into_owned())
}

/// Refuses own code under a name that a dependency has: which of them is found would be a matter of chance.
pub(crate) fn check_names(own: &[PathBuf], site: &Path, projects: &[Project]) -> Result<(), PythonError> {
    let packages: BTreeSet<&Path> = own.iter().filter(|file| file.ends_with("__init__.py")).filter_map(|file| file.parent()).collect();
    for file in own {
        if let Some(name) = clash(file, &packages, site) {
            let found = name.display().to_string();
            let has = |project: &&Project| project.files.iter().any(|file| Path::new(file).starts_with(&name));
            let project = projects.iter().find(has).map_or_else(|| "a dependency".to_owned(), ToString::to_string);
            return Err(PythonError::Clash { file: file.display().to_string(), found, project });
        }
    }
    Ok(())
}

/// What the tree has in the place of an own file: folders without `__init__.py` on both sides are one package in two
/// parts.
fn clash(file: &Path, packages: &BTreeSet<&Path>, site: &Path) -> Option<PathBuf> {
    let mut place = PathBuf::new();
    for component in file.components() {
        place.push(component);
        let module = place.with_extension("py");
        let is_own_file = place == file;
        let folder = if is_own_file && is_source(file) { place.with_extension("") } else { place.clone() };
        if site.join(&place).is_file() {
            return Some(place);
        }
        if (!is_own_file || is_source(file)) && site.join(&module).is_file() {
            return Some(module);
        }
        if !site.join(&folder).is_dir() {
            return None;
        }
        if is_own_file || packages.contains(place.as_path()) || site.join(&folder).join("__init__.py").is_file() {
            return Some(folder);
        }
    }
    None
}

/// Lays the folder out, and returns the paths of the dependencies in it, for a layer of their own.
pub(crate) fn place(own: &OwnCode<'_>, site: Option<&Path>, form: Form<'_>) -> Result<Vec<String>, PythonError> {
    let application = own.application;
    let waiting = application.join(WAITING);
    take_aside(own, &waiting).map_err(PythonError::Lay)?;
    let is_single =
        site.is_none() && own.files.len() == 1 && own.files.iter().all(|file| is_source(file) && file.components().count() == 1);
    let target = if form == Form::Package && !is_single { application.join("src") } else { application.to_owned() };
    let mut paths = Vec::new();
    match (site, form) {
        (Some(site), Form::Image(_)) => {
            paths = dependency_paths(site, own.files).map_err(PythonError::Lay)?;
            dependencies::copy(site, &target).map_err(PythonError::Lay)?;
        }
        (Some(site), Form::Package) => dependencies::pack(site, &application.join("deps"))?,
        (None, _) => {}
    }
    put_back(own, &waiting, &target).map_err(PythonError::Lay)?;
    if let Form::Image(name) = form {
        write_placeholder(&target, name).map_err(PythonError::Lay)?;
    }
    Ok(paths)
}

/// Leaves nothing but the own code, in a folder of its own.
fn take_aside(own: &OwnCode<'_>, waiting: &Path) -> io::Result<()> {
    fs_err::create_dir_all(waiting)?;
    move_files(&own.application.join(own.root), own.files, waiting, own.application)?;
    for entry in fs_err::read_dir(own.application)? {
        let entry = entry?;
        if entry.path() == waiting {
            continue;
        }
        if entry.file_type()?.is_dir() { fs_err::remove_dir_all(entry.path())? } else { fs_err::remove_file(entry.path())? }
    }
    Ok(())
}

fn put_back(own: &OwnCode<'_>, waiting: &Path, target: &Path) -> io::Result<()> {
    move_files(waiting, own.files, target, own.application)?;
    fs_err::remove_dir_all(waiting)
}

/// Not where it would hide a folder of modules.
fn write_placeholder(folder: &Path, name: &str) -> io::Result<()> {
    let file = folder.join(format!("{name}.py"));
    if file.exists() || folder.join(name).exists() { Ok(()) } else { fs_err::write(file, PLACEHOLDER) }
}

/// Links become what they lead to, if that is in the application folder.
fn move_files(from: &Path, files: &[PathBuf], to: &Path, application: &Path) -> io::Result<()> {
    for file in files {
        let (old, new) = (from.join(file), to.join(file));
        if let Some(folder) = new.parent() {
            fs_err::create_dir_all(folder)?;
        }
        if !fs_err::symlink_metadata(&old)?.file_type().is_symlink() {
            continue;
        }
        if !fs_err::canonicalize(&old)?.starts_with(fs_err::canonicalize(application)?) {
            let reason = format!("`{}` is a link that leads out of the source folder", file.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        fs_err::copy(&old, &new)?;
    }
    for file in files.iter().filter(|file| !to.join(file).exists()) {
        fs_err::rename(from.join(file), to.join(file))?;
    }
    Ok(())
}

/// Names at the top of the tree; where own code shares a folder, those below.
fn dependency_paths(site: &Path, own: &[PathBuf]) -> io::Result<Vec<String>> {
    let shared: BTreeSet<&Path> = own.iter().flat_map(|file| file.ancestors().skip(1)).collect();
    let mut paths = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(place) = waiting.pop() {
        for entry in fs_err::read_dir(site.join(&place))? {
            let path = place.join(entry?.file_name());
            if shared.contains(path.as_path()) { waiting.push(path) } else { paths.push(escaped(&path)) }
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// As a pattern that matches nothing else (Go's `filepath.Match`).
fn escaped(path: &Path) -> String {
    path.to_string_lossy().chars().flat_map(|letter| "\\*?[".contains(letter).then_some('\\').into_iter().chain([letter])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, file).unwrap();
        }
        folder
    }

    fn paths(files: &[&str]) -> Vec<PathBuf> {
        files.iter().map(PathBuf::from).collect()
    }

    fn listing(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut waiting = vec![PathBuf::new()];
        while let Some(place) = waiting.pop() {
            for entry in fs_err::read_dir(folder.join(&place)).unwrap() {
                let entry = entry.unwrap();
                let path = place.join(entry.file_name());
                if entry.file_type().unwrap().is_dir() { waiting.push(path) } else { found.push(path.display().to_string()) }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn place_lays_own_code_and_dependencies_flat() {
        let application = folder(&["src/orders/a.py", "src/orders/words.txt", "src/ns/own.py", "README.md", ".git/config", "tests/t.py"]);
        let site = folder(&["six.py", "ns/lib/__init__.py", "ns-1.dist-info/RECORD", "a[1].txt"]);
        let files = paths(&["ns/own.py", "orders/a.py", "orders/words.txt"]);
        let own = OwnCode { application: application.path(), root: Path::new("src"), files: &files };
        let found = place(&own, Some(site.path()), Form::Image("function")).unwrap();
        assert_eq!(found, ["a\\[1].txt", "ns-1.dist-info", "ns/lib", "six.py"]);
        let expected = [
            "a[1].txt",
            "function.py",
            "ns-1.dist-info/RECORD",
            "ns/lib/__init__.py",
            "ns/own.py",
            "orders/a.py",
            "orders/words.txt",
            "six.py",
        ];
        assert_eq!(listing(application.path()), expected);
    }

    #[test]
    fn place_by_form() {
        for (files, site, form, expected) in [
            (&["function.py"][..], None, Form::Image("function"), &["function.py"][..]),
            (&["function/__init__.py"], None, Form::Image("function"), &["function/__init__.py"]),
            (&["orders.py"], None, Form::Image("orders"), &["orders.py"]),
            (&["orders.py"], None, Form::Package, &["orders.py"]),
            (&["orders.py", "more.py"], None, Form::Package, &["src/more.py", "src/orders.py"]),
        ] {
            let application = folder(files);
            let site = site.map(|file| folder(&[file]));
            let files = paths(files);
            let own = OwnCode { application: application.path(), root: Path::new(""), files: &files };
            place(&own, site.as_ref().map(tempfile::TempDir::path), form).unwrap();
            assert_eq!(listing(application.path()), expected, "{form:?}");
        }
    }

    #[test]
    fn place_takes_what_links_lead_to() {
        let application = folder(&["shared/model.bin"]);
        std::os::unix::fs::symlink("shared/model.bin", application.path().join("model.bin")).unwrap();
        let files = paths(&["model.bin"]);
        let own = OwnCode { application: application.path(), root: Path::new(""), files: &files };
        place(&own, None, Form::Image("function")).unwrap();
        assert_eq!(fs_err::read_to_string(application.path().join("model.bin")).unwrap(), "shared/model.bin");
        assert_eq!(listing(application.path()), ["function.py", "model.bin"]);
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", outside.path().join("model.bin")).unwrap();
        let own = OwnCode { application: outside.path(), root: Path::new(""), files: &files };
        let error = place(&own, None, Form::Image("function")).unwrap_err();
        let reason = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(reason, "`model.bin` is a link that leads out of the source folder");
    }

    #[test]
    fn check_names_refuses_what_would_hide_something() {
        let site = folder(&["six.py", "requests/__init__.py", "ns/lib/__init__.py", "data.txt"]);
        for (own, expected) in [
            (&["orders.py", "ns/own.py", "data.json"][..], None),
            (&["six.py"], Some("six.py")),
            (&["six/__init__.py"], Some("six.py")),
            (&["requests.py"], Some("requests")),
            (&["requests/extra.py"], Some("requests")),
            (&["ns/__init__.py", "ns/a.py"], Some("ns")),
            (&["ns/lib/more.py"], Some("ns/lib")),
            (&["data.txt"], Some("data.txt")),
        ] {
            let found = check_names(&paths(own), site.path(), &[]).err();
            let found = found.map(|error| match error {
                PythonError::Clash { found, .. } => found,
                other => other.to_string(),
            });
            assert_eq!(found.as_deref(), expected, "{own:?}");
        }
    }

    #[test]
    fn instance_module_is_one_at_the_top() {
        for (files, expected) in
            [(&["orders.py", "orders/log.py", "log.txt"][..], None), (&["log.py"], Some("log")), (&["util/__init__.py"], Some("util"))]
        {
            assert_eq!(instance_module(&paths(files)).as_deref(), expected, "{files:?}");
        }
    }
}
