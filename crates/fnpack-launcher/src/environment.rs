//! The environment of the process: the image's own, less the launcher's variables, with the changes that layers
//! ask for (CNB buildpack spec, "Environment"; platform spec, "Launch").

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::files;

/// Variables for the launcher alone.
const OWN_VARIABLES: [&str; 5] = ["CNB_LAYERS_DIR", "CNB_APP_DIR", "CNB_PROCESS_TYPE", "CNB_PLATFORM_API", "CNB_DEPRECATION_MODE"];

/// Folders that exporters put first in `PATH`, so that the launcher and its links are found; no process needs them.
const OWN_FOLDERS: [&[u8]; 2] = [b"/cnb/process", b"/cnb/lifecycle"];

/// What is prepended for a folder of a layer, if it is there.
const ROOT_FOLDERS: [(&str, &str); 2] = [("bin", "PATH"), ("lib", "LD_LIBRARY_PATH")];

/// Variables of a process to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// From what the launcher was given.
    pub(crate) fn of_image(given: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut environment = Self(given.into_iter().filter(|(name, _)| !OWN_VARIABLES.iter().any(|own| name == own)).collect());
        if let Some(path) = environment.0.get_mut(OsStr::new("PATH")) {
            let kept: Vec<&[u8]> = path.as_bytes().split(|&byte| byte == b':').filter(|part| !OWN_FOLDERS.contains(part)).collect();
            *path = OsString::from_vec(kept.join(&b':'));
        }
        environment
    }

    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    pub(crate) fn set(&mut self, name: OsString, value: OsString) {
        self.0.insert(name, value);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }

    /// The changes of one buildpack's layers: first the root folders of all, then the settings layer by layer.
    pub(crate) fn apply_layers(&mut self, layers: &[PathBuf], process_type: Option<&str>) -> io::Result<()> {
        for layer in layers {
            self.apply_root_folders(layer);
        }
        for layer in layers {
            self.apply_settings(&layer.join("env"))?;
            let launch = layer.join("env.launch");
            self.apply_settings(&launch)?;
            if let Some(process_type) = process_type {
                self.apply_settings(&launch.join(process_type))?;
            }
        }
        Ok(())
    }

    fn apply_root_folders(&mut self, layer: &Path) {
        for (folder, variable) in ROOT_FOLDERS {
            let folder = layer.join(folder);
            if folder.exists() {
                self.change(&Change { name: variable.into(), action: Action::Prepend, value: folder.into(), delimiter: ":".into() });
            }
        }
    }

    fn apply_settings(&mut self, folder: &Path) -> io::Result<()> {
        for change in changes(folder)? {
            self.change(&change);
        }
        Ok(())
    }

    fn change(&mut self, change: &Change) {
        let present = self.0.get(&change.name).filter(|value| !value.is_empty());
        let value = match (change.action, present) {
            (Action::Default, Some(_)) => return,
            (Action::Append, Some(present)) => joined(present, &change.delimiter, &change.value),
            (Action::Prepend, Some(present)) => joined(&change.value, &change.delimiter, present),
            _ => change.value.clone(),
        };
        self.0.insert(change.name.clone(), value);
    }
}

fn joined(first: &OsStr, delimiter: &OsStr, second: &OsStr) -> OsString {
    [first, delimiter, second].into_iter().collect()
}

/// One file of an environment folder.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    name: OsString,
    action: Action,
    value: OsString,
    /// Only between two values that are there.
    delimiter: OsString,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Append,
    Default,
    Override,
    Prepend,
}

/// The changes that a folder asks for, by file name. Suffixes that are not known, and delimiters, are none.
fn changes(folder: &Path) -> io::Result<Vec<Change>> {
    let mut changes = Vec::new();
    for file in files::files_in(folder)? {
        let Some((name, action)) = named_change(files::base_name(&file)) else { continue };
        let delimiter = match action {
            Action::Append | Action::Prepend => delimiter(folder, &name)?,
            Action::Default | Action::Override => OsString::new(),
        };
        changes.push(Change { name, action, value: OsString::from_vec(files::read_file(&file)?), delimiter });
    }
    Ok(changes)
}

/// A file name is split at its first dot; without one the value overrides.
fn named_change(file_name: &OsStr) -> Option<(OsString, Action)> {
    let mut parts = file_name.as_bytes().splitn(2, |&byte| byte == b'.');
    let name = OsStr::from_bytes(parts.next().filter(|name| !name.is_empty() && !name.contains(&b'='))?);
    let action = match parts.next() {
        None | Some(b"override") => Action::Override,
        Some(b"append") => Action::Append,
        Some(b"default") => Action::Default,
        Some(b"prepend") => Action::Prepend,
        Some(_) => return None,
    };
    Some((name.to_owned(), action))
}

