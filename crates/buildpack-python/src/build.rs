//! The build: find the function, provide its dependencies, lay both out, and try the import.

use std::path::{Path, PathBuf};

use fnpack_artifact::python::{Search, import_root, own_files, python_fits};
use fnpack_artifact::{Facts, Language};
use fnpack_buildpack::{Variables, launch_folder};

use crate::dependencies::{self, Choice, Layers, Record, projects};
use crate::error::PythonError;
use crate::import_check;
use crate::index::with_pip_settings;
use crate::interpreter::Interpreter;
use crate::manifest::{Manifest, Pyproject};
use crate::placement::{self, Form, OwnCode};
use crate::settings::Settings;

/// All that a build needs to know.
pub(crate) struct BuildRequest {
    pub(crate) application: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) variables: Variables,
    /// The runner's processor in Go's words.
    pub(crate) arch: String,
    pub(crate) layers: Layers,
    /// pip's settings, by service binding.
    pub(crate) pip_conf: Option<PathBuf>,
    /// Of the tree in the layer, if one is there.
    pub(crate) earlier: Option<Record>,
}

/// What was made.
pub(crate) struct Built {
    pub(crate) facts: Facts,
    /// Patterns for the layer of the dependencies.
    pub(crate) slice: Vec<String>,
    /// Of the tree that is in the layer now.
    pub(crate) record: Record,
}

/// The folder that goes on Python's path, relative to the application folder, and what is in it.
pub(crate) struct Project {
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) search: Search,
}

impl Project {
    /// Looks through the source folder.
    pub(crate) fn read(application: &Path, settings: &Settings) -> Result<Self, PythonError> {
        let root = match &settings.source {
            Some(given) => given.clone(),
            None => import_root(application).map_err(PythonError::Look)?,
        };
        let folder = application.join(&root);
        let is_top = root.as_os_str().is_empty();
        Ok(Self {
            files: own_files(&folder, is_top).map_err(PythonError::Look)?,
            search: Search::folder(&folder, is_top).map_err(PythonError::Look)?,
            root,
        })
    }
}

/// Leaves the function in the application folder.
pub(crate) fn build(request: &BuildRequest, say: &mut dyn FnMut(&str)) -> Result<Built, PythonError> {
    let project = Project::read(&request.application, &request.settings)?;
    let function = project.search.choose(request.settings.class.as_deref()).map_err(PythonError::Function)?;
    let class = function.class_name.clone();
    say(&format!("function {class} in {}", project.root.join(&function.file).display()));
    for (file, place) in project.search.broken() {
        say(&format!("warning: {file}:{place}: not Python"));
    }
    check_module(&class, &project.files, say)?;
    let mut python = LazyPython { request, found: None };
    let record = provide(request, &mut python, say)?;
    let site = record.as_ref().map(|_| request.layers.site());
    if let Some(site) = &site {
        placement::check_names(&project.files, site, &projects(site).map_err(PythonError::Lay)?)?;
    }
    let own = OwnCode { application: &request.application, root: &project.root, files: &project.files };
    let form = if request.settings.is_package { Form::Package } else { Form::Image(&request.settings.function_name) };
    let slice = placement::place(&own, site.as_deref(), form)?;
    try_import(&mut python, &class, site.as_deref(), say)?;
    let record = record.unwrap_or_default();
    Ok(Built { facts: facts(request, class, &record), slice, record })
}

/// The function itself must not have the name of a module of the instance; others are only pointed out.
fn check_module(class: &str, files: &[PathBuf], say: &mut dyn FnMut(&str)) -> Result<(), PythonError> {
    let Some(module) = placement::instance_module(files) else { return Ok(()) };
    if class.split('.').next() == Some(module.as_str()) {
        return Err(PythonError::InstanceModule(module));
    }
    say(&format!("warning: Pulsar's instance has a module `{module}` too, and `import {module}` will give that one"));
    Ok(())
}

/// None if the function has no dependencies.
fn provide(request: &BuildRequest, python: &mut LazyPython<'_>, say: &mut dyn FnMut(&str)) -> Result<Option<Record>, PythonError> {
    let source = &request.application;
    let mut passed_over = Vec::new();
    let manifest = Manifest::find(source, request.settings.requirements.as_deref(), &mut passed_over)?;
    let asked = Pyproject::read(source)?.requires_python();
    if let (Some(asked), Some(python)) = (&asked, request.settings.runner_python)
        && !python_fits(asked, python)
    {
        return Err(PythonError::RequiresPython { asked: asked.clone(), present: python.to_string() });
    }
    let Some(manifest) = manifest else { return Ok(None) };
    for other in passed_over {
        say(&format!("warning: {other} is not read, {} counts", manifest.file.display()));
    }
    let interpreter = python.get()?;
    let goal = interpreter.goal(&request.settings);
    if let Some(asked) = asked.filter(|asked| !python_fits(asked, goal.python)) {
        return Err(PythonError::RequiresPython { asked, present: goal.python.to_string() });
    }
    let variables = with_pip_settings(&request.variables, request.pip_conf.as_deref()).map_err(PythonError::PipConf)?;
    let choice = Choice { source, manifest: &manifest, interpreter, goal: &goal, variables: &variables };
    dependencies::provide(&choice, &request.layers, request.earlier.as_ref(), say).map(Some)
}

fn try_import(python: &mut LazyPython<'_>, class: &str, site: Option<&Path>, say: &mut dyn FnMut(&str)) -> Result<(), PythonError> {
    let request = python.request;
    if !request.settings.import_check {
        say(&format!("`{class}` was not imported: BP_PYTHON_IMPORT_CHECK is false"));
        return Ok(());
    }
    let interpreter = match python.get() {
        Err(PythonError::PythonMissing) => {
            say(&format!("`{class}` was not imported: the build image has no python3"));
            return Ok(());
        }
        found => found?,
    };
    if let Some(difference) = interpreter.differs_from(&interpreter.goal(&request.settings)) {
        say(&format!("`{class}` was not imported: {difference}"));
        return Ok(());
    }
    let src = request.application.join("src");
    let (folder, site) = if request.settings.is_package && src.is_dir() { (src, site) } else { (request.application.clone(), None) };
    say(&import_check::import(interpreter, &folder, site, class, &request.variables)?);
    Ok(())
}

/// The build image's Python, asked for what it is once, and only if it is needed.
struct LazyPython<'a> {
    request: &'a BuildRequest,
    found: Option<Interpreter>,
}

impl LazyPython<'_> {
    fn get(&mut self) -> Result<&Interpreter, PythonError> {
        let found = match self.found.take() {
            Some(found) => found,
            None => Interpreter::find(&self.request.variables, &self.request.arch)?,
        };
        Ok(self.found.insert(found))
    }
}

fn facts(request: &BuildRequest, class: String, record: &Record) -> Facts {
    let artifact = launch_folder(&request.variables, &request.application).join(artifact_name(request, &class));
    Facts {
        class_name: Some(class),
        arch: record.arch.clone(),
        python_version: record.python_version.clone(),
        libc: record.libc.clone(),
        libc_version: record.libc_version.clone(),
        ..Facts::new(Language::Python, artifact.to_string_lossy())
    }
}

/// A package of one module is the module; else it is the file that images have.
fn artifact_name(request: &BuildRequest, class: &str) -> String {
    let module = format!("{}.py", class.split('.').next().unwrap_or(class));
    let is_whole = request.settings.is_package && request.application.join(&module).is_file();
    if is_whole { module } else { format!("{}.py", request.settings.function_name) }
}

#[cfg(test)]
mod tests;
