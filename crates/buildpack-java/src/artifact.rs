//! Which of the jars that a build made is the function's, and which libraries belong beside it.

use std::io;
use std::path::{Path, PathBuf};

use fnpack_artifact::java::{FunctionClass, JarError, JavaArchive, bundles, is_provided_library, is_union};

use crate::error::JavaError;
use crate::tool::Tool;

/// What jars of a build are called that are no functions.
const OTHERS: [&str; 6] = ["-sources.jar", "-javadoc.jar", "-tests.jar", "-test-sources.jar", "-test-fixtures.jar", "-test.jar"];

/// What tools make of a module.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) tool: Tool,
    /// Of the module.
    pub(crate) folder: PathBuf,
    /// The one that the user names, relative to the folder.
    pub(crate) named: Option<PathBuf>,
    /// All that the module needs at run time, by file name.
    pub(crate) libraries: Vec<PathBuf>,
}

/// What goes into the image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    pub(crate) jar: PathBuf,
    /// Beside it, those of the runner left out. None if the jar has them in it.
    pub(crate) libraries: Vec<PathBuf>,
    /// Those of the runner, by file name.
    pub(crate) provided: Vec<String>,
    /// Whether the project's own build put its libraries into the jar, changed, so that it stays as it is.
    pub(crate) is_whole: bool,
}

impl Results {
    /// Chooses the jar. A project that makes one with its libraries in it means that one; it is taken apart again if
    /// nothing but the parts is in it, so that libraries can be a layer of their own.
    pub(crate) fn choose(&self, class: Option<&str>) -> Result<Artifact, JavaError> {
        let failed = |source| JavaError::Jar { tool: self.tool, source };
        let (libraries, provided) = self.without_provided();
        let candidates = self.candidates()?;
        if let Some(nar) = candidates.iter().find(|jar| has_extension(jar, "nar")) {
            return Ok(Artifact { jar: nar.clone(), libraries: Vec::new(), provided: Vec::new(), is_whole: true });
        }
        let mut sized: Vec<(usize, PathBuf)> = Vec::new();
        for jar in candidates {
            sized.push((self.function_classes(&jar, class).map_err(failed)?, jar));
        }
        // The fullest counts; of two alike, the one without a classifier.
        sized.sort_by_key(|(classes, jar)| (*classes, std::cmp::Reverse(jar.as_os_str().len())));
        let (_, chosen) = sized.last().cloned().ok_or_else(|| self.no_jar())?;
        let plain = self.plain(&sized, &chosen, class).map_err(failed)?;
        let is_plain = plain == chosen && !bundles(&chosen, &self.libraries).map_err(failed)?;
        if is_plain || self.is_put_together(&chosen, &plain, &libraries).map_err(failed)? {
            return Ok(Artifact { jar: plain, libraries, provided, is_whole: false });
        }
        Ok(Artifact { jar: chosen, libraries: Vec::new(), provided: Vec::new(), is_whole: true })
    }

    fn no_jar(&self) -> JavaError {
        JavaError::NoJar { tool: self.tool, folder: self.folder.join(self.tool.output_folder()) }
    }

    fn without_provided(&self) -> (Vec<PathBuf>, Vec<String>) {
        let (provided, rest): (Vec<PathBuf>, Vec<PathBuf>) =
            self.libraries.iter().cloned().partition(|path| is_provided_library(&file_name(path)));
        (rest, provided.iter().map(|path| file_name(path)).collect())
    }

    fn candidates(&self) -> Result<Vec<PathBuf>, JavaError> {
        if let Some(named) = &self.named {
            let path = self.folder.join(named);
            let absent = || JavaError::NoSuchJar { tool: self.tool, setting: self.tool.artifact_setting(), path: named.clone() };
            return if path.is_file() { Ok(vec![path]) } else { Err(absent()) };
        }
        let found = jars_in(&self.folder.join(self.tool.output_folder())).map_err(JavaError::Take)?;
        let candidates: Vec<PathBuf> = found.into_iter().filter(|path| is_candidate(&file_name(path))).collect();
        if candidates.is_empty() { Err(self.no_jar()) } else { Ok(candidates) }
    }