/// From `NAME.delim` in the same folder; nothing if there is none.
fn delimiter(folder: &Path, name: &OsStr) -> io::Result<OsString> {
    let mut file_name = name.to_owned();
    file_name.push(".delim");
    match files::read_file(&folder.join(file_name)) {
        Ok(bytes) => Ok(OsString::from_vec(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(OsString::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::of_image(pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))))
    }

    fn layer(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn environment_of_image_drops_what_is_the_launchers() {
        let given = [
            ("PATH", "/cnb/process:/usr/bin:/cnb/lifecycle:/bin:/cnb/process"),
            ("CNB_LAYERS_DIR", "x"),
            ("CNB_APP_DIR", "x"),
            ("CNB_PROCESS_TYPE", "x"),
            ("CNB_PLATFORM_API", "x"),
            ("CNB_DEPRECATION_MODE", "x"),
            ("CNB_EXEC_ENV", "test"),
            ("HOME", "/pulsar"),
        ];
        assert_eq!(environment(&given), environment(&[("PATH", "/usr/bin:/bin"), ("CNB_EXEC_ENV", "test"), ("HOME", "/pulsar")]));
        assert_eq!(environment(&[("PATH", "/cnb/process")]).get("PATH"), Some(OsStr::new("")));
        assert_eq!(environment(&[("PATH", "/cnb/process2")]).get("PATH"), Some(OsStr::new("/cnb/process2")));
    }

    #[test]
    fn environment_file_rules() {
        // files of `env`, value before, value after
        for (files, before, after) in [
            (&[("env/V", "new")][..], Some("old"), Some("new")),
            (&[("env/V.override", "new\n")], Some("old"), Some("new\n")),
            (&[("env/V.default", "new")], Some("old"), Some("old")),
            (&[("env/V.default", "new")], Some(""), Some("new")),
            (&[("env/V.default", "new")], None, Some("new")),
            (&[("env/V.append", "new")], Some("old"), Some("oldnew")),
            (&[("env/V.append", "new"), ("env/V.delim", ":")], Some("old"), Some("old:new")),
            (&[("env/V.append", "new"), ("env/V.delim", ":")], Some(""), Some("new")),
            (&[("env/V.append", "new"), ("env.launch/V.delim", ":")], Some("old"), Some("oldnew")),
            (&[("env/V.prepend", "new"), ("env/V.delim", "\n")], Some("old"), Some("new\nold")),
            (&[("env/V.prepend", "new"), ("env/V.delim", ":")], None, Some("new")),
            (&[("env/V.other", "new")], Some("old"), Some("old")),
            (&[("env/V.append.bak", "new")], Some("old"), Some("old")),
            (&[("env/V.delim", ":")], None, None),
            (&[("env/.override", "new"), ("env/V=W", "new")], None, None),
            (&[("env/V/nested", "new")], None, None),
            (&[("env/V.append", "1"), ("env/V.override", "2"), ("env/V.prepend", "3")], Some("old"), Some("32")),
            (&[("env.build/V", "new")], Some("old"), Some("old")),
            (&[("env.launch/V", "launch"), ("env/V", "env")], Some("old"), Some("launch")),
            (&[("env.launch/V", "launch"), ("env.launch/web/V", "web")], None, Some("web")),
            (&[("env.launch/worker/V", "worker")], None, None),
        ] {
            let layer = layer(files);
            let mut environment = environment(&before.map(|value| ("V", value)).into_iter().collect::<Vec<_>>());
            environment.apply_layers(&[layer.path().to_path_buf()], Some("web")).unwrap();
            assert_eq!(environment.get("V"), after.map(OsStr::new), "{files:?} on {before:?}");
        }
    }

    #[test]
    fn environment_process_folders_need_a_process() {
        let layer = layer(&[("env.launch/web/V", "web")]);
        let mut environment = environment(&[]);
        environment.apply_layers(&[layer.path().to_path_buf()], None).unwrap();
        assert_eq!(environment.get("V"), None);
    }

    #[test]
    fn environment_root_folders_come_before_all_settings() {
        let first = layer(&[("bin/x", ""), ("env/PATH.append", ":/late")]);
        let second = layer(&[("bin/x", ""), ("lib/x", ""), ("include/x", "")]);
        let layers = [first.path().to_path_buf(), second.path().to_path_buf()];
        let mut environment = environment(&[("PATH", "/bin")]);
        environment.apply_layers(&layers, None).unwrap();
        let path = format!("{}/bin:{}/bin:/bin:/late", layers[1].display(), layers[0].display());
        assert_eq!(environment.get("PATH"), Some(OsStr::new(&path)));
        assert_eq!(environment.get("LD_LIBRARY_PATH"), Some(layers[1].join("lib").as_os_str()));
        assert_eq!((environment.get("CPATH"), environment.get("LIBRARY_PATH")), (None, None));
    }

    #[test]
    fn environment_values_need_not_be_text() {
        let folder = layer(&[("env/.keep", "")]);
        fs_err::write(folder.path().join("env/V"), b"\xff\xfe").unwrap();
        let mut environment = environment(&[]);
        environment.apply_layers(&[folder.path().to_path_buf()], None).unwrap();
        assert_eq!(environment.get("V").map(OsStr::as_bytes), Some(&b"\xff\xfe"[..]));
    }
}
