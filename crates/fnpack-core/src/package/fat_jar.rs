//! One jar of a thin jar and the libraries that its manifest names: what Pulsar's workers load.

use std::io;
use std::path::{Path, PathBuf};

use fnpack_artifact::java::{Duplicate, fat_jar};
use fs_err::File;

use super::class_path::{below, class_path};
use super::take::TakeError;
use crate::root::Root;

/// How many clashes of files are named.
const NAMED: usize = 3;

/// The libraries that a jar of the application folder has beside it. What its manifest names and is not there is
/// nobody's to load: Java overlooks it.
pub(super) fn libraries(app: &Root, jar: &Path) -> Result<Vec<PathBuf>, TakeError> {
    let folder = jar.parent().unwrap_or(Path::new(""));
    let opened = app.open_file(jar)?;
    let named = class_path(&proc_path(&opened));
    let beside = named.iter().filter_map(|name| Some(folder.join(below(name)?)));
    Ok(beside.filter(|library| app.is_file(library)).collect())
}

/// Writes the fat jar to a path; gives what there is to say of it. The jars are copied first: no link of the
/// application folder may lead out of it.
pub(super) fn write(app: &Root, jar: &Path, libraries: &[PathBuf], out: &Path) -> Result<Vec<String>, TakeError> {
    let failed = |source: io::Error| TakeError::Write { path: out.to_owned(), source };
    let folder =
        tempfile::tempdir_in(out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))).map_err(failed)?;
    let copied = |name: &PathBuf| {
        let copy = folder.path().join(name.file_name().unwrap_or_default());
        let mut file = File::create(&copy).map_err(failed)?;
        io::copy(&mut app.open_file(name)?, &mut file).map_err(failed)?;
        Ok(copy)
    };
    let thin = copied(&jar.to_owned())?;
    let libraries = libraries.iter().map(copied).collect::<Result<Vec<_>, TakeError>>()?;
    let fat = fat_jar(&thin, &libraries, out).map_err(|source| TakeError::Jar { path: out.to_owned(), source })?;
    Ok(notes(&fat.duplicates))
}

fn notes(duplicates: &[Duplicate]) -> Vec<String> {
    let clash = |Duplicate { name, kept, left }: &Duplicate| format!("{name} (of {kept}, not of {left})");
    let named: Vec<String> = duplicates.iter().take(NAMED).map(clash).collect();
    let more = if duplicates.len() > NAMED { format!(" and {} more", duplicates.len() - NAMED) } else { String::new() };
    if named.is_empty() { Vec::new() } else { vec![format!("libraries differ in files of one name: {}{more}", named.join(", "))] }
}

fn proc_path(file: &std::fs::File) -> PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}
