//! What is known of a Python function package: a source file, a zip or a wheel.
//!
//! Pulsar's instance unpacks a zip into its folder, installs `<base>/deps/*.whl`, and puts `<base>/src` on Python's
//! path, where `<base>` is the name of the file without its ending.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;

use fs_err::File;
use zip::ZipArchive;
use zip::result::ZipError;

use super::search::{FILE_LIMIT, NoFunction, Search};
use super::wheel::{Needs, NoWheelName, WheelName, tags_of};
use crate::facts::{Facts, Language};

/// More entries than a function with large dependencies has.
const ENTRY_LIMIT: usize = 100_000;

/// How much of an archive's files is read in all; what is packed well is larger than it looks.
const READ_LIMIT: u64 = 64 << 20;

/// Why a file is no function package.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The name says nothing that Pulsar understands.
    #[error("`{0}` is not a Python function package, which ends in .py, .zip or .whl")]
    Ending(String),
    /// The file.
    #[error("read `{path}`")]
    Read {
        /// Its path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The archive is damaged, or something else.
    #[error("read the archive `{path}`")]
    Archive {
        /// Its path.
        path: String,
        /// Why.
        source: ZipError,
    },
    /// Larger than any function.
    #[error("the archive `{path}` has {count} entries, more than {ENTRY_LIMIT}")]
    Entries {
        /// Its path.
        path: String,
        /// How many.
        count: usize,
    },
    /// An entry that would land elsewhere.
    #[error("the archive `{path}` has an entry `{entry}`, which does not stay inside")]
    Outside {
        /// Its path.
        path: String,
        /// The entry.
        entry: String,
    },
    /// The zip does not have the folders that Pulsar looks for.
    #[error("the zip `{path}` has no `{base}/src`, where Pulsar looks for the function{}", .found.as_ref().map(|found| format!(" (found `{found}/`)")).unwrap_or_default())]
    NoSource {
        /// Its path.
        path: String,
        /// The name of the file without its ending.
        base: String,
        /// What is at the top instead.
        found: Option<String>,
    },
    /// It hides modules.
    #[error("the zip `{path}` has `{base}/__init__.py`, which hides a module `{base}` in `{base}/src`")]
    TopIsPackage {
        /// Its path.
        path: String,
        /// The name of the file without its ending.
        base: String,
    },
    /// A file in `deps` that is none.
    #[error("dependencies of `{path}`")]
    Dependency {
        /// Its path.
        path: String,
        /// Why.
        source: NoWheelName,
    },
    /// There is no one function in it.
    #[error("look for the function in `{path}`")]
    Function {
        /// Its path.
        path: String,
        /// Why.
        source: NoFunction,
    },
}

/// How a function package is laid out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// File names of the wheels that are installed at start.
    pub wheels: Vec<String>,
    /// Whether it has a `requirements.txt`, for which newer instances of Pulsar go to the network at start, and which
    /// they cannot install as a user without a home.
    pub has_requirements: bool,
    /// What the compiled parts need.
    pub needs: Needs,
}

/// What is known of the function in a file. `class` names it if there are several; the artifact is the path as
/// given.
pub fn facts(path: &Path, class: Option<&str>) -> Result<Facts, ArtifactError> {
    let package = Package::read(path)?;
    let function = package.search.choose(class).map_err(|source| ArtifactError::Function { path: path.display().to_string(), source })?;
    let needs = &package.layout.needs;
    Ok(Facts {
        class_name: Some(function.class_name.clone()),
        arch: needs.arch.clone(),
        python_version: needs.python.map(|version| version.to_string()),
        libc: needs.libc.map(|(libc, _)| libc.to_string()),
        libc_version: needs.libc.and_then(|(_, version)| version).map(|version| version.to_string()),
        ..Facts::new(Language::Python, path.to_string_lossy())
    })
}

/// How a package is laid out, without asking which function is in it.
pub fn layout(path: &Path) -> Result<Layout, ArtifactError> {
    Package::read(path).map(|package| package.layout)
}

