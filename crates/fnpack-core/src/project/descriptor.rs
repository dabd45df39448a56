//! `project.toml` (CNB project descriptor 0.1 and 0.2; keys beyond the specification are `pack`'s).

use std::io;
use std::path::{Path, PathBuf};

use super::choice::{BuildpackChoice, BuildpackPlace, BuildpackSource, InlineBuildpack, SourceNameError, module_id};
use super::selection::{PatternError, Patterns, Selection};
use crate::builder::{DocumentError, ModuleId, Section, read_text};
use crate::reference::Reference;

/// The file's name at the top of a source.
pub const FILE_NAME: &str = "project.toml";

/// What a source says of its own build.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProjectToml {
    /// The builder to take.
    pub builder: Option<Reference>,
    /// The buildpacks to take.
    pub buildpacks: BuildpackChoice,
    /// The files that take part.
    pub selection: Selection,
    /// Variables for the buildpacks, weaker than those of the command line.
    pub env: Vec<(String, String)>,
    /// What is allowed and probably not meant, a sentence each.
    pub warnings: Vec<String>,
}

/// Why a project.toml cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProjectTomlError {
    /// The file cannot be read.
    #[error("cannot read `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It says something that cannot be.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A buildpack's place cannot be one.
    #[error("cannot use a `uri` of `{file}`")]
    Uri {
        /// The file.
        file: String,
        /// Why not.
        #[source]
        source: SourceNameError,
    },
    /// `include` or `exclude` has something that is no pattern.
    #[error("cannot use `{key}` of `{file}`")]
    Patterns {
        /// The file.
        file: String,
        /// The list.
        key: &'static str,
        /// Which pattern.
        #[source]
        source: PatternError,
    },
}

type Result<T> = std::result::Result<T, ProjectTomlError>;

/// The layout of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Schema {
    /// `[project]` and `[build]`.
    First,
    /// `[_]` and `[io.buildpacks]`.
    Second,
}

impl ProjectToml {
    /// Reads the file that the user names.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_text(path).map_err(|source| ProjectTomlError::Read { file: path.to_owned(), source })?;
        Self::parse(&path.display().to_string(), &text, path.parent().unwrap_or(Path::new("")))
    }

    /// The source's own, if it has one.
    pub fn of_source(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE_NAME);
        if path.is_file() { Self::read(&path).map(Some) } else { Ok(None) }
    }

    /// Parses the text; `file` is its name in messages, `folder` what its paths are relative to.
    pub fn parse(file: &str, text: &str, folder: &Path) -> Result<Self> {
        let mut top = Section::parse(file, text)?;
        let mut reader = Reader { file, folder, project: Self::default() };
        match reader.schema(&mut top)? {
            Schema::First => {
                for key in ["project", "metadata"] {
                    top.accept(key);
                }
                if let Some(build) = top.section("build")? {
                    reader.build(build, "buildpacks")?;
                }
                reader.note(&top.unknown());
            }
            // Every other table of the file is some other tool's.
            Schema::Second => {
                if let Some(mut io) = top.section("io")?
                    && let Some(own) = io.section("buildpacks")?
                {
                    reader.build(own, "group")?;
                }
            }
        }
        Ok(reader.project)
    }
}

struct Reader<'a> {
    file: &'a str,
    folder: &'a Path,
    project: ProjectToml,
}

