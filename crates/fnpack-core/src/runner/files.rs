//! Facts of a run image from its files: for images that say nothing of themselves, as all published runners of
//! Function Mesh do.
//!
//! Names and tags tell nothing (the same tag line changed from Ubuntu to Alpine), programs of the image may not run
//! here; so the files are asked that each program itself goes by.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use fnpack_artifact::Language;
use rustix::fs::FileType;

use super::version::{java_feature, python_minor};
use super::{Libc, RunnerFacts};
use crate::image::Image;
use crate::lifecycle::target::distro_of_os_release;
use crate::root::Root;

/// Texts have a few kilobytes, a Debian's list of packages some megabytes.
const LONGEST_TEXT: u64 = 32 << 20;
/// glibc has two megabytes, musl less than one.
const LONGEST_LIBRARY: u64 = 16 << 20;
/// The kernel's own bound.
const MOST_SYMLINKS: usize = 40;

/// What container engines take where the image sets no `PATH`.
pub(super) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Where libraries lie, in distributions with and without folders by architecture.
const LIBRARY_FOLDERS: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

const JAVA_INSTANCE: &str = "/pulsar/instances/java-instance.jar";
const PYTHON_INSTANCE: &str = "/pulsar/instances/python-instance/python_instance_main.py";
const JAVA_LIBRARY: &str = "/pulsar/lib";
/// The jar whose version is the instance's.
const INSTANCE_JAR: &str = "org.apache.pulsar-pulsar-functions-instance-";

pub(super) fn read(root: &Root, image: &Image) -> RunnerFacts {
    let files = Files { root, path: image.env("PATH").unwrap_or(DEFAULT_PATH) };
    RunnerFacts {
        languages: Some(files.languages()),
        java: files.java(),
        python: files.python(),
        libc: files.libc(),
        pulsar: files.pulsar(),
        distro: files.text("/etc/os-release").or_else(|| files.text("/usr/lib/os-release")).and_then(|text| distro_of_os_release(&text)),
        packages: files.packages(),
        ..RunnerFacts::unknown(image.target())
    }
}

struct Files<'a> {
    root: &'a Root,
    /// The image's `PATH`.
    path: &'a str,
}