#[derive(Default)]
struct Package {
    search: Search,
    layout: Layout,
}

impl Package {
    fn read(path: &Path) -> Result<Self, ArtifactError> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("py") => Self::of_source(path),
            Some("zip") => Archive::open(path)?.zip(&path.file_stem().unwrap_or_default().to_string_lossy()),
            Some("whl") => Archive::open(path)?.wheel(&path.file_name().unwrap_or_default().to_string_lossy()),
            _ => Err(ArtifactError::Ending(path.display().to_string())),
        }
    }

    fn of_source(path: &Path) -> Result<Self, ArtifactError> {
        let failed = |source| ArtifactError::Read { path: path.display().to_string(), source };
        let mut bytes = Vec::new();
        File::open(path).map_err(failed)?.take(FILE_LIMIT).read_to_end(&mut bytes).map_err(failed)?;
        let mut package = Self::default();
        package.search.add(&path.file_name().unwrap_or_default().to_string_lossy(), &bytes);
        Ok(package)
    }
}

/// An open archive and the names in it.
struct Archive {
    path: String,
    zip: ZipArchive<File>,
    names: Vec<String>,
    /// How much may still be read.
    left: u64,
}

impl Archive {
    fn open(path: &Path) -> Result<Self, ArtifactError> {
        let path_text = path.display().to_string();
        let file = File::open(path).map_err(|source| ArtifactError::Read { path: path_text.clone(), source })?;
        let zip = ZipArchive::new(file).map_err(|source| ArtifactError::Archive { path: path_text.clone(), source })?;
        if zip.len() > ENTRY_LIMIT {
            return Err(ArtifactError::Entries { path: path_text, count: zip.len() });
        }
        let names: Result<Vec<String>, _> = zip.file_names().map(|name| name.map(Into::into)).collect();
        let names = names.map_err(|source| ArtifactError::Archive { path: path_text.clone(), source })?;
        match names.iter().find(|name| !stays_inside(name)) {
            Some(entry) => Err(ArtifactError::Outside { path: path_text, entry: entry.clone() }),
            None => Ok(Self { path: path_text, zip, names, left: READ_LIMIT }),
        }
    }

    fn zip(mut self, base: &str) -> Result<Package, ArtifactError> {
        let inside: Vec<String> =
            self.names.iter().filter_map(|name| name.strip_prefix(base)?.strip_prefix('/')).map(str::to_owned).collect();
        if !inside.iter().any(|name| name.starts_with("src/") && name.len() > "src/".len()) {
            let found = self.names.first().and_then(|name| name.split('/').next()).filter(|top| *top != base).map(str::to_owned);
            return Err(ArtifactError::NoSource { path: self.path, base: base.to_owned(), found });
        }
        if inside.iter().any(|name| name == "__init__.py") {
            return Err(ArtifactError::TopIsPackage { path: self.path, base: base.to_owned() });
        }
        let mut package = Package::default();
        package.layout.has_requirements = inside.iter().any(|name| name == "requirements.txt");
        for name in inside.iter().filter_map(|name| name.strip_prefix("deps/")).filter(|name| is_wheel(name)) {
            let wheel: WheelName = name.parse().map_err(|source| ArtifactError::Dependency { path: self.path.clone(), source })?;
            package.layout.needs.add(&wheel.tags);
            package.layout.wheels.push(name.to_owned());
        }
        package.layout.wheels.sort_unstable();
        self.read_sources(&format!("{base}/src/"), &mut package)?;
        Ok(package)
    }

    fn wheel(mut self, name: &str) -> Result<Package, ArtifactError> {
        let mut package = Package::default();
        let wheel: WheelName = name.parse().map_err(|source| ArtifactError::Dependency { path: self.path.clone(), source })?;
        package.layout.needs.add(&wheel.tags);
        // Its own record names all its files, which are the function here.
        self.names.retain(|name| !name.contains(".dist-info/"));
        self.read_sources("", &mut package)?;
        Ok(package)
    }

