//! Where in the source folder the function is: its module, and the main packages that start a function.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fs_err::File;

use crate::build_constraint::BuildTags;
use crate::source_file::{FUNCTION_PACKAGE, SourceFile};

/// Larger files are not written by hand; only their start is looked at.
const FILE_LIMIT: u64 = 4 << 20;

/// How many entries a message lists.
const LISTED: usize = 5;

/// A module with something to build.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Project {
    /// Of `go.mod`, relative to the application folder.
    pub(crate) module: PathBuf,
    /// Main packages that may be the function, relative to the application folder, at least one.
    pub(crate) packages: Vec<PathBuf>,
    /// Files with `import "C"`, relative to the application folder.
    pub(crate) cgo_files: Vec<PathBuf>,
}

/// What was looked for and not found; the text is for the user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// With what may explain it; modules `below` are found, but not chosen among.
    Module {
        found: Vec<PathBuf>,
        below: bool,
    },
    Function {
        main_packages: Vec<PathBuf>,
    },
    Target {
        folder: PathBuf,
    },
}

impl fmt::Display for Absent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module { found, below: false } => write!(formatter, "looked for go.mod: not found{}", listed("found ", found)),
            Self::Module { found, below: true } => {
                let found = listed("name the folder of a main package in BP_GO_TARGETS; found ", found);
                write!(formatter, "looked for go.mod in the source folder itself: not found{found}")
            }
            Self::Function { main_packages } if main_packages.is_empty() => {
                write!(formatter, "looked for a main package that calls pf.Start of {FUNCTION_PACKAGE}: not found (no main package)")
            }
            Self::Function { main_packages } => {
                let folders: Vec<PathBuf> = main_packages.iter().map(|folder| as_argument(folder).into()).collect();
                let found = listed("it is not called in ", &folders);
                write!(formatter, "looked for a main package that calls pf.Start of {FUNCTION_PACKAGE}: not found{found}")
            }
            Self::Target { folder } => {
                write!(formatter, "looked for a main package in {}, as BP_GO_TARGETS says: not found", as_argument(folder))
            }
        }
    }
}

fn listed(introduction: &str, paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().take(LISTED).map(|path| path.display().to_string()).collect();
    let more = if paths.len() > LISTED { ", …" } else { "" };
    if names.is_empty() { String::new() } else { format!(" ({introduction}{}{more})", names.join(", ")) }
}

/// A folder as Go takes packages: `./cmd/orders`, `.` for the root.
pub(crate) fn as_argument(folder: &Path) -> String {
    if folder.as_os_str().is_empty() { ".".to_owned() } else { format!("./{}", folder.display()) }
}

/// Looks for the function. A target that the user names is believed to be one if it is a main package.
pub(crate) fn find(application: &Path, target: Option<&Path>, tags: &BuildTags) -> io::Result<Result<Project, Absent>> {
    let start = target.unwrap_or(Path::new(""));
    let Some(module) = start.ancestors().find(|folder| application.join(folder).join("go.mod").is_file()) else {
        return Ok(Err(instead_of_module(application)?));
    };
    let packages = packages(application, module, tags)?;
    let cgo_files = packages.iter().flat_map(|package| package.cgo_files.iter().cloned()).collect();
    let main_packages = packages.iter().filter(|package| package.is_main);
    let chosen: Vec<PathBuf> = match target {
        Some(target) => main_packages.clone().filter(|package| package.folder == target).map(|package| package.folder.clone()).collect(),
        None => main_packages.clone().filter(|package| package.starts_function).map(|package| package.folder.clone()).collect(),
    };
    Ok(match (chosen.is_empty(), target) {
        (false, _) => Ok(Project { module: module.to_path_buf(), packages: chosen, cgo_files }),
        (true, Some(target)) => Err(Absent::Target { folder: target.to_path_buf() }),
        (true, None) => Err(Absent::Function { main_packages: main_packages.map(|package| package.folder.clone()).collect() }),
    })
}