impl Files<'_> {
    fn text(&self, path: &str) -> Option<String> {
        self.root.read_to_string(path, LONGEST_TEXT).ok()
    }

    /// Function Mesh starts everything with bash; a Go function needs nothing else, the others their instance.
    fn languages(&self) -> BTreeSet<Language> {
        let mut languages = BTreeSet::new();
        if self.program("bash").is_none() {
            return languages;
        }
        languages.insert(Language::Go);
        if self.root.is_file(JAVA_INSTANCE) && self.program("java").is_some() {
            languages.insert(Language::Java);
        }
        if self.root.is_file(PYTHON_INSTANCE) && self.program("python").is_some() {
            languages.insert(Language::Python);
        }
        languages
    }

    /// The file that a command of this name is, symlinks followed.
    fn program(&self, name: &str) -> Option<PathBuf> {
        let folders = self.path.split(':').filter(|folder| folder.starts_with('/'));
        folders.map(|folder| Path::new(folder).join(name)).find(|path| self.root.is_file(path)).and_then(|path| self.resolved(path))
    }

    /// Follows the symlinks of the last component: the folder that a program really lies in is where its own files are.
    fn resolved(&self, path: PathBuf) -> Option<PathBuf> {
        let mut path = path;
        for _ in 0..MOST_SYMLINKS {
            let stat = self.root.symlink_metadata(&path).ok()?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
                return Some(path);
            }
            let target = self.root.read_link(&path).ok()?;
            path = normalized(&path.parent()?.join(target));
        }
        None
    }

    /// By the `release` file of the installation that `java` belongs to.
    fn java(&self) -> Option<u16> {
        let program = self.program("java")?;
        let installation = program.parent()?.parent()?;
        // A JDK of the old shape has `java` in `jre/bin` too.
        let text = [Some(installation), installation.parent()]
            .into_iter()
            .flatten()
            .find_map(|folder| self.root.read_to_string(folder.join("release"), LONGEST_TEXT).ok())?;
        let version = text.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
        java_feature(version.trim_matches('"'))
    }

    /// By the program's own name (`python3.13`), or by the library folder beside it.
    fn python(&self) -> Option<String> {
        let program = self.program("python").or_else(|| self.program("python3"))?;
        let named = program.file_name()?.to_str()?.strip_prefix("python").and_then(python_minor);
        named.or_else(|| {
            let library = program.parent()?.parent()?.join("lib");
            let folders = self.root.read_dir(&library).ok()?;
            folders.iter().find_map(|entry| {
                let version = python_minor(entry.name.to_str()?.strip_prefix("python")?)?;
                self.root.is_file(library.join(&entry.name).join("os.py")).then_some(version)
            })
        })
    }

    fn libc(&self) -> Option<Libc> {
        // A Debian may have musl installed, an Alpine a library that stands in for glibc; the latter does not have its words.
        self.glibc().or_else(|| self.musl())
    }

    fn glibc(&self) -> Option<Libc> {
        let library = self.libraries().find(|path| path.ends_with("libc.so.6") && self.root.is_file(path))?;
        let bytes = self.root.read(library, LONGEST_LIBRARY).ok()?;
        let start = find(&bytes, b"stable release version ")?;
        let version = leading(bytes.get(start..)?, |byte| byte.is_ascii_digit() || byte == b'.');
        Some(Libc { name: "glibc".into(), version: version.trim_end_matches('.').to_owned() })
    }

    /// Its version stands as a text of its own beside the words that it greets with.
    fn musl(&self) -> Option<Libc> {
        let is_loader = |path: &Path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("ld-musl-"));
        let loader = self.libraries().find(|path| is_loader(path) && self.root.is_file(path))?;
        let bytes = self.root.read(loader, LONGEST_LIBRARY).unwrap_or_default();
        let versions = bytes.split(|byte| *byte == 0).filter(|text| is_musl_version(text));
        let version = versions.map(|text| String::from_utf8_lossy(text).into_owned()).next().unwrap_or_default();
        Some(Libc { name: "musl".into(), version })
    }

    /// Files in the folders of libraries and in their folders by architecture.
    fn libraries(&self) -> impl Iterator<Item = PathBuf> {
        let list = |folder: &Path| self.root.read_dir(folder).unwrap_or_default();
        LIBRARY_FOLDERS.iter().map(PathBuf::from).flat_map(move |folder| {
            let by_architecture = |name: &str| name.ends_with("-linux-gnu") || name.contains("-linux-gnu") || name.ends_with("-linux-musl");
            let mut files = Vec::new();
            for entry in list(&folder) {
                let path = folder.join(&entry.name);
                match entry.name.to_str() {
                    Some(name) if by_architecture(name) => files.extend(list(&path).into_iter().map(|entry| path.join(entry.name))),
                    _ => files.push(path),
                }
            }
            files
        })
    }

    /// By the name of a jar of the Java instance; the Python instance does not say.
    fn pulsar(&self) -> Option<String> {
        let jars = self.root.read_dir(JAVA_LIBRARY).ok()?;
        jars.iter().find_map(|entry| Some(entry.name.to_str()?.strip_prefix(INSTANCE_JAR)?.strip_suffix(".jar")?.to_owned()))
    }

    /// By dpkg's own list.
    fn packages(&self) -> Option<Vec<String>> {
        let status = self.text("/var/lib/dpkg/status")?;
        let mut packages: Vec<String> = status.split("\n\n").filter_map(installed).collect();
        packages.sort();
        Some(packages)
    }
}

/// `name=version` of an installed package's paragraph.
fn installed(paragraph: &str) -> Option<String> {
    let field = |key: &str| paragraph.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": ")).map(str::trim);
    let installed = field("Status")? == "install ok installed";
    let word = |text: &str| !text.contains(char::is_whitespace);
    let (name, version) = (field("Package")?, field("Version")?);
    (installed && word(name) && word(version)).then(|| format!("{name}={version}"))
}

/// Without `.` and `..`.
fn normalized(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            component => normal.push(component),
        }
    }
    normal
}

/// Where `bytes` go on after the first `words`.
fn find(bytes: &[u8], words: &[u8]) -> Option<usize> {
    bytes.windows(words.len()).position(|window| window == words).map(|start| start + words.len())
}

fn leading(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> String {
    bytes.iter().take_while(|byte| wanted(**byte)).map(|byte| char::from(*byte)).collect()
}

/// `1.2.5`, and in what is not released `1.2.5-git-…`.
fn is_musl_version(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| matches!(byte, b'.' | b'-'));
    let number = |part: Option<&[u8]>| part.is_some_and(|part| (1..=3).contains(&part.len()) && part.iter().all(u8::is_ascii_digit));
    text.len() < 40 && matches!(text.first(), Some(b'0' | b'1')) && number(parts.next()) && number(parts.next()) && number(parts.next())
}
