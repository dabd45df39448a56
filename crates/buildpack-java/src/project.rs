//! Where in the source folder the function is: its build tool, and the modules whose sources mention a function.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fs_err::File;

use crate::settings::Settings;
use crate::tool::Tool;

/// Larger files are not written by hand; only their start is looked at.
const FILE_LIMIT: u64 = 4 << 20;

/// How deep modules are looked for.
const DEPTH_LIMIT: usize = 6;

/// How many entries a message lists.
const LISTED: usize = 5;

/// Of the languages that make class files.
const SOURCE_SUFFIXES: [&str; 4] = [".java", ".kt", ".scala", ".groovy"];

/// What function classes are written against. Of the second only where the first is nowhere: other code uses it too.
const PULSAR: [&str; 1] = ["org.apache.pulsar.functions.api"];
const JAVA: [&str; 3] = ["java.util.function.Function", "java.util.function.UnaryOperator", "java.util.function.*"];

/// A project with something to build.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Project {
    pub(crate) tool: Tool,
    /// Where the tool is started, relative to the application folder.
    pub(crate) root: PathBuf,
    /// Where the function is, relative to the application folder; at least one.
    pub(crate) modules: Vec<PathBuf>,
}

/// What was looked for and not found; the text is for the user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// No build file, with what may explain it.
    BuildFile { found: Vec<PathBuf>, below: bool },
    /// A build file with nothing in it.
    Empty(PathBuf),
    /// No source that mentions a function. `sources` were looked at.
    Function { build_file: PathBuf, sources: usize },
    /// What a setting names.
    Module { setting: &'static str, folder: PathBuf },
}

impl fmt::Display for Absent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuildFile { found, below: false } => {
                write!(formatter, "looked for pom.xml or build.gradle: not found{}", listed("found ", found))
            }
            Self::BuildFile { found, below: true } => {
                let settings = "name its folder in BP_MAVEN_BUILT_MODULE or BP_GRADLE_BUILT_MODULE; found ";
                write!(formatter, "looked for pom.xml or build.gradle in the source folder itself: not found{}", listed(settings, found))
            }
            Self::Empty(file) => write!(formatter, "looked for a build file: {} is empty", file.display()),
            Self::Function { build_file, sources: 0 } => {
                write!(formatter, "found {}, but no source of Java, Kotlin, Scala or Groovy in a src folder", build_file.display())
            }
            Self::Function { build_file, sources } => write!(
                formatter,
                "found {}, but none of {sources} source files mentions {} or java.util.function.Function; \
                 if there is a function, name its class in BP_FUNCTION_CLASS",
                build_file.display(),
                PULSAR.join(", "),
            ),
            Self::Module { setting, folder } => {
                write!(formatter, "looked for a build file in {}, as {setting} says: not found", folder.display())
            }
        }
    }
}

fn listed(introduction: &str, paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().take(LISTED).map(|path| path.display().to_string()).collect();
    let more = if paths.len() > LISTED { ", …" } else { "" };
    if names.is_empty() { String::new() } else { format!(" ({introduction}{}{more})", names.join(", ")) }
}

/// Looks for the function. A module and a class that the user names are believed.
pub(crate) fn find(application: &Path, settings: &Settings) -> io::Result<Result<Project, Absent>> {
    if let Some((tool, module)) = named_module(settings) {
        return Ok(project_of_module(application, tool, module));
    }
    let Some((tool, build_file)) = build_file(application, Path::new("")) else {
        return Ok(Err(instead_of_build_file(application)?));
    };
    if fs_err::metadata(application.join(&build_file))?.len() == 0 && tool == Tool::Maven {
        return Ok(Err(Absent::Empty(build_file)));
    }
    let mut survey = Survey::default();
    survey.look(application, Path::new(""), 0)?;
    let modules = if survey.of_pulsar.is_empty() { survey.of_java } else { survey.of_pulsar };
    let root = PathBuf::new();
    Ok(match (modules.is_empty(), &settings.function_class) {
        (false, _) => Ok(Project { tool, root, modules }),
        (true, Some(_)) => Ok(Project { tool, root, modules: vec![PathBuf::new()] }),
        (true, None) => Err(Absent::Function { build_file, sources: survey.sources }),
    })
}

fn named_module(settings: &Settings) -> Option<(Tool, &Path)> {
    Tool::ALL.into_iter().find_map(|tool| Some((tool, settings.of(tool).module.as_deref()?)))
}

/// A tool starts where its highest build file on the way to the module is.
fn project_of_module(application: &Path, tool: Tool, module: &Path) -> Result<Project, Absent> {
    let mut ancestors: Vec<&Path> = module.ancestors().collect();
    ancestors.reverse();
    let root = ancestors.into_iter().find(|folder| has_build_file(application, folder, tool));
    match root.filter(|_| application.join(module).is_dir()) {
        Some(root) => Ok(Project { tool, root: root.to_path_buf(), modules: vec![module.to_path_buf()] }),
        None => Err(Absent::Module { setting: tool.module_setting(), folder: module.to_path_buf() }),
    }
}

