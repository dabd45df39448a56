//! What the platform hands to a buildpack: variables, and files by service bindings.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use libcnb::generic::GenericPlatform;
use libcnb::{Env, Platform};

/// Names and values for the commands that a buildpack runs.
pub type Variables = BTreeMap<OsString, OsString>;

/// The platform folder.
pub struct FunctionPlatform {
    generic: GenericPlatform,
    bindings: Vec<Binding>,
}

/// A service binding (service binding spec, "Workload Projection"): a folder of files, of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Such as `netrc`, `maven`, `pip`.
    pub kind: String,
    /// The folder.
    pub folder: PathBuf,
}

impl Platform for FunctionPlatform {
    fn env(&self) -> &Env {
        self.generic.env()
    }

    fn from_path(folder: impl AsRef<Path>) -> io::Result<Self> {
        let bindings = std::env::var_os("SERVICE_BINDING_ROOT").map_or_else(|| folder.as_ref().join("bindings"), PathBuf::from);
        Ok(Self { generic: GenericPlatform::from_path(folder)?, bindings: bindings_in(&bindings)? })
    }
}

impl FunctionPlatform {
    /// The buildpack's own variables with those of the user over them, and `NETRC` for a binding of type `netrc`.
    pub fn variables(&self) -> Variables {
        let user = self.env().iter().map(|(name, value)| (name.clone(), without_end_of_line(value)));
        let mut variables: Variables = std::env::vars_os().chain(user).collect();
        if let Some(netrc) = self.file("netrc", ".netrc") {
            variables.entry("NETRC".into()).or_insert_with(|| netrc.into());
        }
        variables
    }

    /// The file of this name of the first binding of this type that has one.
    pub fn file(&self, kind: &str, name: &str) -> Option<PathBuf> {
        let of_kind = self.bindings.iter().filter(|binding| binding.kind == kind);
        of_kind.map(|binding| binding.folder.join(name)).find(|file| file.is_file())
    }

    /// All bindings, by name.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }
}

/// Values are files, and editors end files with a line feed that no setting can hold.
fn without_end_of_line(value: &OsStr) -> OsString {
    let bytes = value.as_bytes();
    OsString::from_vec(bytes.strip_suffix(b"\n").unwrap_or(bytes).to_vec())
}

/// A folder without a readable `type` is no binding.
fn bindings_in(folder: &Path) -> io::Result<Vec<Binding>> {
    let listing = match fs_err::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut folders: Vec<PathBuf> = listing.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    folders.sort_unstable();
    let binding = |folder: PathBuf| {
        let kind = fs_err::read_to_string(folder.join("type")).ok()?.trim().to_owned();
        Some(Binding { kind, folder })
    };
    Ok(folders.into_iter().filter_map(binding).collect())
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
        let variables = FunctionPlatform::from_path(folder.path()).unwrap().variables();
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
        assert_eq!(FunctionPlatform::from_path(folder.path()).unwrap().file("netrc", ".netrc"), None);
        write(folder.path(), "bindings/c/.netrc", "machine x");
        let netrc = folder.path().join("bindings/c/.netrc");
        let platform = FunctionPlatform::from_path(folder.path()).unwrap();
        assert_eq!(platform.variables().get(OsStr::new("NETRC")), Some(&netrc.into_os_string()));
        assert_eq!(bindings_in(&folder.path().join("absent")).unwrap(), []);
        assert_eq!(platform.bindings().len(), 3);
    }
}
