//! The file that says what a function depends on, and the same in the words of `uv`.
//!
//! Lock files of other tools are exported here: `Pipfile.lock` is a complete list; `poetry.lock` pins versions and
//! hashes of what `pyproject.toml` asks for. `uv.lock` is exported by `uv` itself.

mod pipfile;
mod poetry;
mod pyproject;
mod requirements;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fnpack_artifact::python::wheel::Requirement;
use fs_err::File;

pub(crate) use pyproject::Pyproject;

/// Lock files of large projects have a few MB.
const FILE_LIMIT: u64 = 32 << 20;

/// Why dependencies cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    #[error("read `{file}`")]
    Read { file: String, source: io::Error },
    #[error("`{0}` is larger than 32 MB")]
    TooLarge(String),
    #[error("read `{file}`")]
    Toml { file: String, source: toml::de::Error },
    #[error("read `{file}`")]
    Json { file: String, source: serde_json::Error },
    #[error("there is no `{0}`, which BP_PYTHON_REQUIREMENTS names")]
    NotThere(String),
    #[error("`{0}` is not a file that names dependencies: requirements (.txt), pyproject.toml, uv.lock, poetry.lock or Pipfile.lock")]
    Unknown(String),
    #[error("{file} names dependencies, but there is no {lock}, which pins them")]
    NoLock { file: &'static str, lock: &'static str },
    #[error("{lock} has {count} versions of `{package}` and does not say when which is meant")]
    Ambiguous { lock: &'static str, package: String, count: usize },
    #[error("{lock} has `{package}` from {origin}, which is not in the source folder")]
    Origin { lock: &'static str, package: String, origin: String },
}

/// What a file of dependencies is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Uv,
    Poetry,
    Pipfile,
    Requirements,
    Pyproject,
}

/// Files by name. Of several, the first here counts: locks say most.
const FORMATS: [(&str, Format); 5] = [
    ("uv.lock", Format::Uv),
    ("poetry.lock", Format::Poetry),
    ("Pipfile.lock", Format::Pipfile),
    ("requirements.txt", Format::Requirements),
    ("pyproject.toml", Format::Pyproject),
];

/// The file that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Relative to the source folder.
    pub(crate) file: PathBuf,
    format: Format,
}

/// How `uv` is to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Text of a file of requirements, or none if the manifest is one itself.
    pub(crate) requirements: Option<String>,
    /// Text of a file of constraints.
    pub(crate) constraints: Option<String>,
    /// Whether all is named, so that nothing is to be added.
    pub(crate) is_complete: bool,
    /// What is asked for directly, as far as it is known.
    pub(crate) direct: Vec<Requirement>,
    /// Whether versions are left open.
    pub(crate) is_open: bool,
}

impl Manifest {
    /// None if there are no dependencies. Other files, which do not count, are in `passed_over`.
    pub(crate) fn find(source: &Path, given: Option<&Path>, passed_over: &mut Vec<&'static str>) -> Result<Option<Self>, ManifestError> {
        if let Some(given) = given {
            return Self::given(source, given).map(Some);
        }
        let mut found: Option<Self> = None;
        for (name, format) in FORMATS {
            if !source.join(name).is_file() || (format == Format::Pyproject && !Pyproject::read(source)?.names_dependencies()) {
                continue;
            }
            match (&found, format) {
                (None, _) => found = Some(Self { file: name.into(), format }),
                // A lock is made from it, so it is no other list.
                (Some(_), Format::Pyproject) => {}
                (Some(_), _) => passed_over.push(name),
            }
        }
        match &found {
            None if source.join("Pipfile").is_file() => Err(ManifestError::NoLock { file: "Pipfile", lock: "Pipfile.lock" }),
            None if Pyproject::read(source)?.names_poetry_dependencies() => {
                Err(ManifestError::NoLock { file: "pyproject.toml", lock: "poetry.lock" })
            }
            _ => Ok(found),
        }
    }

    fn given(source: &Path, given: &Path) -> Result<Self, ManifestError> {
        let text = given.display().to_string();
        if !source.join(given).is_file() {
            return Err(ManifestError::NotThere(text));
        }
        let by_name = FORMATS.into_iter().find(|(name, _)| given.file_name().is_some_and(|given| given == *name));
        let by_ending = given.extension().is_some_and(|ending| ending == "txt").then_some(Format::Requirements);
        let format = by_name.map(|(_, format)| format).or(by_ending).ok_or(ManifestError::Unknown(text))?;
        Ok(Self { file: given.to_owned(), format })
    }

    /// The folder of the file.
    pub(crate) fn folder(&self, source: &Path) -> PathBuf {
        source.join(self.file.parent().unwrap_or(Path::new("")))
    }

    /// Whether `uv` exports it.
    pub(crate) fn is_uv_lock(&self) -> bool {
        self.format == Format::Uv
    }

    /// How `uv` is to be told. For `uv.lock` it is to be asked itself.
    pub(crate) fn wanted(&self, source: &Path) -> Result<Wanted, ManifestError> {
        let folder = self.folder(source);
        match self.format {
            Format::Uv => Ok(Wanted { is_complete: true, direct: Pyproject::read(&folder)?.requirements(), ..Wanted::default() }),
            Format::Poetry => poetry::wanted(&read(source, &self.file)?, &Pyproject::read(&folder)?),
            Format::Pipfile => pipfile::wanted(&read(source, &self.file)?),
            Format::Requirements => Ok(requirements::wanted(&read(source, &self.file)?)),
            Format::Pyproject => {
                let direct = Pyproject::read(&folder)?.requirements();
                Ok(Wanted { is_open: true, direct, ..Wanted::default() })
            }
        }
    }

    /// All files that the dependencies are read from, relative to the source folder. None if more counts: folders of
    /// the source that are installed as projects.
    pub(crate) fn inputs(&self, source: &Path) -> Result<Option<Vec<PathBuf>>, ManifestError> {
        let mut files = vec![self.file.clone()];
        let text = read(source, &self.file)?;
        let is_pinned_by_files = match self.format {
            Format::Requirements => requirements::inputs(source, &self.file, &mut files)?,
            Format::Uv => !["directory = \"", "editable = \"", "path = \""]
                .iter()
                .any(|word| text.lines().any(|line| line.contains("source = {") && line.contains(word) && !line.contains("= \".\""))),
            Format::Poetry => !["type = \"directory\"", "type = \"file\""].iter().any(|word| text.contains(word)),
            Format::Pipfile => !["\"path\":", "\"file\":"].iter().any(|word| text.contains(word)),
            Format::Pyproject => !text.contains("file:") && !text.contains("path ="),
        };
        let pyproject = self.file.with_file_name("pyproject.toml");
        if self.format != Format::Requirements && self.file != pyproject && source.join(&pyproject).is_file() {
            files.push(pyproject);
        }
        Ok(is_pinned_by_files.then_some(files))
    }
}

fn read(source: &Path, file: &Path) -> Result<String, ManifestError> {
    let name = file.display().to_string();
    let failed = |source| ManifestError::Read { file: name.clone(), source };
    let opened = File::open(source.join(file)).map_err(failed)?;
    let mut text = String::new();
    opened.take(FILE_LIMIT + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_LIMIT { Err(ManifestError::TooLarge(name)) } else { Ok(text) }
}

#[cfg(test)]
mod tests;
