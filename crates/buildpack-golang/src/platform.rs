//! What the platform hands to the buildpack: variables, and a netrc file by service binding.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use libcnb::generic::GenericPlatform;
use libcnb::{Env, Platform};

/// Names and values for the commands that the buildpack runs.
pub(crate) type Variables = BTreeMap<OsString, OsString>;

/// The platform folder.
pub(crate) struct GolangPlatform {
    generic: GenericPlatform,
    netrc: Option<PathBuf>,
}

impl Platform for GolangPlatform {
    fn env(&self) -> &Env {
        self.generic.env()
    }

    fn from_path(folder: impl AsRef<Path>) -> io::Result<Self> {
        let bindings = std::env::var_os("SERVICE_BINDING_ROOT").map_or_else(|| folder.as_ref().join("bindings"), PathBuf::from);
        Ok(Self { generic: GenericPlatform::from_path(folder)?, netrc: netrc_of_bindings(&bindings)? })
    }
}

impl GolangPlatform {
    /// The buildpack's own variables with those of the user over them.
    pub(crate) fn variables(&self) -> Variables {
        let user = self.env().iter().map(|(name, value)| (name.clone(), without_end_of_line(value)));
        let mut variables: Variables = std::env::vars_os().chain(user).collect();
        if let Some(netrc) = &self.netrc {
            variables.entry("NETRC".into()).or_insert_with(|| netrc.into());
        }
        variables
    }
}

/// Values are files, and editors end files with a line feed that no setting of Go can hold.
fn without_end_of_line(value: &OsStr) -> OsString {
    let bytes = value.as_bytes();
    OsString::from_vec(bytes.strip_suffix(b"\n").unwrap_or(bytes).to_vec())
}

/// The file `.netrc` of the first binding of type `netrc` (service binding spec, "Workload Projection").
fn netrc_of_bindings(folder: &Path) -> io::Result<Option<PathBuf>> {
    let listing = match fs_err::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bindings: Vec<PathBuf> = listing.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    bindings.sort_unstable();
    let is_netrc = |binding: &PathBuf| fs_err::read_to_string(binding.join("type")).is_ok_and(|kind| kind.trim() == "netrc");
    Ok(bindings.into_iter().filter(is_netrc).map(|binding| binding.join(".netrc")).find(|file| file.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    #[test]
    fn platform_variables_are_the_users_without_end_of_line() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "env/GOPROXY", "file:///goproxy\n");
        write(folder.path(), "env/PATH", "/users");
        let variables = GolangPlatform::from_path(folder.path()).unwrap().variables();
        assert_eq!(variables.get(OsStr::new("GOPROXY")), Some(&OsString::from("file:///goproxy")));
        assert_eq!(variables.get(OsStr::new("PATH")), Some(&OsString::from("/users")));
    }

    #[test]
    fn platform_netrc_comes_from_its_binding() {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in
            [("bindings/a/type", "git"), ("bindings/a/.netrc", ""), ("bindings/b/type", "netrc"), ("bindings/c/type", "netrc\n")]
        {
            write(folder.path(), path, text);
        }
        assert_eq!(netrc_of_bindings(&folder.path().join("bindings")).unwrap(), None);
        write(folder.path(), "bindings/c/.netrc", "machine x");
        let netrc = folder.path().join("bindings/c/.netrc");
        let platform = GolangPlatform::from_path(folder.path()).unwrap();
        assert_eq!(platform.variables().get(OsStr::new("NETRC")), Some(&netrc.into_os_string()));
        assert_eq!(netrc_of_bindings(&folder.path().join("absent")).unwrap(), None);
    }
}