impl Reader<'_> {
    fn note(&mut self, unknown: &[DocumentError]) {
        self.project.warnings.extend(unknown.iter().map(ToString::to_string));
    }

    fn schema(&mut self, top: &mut Section<'_>) -> Result<Schema> {
        let mut own = top.section("_")?;
        let version = own.as_mut().map(|own| own.string("schema-version")).transpose()?.flatten();
        if let Some(own) = &mut own {
            for key in ["id", "name", "version", "authors", "licenses", "source-url", "documentation-url", "metadata"] {
                own.accept(key);
            }
            let unknown = own.unknown();
            self.note(&unknown);
        }
        match (version.as_deref(), &own) {
            (Some("0.2"), _) => Ok(Schema::Second),
            (Some("0.1"), _) => Ok(Schema::First),
            (Some(other), Some(own)) => {
                Err(own.refused("schema-version", other, "fnpack knows the schema versions `0.1` and `0.2`").into())
            }
            _ => {
                let (schema, version) = if top.has("io") { (Schema::Second, "0.2") } else { (Schema::First, "0.1") };
                let text = format!("`{}` does not say its schema: taken for {version}; add `[_]` with `schema-version`", self.file);
                self.project.warnings.push(text);
                Ok(schema)
            }
        }
    }

    /// The table with all that is about the build; its groups have another key in each schema.
    fn build(&mut self, mut build: Section<'_>, groups: &'static str) -> Result<()> {
        if let Some(name) = build.string("builder")? {
            let parsed = name.parse();
            self.project.builder = Some(parsed.map_err(|_| build.refused("builder", name, "it is not the name of an image"))?);
        }
        self.selection(&mut build)?;
        self.project.buildpacks.only = self.sources(&mut build, groups)?;
        if let Some(mut before) = build.section("pre")? {
            self.project.buildpacks.before = self.sources(&mut before, groups)?;
            self.note(&before.unknown());
        }
        if let Some(mut after) = build.section("post")? {
            self.project.buildpacks.after = self.sources(&mut after, groups)?;
            self.note(&after.unknown());
        }
        self.variables(&mut build, groups)?;
        self.note(&build.unknown());
        Ok(())
    }

    fn selection(&mut self, build: &mut Section<'_>) -> Result<()> {
        let (include, exclude) = (build.strings("include")?, build.strings("exclude")?);
        let patterns = |list: &[String], key| {
            Patterns::new(list).map_err(|source| ProjectTomlError::Patterns { file: self.file.to_owned(), key, source })
        };
        self.project.selection = match (include.is_empty(), exclude.is_empty()) {
            (true, true) => Selection::All,
            (false, true) => Selection::Include(patterns(&include, "include")?),
            (true, false) => Selection::Exclude(patterns(&exclude, "exclude")?),
            (false, false) => return Err(build.exclusive("exclude", "include").into()),
        };
        Ok(())
    }

    /// `[[build.env]]` in both schemas; `[[env.build]]` is an older way to write it in the second.
    fn variables(&mut self, build: &mut Section<'_>, groups: &'static str) -> Result<()> {
        let (own, old) = if groups == "group" { ("build", Some(("env", "build"))) } else { ("env", None) };
        if let Some((table, list)) = old {
            if let Some(mut nested) = build.section(own)? {
                self.variable_list(&mut nested, "env")?;
                self.note(&nested.unknown());
            }
            if let Some(mut nested) = build.section(table)? {
                self.variable_list(&mut nested, list)?;
                self.note(&nested.unknown());
            }
            return Ok(());
        }
        self.variable_list(build, own)
    }

    fn variable_list(&mut self, section: &mut Section<'_>, key: &'static str) -> Result<()> {
        for mut variable in section.sections(key)? {
            let name = variable.required_string("name")?;
            if name.contains(['=', '/', '\0']) || name == "." || name == ".." {
                return Err(variable.refused("name", name, "it is not a name for a variable").into());
            }
            let value = variable.string("value")?.unwrap_or_default();
            self.note(&variable.unknown());
            self.project.env.push((name, value));
        }
        Ok(())
    }

    fn sources(&mut self, section: &mut Section<'_>, key: &'static str) -> Result<Vec<BuildpackSource>> {
        let mut sources = Vec::new();
        for mut entry in section.sections(key)? {
            sources.push(self.source(&mut entry)?);
            self.note(&entry.unknown());
        }
        Ok(sources)
    }

    fn source(&mut self, entry: &mut Section<'_>) -> Result<BuildpackSource> {
        let (id, version, uri) = (entry.string("id")?, entry.string("version")?, entry.string("uri")?);
        if let Some(mut script) = entry.section("script")? {
            if uri.is_some() {
                return Err(entry.exclusive("script", "uri").into());
            }
            let id = id.ok_or_else(|| entry.missing("id"))?;
            let inline = InlineBuildpack {
                module: ModuleId::new(id, version.unwrap_or_else(|| "0.0.0".to_owned())),
                api: script.required_string("api")?,
                shell: script.string("shell")?.unwrap_or_else(|| "/bin/sh".to_owned()),
                script: script.required_string("inline")?,
            };
            self.note(&script.unknown());
            return Ok(BuildpackPlace::Inline(inline).into());
        }
        match (uri, id) {
            (Some(uri), id) => {
                let place = BuildpackPlace::parse(&uri, self.folder)
                    .map_err(|source| ProjectTomlError::Uri { file: self.file.to_owned(), source })?;
                Ok(BuildpackSource { place, id, version })
            }
            (None, Some(id)) => {
                let named = module_id(&id);
                let version = version.unwrap_or(named.version);
                Ok(BuildpackPlace::Builder(ModuleId::new(named.id, version)).into())
            }
            (None, None) => Err(entry.missing("id").into()),
        }
    }
}

#[cfg(test)]
mod tests;
