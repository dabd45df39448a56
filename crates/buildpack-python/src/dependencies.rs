//! The dependencies: chosen for the runner, unpacked into a layer, and made the same bytes on every machine.
//!
//! The layer is kept for later builds. If nothing changed that the choice depends on, `uv` is not started.

mod tree;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fnpack_artifact::python::pack_wheel;
use fnpack_artifact::python::wheel::{Libc, Needs, Requirement, Runtime, Tag, fits, normal_name};
use fnpack_buildpack::{Fingerprint, Variables};
use fs_err::File;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::error::PythonError;
use crate::index::described;
use crate::interpreter::Interpreter;
use crate::manifest::{Manifest, Wanted};
use crate::uv::{Install, Uv};

pub(crate) use tree::{Project, projects};

/// What the runner brings: Pulsar's instance and its libraries. A second copy would be found before it and break it.
const OF_RUNNER: [&str; 7] =
    ["apache-bookkeeper-client", "fastavro", "grpcio", "prometheus-client", "protobuf", "pulsar-client", "ratelimit"];

/// What is known of an unpacked tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The fingerprint of what it was chosen by; empty if there is none.
    pub(crate) inputs: String,
    /// How many projects it has.
    pub(crate) projects: usize,
    /// What the user is told each time.
    pub(crate) notes: Vec<String>,
    /// What the compiled parts need.
    pub(crate) python_version: Option<String>,
    pub(crate) libc: Option<String>,
    pub(crate) libc_version: Option<String>,
    pub(crate) arch: Option<String>,
}

/// All that the choice depends on.
pub(crate) struct Choice<'a> {
    pub(crate) source: &'a Path,
    pub(crate) manifest: &'a Manifest,
    pub(crate) interpreter: &'a Interpreter,
    pub(crate) goal: &'a Runtime,
    /// With pip's settings in them.
    pub(crate) variables: &'a Variables,
}

/// The layers.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    /// What `uv` keeps.
    pub(crate) cache: PathBuf,
    /// The unpacked tree, in `site`.
    pub(crate) dependencies: PathBuf,
}

impl Layers {
    /// The tree.
    pub(crate) fn site(&self) -> PathBuf {
        self.dependencies.join("site")
    }
}

/// Sees to it that the tree is there. `earlier` is the record of the one in the layer, if there is one.
pub(crate) fn provide(
    choice: &Choice<'_>,
    layers: &Layers,
    earlier: Option<&Record>,
    say: &mut dyn FnMut(&str),
) -> Result<Record, PythonError> {
    let inputs = fingerprint(choice)?;
    let file = choice.manifest.file.display();
    let record = match earlier {
        Some(earlier) if !inputs.is_empty() && earlier.inputs == inputs && layers.site().is_dir() => {
            say(&format!("dependencies of {file} have not changed since the last build: taking them"));
            earlier.clone()
        }
        _ => {
            say(&format!("dependencies of {file} for {}", choice.goal));
            install(choice, layers, inputs)?
        }
    };
    for note in &record.notes {
        say(note);
    }
    Ok(record)
}

/// Empty if there is none.
fn fingerprint(choice: &Choice<'_>) -> Result<String, PythonError> {
    let Some(files) = choice.manifest.inputs(choice.source)? else { return Ok(String::new()) };
    let mut fingerprint = Fingerprint::default();
    for field in [env!("CARGO_PKG_VERSION").to_owned(), choice.goal.to_string(), choice.interpreter.runtime.to_string()] {
        fingerprint.add(field.as_bytes());
    }
    for variable in described(choice.variables) {
        fingerprint.add(variable.as_bytes());
    }
    for file in files {
        fingerprint.add_file(&choice.source.join(&file), &file).map_err(PythonError::Look)?;
    }
    Ok(fingerprint.finish())
}

fn install(choice: &Choice<'_>, layers: &Layers, inputs: String) -> Result<Record, PythonError> {
    let site = layers.site();
    if site.exists() {
        fs_err::remove_dir_all(&site).map_err(PythonError::Lay)?;
    }
    fs_err::create_dir_all(&site).map_err(PythonError::Lay)?;
    let uv = Uv::new(choice.variables, &layers.cache, choice.interpreter);
    let mut wanted = choice.manifest.wanted(choice.source)?;
    if choice.manifest.is_uv_lock() {
        wanted.requirements = Some(uv.export(&choice.manifest.folder(choice.source))?);
    }
    run(&uv, choice, &wanted, &site)?;
    tree::tidy(&site).map_err(PythonError::Lay)?;
    let projects = projects(&site).map_err(PythonError::Lay)?;
    if projects.iter().any(|project| OF_RUNNER.contains(&normal_name(&project.metadata.name).as_str())) {
        return Err(PythonError::UvTooOld);
    }
    let needs = needs(&projects, choice)?;
    Ok(Record {
        inputs,
        projects: projects.len(),
        notes: notes(choice.manifest, &wanted, &projects),
        python_version: needs.python.map(|version| version.to_string()),
        libc: needs.libc.map(|(libc, _)| libc.to_string()),
        libc_version: needs.libc.and_then(|(_, version)| version).map(|version| version.to_string()),
        arch: needs.arch,
    })
}

