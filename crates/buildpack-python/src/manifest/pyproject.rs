//! `pyproject.toml` (Python packaging user guide, "pyproject.toml specification"), and what Poetry adds to it.

use std::path::Path;

use fnpack_artifact::python::wheel::Requirement;
use toml::{Table, Value};

use super::{ManifestError, read};

/// The file; an absent one names nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pyproject(Table);

impl Pyproject {
    pub(crate) fn read(folder: &Path) -> Result<Self, ManifestError> {
        let name = Path::new("pyproject.toml");
        if !folder.join(name).is_file() {
            return Ok(Self::default());
        }
        Self::parse(&read(folder, name)?)
    }

    pub(super) fn parse(text: &str) -> Result<Self, ManifestError> {
        let table = text.parse().map_err(|source| ManifestError::Toml { file: "pyproject.toml".to_owned(), source })?;
        Ok(Self(table))
    }

    fn project(&self) -> Option<&Table> {
        self.0.get("project")?.as_table()
    }

    fn poetry_dependencies(&self) -> Option<&Table> {
        self.0.get("tool")?.get("poetry")?.get("dependencies")?.as_table()
    }

    /// The Python releases that it is for.
    pub(crate) fn requires_python(&self) -> Option<String> {
        let of_project = self.project().and_then(|project| project.get("requires-python"));
        let of_poetry = || self.poetry_dependencies().and_then(|dependencies| dependencies.get("python"));
        of_project.or_else(of_poetry)?.as_str().map(str::to_owned)
    }

    /// By the standard, in the file or by what builds it.
    pub(super) fn names_dependencies(&self) -> bool {
        let is_dynamic = |project: &Table| {
            let dynamic = project.get("dynamic").and_then(Value::as_array);
            dynamic.is_some_and(|names| names.iter().any(|name| name.as_str() == Some("dependencies")))
        };
        !self.requirements().is_empty() || (self.poetry_dependencies().is_none() && self.project().is_some_and(is_dynamic))
    }

    /// By Poetry's own table, which only its lock makes precise.
    pub(super) fn names_poetry_dependencies(&self) -> bool {
        self.poetry_dependencies().is_some_and(|dependencies| dependencies.keys().any(|name| name != "python"))
    }

    /// What the standard's table asks for.
    pub(super) fn requirements(&self) -> Vec<Requirement> {
        let list = self.project().and_then(|project| project.get("dependencies")).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).filter_map(Requirement::parse).collect()
    }

    /// The same as text, with what Poetry's table adds. Versions are left out: the lock has them.
    pub(super) fn roots(&self) -> Vec<String> {
        let of_project = self.requirements().into_iter().map(|requirement| {
            let extras = requirement.versions.split_inclusive(']').next().filter(|extras| extras.starts_with('[')).unwrap_or_default();
            with_marker(format!("{}{extras}", requirement.name), &requirement.marker)
        });
        let of_poetry = self.poetry_dependencies().into_iter().flatten().filter(|(name, _)| *name != "python");
        of_project.chain(of_poetry.filter_map(|(name, value)| root(name, value))).collect()
    }
}

/// None for what is only asked for as an extra.
fn root(name: &str, value: &Value) -> Option<String> {
    let several = value.as_array().and_then(|several| several.first());
    let Some(table) = several.unwrap_or(value).as_table() else { return Some(name.to_owned()) };
    if table.get("optional").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let extras: Vec<&str> = table.get("extras").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
    // Of several forms for several Pythons any one will do: the lock says which is meant.
    let marker = if several.is_some() { "" } else { table.get("markers").and_then(Value::as_str).unwrap_or_default() };
    Some(with_marker(format!("{name}{extras}"), marker))
}

fn with_marker(requirement: String, marker: &str) -> String {
    if marker.is_empty() { requirement } else { format!("{requirement} ; {marker}") }
}
