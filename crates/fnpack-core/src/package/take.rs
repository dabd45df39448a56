//! Takes a function package out of a finished application folder.

use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fnpack_artifact::{Facts, Language, java, python};
use fs_err::File;

use super::fat_jar;
use crate::digest::{Digest, Hashing};
use crate::root::{Root, RootError};

/// The form of a function package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A jar with all dependencies in it.
    Jar,
    /// A jar with its dependencies as jars.
    Nar,
    /// One Python source file.
    Py,
    /// Pulsar's zip of Python sources and wheels.
    Zip,
    /// A Go program.
    Go,
}

/// What is to be made, and where.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The form; that of the function if none.
    pub format: Option<Format>,
    /// The file, or the folder that it goes into under the function's name.
    pub output: Output,
}

/// Where a package goes.
#[derive(Debug, Clone)]
pub enum Output {
    /// This file.
    File(PathBuf),
    /// A file in this folder, named `base` with the suffix of its form.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The name without suffix.
        base: String,
    },
}

/// A package that was made.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Where it is.
    pub path: PathBuf,
    /// Its form.
    pub format: Format,
    /// Bytes.
    pub size: u64,
    /// Of its bytes.
    pub digest: Digest,
    /// The function in it; [`Facts::artifact`] is the file's name.
    pub facts: Facts,
    /// What whoever runs it must know.
    pub notes: Vec<String>,
}

/// Why no package could be taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The buildpacks did not say what the function is.
    #[error("the buildpacks recorded no function: no label `io.fnpack.function.language` and `.artifact`")]
    NoFunction,
    /// What they recorded is not in the application folder.
    #[error("the buildpacks left no `{}` in the application folder", name.display())]
    Missing {
        /// Below the application folder.
        name: PathBuf,
    },
    /// The function has no such form.
    #[error("a {language} function has no form `{wanted}`, only {possible}")]
    Format {
        /// Of the function.
        language: Language,
        /// As asked for.
        wanted: Format,
        /// What there is.
        possible: String,
    },
    /// A module in a file of another name.
    #[error("`{}` must be named `{module}`: Pulsar imports a module by its file's name", path.display())]
    ModuleName {
        /// As asked for.
        path: PathBuf,
        /// As it must be.
        module: String,
    },
    /// The jars cannot be made one.
    #[error("cannot make one jar of the function and its libraries for `{}`", path.display())]
    Jar {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: java::JarError,
    },
    /// The zip cannot be made.
    #[error("cannot pack `{}`", path.display())]
    Zip {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: python::PackageError,
    },
    /// The application folder cannot be read.
    #[error("cannot read the application folder")]
    Read(#[from] RootError),
    /// The package cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Format {
    /// What a file's name ends in, with the dot.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Jar => ".jar",
            Self::Nar => ".nar",
            Self::Py => ".py",
            Self::Zip => ".zip",
            Self::Go => "",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Jar => "jar",
            Self::Nar => "nar",
            Self::Py => "py",
            Self::Zip => "zip",
            Self::Go => "go",
        })
    }
}

/// Makes a package of the function that buildpacks left in `app`, which they saw as `app_dir`.
pub fn take(app: &Root, app_dir: &Path, facts: Option<Facts>, wanted: &Wanted) -> Result<Taken, TakeError> {
    let facts = facts.ok_or(TakeError::NoFunction)?;
    let name = Path::new(&facts.artifact).strip_prefix(app_dir).map_or_else(|_| facts.artifact.clone().into(), Path::to_owned);
    let source = Source::find(app, &facts, name)?;
    let format = source.format(&facts, wanted.format)?;
    let path = source.path(format, &wanted.output)?;
    let base = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let notes = write_aside(&path, |file| source.write(app, format, &base, file))?;
    let (digest, size) = digest_of(&path).map_err(|source| TakeError::Write { path: path.clone(), source })?;
    let artifact = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Taken {
        notes: name_to_keep(format, &artifact).into_iter().chain(notes).collect(),
        path,
        format,
        size,
        digest,
        facts: Facts { artifact, ..facts },
    })
}

/// What of the application folder a package is made of.
enum Source {
    /// This file, which is the package.
    File(PathBuf, Format),
    /// This jar and its libraries.
    Jars(PathBuf, Vec<PathBuf>),
    /// This Python module, alone.
    Module(PathBuf),
    /// `src` and maybe `deps`.
    Tree,
}

impl Source {
    fn find(app: &Root, facts: &Facts, name: PathBuf) -> Result<Self, TakeError> {
        if facts.language == Language::Python && app.is_dir("src") {
            return Ok(Self::Tree);
        }
        if !app.is_file(&name) {
            return Err(TakeError::Missing { name });
        }
        Ok(match facts.language {
            Language::Go => Self::File(name, Format::Go),
            Language::Java if name.extension().is_some_and(|suffix| suffix == "nar") => Self::File(name, Format::Nar),
            Language::Java => match fat_jar::libraries(app, &name)? {
                none if none.is_empty() => Self::File(name, Format::Jar),
                libraries => Self::Jars(name, libraries),
            },
            Language::Python => Self::Module(name),
        })
    }

