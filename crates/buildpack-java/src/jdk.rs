//! The JDK that compiles: the build image's.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use fnpack_buildpack::Variables;

use crate::error::JavaError;
use crate::settings::feature_release;

/// A JDK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Jdk {
    pub(crate) home: PathBuf,
    /// Such as `17.0.15`.
    pub(crate) version: String,
    /// Such as 17.
    pub(crate) release: u16,
}

impl Jdk {
    /// What `JAVA_HOME` names, or else the one whose compiler is on `PATH`.
    pub(crate) fn find(variables: &Variables) -> Result<Self, JavaError> {
        let named = variables.get(OsStr::new("JAVA_HOME")).filter(|home| !home.is_empty()).map(PathBuf::from);
        match named {
            Some(home) if home.join("bin/javac").is_file() => Self::at(home),
            Some(home) => Err(JavaError::JdkNamed(home)),
            None => Self::at(home_on_path(variables)?),
        }
    }

    fn at(home: PathBuf) -> Result<Self, JavaError> {
        let text = fs_err::read_to_string(home.join("release")).map_err(JavaError::JdkVersion)?;
        let value = |line: &str| Some(line.strip_prefix("JAVA_VERSION=")?.trim().trim_matches('"').to_owned());
        let version = text.lines().find_map(value).unwrap_or_default();
        let release = feature_release(&version).ok_or_else(|| JavaError::JdkUnknown(home.clone()))?;
        Ok(Self { home, version, release })
    }
}

/// Distributions link the programs from elsewhere.
fn home_on_path(variables: &Variables) -> Result<PathBuf, JavaError> {
    let Some(javac) = on_path(variables, "javac") else {
        let has_java = on_path(variables, "java").is_some();
        return Err(if has_java { JavaError::CompilerMissing } else { JavaError::JdkMissing });
    };
    let program = fs_err::canonicalize(javac).map_err(JavaError::JdkVersion)?;
    program.parent().and_then(Path::parent).map(Path::to_path_buf).ok_or(JavaError::JdkMissing)
}

/// A program of the build image.
pub(crate) fn on_path(variables: &Variables, program: &str) -> Option<PathBuf> {
    let path = variables.get(OsStr::new("PATH"))?;
    std::env::split_paths(path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jdk(folder: &Path, release: &str) {
        fs_err::create_dir_all(folder.join("bin")).unwrap();
        fs_err::write(folder.join("bin/javac"), "").unwrap();
        fs_err::write(folder.join("release"), release).unwrap();
    }

    fn variables(home: &str, path: &Path) -> Variables {
        [("JAVA_HOME".into(), home.into()), ("PATH".into(), path.into())].into()
    }

    #[test]
    fn jdk_by_name_or_by_path() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other, links) = (folder.path().join("17"), folder.path().join("21"), folder.path().join("links"));
        jdk(&one, "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"17.0.15\"\n");
        jdk(&other, "JAVA_VERSION=\"21\"\n");
        fs_err::create_dir(&links).unwrap();
        std::os::unix::fs::symlink(other.join("bin/javac"), links.join("javac")).unwrap();
        let found = Jdk::find(&variables(one.to_str().unwrap(), &links)).unwrap();
        assert_eq!((found.version.as_str(), found.release, found.home), ("17.0.15", 17, one));
        assert_eq!(Jdk::find(&variables("", &links)).unwrap().release, 21);
    }

    #[test]
    fn jdk_that_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = folder.path().join("runtime");
        fs_err::create_dir(&runtime).unwrap();
        fs_err::write(runtime.join("java"), "").unwrap();
        jdk(&folder.path().join("odd"), "JAVA_VERSION=\"new\"\n");
        let odd = folder.path().join("odd");
        for (home, path, said) in [
            ("", folder.path(), "there is no JDK: neither JAVA_HOME is set nor is `javac` in the PATH of the build".to_owned()),
            ("", &runtime, "there is a Java that cannot compile: `java` is in the PATH of the build, and `javac` is not".to_owned()),
            ("/nowhere", folder.path(), "JAVA_HOME is `/nowhere`, where there is no bin/javac".to_owned()),
            (odd.to_str().unwrap(), folder.path(), format!("which Java `{}` is, is not known", odd.display())),
        ] {
            assert_eq!(Jdk::find(&variables(home, path)).unwrap_err().to_string(), said);
        }
    }
}
