//! Paths that only this build knows and that nevertheless go into the image.
//!
//! Without sandboxes buildpacks see layers and application at other paths than the image has them. What starts or
//! configures a process must not name such a path, or the image would not work: that is refused. Elsewhere (a script, a
//! compiled module) it may do no harm, but the image is not the same twice: that is warned about.

use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use crate::lifecycle::buildpacks::escaped;
use crate::lifecycle::built::Built;
use crate::root::{Root, RootError};

/// Larger files are programs and archives, not scripts and settings: they are not read.
const LARGEST_FILE: i64 = 64 << 10;

/// Folders of a layer whose files are the environment of processes.
const ENVIRONMENTS: [&str; 2] = ["env", "env.launch"];

/// A path of the build where the image needs one of its own.
#[derive(Debug, thiserror::Error)]
pub enum LeakError {
    /// Something by which processes are started.
    #[error("{what} names `{}`, a folder that only this build has", folder.display())]
    Named {
        /// What has it.
        what: String,
        /// The folder.
        folder: PathBuf,
    },
    /// The layers could not be searched.
    #[error("cannot search what the buildpacks made")]
    Unreadable(#[from] RootError),
}

/// What is searched for, and what was found so far.
#[derive(Debug)]
struct Search<'a> {
    folder: &'a Path,
    warnings: Vec<String>,
}

/// Searches all that goes into the image for paths below `folder`; gives the files that better had none.
pub(super) fn find(folder: &Path, built: &Built, layers: &Root, app: &Root) -> Result<Vec<String>, LeakError> {
    let mut search = Search { folder, warnings: Vec::new() };
    search.built(built)?;
    for buildpack in &built.buildpacks {
        for layer in buildpack.layers.iter().filter(|layer| layer.launch && layer.present) {
            let name = format!("layer `{}:{}`", buildpack.id, layer.name);
            let place = PathBuf::from(escaped(&buildpack.id)).join(&layer.name);
            search.tree(&layers.sub(place)?, Path::new(""), &name)?;
        }
    }
    search.tree(app, Path::new(""), "the application")?;
    Ok(search.warnings)
}

impl Search<'_> {
    fn built(&self, built: &Built) -> Result<(), LeakError> {
        for process in &built.processes {
            let words = process.command.iter().chain(&process.args);
            let folder = process.working_dir.iter().map(AsRef::as_ref);
            self.refuse_text(words.map(String::as_str).chain(folder), || format!("process `{}`", process.process_type))?;
        }
        for label in &built.labels {
            self.refuse_text([label.value.as_str()], || format!("label `{}`", label.key))?;
        }
        Ok(())
    }

    fn refuse_text<'t>(&self, texts: impl IntoIterator<Item = &'t str>, what: impl Fn() -> String) -> Result<(), LeakError> {
        let found = texts.into_iter().any(|text| self.is_in(text.as_bytes()));
        if found { Err(self.named(what())) } else { Ok(()) }
    }

    fn tree(&mut self, root: &Root, folder: &Path, name: &str) -> Result<(), LeakError> {
        for entry in root.read_dir(folder)? {
            let path = folder.join(&entry.name);
            match entry.kind {
                FileType::Directory => self.tree(root, &path, name)?,
                FileType::Symlink if self.is_in(root.read_link(&path)?.as_os_str().as_encoded_bytes()) => {
                    return Err(self.named(format!("symlink `{}` of {name}", path.display())));
                }
                FileType::RegularFile if self.is_in_file(root, &path)? => {
                    if ENVIRONMENTS.iter().any(|environment| path.starts_with(environment)) {
                        return Err(self.named(format!("variable `{}` of {name}", path.display())));
                    }
                    self.warnings.push(format!("`{}` of {name}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn is_in_file(&self, root: &Root, path: &Path) -> Result<bool, LeakError> {
        if root.symlink_metadata(path)?.st_size > LARGEST_FILE {
            return Ok(false);
        }
        Ok(self.is_in(&root.read(path, LARGEST_FILE.unsigned_abs())?))
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        let wanted = self.folder.as_os_str().as_encoded_bytes();
        let Some(first) = wanted.first() else { return false };
        let mut rest = bytes;
        while let Some(start) = rest.iter().position(|byte| byte == first) {
            rest = rest.get(start..).unwrap_or_default();
            if rest.starts_with(wanted) {
                return true;
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        false
    }

    fn named(&self, what: String) -> LeakError {
        LeakError::Named { what, folder: self.folder.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::built::{BuiltBuildpack, BuiltLayer};
    use crate::lifecycle::files::launch::Label;

    fn search(label: &str, files: &[(&str, &str)], symlink: Option<&str>) -> Result<Vec<String>, String> {
        let (layers, app) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = Root::open(layers.path()).unwrap();
        root.create_dir_all("a_b/l", 0o755).unwrap();
        for (path, text) in files {
            let path = Path::new("a_b/l").join(path);
            root.create_dir_all(path.parent().unwrap(), 0o755).unwrap();
            root.write(path, text.as_bytes(), 0o644).unwrap();
        }
        if let Some(target) = symlink {
            root.symlink(target, "a_b/l/link").unwrap();
        }
        let layer =
            BuiltLayer { name: "l".to_owned(), launch: true, build: false, cache: false, metadata: toml::Table::new(), present: true };
        let buildpack =
            BuiltBuildpack { id: "a/b".into(), version: "1".into(), api: "0.10".into(), homepage: None, layers: vec![layer], store: None };
        let built =
            Built { buildpacks: vec![buildpack], labels: vec![Label { key: "k".to_owned(), value: label.to_owned() }], ..Built::default() };
        find(Path::new("/tmp/build-1"), &built, &root, &Root::open(app.path()).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_starts_processes_must_not_name_the_build() {
        let only = "a folder that only this build has";
        for (label, files, symlink, message) in [
            ("x:/tmp/build-1/app", &[][..], None, "label `k` names `/tmp/build-1`"),
            ("", &[("env.launch/A", "/tmp/build-1")], None, "variable `env.launch/A` of layer `a/b:l` names `/tmp/build-1`"),
            ("", &[], Some("/tmp/build-1/layers"), "symlink `link` of layer `a/b:l` names `/tmp/build-1`"),
        ] {
            assert_eq!(search(label, files, symlink), Err(format!("{message}, {only}")));
        }
    }

    #[test]
    fn other_files_are_told_and_large_ones_not_read() {
        let large = format!("/tmp/build-1{}", "x".repeat(70_000));
        let files = [("bin/run", "#!/bin/sh\n//tmp/build-1/x"), ("near", "/tmp/build-2 /tmp/build"), ("program", large.as_str())];
        assert_eq!(search("/tmp/build", &files, Some("../x")), Ok(vec!["`bin/run` of layer `a/b:l`".to_owned()]));
    }
}