    fn format(&self, facts: &Facts, wanted: Option<Format>) -> Result<Format, TakeError> {
        let possible: &[Format] = match self {
            Self::File(_, Format::Go) => &[Format::Go],
            Self::File(_, Format::Nar) => &[Format::Nar],
            Self::File(..) | Self::Jars(..) => &[Format::Jar],
            Self::Module(_) => &[Format::Py, Format::Zip],
            Self::Tree => &[Format::Zip],
        };
        let first = possible.first().copied().unwrap_or(Format::Zip);
        match wanted {
            None => Ok(first),
            Some(wanted) if possible.contains(&wanted) => Ok(wanted),
            Some(wanted) => {
                let possible = possible.iter().map(|format| format!("`{format}`")).collect::<Vec<_>>().join(", ");
                Err(TakeError::Format { language: facts.language, wanted, possible })
            }
        }
    }

    /// A module keeps its name.
    fn path(&self, format: Format, output: &Output) -> Result<PathBuf, TakeError> {
        let path = match (self, output) {
            (_, Output::File(path)) => path.clone(),
            (Self::Module(module), Output::Folder { folder, .. }) if format == Format::Py => folder.join(module),
            // Without a suffix it would be called as the source's folder, which may lie beside it.
            (Self::File(_, Format::Go), Output::Folder { folder, base }) => folder.join(format!("{base}-function")),
            (_, Output::Folder { folder, base }) => folder.join(format!("{base}{}", format.suffix())),
        };
        match self {
            Self::Module(module) if format == Format::Py && path.file_name() != module.file_name() => {
                Err(TakeError::ModuleName { path, module: module.display().to_string() })
            }
            _ => Ok(path),
        }
    }

    /// Gives what there is to say of the package.
    fn write(&self, app: &Root, format: Format, base: &str, file: &mut File) -> Result<Vec<String>, TakeError> {
        if let Self::Jars(jar, libraries) = self {
            return fat_jar::write(app, jar, libraries, file.path());
        }
        self.write_alone(app, format, base, file).map(|()| Vec::new())
    }

    fn write_alone(&self, app: &Root, format: Format, base: &str, file: &mut File) -> Result<(), TakeError> {
        match self {
            Self::File(name, _) | Self::Jars(name, _) => copy(app, name, format, file),
            Self::Module(name) if format == Format::Py => copy(app, name, format, file),
            Self::Module(name) => {
                app.create_dir("src", 0o755)?;
                app.rename(name, Path::new("src").join(name))?;
                zip(app, base, file)
            }
            Self::Tree => zip(app, base, file),
        }
    }
}

fn copy(app: &Root, name: &Path, format: Format, file: &mut File) -> Result<(), TakeError> {
    let failed = |source, file: &File| TakeError::Write { path: file.path().to_owned(), source };
    io::copy(&mut app.open_file(name)?, file).map_err(|source| failed(source, file))?;
    let mode = if format == Format::Go { 0o755 } else { 0o644 };
    file.set_permissions(PermissionsExt::from_mode(mode)).map_err(|source| failed(source, file))
}

fn zip(app: &Root, base: &str, file: &mut File) -> Result<(), TakeError> {
    let path = file.path().to_owned();
    python::zip_package(base, &app.proc_path(), file).map_err(|source| TakeError::Zip { path, source })
}

fn name_to_keep(format: Format, name: &str) -> Option<String> {
    match format {
        Format::Zip => Some(format!("keep the name `{name}` where it runs: Pulsar looks in the zip for the folder of that name")),
        Format::Py => Some(format!("keep the name `{name}` where it runs: Pulsar imports the module by it")),
        _ => None,
    }
}

/// Writes a file beside its name and renames it, so that nobody ever sees half of it.
fn write_aside<T>(path: &Path, write: impl FnOnce(&mut File) -> Result<T, TakeError>) -> Result<T, TakeError> {
    let failed = |source| TakeError::Write { path: path.to_owned(), source };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let mut file = File::create(&part).map_err(failed)?;
    let written = write(&mut file).and_then(|result| fs_err::rename(&part, path).map(|()| result).map_err(failed));
    if written.is_err() {
        // The first failure is the one to tell.
        let _ = fs_err::remove_file(&part);
    }
    written
}

fn digest_of(path: &Path) -> io::Result<(Digest, u64)> {
    let mut hashing = Hashing::new(io::sink());
    io::copy(&mut File::open(path)?, &mut hashing)?;
    let (_, hash, size) = hashing.finish();
    Ok((Digest::from_sha256(hash), size))
}
