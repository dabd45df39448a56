//! A fingerprint of everything that a binary is made of, so that an unchanged function is not built again.
//!
//! Counted are all files of the application folder (any may be embedded), the toolchain's version, and the
//! variables and arguments that Go is given. Modules from elsewhere are pinned by `go.sum`. Where that does not hold
//! (folders outside the source folder, `-mod=mod`) there is no fingerprint, and Go decides by its own cache.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use fnpack_buildpack::{Fingerprint, Variables};

use crate::module_file::{ModuleFile, is_inside};

/// Where things come from and are kept does not change what is built.
const WITHOUT_EFFECT: [&str; 9] =
    ["GOCACHE", "GOMODCACHE", "GOPATH", "GOPROXY", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOSUMDB", "GOINSECURE"];

/// Flags by which a build takes what `go.mod`, `go.sum` and the source folder do not tell.
const UNPINNED_FLAGS: [&str; 3] = ["-mod=mod", "-modfile=", "-overlay="];

/// The fingerprint in hexadecimal digits, if there can be one.
pub(crate) fn fingerprint(application: &Path, variables: &Variables, arguments: &[OsString]) -> io::Result<Option<String>> {
    if takes_more(variables) {
        return Ok(None);
    }
    let mut inputs = Fingerprint::default();
    for argument in arguments {
        inputs.add(argument.as_bytes());
    }
    for (name, value) in variables.iter().filter(|(name, _)| has_effect(name)) {
        inputs.add(name.as_bytes());
        inputs.add(value.as_bytes());
    }
    let pinned = inputs.add_folder(application, |file, name| refers_inside(file, name.parent().unwrap_or(name)))?;
    Ok(pinned.then(|| inputs.finish()))
}

fn takes_more(variables: &Variables) -> bool {
    let value = |name| variables.get(OsStr::new(name)).map(|value| value.to_string_lossy()).unwrap_or_default();
    let unpinned = |flag: &str| UNPINNED_FLAGS.iter().any(|unpinned| flag.trim_start_matches('-').starts_with(&unpinned[1..]));
    value("GOFLAGS").split_whitespace().any(unpinned) || !["", "off"].contains(&&*value("GOWORK"))
}

fn has_effect(name: &OsStr) -> bool {
    let text = name.to_string_lossy();
    (text.starts_with("GO") || text.starts_with("CGO_")) && !WITHOUT_EFFECT.contains(&&*text)
}

/// Whether all folders that a file refers to are inside the application folder.
fn refers_inside(file: &Path, folder: &Path) -> io::Result<bool> {
    if !file.file_name().is_some_and(|name| name == "go.mod" || name == "go.work") {
        return Ok(true);
    }
    let text = String::from_utf8_lossy(&fs_err::read(file)?).into_owned();
    Ok(ModuleFile::parse(&text).folders.iter().all(|named| is_inside(folder, named)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    type Change = fn(&Path);

    fn of(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Option<String> {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        fingerprint(folder, &variables, &arguments).unwrap()
    }

    fn source() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("lib")).unwrap();
        for (path, text) in [("go.mod", "module x\nreplace y => ./lib"), ("main.go", "package main"), ("lib/data.txt", "1")] {
            fs_err::write(folder.path().join(path), text).unwrap();
        }
        folder
    }

    #[test]
    fn fingerprint_is_of_content_alone() {
        let (one, other) = (source(), source());
        assert!(of(one.path(), &[], &[]).is_some());
        assert_eq!(of(one.path(), &[], &[]), of(other.path(), &[], &[]));
        assert_eq!(of(one.path(), &[], &[]), of(one.path(), &[("GOPROXY", "off"), ("GOCACHE", "/x"), ("HOME", "/y")], &[]));
    }

    #[test]
    fn fingerprint_changes_with_what_is_built() {
        let folder = source();
        let before = of(folder.path(), &[], &[]);
        let changes: [(&str, Change); 5] = [
            ("content", |folder| fs_err::write(folder.join("lib/data.txt"), "2").unwrap()),
            ("new file", |folder| fs_err::write(folder.join("lib/new.txt"), "").unwrap()),
            ("name", |folder| fs_err::rename(folder.join("main.go"), folder.join("other.go")).unwrap()),
            ("hidden file", |folder| fs_err::write(folder.join(".env"), "").unwrap()),
            ("mode", |folder| fs_err::set_permissions(folder.join("main.go"), PermissionsExt::from_mode(0o755)).unwrap()),
        ];
        for (name, change) in changes {
            let folder = source();
            change(folder.path());
            assert_ne!(of(folder.path(), &[], &[]), before, "{name}");
        }
        for (variables, arguments) in [(&[("GOFLAGS", "-tags=a")][..], &[][..]), (&[("CGO_ENABLED", "1")], &[]), (&[], &["-v"])] {
            assert_ne!(of(folder.path(), variables, arguments), before, "{variables:?} {arguments:?}");
        }
        assert_ne!(of(folder.path(), &[], &["a", "b"]), of(folder.path(), &[], &["ab"]));
    }

    #[test]
    fn fingerprint_needs_all_to_be_pinned() {
        for variables in [("GOFLAGS", "-v -mod=mod"), ("GOFLAGS", "--modfile=x"), ("GOFLAGS", "-overlay=x"), ("GOWORK", "/x/go.work")] {
            assert_eq!(of(source().path(), &[variables], &[]), None, "{variables:?}");
        }
        let folder = source();
        fs_err::write(folder.path().join("lib/go.mod"), "replace (\n z => ../../z\n)").unwrap();
        assert_eq!(of(folder.path(), &[], &[]), None);
        for (target, pinned) in [("/etc/passwd", false), ("main.go", true), ("nowhere", false)] {
            let folder = source();
            std::os::unix::fs::symlink(target, folder.path().join("link")).unwrap();
            assert_eq!(of(folder.path(), &[], &[]).is_some(), pinned, "{target}");
        }
    }
}
