//! `<layers>/config/metadata.toml`: what the build recorded for the launch (CNB platform spec, "metadata.toml").
//!
//! The parser yields a tree, and this module takes from it what a launch needs: no derive, for size.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::api::{ApiError, BuildpackApi};
use crate::files;

/// What of the metadata a launch needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) buildpacks: Vec<Buildpack>,
    pub(crate) processes: Vec<Process>,
}

/// A buildpack whose layers are in the image, in build order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Buildpack {
    pub(crate) id: String,
    /// As written; see [`Metadata::check_apis`].
    pub(crate) api: String,
}

/// A process as a buildpack defined it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) kind: String,
    /// One entry for commands of Platform APIs before 0.10 and of Buildpack APIs before 0.9.
    pub(crate) command: Vec<String>,
    pub(crate) arguments: Vec<String>,
    pub(crate) direct: bool,
    pub(crate) working_folder: Option<PathBuf>,
    pub(crate) execution_environments: Vec<String>,
    pub(crate) buildpack_id: Option<String>,
}

/// Why the metadata cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetadataError {
    #[error("read `{path}`")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{path}` is not UTF-8")]
    Encoding { path: PathBuf },
    #[error("parse `{path}`")]
    Syntax { path: PathBuf, source: Box<toml::de::Error> },
    #[error("`{key}` is {found}, expected {expected}")]
    Type { key: &'static str, found: &'static str, expected: &'static str },
    #[error("a process has no `type`")]
    Untyped,
}

impl Metadata {
    pub(crate) fn read(layers: &Path) -> Result<Self, MetadataError> {
        let path = layers.join("config/metadata.toml");
        let bytes = files::read_file(&path).map_err(|source| MetadataError::Read { path: path.clone(), source })?;
        let text = String::from_utf8(bytes).map_err(|_| MetadataError::Encoding { path: path.clone() })?;
        let document = DeTable::parse(&text).map_err(|source| MetadataError::Syntax { path, source: Box::new(source) })?;
        Self::from_table(document.get_ref())
    }

    fn from_table(table: &DeTable<'_>) -> Result<Self, MetadataError> {
        Ok(Self { buildpacks: tables(table, "buildpacks", buildpack)?, processes: tables(table, "processes", process)? })
    }

    /// That the layers of every buildpack can be understood.
    pub(crate) fn check_apis(&self) -> Result<(), ApiError> {
        self.buildpacks.iter().try_for_each(|buildpack| BuildpackApi::parse(&buildpack.id, &buildpack.api).map(drop))
    }

    /// The API of the buildpack that defined a process; none for a buildpack that is not in the image.
    pub(crate) fn api_of(&self, process: &Process) -> Option<BuildpackApi> {
        let id = process.buildpack_id.as_ref()?;
        let buildpack = self.buildpacks.iter().find(|buildpack| buildpack.id == *id)?;
        BuildpackApi::parse(id, &buildpack.api).ok()
    }
}

fn buildpack(table: &DeTable<'_>) -> Result<Buildpack, MetadataError> {
    Ok(Buildpack { id: text(table, "id")?.unwrap_or_default(), api: text(table, "api")?.unwrap_or_default() })
}

fn process(table: &DeTable<'_>) -> Result<Process, MetadataError> {
    Ok(Process {
        kind: text(table, "type")?.ok_or(MetadataError::Untyped)?,
        command: texts(table, "command")?,
        arguments: texts(table, "args")?,
        direct: flag(table, "direct")?,
        working_folder: text(table, "working-dir")?.filter(|folder| !folder.is_empty()).map(PathBuf::from),
        execution_environments: texts(table, "exec-env")?,
        buildpack_id: text(table, "buildpack-id")?,
    })
}

