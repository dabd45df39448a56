//! The application folder: what stays in it, and where it will be.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use fnpack_artifact::Facts;
use libcnb::data::launch::Label;

use crate::Variables;

/// Where the application folder will be in the image. Builds that cannot mount it there have it elsewhere and say so
/// in `BP_LAUNCH_APP_DIR`; what is recorded for the launch must name this folder.
pub fn launch_folder(variables: &Variables, application: &Path) -> PathBuf {
    let given = variables.get(OsStr::new("BP_LAUNCH_APP_DIR")).map(PathBuf::from).filter(|folder| folder.is_absolute());
    given.unwrap_or_else(|| application.to_owned())
}

/// What is known of the function, for `launch.toml`.
pub fn labels(facts: &Facts) -> Vec<Label> {
    facts.labels().into_iter().map(|(key, value)| Label { key, value }).collect()
}

/// Removes all that is in a folder, dot files too.
pub fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { fs_err::remove_dir_all(entry.path())? } else { fs_err::remove_file(entry.path())? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launch_folder_is_the_platforms() {
        for (given, expected) in [(None, "/tmp/x"), (Some("/pulsar/function"), "/pulsar/function"), (Some("here"), "/tmp/x")] {
            let variables = given.map(|value| ("BP_LAUNCH_APP_DIR".into(), value.into())).into_iter().collect();
            assert_eq!(launch_folder(&variables, Path::new("/tmp/x")), Path::new(expected));
        }
    }

    #[test]
    fn empty_leaves_the_folder_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(folder.path().join(".git/objects")).unwrap();
        fs_err::write(folder.path().join(".env"), "").unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
        empty(folder.path()).unwrap();
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
    }
}
