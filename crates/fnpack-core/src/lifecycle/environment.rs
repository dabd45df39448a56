//! The environment that buildpacks run in (CNB buildpack spec, "Environment"; platform spec,
//! "Platform Environment Variables", "Build Config").
//!
//! Four sources, applied in this order to each buildpack: a few variables of the build image, what
//! the layers of earlier buildpacks add, what the user gives (`<platform>/env`), what the builder gives
//! (`<build-config>/env`). The folders are read first; what their files do to the variables is pure.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use crate::root::{Root, RootError};

/// A whole environment.
pub type Variables = BTreeMap<OsString, OsString>;

/// What buildpacks see of the build image's environment. All else is dropped: it holds the
/// lifecycle's own settings and, with some platforms, registry credentials.
const INHERITED: [&str; 14] = [
    "CNB_STACK_ID",
    "CPATH",
    "HOME",
    "HOSTNAME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LD_LIBRARY_PATH",
    "LIBRARY_PATH",
    "NO_PROXY",
    "PATH",
    "PKG_CONFIG_PATH",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Folders of a layer, and the variables by which programs find what is in them.
const LAYER_FOLDERS: [(&str, &[&str]); 4] =
    [("bin", &["PATH"]), ("lib", &["LD_LIBRARY_PATH", "LIBRARY_PATH"]), ("include", &["CPATH"]), ("pkgconfig", &["PKG_CONFIG_PATH"])];

/// The kernel passes no longer one to a program (`MAX_ARG_STRLEN`).
const LONGEST_VALUE: u64 = 128 * 1024;

/// Why the environment cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// A folder or file cannot be read.
    #[error("cannot read the environment in `{}`", folder.display())]
    Read {
        /// The folder as buildpacks see it.
        folder: PathBuf,
        /// The reason.
        #[source]
        source: RootError,
    },
    /// A file's name is none that a variable can have.
    #[error("`{}` cannot set a variable: its name is empty or has a `=`", file.display())]
    Name {
        /// The file as buildpacks see it.
        file: PathBuf,
    },
    /// A file's content is none that a variable can have.
    #[error("`{}` cannot be the value of a variable: it has a NUL byte", file.display())]
    Value {
        /// The file as buildpacks see it.
        file: PathBuf,
    },
}

/// The files of one environment folder, sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvFolder {
    files: Vec<EnvFile>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct EnvFile {
    name: OsString,
    value: OsString,
}

/// What a file does to a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Append,
    Default,
    Override,
    Prepend,
}

impl Action {
    fn of_suffix(suffix: &[u8]) -> Option<Self> {
        match suffix {
            b"append" => Some(Self::Append),
            b"default" => Some(Self::Default),
            b"override" => Some(Self::Override),
            b"prepend" => Some(Self::Prepend),
            _ => None,
        }
    }

    fn applied(self, current: &OsStr, value: &OsStr, delimiter: &OsStr) -> OsString {
        match self {
            Self::Override => value.to_owned(),
            Self::Default | Self::Append | Self::Prepend if current.is_empty() => value.to_owned(),
            Self::Default => current.to_owned(),
            Self::Append => joined(current, delimiter, value),
            Self::Prepend => joined(value, delimiter, current),
        }
    }
}

fn joined(first: &OsStr, delimiter: &OsStr, second: &OsStr) -> OsString {
    OsString::from_vec([first.as_bytes(), delimiter.as_bytes(), second.as_bytes()].concat())
}