fn has_build_file(application: &Path, folder: &Path, tool: Tool) -> bool {
    tool.files().iter().any(|name| application.join(folder).join(name).is_file())
}

/// The tool of a folder, with its file, relative to the application folder.
fn build_file(application: &Path, folder: &Path) -> Option<(Tool, PathBuf)> {
    let files = Tool::ALL.into_iter().flat_map(|tool| tool.files().iter().map(move |name| (tool, folder.join(name))));
    files.into_iter().find(|(_, path)| application.join(path).is_file())
}

/// What the sources say, module by module.
#[derive(Default)]
struct Survey {
    of_pulsar: Vec<PathBuf>,
    of_java: Vec<PathBuf>,
    sources: usize,
}

impl Survey {
    /// A folder with `src` is a module. Results of builds and hidden folders are passed by.
    fn look(&mut self, application: &Path, folder: &Path, depth: usize) -> io::Result<()> {
        if depth > DEPTH_LIMIT {
            return Ok(());
        }
        for entry in entries(&application.join(folder))?.into_iter().filter(|entry| entry.is_folder) {
            let path = folder.join(&entry.name);
            if entry.name == "src" {
                self.look_at_sources(&application.join(path), folder)?;
            } else if !entry.name.starts_with('.') && !["target", "build", "node_modules"].contains(&&*entry.name) {
                self.look(application, &path, depth + 1)?;
            }
        }
        Ok(())
    }

    fn look_at_sources(&mut self, sources: &Path, module: &Path) -> io::Result<()> {
        let mut folders = vec![sources.to_path_buf()];
        let (mut of_pulsar, mut of_java) = (false, false);
        while let Some(folder) = folders.pop() {
            for entry in entries(&folder)? {
                let path = folder.join(&entry.name);
                if entry.is_folder && path != sources.join("test") {
                    folders.push(path);
                } else if !entry.is_folder && SOURCE_SUFFIXES.iter().any(|suffix| entry.name.ends_with(suffix)) {
                    let text = read_source(&path)?;
                    self.sources += 1;
                    of_pulsar |= PULSAR.iter().any(|words| text.contains(words));
                    of_java |= JAVA.iter().any(|words| text.contains(words));
                }
            }
        }
        self.of_pulsar.extend(of_pulsar.then(|| module.to_path_buf()));
        self.of_java.extend(of_java.then(|| module.to_path_buf()));
        Ok(())
    }
}

struct FolderEntry {
    name: String,
    is_folder: bool,
}

/// By name; links are followed for files alone, so no walk goes in circles.
fn entries(folder: &Path) -> io::Result<Vec<FolderEntry>> {
    let entry = |entry: io::Result<fs_err::DirEntry>| {
        let entry = entry?;
        Ok(FolderEntry { name: entry.file_name().to_string_lossy().into_owned(), is_folder: entry.file_type()?.is_dir() })
    };
    let mut found: Vec<FolderEntry> = fs_err::read_dir(folder)?.map(entry).collect::<io::Result<_>>()?;
    found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// What is no file, such as a link to nowhere, says nothing.
fn read_source(path: &Path) -> io::Result<String> {
    if !path.is_file() {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What may be meant: a similar name, a build file below, sources alone.
fn instead_of_build_file(application: &Path) -> io::Result<Absent> {
    let (mut similar, mut below, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries(application)? {
        let path = PathBuf::from(&entry.name);
        if is_similar(&entry.name) {
            similar.push(path);
        } else if entry.is_folder && !entry.name.starts_with('.') {
            below.extend(build_files_below(application, &path)?);
            sources.extend(Some(path).filter(|_| entry.name == "src"));
        } else if SOURCE_SUFFIXES.iter().any(|suffix| entry.name.ends_with(suffix)) {
            sources.push(path);
        }
    }
    if similar.is_empty() && !below.is_empty() {
        return Ok(Absent::BuildFile { found: below, below: true });
    }
    Ok(Absent::BuildFile { found: if similar.is_empty() { sources } else { similar }, below: false })
}

/// `Pom.xml`, `pom.xm`, `pom`, `pom.xml.txt`, `Build.gradle`, or a folder `pom.xml`.
fn is_similar(name: &str) -> bool {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    letters == "pom" || letters.starts_with("pomx") || letters.starts_with("buildgradle")
}

/// Two levels are where people keep several projects.
fn build_files_below(application: &Path, folder: &Path) -> io::Result<Vec<PathBuf>> {
    if let Some((_, file)) = build_file(application, folder) {
        return Ok(vec![file]);
    }
    let below = entries(&application.join(folder))?.into_iter().filter(|entry| entry.is_folder).map(|entry| folder.join(entry.name));
    Ok(below.filter_map(|folder| build_file(application, &folder)).map(|(_, file)| file).collect())
}

#[cfg(test)]
mod tests;