fn tables<T>(table: &DeTable<'_>, key: &'static str, read: fn(&DeTable<'_>) -> Result<T, MetadataError>) -> Result<Vec<T>, MetadataError> {
    let Some(value) = table.get(key).map(toml::Spanned::get_ref) else { return Ok(Vec::new()) };
    let entries = value.as_array().ok_or(wrong(key, value, "an array of tables"))?;
    entries.iter().map(|entry| entry.get_ref().as_table().ok_or(wrong(key, entry.get_ref(), "an array of tables")).and_then(read)).collect()
}

fn text(table: &DeTable<'_>, key: &'static str) -> Result<Option<String>, MetadataError> {
    let Some(value) = table.get(key).map(toml::Spanned::get_ref) else { return Ok(None) };
    value.as_str().map(|text| Some(text.to_owned())).ok_or(wrong(key, value, "a string"))
}

fn flag(table: &DeTable<'_>, key: &'static str) -> Result<bool, MetadataError> {
    let Some(value) = table.get(key).map(toml::Spanned::get_ref) else { return Ok(false) };
    value.as_bool().ok_or(wrong(key, value, "true or false"))
}

/// One string or an array of them: commands had both forms.
fn texts(table: &DeTable<'_>, key: &'static str) -> Result<Vec<String>, MetadataError> {
    const EXPECTED: &str = "a string or an array of strings";
    match table.get(key).map(toml::Spanned::get_ref) {
        None => Ok(Vec::new()),
        Some(DeValue::String(text)) => Ok(vec![text.to_string()]),
        Some(DeValue::Array(entries)) => {
            entries.iter().map(|entry| entry.get_ref().as_str().map(str::to_owned).ok_or(wrong(key, entry.get_ref(), EXPECTED))).collect()
        }
        Some(other) => Err(wrong(key, other, EXPECTED)),
    }
}

fn wrong(key: &'static str, value: &DeValue<'_>, expected: &'static str) -> MetadataError {
    MetadataError::Type { key, found: value.type_str(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Metadata, MetadataError> {
        Metadata::from_table(DeTable::parse(text).unwrap().get_ref())
    }

    #[test]
    fn metadata_both_command_forms() {
        let metadata = parse(
            r#"
            [[buildpacks]]
            id = "fnpack/golang"
            version = "1"
            api = "0.10"

            [[processes]]
            type = "function"
            command = ["/pulsar/function/function", "-v"]
            args = ["a"]
            direct = true
            working-dir = "/tmp"
            buildpack-id = "fnpack/golang"
            exec-env = ["production"]

            [[processes]]
            type = "web"
            command = "serve it"
            direct = false
            "#,
        )
        .unwrap();
        assert_eq!(metadata.buildpacks, [Buildpack { id: "fnpack/golang".into(), api: "0.10".into() }]);
        let expected = Process {
            kind: "function".into(),
            command: vec!["/pulsar/function/function".into(), "-v".into()],
            arguments: vec!["a".into()],
            direct: true,
            working_folder: Some("/tmp".into()),
            execution_environments: vec!["production".into()],
            buildpack_id: Some("fnpack/golang".into()),
        };
        assert_eq!(metadata.processes[0], expected);
        assert_eq!(metadata.processes[1].command, ["serve it"]);
        assert!(!metadata.processes[1].direct);
    }

    #[test]
    fn metadata_wrong_shapes_are_errors() {
        for (text, message) in [
            ("processes = 1", "`processes` is integer, expected an array of tables"),
            ("processes = [1]", "`processes` is integer, expected an array of tables"),
            ("[[processes]]\ncommand = []", "a process has no `type`"),
            ("[[processes]]\ntype = 3", "`type` is integer, expected a string"),
            ("[[processes]]\ntype = 'a'\ncommand = true", "`command` is boolean, expected a string or an array of strings"),
            ("[[processes]]\ntype = 'a'\nargs = ['x', 1]", "`args` is integer, expected a string or an array of strings"),
            ("[[processes]]\ntype = 'a'\ndirect = 'yes'", "`direct` is string, expected true or false"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn metadata_empty_is_no_error() {
        assert_eq!(parse("").unwrap(), Metadata::default());
    }

    #[test]
    fn metadata_unknown_buildpack_api_is_refused() {
        let metadata = parse("[[buildpacks]]\nid = 'a/b'\napi = '0.99'").unwrap();
        let expected = "set API for buildpack `a/b`: buildpack API version `0.99` is incompatible with the launcher";
        assert_eq!(metadata.check_apis().unwrap_err().to_string(), expected);
    }

    #[test]
    fn metadata_read_names_the_file() {
        let layers = tempfile::tempdir().unwrap();
        assert!(Metadata::read(layers.path()).unwrap_err().to_string().contains("config/metadata.toml"));
        fs_err::create_dir(layers.path().join("config")).unwrap();
        for bytes in [&b"processes = ["[..], b"\xff\xfe", b"a = 1\na = 2"] {
            fs_err::write(layers.path().join("config/metadata.toml"), bytes).unwrap();
            assert!(Metadata::read(layers.path()).unwrap_err().to_string().contains("config/metadata.toml"));
        }
    }
}