impl EnvFolder {
    /// Reads the files of `path`; `shown` is how buildpacks call it. A folder that is not there is
    /// empty, folders in it are passed over, symlinks are followed.
    pub fn read(root: &Root, path: &Path, shown: &Path) -> Result<Self, EnvironmentError> {
        let failed = |source| EnvironmentError::Read { folder: shown.to_owned(), source };
        let entries = match root.read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => return Ok(Self::default()),
            Err(error) => return Err(failed(error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let file = path.join(&entry.name);
            let is_file = match entry.kind {
                FileType::Symlink => !root.is_dir(&file),
                kind => kind == FileType::RegularFile,
            };
            if is_file {
                let value = OsString::from_vec(root.read(&file, LONGEST_VALUE).map_err(failed)?);
                if value.as_bytes().contains(&0) {
                    return Err(EnvironmentError::Value { file: shown.join(&entry.name) });
                }
                files.push(EnvFile { name: entry.name, value });
            }
        }
        let folder = Self { files };
        folder.check_names(shown)?;
        Ok(folder)
    }

    fn check_names(&self, shown: &Path) -> Result<(), EnvironmentError> {
        for file in &self.files {
            let (name, suffix) = split_name(&file.name);
            // A name such as `.gitkeep` has an unknown suffix and sets nothing.
            let sets_something = suffix.is_none_or(|suffix| Action::of_suffix(suffix).is_some());
            if file.name.as_bytes().contains(&b'=') || (name.is_empty() && sets_something) {
                return Err(EnvironmentError::Name { file: shown.join(&file.name) });
            }
        }
        Ok(())
    }

    /// As a user's folder: the whole file name is the variable's, and search paths are put in front.
    pub fn apply_as_platform(&self, variables: &mut Variables) {
        for file in &self.files {
            let is_search_path = LAYER_FOLDERS.iter().any(|(_, names)| names.iter().any(|name| file.name == *name));
            let action = if is_search_path { Action::Prepend } else { Action::Override };
            modify(variables, &file.name, |current| action.applied(current, &file.value, OsStr::new(":")));
        }
    }

    /// As a builder's folder: by suffix, a file without one is a default.
    pub fn apply_as_build_config(&self, variables: &mut Variables) {
        self.apply_by_suffix(variables, Action::Default);
    }

    /// As a layer's folder: by suffix, a file without one overrides.
    pub fn apply_as_layer(&self, variables: &mut Variables) {
        self.apply_by_suffix(variables, Action::Override);
    }

    fn apply_by_suffix(&self, variables: &mut Variables, without_suffix: Action) {
        for file in &self.files {
            let (name, suffix) = split_name(&file.name);
            let Some(action) = suffix.map_or(Some(without_suffix), Action::of_suffix) else { continue };
            let delimiter = self.delimiter(name);
            modify(variables, OsStr::from_bytes(name), |current| action.applied(current, &file.value, delimiter));
        }
    }

    fn delimiter(&self, name: &[u8]) -> &OsStr {
        let is_delimiter = |file: &&EnvFile| split_name(&file.name) == (name, Some(b"delim"));
        self.files.iter().find(is_delimiter).map_or(OsStr::new(""), |file| &file.value)
    }
}

/// Splits at the first dot.
fn split_name(name: &OsStr) -> (&[u8], Option<&[u8]>) {
    let bytes = name.as_bytes();
    match bytes.iter().position(|byte| *byte == b'.') {
        Some(dot) => (&bytes[..dot], Some(&bytes[dot + 1..])),
        None => (bytes, None),
    }
}

fn modify(variables: &mut Variables, name: &OsStr, change: impl FnOnce(&OsStr) -> OsString) {
    let value = change(variables.get(name).map_or(OsStr::new(""), OsString::as_os_str));
    variables.insert(name.to_owned(), value);
}

/// What the first buildpack sees before user and builder add theirs.
pub fn inherited(build_image: &Variables) -> Variables {
    let wanted = |name: &OsStr| INHERITED.iter().any(|inherited| name == *inherited);
    build_image.iter().filter(|(name, _)| wanted(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Puts the folders that a layer at `layer` has in front of the search paths.
pub fn add_layer_folders(variables: &mut Variables, layer: &Path, has_folder: impl Fn(&str) -> bool) {
    for (folder, names) in LAYER_FOLDERS.iter().filter(|(folder, _)| has_folder(folder)) {
        for name in *names {
            let path = layer.join(folder);
            modify(variables, OsStr::new(name), |current| Action::Prepend.applied(current, path.as_os_str(), OsStr::new(":")));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> EnvFolder {
        let mut files: Vec<EnvFile> = files.iter().map(|(name, value)| EnvFile { name: name.into(), value: value.into() }).collect();
        files.sort_by(|left, right| left.name.cmp(&right.name));
        EnvFolder { files }
    }

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// What becomes of `A`, given its value before.
    fn after(before: Option<&str>, change: impl FnOnce(&mut Variables)) -> String {
        let mut variables = before.map(|value| variables(&[("A", value)])).unwrap_or_default();
        change(&mut variables);
        variables.get(OsStr::new("A")).map_or("unset".to_owned(), |value| value.to_str().unwrap().to_owned())
    }

    type Files = &'static [(&'static str, &'static str)];

    /// Rules that layers and build config share.
    const BY_SUFFIX: [(Option<&str>, Files, &str); 14] = [
        (Some("old"), &[("A.override", "new")], "new"),
        (Some("old"), &[("A.default", "new")], "old"),
        (Some(""), &[("A.default", "new")], "new"),
        (None, &[("A.default", "new")], "new"),
        (Some("old"), &[("A.append", "new"), ("A.delim", ":")], "old:new"),
        (Some("old"), &[("A.append", "new")], "oldnew"),
        (None, &[("A.append", "new"), ("A.delim", ":")], "new"),
        (Some("old"), &[("A.prepend", "new"), ("A.delim", ", ")], "new, old"),
        (Some(""), &[("A.prepend", "new"), ("A.delim", ":")], "new"),
        (Some("old"), &[("A.unknown", "new"), ("A.append.txt", "new"), ("A.", "new")], "old"),
        (Some("old"), &[("A.delim", ":"), ("B.append", "new")], "old"),
        (Some("old"), &[("A.append", "new"), ("B.delim", ":")], "oldnew"),
        (Some("old"), &[("A.append", "1"), ("A.override", "2"), ("A.prepend", "3")], "32"),
        (Some("old"), &[("A.override", "line\n")], "line\n"),
    ];

    #[test]
    fn suffix_says_what_a_file_does() {
        for (before, files, expected) in BY_SUFFIX {
            assert_eq!(after(before, |variables| folder(files).apply_as_layer(variables)), expected, "layer: {before:?} {files:?}");
            let as_config = after(before, |variables| folder(files).apply_as_build_config(variables));
            assert_eq!(as_config, expected, "build config: {before:?} {files:?}");
        }
    }

    #[test]
    fn file_without_suffix_overrides_from_a_layer_and_defaults_from_the_builder() {
        let file = folder(&[("A", "new")]);
        for (before, layer, config) in [(Some("old"), "new", "old"), (Some(""), "new", "new"), (None, "new", "new")] {
            assert_eq!(after(before, |variables| file.apply_as_layer(variables)), layer, "{before:?}");
            assert_eq!(after(before, |variables| file.apply_as_build_config(variables)), config, "{before:?}");
        }
    }

    #[test]
    fn platform_takes_the_whole_name_and_prepends_to_search_paths() {
        let mut all = variables(&[("PATH", "/bin"), ("A", "old"), ("LD_LIBRARY_PATH", "")]);
        let given = folder(&[("PATH", "/mine"), ("A", "new"), ("B.append", "x"), ("LD_LIBRARY_PATH", "/lib"), ("CPATH", "/inc")]);
        given.apply_as_platform(&mut all);
        let expected = [("PATH", "/mine:/bin"), ("A", "new"), ("B.append", "x"), ("LD_LIBRARY_PATH", "/lib"), ("CPATH", "/inc")];
        assert_eq!(all, variables(&expected));
    }

    #[test]
    fn layer_folders_come_first_in_their_search_paths() {
        let mut all = variables(&[("PATH", "/bin")]);
        add_layer_folders(&mut all, Path::new("/layers/a/l"), |folder| folder != "include");
        let expected = [
            ("PATH", "/layers/a/l/bin:/bin"),
            ("LD_LIBRARY_PATH", "/layers/a/l/lib"),
            ("LIBRARY_PATH", "/layers/a/l/lib"),
            ("PKG_CONFIG_PATH", "/layers/a/l/pkgconfig"),
        ];
        assert_eq!(all, variables(&expected));
    }

    #[test]
    fn secrets_of_the_lifecycle_are_not_inherited() {
        let image = variables(&[
            ("PATH", "/bin"),
            ("HOME", "/home"),
            ("no_proxy", "x"),
            ("CNB_REGISTRY_AUTH", "secret"),
            ("CNB_PLATFORM_API", "0.12"),
            ("GOPATH", "/go"),
        ]);
        assert_eq!(inherited(&image), variables(&[("PATH", "/bin"), ("HOME", "/home"), ("no_proxy", "x")]));
    }

    fn read(make: impl FnOnce(&Path)) -> Result<EnvFolder, String> {
        let temporary = tempfile::tempdir().unwrap();
        make(temporary.path());
        let root = Root::open(temporary.path()).unwrap();
        EnvFolder::read(&root, Path::new("env"), Path::new("/platform/env")).map_err(|error| error.to_string())
    }

    #[test]
    fn folder_is_read_sorted_and_without_folders() {
        let files = read(|path| {
            fs_err::create_dir_all(path.join("env/folder")).unwrap();
            fs_err::write(path.join("env/B"), "2\n").unwrap();
            fs_err::write(path.join("env/A.append"), "1").unwrap();
            fs_err::write(path.join("env/.gitkeep"), "").unwrap();
            // The shape of a Kubernetes volume.
            fs_err::create_dir(path.join("env/..2024")).unwrap();
            fs_err::write(path.join("env/..2024/C"), "3").unwrap();
            symlink("..2024", path.join("env/..data")).unwrap();
            symlink("..data/C", path.join("env/C")).unwrap();
        });
        assert_eq!(files, Ok(folder(&[(".gitkeep", ""), ("A.append", "1"), ("B", "2\n"), ("C", "3")])));
        assert_eq!(read(|_| ()), Ok(EnvFolder::default()));
    }

    #[test]
    fn folder_with_impossible_variables_is_refused() {
        for (name, value, message) in [
            ("A=B", "x", "`/platform/env/A=B` cannot set a variable: its name is empty or has a `=`"),
            (".append", "x", "`/platform/env/.append` cannot set a variable: its name is empty or has a `=`"),
            ("A", "x\0y", "`/platform/env/A` cannot be the value of a variable: it has a NUL byte"),
            ("A", &"x".repeat(200_000), "cannot read the environment in `/platform/env`"),
        ] {
            let result = read(|path| {
                fs_err::create_dir(path.join("env")).unwrap();
                fs_err::write(path.join("env").join(name), value).unwrap();
            });
            assert_eq!(result, Err(message.to_owned()));
        }
        let out = read(|path| {
            fs_err::create_dir(path.join("env")).unwrap();
            symlink("/etc/hostname", path.join("env/A")).unwrap();
        });
        assert_eq!(out, Err("cannot read the environment in `/platform/env`".to_owned()));
    }
}
