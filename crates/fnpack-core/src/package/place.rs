//! Puts a ready artifact into an application folder, as Function Mesh runs it.
//!
//! What Pulsar would unpack and install at each start is unpacked here, once: a Python zip and its wheels lie flat beside
//! each other, so that the function starts without `pip`, and dependencies and own code are layers of their own.

use std::path::{Path, PathBuf};

use fnpack_artifact::Facts;
use fnpack_artifact::java::{JarError, thin_jar};
use fs_err::File;

use super::class_path::{below, class_path};
use super::unzip::{Limits, UnzipError, unzip};
use super::{Artifact, Kind};
use crate::lifecycle::files::launch::Slice;
use crate::root::{Root, RootError};

/// An artifact in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The function, with the artifact's place in the image.
    pub facts: Facts,
    /// What changes seldom, to be layers of its own.
    pub slices: Vec<Slice>,
}

/// Why an artifact could not be put into an application folder.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot put the function into its folder")]
    Write(#[from] RootError),
    /// Its bytes cannot be copied.
    #[error("cannot copy `{}`", path.display())]
    Copy {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An archive is not to be unpacked.
    #[error("cannot unpack `{}`", path.display())]
    Unzip {
        /// The archive.
        path: PathBuf,
        /// Why.
        #[source]
        source: UnzipError,
    },
    /// A jar could not be written anew without what runners bring.
    #[error("cannot leave out of `{}` what every runner brings", path.display())]
    Strip {
        /// The jar.
        path: PathBuf,
        /// Why.
        #[source]
        source: JarError,
    },
    /// A thin jar whose dependencies are not there.
    #[error("`{}` needs jars that are not beside it: {}", path.display(), missing.join(", "))]
    ClassPath {
        /// The jar.
        path: PathBuf,
        /// The names in its manifest.
        missing: Vec<String>,
    },
}

/// Puts `artifact` into the empty folder `app`, which will be `at` in the image. `scratch` is an empty folder for
/// what is needed on the way.
pub fn place(artifact: &Artifact, app: &Root, at: &Path, scratch: &Root) -> Result<Placed, PlaceError> {
    let (name, slices) = match artifact.kind {
        Kind::GoProgram => (copy(&artifact.path, app, "function", 0o755)?, Vec::new()),
        Kind::Nar => (copy(&artifact.path, app, "function.nar", 0o644)?, Vec::new()),
        Kind::Jar => place_jar(artifact, app)?,
        Kind::PythonModule => {
            let stem = artifact.path.file_stem().unwrap_or_default().to_string_lossy();
            (copy(&artifact.path, app, &format!("{stem}.py"), 0o644)?, Vec::new())
        }
        Kind::Wheel => {
            unpack_wheel(&artifact.path, app, &mut Limits::default())?;
            (entry_file(artifact, app)?, Vec::new())
        }
        Kind::PythonZip => {
            let dependencies = unpack_python_zip(&artifact.path, app, scratch)?;
            (entry_file(artifact, app)?, dependencies.into_iter().collect())
        }
    };
    let place = at.join(name).to_string_lossy().into_owned();
    Ok(Placed { facts: Facts { artifact: place, ..artifact.facts.clone() }, slices })
}

fn copy(from: &Path, app: &Root, name: &str, mode: u32) -> Result<PathBuf, PlaceError> {
    let mut source = File::open(from).map_err(|source| PlaceError::Read { path: from.to_owned(), source })?;
    if let Some(parent) = Path::new(name).parent() {
        app.create_dir_all(parent, 0o755)?;
    }
    let mut target = app.create_file(name, mode)?;
    std::io::copy(&mut source, &mut target).map_err(|source| PlaceError::Copy { path: from.to_owned(), source })?;
    Ok(name.into())
}

/// A jar, and the jars that its manifest names: those are the part that seldom changes.
fn place_jar(artifact: &Artifact, app: &Root) -> Result<(PathBuf, Vec<Slice>), PlaceError> {
    let jar = &artifact.path;
    let folder = jar.parent().unwrap_or(Path::new(""));
    let named: Vec<(String, Option<PathBuf>)> = class_path(jar).into_iter().map(|name| (name.clone(), below(&name))).collect();
    let is_there = |path: &Option<PathBuf>| path.as_ref().is_some_and(|path| folder.join(path).is_file());
    let missing: Vec<String> = named.iter().filter(|(_, path)| !is_there(path)).map(|(name, _)| name.clone()).collect();
    if !missing.is_empty() {
        return Err(PlaceError::ClassPath { path: jar.to_owned(), missing });
    }
    let libraries: Vec<String> = named.into_iter().filter_map(|(_, path)| path?.into_os_string().into_string().ok()).collect();
    for library in &libraries {
        copy(&folder.join(library), app, library, 0o644)?;
    }
    let slices = if libraries.is_empty() { Vec::new() } else { vec![Slice { paths: libraries }] };
    if !artifact.strip_provided {
        return Ok((copy(jar, app, "function.jar", 0o644)?, slices));
    }
    let class_path: Vec<String> = slices.iter().flat_map(|slice| slice.paths.clone()).collect();
    thin_jar(jar, &class_path, true, &app.proc_path().join("function.jar"))
        .map_err(|source| PlaceError::Strip { path: jar.clone(), source })?;
    app.chmod("function.jar", 0o644)?;
    Ok(("function.jar".into(), slices))
}

/// Unpacks wheels, then the own code over them; gives the slice with what the wheels brought.
fn unpack_python_zip(zip: &Path, app: &Root, scratch: &Root) -> Result<Option<Slice>, PlaceError> {
    let failed = |source| PlaceError::Unzip { path: zip.to_owned(), source };
    let open = || File::open(zip).map_err(|source| PlaceError::Read { path: zip.to_owned(), source });
    let base = zip.file_stem().unwrap_or_default();
    let mut limits = Limits::default();
    scratch.create_dir("wheels", 0o755)?;
    let is_wheel = |path: &Path| path.components().count() == 1 && path.extension().is_some_and(|suffix| suffix == "whl");
    let wheel = |path: &Path| {
        Some(Path::new("wheels").join(path.strip_prefix(base).ok()?.strip_prefix("deps").ok().filter(|path| is_wheel(path))?))
    };
    unzip(open()?, scratch, &mut limits, wheel).map_err(failed)?;
    for entry in scratch.read_dir("wheels")? {
        unpack_wheel(&scratch.proc_path().join("wheels").join(&entry.name), app, &mut limits)?;
    }
    let names: Vec<String> = app.read_dir("")?.into_iter().filter_map(|entry| entry.name.into_string().ok()).collect();
    let own = |path: &Path| {
        path.strip_prefix(base).ok()?.strip_prefix("src").ok().filter(|path| !path.as_os_str().is_empty()).map(Path::to_owned)
    };
    unzip(open()?, app, &mut limits, own).map_err(failed)?;
    let plain = |name: &String| !name.contains(['*', '?', '[', ']', '\\', '{', '}', '!']);
    let paths: Vec<String> = names.into_iter().filter(plain).collect();
    Ok((!paths.is_empty()).then_some(Slice { paths }))
}

/// Unpacks a wheel as installers do (PEP 427), without what belongs outside of the folder of modules.
fn unpack_wheel(wheel: &Path, app: &Root, limits: &mut Limits) -> Result<(), PlaceError> {
    let file = File::open(wheel).map_err(|source| PlaceError::Read { path: wheel.to_owned(), source })?;
    let name = wheel.file_name().map_or_else(|| wheel.to_owned(), PathBuf::from);
    unzip(file, app, limits, wheel_place).map_err(|source| PlaceError::Unzip { path: name, source })
}

fn wheel_place(path: &Path) -> Option<PathBuf> {
    let top = Path::new(path.iter().next()?);
    if top.extension().is_none_or(|ending| ending != "data") {
        return Some(path.to_owned());
    }
    let kind = path.iter().nth(1)?.to_str()?;
    matches!(kind, "purelib" | "platlib").then(|| path.iter().skip(2).collect()).filter(|rest: &PathBuf| !rest.as_os_str().is_empty())
}

/// The file that Pulsar is told to run. Only its folder counts, which goes first on Python's search path; so any module
/// at the top will do, best the function's own.
fn entry_file(artifact: &Artifact, app: &Root) -> Result<PathBuf, RootError> {
    let class_name = artifact.facts.class_name.as_deref().unwrap_or_default();
    let module = PathBuf::from(format!("{}.py", class_name.split('.').next().unwrap_or_default()));
    if app.is_file(&module) {
        return Ok(module);
    }
    let file = PathBuf::from("function.py");
    if !app.is_file(&file) {
        app.write(&file, ENTRY_FILE, 0o644)?;
    }
    Ok(file)
}

const ENTRY_FILE: &[u8] = b"# Names the folder that Python finds the function's modules in.\n";