    /// Sources below a folder, without those of projects that are installed there, of which the tags count.
    fn read_sources(&mut self, root: &str, package: &mut Package) -> Result<(), ArtifactError> {
        let mut installed = BTreeSet::new();
        for name in self.below(root, ".dist-info/RECORD") {
            let record = self.read(&name)?;
            installed.extend(recorded_files(&String::from_utf8_lossy(&record)).map(|file| format!("{root}{file}")));
        }
        for name in self.below(root, ".dist-info/WHEEL") {
            package.layout.needs.add(&tags_of(&String::from_utf8_lossy(&self.read(&name)?)));
        }
        for name in self.below(root, ".py").into_iter().filter(|name| !installed.contains(name)) {
            let bytes = self.read(&name)?;
            package.search.add(name.strip_prefix(root).unwrap_or(&name), &bytes);
        }
        Ok(())
    }

    fn below(&self, root: &str, ending: &str) -> Vec<String> {
        let mut names: Vec<String> = self.names.iter().filter(|name| name.starts_with(root) && name.ends_with(ending)).cloned().collect();
        names.sort_unstable();
        names
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, ArtifactError> {
        let entry = self.zip.by_name(name).map_err(|source| ArtifactError::Archive { path: self.path.clone(), source })?;
        let mut bytes = Vec::new();
        let read = entry.take(FILE_LIMIT.min(self.left)).read_to_end(&mut bytes);
        read.map_err(|source| ArtifactError::Read { path: format!("{}!{name}", self.path), source })?;
        self.left = self.left.saturating_sub(bytes.len() as u64);
        Ok(bytes)
    }
}

/// As the instance tells them.
fn is_wheel(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "whl")
}

fn stays_inside(name: &str) -> bool {
    !name.starts_with('/') && !name.contains('\\') && !name.contains('\0') && name.split('/').all(|part| part != "..")
}

