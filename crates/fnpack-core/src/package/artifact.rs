//! A ready artifact: the function that a file holds.

use std::path::{Path, PathBuf};

use fnpack_artifact::golang::{self, GolangError};
use fnpack_artifact::java::{FunctionClass, JarError, JavaArchive, Unusable};
use fnpack_artifact::{Facts, Language, python};

use super::class_path::{below, class_path};
use super::{Kind, KindError};

/// A file with a function in it.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// The function; [`Facts::artifact`] is the file's own name until it has a place in an image.
    pub facts: Facts,
    /// What does not keep the function from running and should be known.
    pub notes: Vec<String>,
    /// Whether what every runner brings is left out of the image.
    pub strip_provided: bool,
}

/// How an artifact is to be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ArtifactOptions<'a> {
    /// Which of several functions is meant.
    pub class_name: Option<&'a str>,
    /// Whether to leave out of a jar what every runner brings.
    pub strip_provided: bool,
}

/// Why a file holds no function that could be run.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// It is no function package.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// A program that is no Go function.
    #[error("`{}` is no Go function", path.display())]
    Golang {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: GolangError,
    },
    /// A jar that cannot be read.
    #[error(transparent)]
    Jar(#[from] JarError),
    /// A Python file under a name that Pulsar takes for something else.
    #[error("`{}` is a {kind}, and its name does not end in `{ending}`", path.display())]
    Ending {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: Kind,
        /// What its name must end in.
        ending: &'static str,
    },
    /// A Python file without a function, or damaged.
    #[error(transparent)]
    Python(#[from] python::ArtifactError),
    /// The named class cannot be used.
    #[error("`{}` has no such function", path.display())]
    Class {
        /// The jar.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Unusable,
    },
    /// Nothing in it could be run.
    #[error("`{}` has no class that Pulsar could run as a function, among {classes} classes", path.display())]
    NoClass {
        /// The jar.
        path: PathBuf,
        /// How many were looked at.
        classes: usize,
        /// Classes that come near.
        near: Vec<Unusable>,
    },
    /// More than one could be meant.
    #[error("`{}` has several functions", path.display())]
    SeveralClasses {
        /// The jar.
        path: PathBuf,
        /// All of them.
        functions: Vec<FunctionClass>,
    },
    /// A class is named where there are none.
    #[error("`{}` is a Go program, which has no classes to choose from by `{class_name}`", path.display())]
    ClassOfGo {
        /// The file.
        path: PathBuf,
        /// As asked for.
        class_name: String,
    },
}

impl Artifact {
    /// Looks into a file.
    pub fn read(path: &Path, options: ArtifactOptions<'_>) -> Result<Self, ArtifactError> {
        let kind = Kind::of(path)?;
        let (facts, notes) = match kind.language() {
            Language::Go => golang_facts(path, options)?,
            Language::Java => java_facts(path, options)?,
            Language::Python => python_facts(path, kind, options)?,
        };
        let artifact = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { path: path.to_owned(), kind, facts: Facts { artifact, ..facts }, notes, strip_provided: options.strip_provided })
    }
}

fn golang_facts(path: &Path, options: ArtifactOptions<'_>) -> Result<(Facts, Vec<String>), ArtifactError> {
    if let Some(class_name) = options.class_name {
        return Err(ArtifactError::ClassOfGo { path: path.to_owned(), class_name: class_name.to_owned() });
    }
    let facts = golang::facts(path, "").map_err(|source| ArtifactError::Golang { path: path.to_owned(), source })?;
    let mut notes = Vec::new();
    if facts.is_static == Some(false) {
        notes.push("the program needs a dynamic loader, so it runs only on runners with the C library it was linked for; build it with `CGO_ENABLED=0`".to_owned());
    }
    Ok((facts, notes))
}

fn java_facts(path: &Path, options: ArtifactOptions<'_>) -> Result<(Facts, Vec<String>), ArtifactError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let beside = class_path(path).into_iter().filter_map(|name| Some(folder.join(below(&name)?)));
    let libraries: Vec<PathBuf> = beside.filter(|library| library.is_file()).collect();
    let archive = JavaArchive::read(path, &libraries)?;
    let function = function_class(path, &archive, options.class_name)?;
    let mut notes = Vec::new();
    if !function.types_are_known {
        notes.push(format!("the types of `{}` cannot be read from its class file: give them to Pulsar (`typeClassName`)", function.name));
    }
    let bundled: Vec<&str> = archive.bundled_packages().collect();
    if !bundled.is_empty() && !options.strip_provided {
        notes.push(format!(
            "the jar brings what every runner has, and the runner's counts: {} (`--strip-provided` leaves it out)",
            bundled.join(", ")
        ));
    }
    Ok((archive.facts(&function, ""), notes))
}

/// The class that is named, by the user or else by the NAR; or the only one.
fn function_class(path: &Path, archive: &JavaArchive, wanted: Option<&str>) -> Result<FunctionClass, ArtifactError> {
    let path = || path.to_owned();
    if let Some(name) = wanted.or(archive.nar().and_then(|nar| nar.function_class.as_deref())) {
        return archive.function(name).map_err(|source| ArtifactError::Class { path: path(), source });
    }
    let mut functions = archive.functions();
    match functions.len() {
        0 => Err(ArtifactError::NoClass { path: path(), classes: archive.class_count(), near: archive.near_misses() }),
        1 => Ok(functions.remove(0)),
        _ => Err(ArtifactError::SeveralClasses { path: path(), functions }),
    }
}

fn python_facts(path: &Path, kind: Kind, options: ArtifactOptions<'_>) -> Result<(Facts, Vec<String>), ArtifactError> {
    let ending = match kind {
        Kind::Wheel => ".whl",
        Kind::PythonZip => ".zip",
        _ => ".py",
    };
    // An archive under another name is one that Pulsar would take for something else.
    if !path.to_string_lossy().ends_with(ending) {
        return Err(ArtifactError::Ending { path: path.to_owned(), kind, ending });
    }
    let facts = python::facts(path, options.class_name)?;
    let mut notes = Vec::new();
    if python::layout(path)?.has_requirements {
        notes.push(
            "the package has a `requirements.txt`, which is not installed: what the function needs must be in it as wheels or modules"
                .to_owned(),
        );
    }
    Ok((facts, notes))
}
