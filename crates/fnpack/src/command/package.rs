//! `fnpack package`: function source to a function package.

use std::path::{Path, PathBuf};

use fnpack_core::package::{Format, Output, Taken, Wanted};
use fnpack_core::pipeline;
use fnpack_core::reference::Reference;
use serde::Serialize;

use super::Session;
use super::source;
use super::table::{Table, bytes};
use crate::arguments::PackageArguments;
use crate::error::{Class, CommandError};

/// Builds, writes the package, and prints its path.
pub(super) fn run(arguments: &PackageArguments, session: &Session<'_>) -> Result<(), CommandError> {
    let path = arguments.from.path();
    if fs_err::metadata(&path).is_ok_and(|found| !found.is_dir()) {
        return Err(CommandError::message(Class::Usage, format!("`{}` is a file, and packages are made of source", path.display()))
            .hint("a ready package needs no packaging; `fnpack build NAME FILE` makes an image of it"));
    }
    let base = base(&path);
    let wanted = Wanted { format: arguments.format.map(Format::from), output: output(arguments.output.clone(), &base) };
    if let Output::Folder { folder, .. } = &wanted.output
        && !folder.as_os_str().is_empty()
    {
        fs_err::create_dir_all(folder).map_err(|error| CommandError::new(Class::Usage, error))?;
    }
    let (options, _folders) = source::options(&arguments.from, cache_name(&base)?, session)?;
    let made = pipeline::package(&session.bench, options, &wanted)?.package;
    session.ui.progress_done();
    session.ui.step(&describe(&made));
    for note in &made.notes {
        session.ui.warning(note);
    }
    if arguments.json {
        session.json(&Described::of(&made));
    } else {
        session.ui.result(&made.path.display().to_string());
    }
    Ok(())
}

/// The name of the source's folder, also if it is given as `.`.
fn base(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    whole.file_name().map_or_else(|| "function".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// A path that ends in a slash, and one of a folder, is a folder.
fn output(named: Option<PathBuf>, base: &str) -> Output {
    let folder = |folder: PathBuf| Output::Folder { folder, base: base.to_owned() };
    match named {
        None => folder(PathBuf::new()),
        Some(path) if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") => folder(path),
        Some(path) => Output::File(path),
    }
}

/// Under which caches are kept, as under an image's name.
fn cache_name(base: &str) -> Result<Reference, CommandError> {
    let letters = base.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' });
    let name: String = letters.collect();
    let words: Vec<&str> = name.split('-').filter(|word| !word.is_empty()).collect();
    Ok(format!("package/{}", if words.is_empty() { "function".to_owned() } else { words.join("-") }).parse()?)
}

fn describe(made: &Taken) -> String {
    let facts = &made.facts;
    let mut table = Table::default();
    table.pair("package", &format!("{} ({}, {})", facts.artifact, made.format, bytes(made.size)));
    table.pair("sha256", &made.digest.hex());
    table.pair_if("class", facts.class_name.as_deref());
    if let (Some(input), Some(output)) = (&facts.input_type, &facts.output_type) {
        table.pair("types", &format!("{input} to {output}"));
    }
    table.render()
}

/// A package for programs; what is not known is left out.
#[derive(Serialize)]
struct Described<'a> {
    path: &'a Path,
    format: String,
    size: u64,
    digest: String,
    /// By the names of labels, without their prefix.
    function: std::collections::BTreeMap<String, String>,
}

impl<'a> Described<'a> {
    fn of(made: &'a Taken) -> Self {
        let prefix = fnpack_artifact::LABEL_PREFIX;
        let labels = made.facts.labels().into_iter();
        Self {
            path: &made.path,
            format: made.format.to_string(),
            size: made.size,
            digest: made.digest.to_string(),
            function: labels.map(|(key, value)| (key.trim_start_matches(prefix).to_owned(), value)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_name_is_a_name_of_images() {
        for (base, expected) in
            [("orders", "package/orders"), ("My Orders", "package/my-orders"), ("--", "package/function"), ("größe", "package/gr-e")]
        {
            assert_eq!(cache_name(base).unwrap().repository(), expected, "{base}");
        }
    }

    #[test]
    fn output_is_a_file_unless_it_is_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        for (named, is_folder) in
            [(None, true), (Some(folder.path().to_owned()), true), (Some("new/".into()), true), (Some("x.jar".into()), false)]
        {
            assert_eq!(matches!(output(named.clone(), "x"), Output::Folder { .. }), is_folder, "{named:?}");
        }
    }
}