/// The first field of each line of a `RECORD` (Python packaging user guide, "Recording installed projects").
pub fn recorded_files(record: &str) -> impl Iterator<Item = String> + '_ {
    record.lines().filter_map(|line| match line.strip_prefix('"') {
        Some(quoted) => {
            let (path, _) = quoted.rsplit_once("\",").or_else(|| quoted.split_once('"'))?;
            Some(path.replace("\"\"", "\""))
        }
        None => line.split(',').next().map(str::to_owned).filter(|path| !path.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::PathBuf;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    const FUNCTION: &str = "def process(input): pass\n";

    fn archive(folder: &Path, name: &str, entries: &[(&str, &str)]) -> PathBuf {
        let path = folder.join(name);
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        for (entry, text) in entries {
            writer.start_file(*entry, SimpleFileOptions::default()).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    fn described(path: &Path) -> Result<String, String> {
        let said = facts(path, None).map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{error}{cause}")
        });
        said.map(|facts| facts.labels().into_iter().skip(2).map(|(_, value)| value).collect::<Vec<_>>().join(" "))
            .map_err(|said| said.replace(&format!("{}/", path.parent().unwrap().display()), ""))
    }

    #[test]
    fn facts_of_zips() {
        let folder = tempfile::tempdir().unwrap();
        let source = ("fn/src/exclaim.py", FUNCTION);
        for (entries, expected) in [
            (&[source][..], Ok("exclaim")),
            (
                &[source, ("fn/deps/orjson-3-cp313-cp313-manylinux_2_17_x86_64.whl", ""), ("fn/deps/readme", "")],
                Ok("exclaim amd64 3.13 glibc 2.17"),
            ),
            (
                &[
                    source,
                    ("fn/src/dep/__init__.py", FUNCTION),
                    ("fn/src/dep-1.dist-info/RECORD", "dep/__init__.py,sha256=x,1\n"),
                    ("fn/src/dep-1.dist-info/WHEEL", "Tag: cp312-abi3-musllinux_1_2_aarch64\n"),
                ],
                Ok("exclaim arm64 musl 1.2"),
            ),
            (
                &[("other/src/exclaim.py", FUNCTION)],
                Err("the zip `fn.zip` has no `fn/src`, where Pulsar looks for the function (found `other/`)"),
            ),
            (
                &[("exclaim.py", FUNCTION)],
                Err("the zip `fn.zip` has no `fn/src`, where Pulsar looks for the function (found `exclaim.py/`)"),
            ),
            (&[], Err("the zip `fn.zip` has no `fn/src`, where Pulsar looks for the function")),
            (&[source, ("fn/__init__.py", "")], Err("the zip `fn.zip` has `fn/__init__.py`, which hides a module `fn` in `fn/src`")),
            (&[source, ("fn/../../x", "")], Err("the archive `fn.zip` has an entry `fn/../../x`, which does not stay inside")),
            (&[source, ("/etc/x", "")], Err("the archive `fn.zip` has an entry `/etc/x`, which does not stay inside")),
            (
                &[source, ("fn/deps/six.whl", "")],
                Err("dependencies of `fn.zip`: `six.whl` is not the name of a wheel, which is project-version-python-abi-platform.whl"),
            ),
        ] {
            let path = archive(folder.path(), "fn.zip", entries);
            assert_eq!(described(&path), expected.map(str::to_owned).map_err(str::to_owned), "{entries:?}");
        }
        let path = archive(folder.path(), "fn.zip", &[source, ("fn/requirements.txt", ""), ("fn/deps/a-1-py3-none-any.whl", "")]);
        let expected = Layout { wheels: vec!["a-1-py3-none-any.whl".into()], has_requirements: true, needs: Needs::default() };
        assert_eq!(layout(&path).unwrap(), expected);
    }

    #[test]
    fn facts_of_wheels_and_sources() {
        let folder = tempfile::tempdir().unwrap();
        let entries = [("fn/exclaim.py", "class A:\n def process(self, i, c): pass\n"), ("fn-1.dist-info/RECORD", "fn/exclaim.py,,\n")];
        let wheel = archive(folder.path(), "fn-1.0-cp38-abi3-manylinux2014_x86_64.whl", &entries);
        assert_eq!(described(&wheel).as_deref(), Ok("fn.exclaim.A amd64 glibc 2.17"));
        let misnamed = archive(folder.path(), "fn.whl", &entries);
        assert!(described(&misnamed).unwrap_err().starts_with("dependencies of `fn.whl`"));
        let source = folder.path().join("exclaim.py");
        fs_err::write(&source, FUNCTION).unwrap();
        assert_eq!(described(&source).as_deref(), Ok("exclaim"));
        assert_eq!(facts(&source, None).unwrap().artifact, source.to_str().unwrap());
        fs_err::write(&source, "def process(:").unwrap();
        assert!(described(&source).unwrap_err().ends_with("exclaim.py:1:13: not Python)"));
    }

    #[test]
    fn facts_of_something_else_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.zip", "a-1-py3-none-any.whl", "a.tar", "a"] {
            let path = folder.path().join(name);
            for content in [&b""[..], b"PK\x05\x06", &[0x50, 0x4b, 3, 4, 255, 255, 255, 255], &[0; 4096]] {
                fs_err::write(&path, content).unwrap();
                assert!(facts(&path, None).is_err(), "{name}");
            }
        }
        assert!(facts(folder.path(), None).is_err());
        assert!(facts(&folder.path().join("absent.py"), None).is_err());
    }

    #[test]
    fn recorded_files_are_first_fields() {
        let record = "a.py,sha256=x,1\n\"b,\"\"c.py\",sha256=y,2\nd.dist-info/RECORD,,\n\n";
        assert_eq!(recorded_files(record).collect::<Vec<_>>(), ["a.py", "b,\"c.py", "d.dist-info/RECORD"]);
    }
}