    /// How many classes a jar has, if the function may be among them.
    fn function_classes(&self, jar: &Path, class: Option<&str>) -> Result<usize, JarError> {
        let archive = JavaArchive::read(jar, &self.libraries)?;
        let has_function = class.map_or_else(|| !archive.functions().is_empty(), |class| archive.function(class).is_ok());
        Ok(if has_function { archive.class_count() } else { 0 })
    }

    /// The jar before libraries were put into it: the emptiest one with the function, or what Maven's shade plugin
    /// put aside.
    fn plain(&self, sized: &[(usize, PathBuf)], chosen: &Path, class: Option<&str>) -> Result<PathBuf, JarError> {
        let original = chosen.with_file_name(format!("original-{}", file_name(chosen)));
        if original.is_file() && self.function_classes(&original, class)? > 0 {
            return Ok(original);
        }
        let emptiest = sized.iter().find(|(classes, _)| *classes > 0).map(|(_, jar)| jar.clone());
        Ok(emptiest.unwrap_or_else(|| chosen.to_path_buf()))
    }

    fn is_put_together(&self, whole: &Path, plain: &Path, rest: &[PathBuf]) -> Result<bool, JarError> {
        if whole == plain {
            return Ok(false);
        }
        let with = |libraries: &[PathBuf]| std::iter::once(plain.to_path_buf()).chain(libraries.iter().cloned()).collect::<Vec<_>>();
        Ok(is_union(whole, &with(&self.libraries))? || is_union(whole, &with(rest))?)
    }

    /// The function in a jar: the named one, or the only one. Where libraries are in the jar, those of the module's
    /// own sources count.
    pub(crate) fn function(&self, archive: &JavaArchive, class: Option<&str>, jar: &Path) -> Result<FunctionClass, JavaError> {
        let described = archive.nar().and_then(|nar| nar.function_class.as_deref());
        if let Some(class) = class.or(described) {
            let functions = || archive.functions().into_iter().map(|function| function.name).collect();
            return archive.function(class).map_err(|source| JavaError::Unusable { source, functions: functions() });
        }
        let mut functions = archive.functions();
        if functions.len() > 1 {
            let own: Vec<FunctionClass> = functions.iter().filter(|function| self.is_compiled(&function.name)).cloned().collect();
            functions = if own.is_empty() { functions } else { own };
        }
        let jar = file_name(jar);
        match functions.len() {
            0 => Err(JavaError::NoFunction { jar, classes: archive.class_count(), misses: archive.near_misses() }),
            1 => Ok(functions.remove(0)),
            _ => Err(JavaError::SeveralFunctions { jar, functions: functions.into_iter().map(|function| function.name).collect() }),
        }
    }

    fn is_compiled(&self, class: &str) -> bool {
        let file = format!("{}.class", class.replace('.', "/"));
        let folders = [
            "target/classes",
            "build/classes/java/main",
            "build/classes/kotlin/main",
            "build/classes/scala/main",
            "build/classes/groovy/main",
        ];
        folders.iter().any(|folder| self.folder.join(folder).join(&file).is_file())
    }
}

/// Files of a folder that are jars or NARs, by name. None if the folder is not there.
pub(crate) fn jars_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let listing = match fs_err::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found: Vec<PathBuf> = listing.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    found.retain(|path| path.is_file() && (has_extension(path, "jar") || has_extension(path, "nar")));
    found.sort_unstable();
    Ok(found)
}

fn is_candidate(name: &str) -> bool {
    !name.starts_with("original-") && !OTHERS.iter().any(|suffix| name.ends_with(suffix))
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// For messages and for names beside the function.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