#[derive(Debug)]
struct Package {
    folder: PathBuf,
    is_main: bool,
    starts_function: bool,
    cgo_files: Vec<PathBuf>,
}

/// The packages of a module: not those of modules inside it, nor in folders that Go leaves out.
fn packages(application: &Path, module: &Path, tags: &BuildTags) -> io::Result<Vec<Package>> {
    let mut packages = Vec::new();
    let mut folders = vec![module.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let mut package = Package { folder: folder.clone(), is_main: false, starts_function: false, cgo_files: Vec::new() };
        for entry in entries(&application.join(&folder))? {
            let path = folder.join(&entry.name);
            if entry.is_folder && is_package_folder(&entry.name) && !application.join(&path).join("go.mod").is_file() {
                folders.push(path);
            } else if !entry.is_folder && is_source_file(&entry.name) {
                package.add(&application.join(&path), path, &entry.name, tags)?;
            }
        }
        packages.push(package);
    }
    packages.sort_unstable_by(|one, other| one.folder.cmp(&other.folder));
    Ok(packages)
}

impl Package {
    fn add(&mut self, file: &Path, path: PathBuf, name: &str, tags: &BuildTags) -> io::Result<()> {
        let source = read_source(file)?;
        if !tags.select(name, &source) {
            return Ok(());
        }
        let found = SourceFile::parse(&source);
        self.is_main |= found.is_main;
        self.starts_function |= found.is_main && found.starts_function;
        self.cgo_files.extend(Some(path).filter(|_| found.uses_cgo));
        Ok(())
    }
}

fn read_source(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

struct Entry {
    name: String,
    is_folder: bool,
}

/// Files and folders by name; links to folders are not followed, and names that are not UTF-8 are not Go's.
fn entries(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        if let Ok(name) = entry.file_name().into_string()
            && (is_folder || entry.path().is_file())
        {
            entries.push(Entry { name, is_folder });
        }
    }
    entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

fn is_package_folder(name: &str) -> bool {
    !name.starts_with(['.', '_']) && !["vendor", "testdata", "node_modules"].contains(&name)
}

fn is_source_file(name: &str) -> bool {
    Path::new(name).extension() == Some(OsStr::new("go")) && !name.ends_with("_test.go") && !name.starts_with(['.', '_'])
}

/// What may explain why there is no `go.mod`: a name nearly like it, one further down, or Go files alone.
fn instead_of_module(application: &Path) -> io::Result<Absent> {
    let mut similar = Vec::new();
    let mut below = Vec::new();
    let mut sources = Vec::new();
    for entry in entries(application)? {
        let path = PathBuf::from(&entry.name);
        if is_similar(&entry.name) {
            similar.push(path);
        } else if entry.is_folder {
            below.extend(modules_below(application, &path)?);
        } else if is_source_file(&entry.name) {
            sources.push(path);
        }
    }
    if similar.is_empty() && !below.is_empty() {
        return Ok(Absent::Module { found: below, below: true });
    }
    Ok(Absent::Module { found: if similar.is_empty() { sources } else { similar }, below: false })
}

/// `Go.mod`, `go.mo`, `gomod`, `go.mod.txt`, or a folder `go.mod`.
fn is_similar(name: &str) -> bool {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    letters == "gomo" || letters.starts_with("gomod")
}

/// Two levels are where people keep several modules.
fn modules_below(application: &Path, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_module = |folder: &Path| application.join(folder).join("go.mod").is_file();
    if is_module(folder) {
        return Ok(vec![folder.join("go.mod")]);
    }
    let below = entries(&application.join(folder))?.into_iter().filter(|entry| entry.is_folder).map(|entry| folder.join(entry.name));
    Ok(below.filter(|folder| is_module(folder)).map(|folder| folder.join("go.mod")).collect())
}

#[cfg(test)]
mod tests;