/// Temporary files are not in the source folder, where they would be taken for part of it.
fn run(uv: &Uv<'_>, choice: &Choice<'_>, wanted: &Wanted, site: &Path) -> Result<(), PythonError> {
    let requirements = wanted.requirements.as_deref().map(|text| written(text, ".txt")).transpose()?;
    let constraints = wanted.constraints.as_deref().map(|text| written(text, ".txt")).transpose()?;
    let excludes = written(&(OF_RUNNER.join("\n") + "\n"), ".txt")?;
    let manifest = choice.source.join(&choice.manifest.file);
    let install = Install {
        goal: choice.goal,
        requirements: requirements.as_ref().map_or(&manifest, |file| file.path()),
        constraints: constraints.as_ref().map(NamedTempFile::path),
        excludes: excludes.path(),
        is_complete: wanted.is_complete,
        target: site,
    };
    uv.install(&choice.manifest.folder(choice.source), &install)?.map_err(|output| PythonError::Install {
        file: choice.manifest.file.display().to_string(),
        output,
        goal: choice.goal.to_string(),
        index: crate::error::index_of(choice.variables),
    })
}

fn written(text: &str, ending: &str) -> Result<NamedTempFile, PythonError> {
    let mut file = tempfile::Builder::new().prefix("dependencies-").suffix(ending).tempfile().map_err(PythonError::Lay)?;
    file.write_all(text.as_bytes()).map_err(PythonError::Lay)?;
    Ok(file)
}

/// What the compiled parts need; an error if the runner does not have it.
fn needs(projects: &[Project], choice: &Choice<'_>) -> Result<Needs, PythonError> {
    let mut needs = Needs::default();
    for project in projects {
        if !project.tags.is_empty() && !fits(&project.tags, choice.goal) {
            let tag = project.tags.first().map(ToString::to_string).unwrap_or_default();
            return Err(PythonError::Unfit { project: project.to_string(), tag, goal: choice.goal.to_string() });
        }
        needs.add(&project.tags);
        if project.is_compiled_here() {
            if let Some(difference) = choice.interpreter.differs_from(choice.goal) {
                return Err(PythonError::CompiledHere { project: project.to_string(), difference });
            }
            let here = &choice.interpreter.runtime;
            needs.add_libc(here.libc.unwrap_or(Libc::Glibc), here.libc_version);
        }
    }
    Ok(needs)
}

/// What is left to the runner and who asked for it, and whether the choice may be another one tomorrow.
fn notes(manifest: &Manifest, wanted: &Wanted, projects: &[Project]) -> Vec<String> {
    let file = manifest.file.display().to_string();
    let direct = wanted.direct.iter().map(|requirement| (requirement, file.clone()));
    let indirect =
        projects.iter().flat_map(|project| project.metadata.requires.iter().map(|requirement| (requirement, project.to_string())));
    let asked: Vec<(&Requirement, String)> = direct.chain(indirect).collect();
    let note = |name: &&str| {
        let askers: Vec<String> = asked
            .iter()
            .filter(|(requirement, _)| requirement.name == **name)
            .map(|(requirement, asker)| {
                format!("{asker} asks for {}", if requirement.versions.is_empty() { "any" } else { &requirement.versions })
            })
            .collect();
        (!askers.is_empty()).then(|| format!("left out: {name}, which the runner has in its own version ({})", askers.join(", ")))
    };
    let open = wanted.is_open.then(|| format!("warning: {file} leaves versions open; the next build without its cache may take others"));
    OF_RUNNER.iter().filter_map(note).chain(open).collect()
}

/// Packs the projects of a tree as wheels into a folder.
pub(crate) fn pack(site: &Path, to: &Path) -> Result<(), PythonError> {
    fs_err::create_dir_all(to).map_err(PythonError::Lay)?;
    for project in projects(site).map_err(PythonError::Lay)? {
        let wheel = File::create(to.join(Tag::file_name(&project.stem, &project.tags))).map_err(PythonError::Lay)?;
        pack_wheel(site, &project.files, wheel).map_err(PythonError::Pack)?;
    }
    Ok(())
}

/// Copies a tree.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::create_dir_all(to)?;
    let mut waiting = vec![PathBuf::new()];
    while let Some(place) = waiting.pop() {
        for entry in fs_err::read_dir(from.join(&place))? {
            let entry = entry?;
            let path = place.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                fs_err::create_dir_all(to.join(&path))?;
                waiting.push(path);
            } else {
                fs_err::copy(entry.path(), to.join(&path))?;
            }
        }
    }
    Ok(())
}
