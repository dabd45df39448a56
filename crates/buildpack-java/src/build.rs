//! The build: have the project's tool compile unless nothing changed, find the function in what it made, and leave
//! the function with its libraries alone in the application folder.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fnpack_artifact::java::{FunctionClass, Interface, JavaArchive, thin_jar};
use fnpack_artifact::{Facts, Language};
use fnpack_buildpack::{Variables, empty};
use serde::{Deserialize, Serialize};

use crate::artifact::{Artifact, Results, file_name, jars_in};
use crate::build_files::BuildFiles;
use crate::error::JavaError;
use crate::gradle::{self, GradleFiles};
use crate::inputs;
use crate::jdk::Jdk;
use crate::maven::{self, MavenFiles};
use crate::project::{self, Project};
use crate::settings::Settings;
use crate::tool::Tool;

/// The folder of the libraries, beside the function's jar.
pub(crate) const LIBRARY_FOLDER: &str = "lib";

/// All that a build needs to know.
pub(crate) struct BuildRequest {
    pub(crate) application: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) variables: Variables,
    pub(crate) maven: MavenFiles,
    pub(crate) gradle: GradleFiles,
    pub(crate) jdk: Jdk,
    pub(crate) layers: LayerFolders,
    /// Of what is in the function layer, if there is something.
    pub(crate) earlier: Option<Record>,
}

/// The layers, all of them kept for later builds and in no image.
pub(crate) struct LayerFolders {
    /// What the build tool downloads.
    pub(crate) tool: PathBuf,
    pub(crate) function: PathBuf,
}

/// What is known of a function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The fingerprint of what it was made of; empty if there is none.
    pub(crate) inputs: String,
    /// `jar` or `nar`.
    pub(crate) extension: String,
    pub(crate) class: String,
    pub(crate) input_type: String,
    pub(crate) output_type: String,
    pub(crate) is_window: bool,
    pub(crate) java_release: Option<u16>,
}

impl BuildRequest {
    /// Files from outside the application folder that the tools are given.
    pub(crate) fn given_files(&self) -> impl Iterator<Item = &PathBuf> {
        let maven = self.maven.settings.iter().chain(&self.maven.settings_security);
        maven.chain(&self.gradle.properties).chain(&self.gradle.scripts)
    }
}

impl Record {
    /// For labels; `artifact` is the path in the image.
    pub(crate) fn facts(&self, artifact: &Path) -> Facts {
        Facts {
            class_name: Some(self.class.clone()),
            input_type: Some(self.input_type.clone()),
            output_type: Some(self.output_type.clone()),
            window: Some(self.is_window),
            java_release: self.java_release,
            ..Facts::new(Language::Java, artifact.to_string_lossy())
        }
    }

    /// The file in the application folder.
    pub(crate) fn file_name(&self, base: &str) -> String {
        format!("{base}.{}", self.extension)
    }
}

/// Makes the function in its layer.
pub(crate) fn build(request: &BuildRequest, say: &mut dyn FnMut(&str)) -> Result<Record, JavaError> {
    let project = project::find(&request.application, &request.settings).map_err(JavaError::Look)?.map_err(JavaError::Absent)?;
    let module = only_module(&project)?;
    let files = BuildFiles::read(&request.application, &project).map_err(JavaError::Look)?;
    let place = if module.as_os_str().is_empty() { String::new() } else { format!(", module {}", module.display()) };
    say(&format!("{} with Java {}, for a runner with Java {}{place}", project.tool, request.jdk.version, request.settings.runner_java));
    let inputs = inputs::fingerprint(request, &files).map_err(JavaError::Look)?.unwrap_or_default();
    if let Some(record) = unchanged(request, &inputs) {
        say("nothing has changed since the last build: taking its jar");
        return Ok(record);
    }
    compile(request, &project, module, &files)?;
    let record = assemble(request, &results(request, &project, module)?, say)?;
    if project.tool == Tool::Gradle {
        gradle::remove_libraries(request)?;
    }
    Ok(Record { inputs, ..record })
}

fn only_module(project: &Project) -> Result<&Path, JavaError> {
    match project.modules.as_slice() {
        [only] => Ok(only),
        several => Err(JavaError::SeveralModules { tool: project.tool, modules: several.to_vec() }),
    }
}

/// The record of what is in the layer, if it was made of the same.
fn unchanged(request: &BuildRequest, inputs: &str) -> Option<Record> {
    let earlier = request.earlier.as_ref()?;
    let is_there = request.layers.function.join(earlier.file_name("function")).is_file();
    (!inputs.is_empty() && earlier.inputs == inputs && is_there).then(|| earlier.clone())
}

fn compile(request: &BuildRequest, project: &Project, module: &Path, files: &BuildFiles) -> Result<(), JavaError> {
    remove_old_results(&request.application.join(module), project.tool).map_err(JavaError::Look)?;
    // A newer class file than the runner's Java is of no use, a newer one than the JDK's cannot be made.
    let release = (!files.set_release()).then_some(request.settings.runner_java.min(request.jdk.release));
    let run = match project.tool {
        Tool::Maven => maven::run,
        Tool::Gradle => gradle::run,
    };
    run(request, project, module, release)?.map_err(|output| JavaError::Build { tool: project.tool, output, java: request.jdk.release })
}

/// A developer's own results may lie in the source: what is found later must be what was made.
fn remove_old_results(module: &Path, tool: Tool) -> io::Result<()> {
    let old = jars_in(&module.join(tool.output_folder()))?.into_iter().chain(jars_in(&module.join(maven::LIBRARIES))?);
    old.into_iter().try_for_each(fs_err::remove_file)
}

fn results(request: &BuildRequest, project: &Project, module: &Path) -> Result<Results, JavaError> {
    let folder = request.application.join(module);
    let libraries = match project.tool {
        Tool::Maven => folder.join(maven::LIBRARIES),
        Tool::Gradle => gradle::libraries(request),
    };
    let libraries = jars_in(&libraries).map_err(JavaError::Take)?;
    Ok(Results { tool: project.tool, folder, named: request.settings.of(project.tool).artifact.clone(), libraries })
}

/// Finds the function, sees that the runner can load it, and writes it to its layer.
fn assemble(request: &BuildRequest, results: &Results, say: &mut dyn FnMut(&str)) -> Result<Record, JavaError> {
    let class = request.settings.function_class.as_deref();
    let artifact = results.choose(class)?;
    let failed = |source| JavaError::Jar { tool: results.tool, source };
    let archive = JavaArchive::read(&artifact.jar, &artifact.libraries).map_err(failed)?;
    let function = results.function(&archive, class, &artifact.jar)?;
    fits(&archive, request.settings.runner_java)?;
    report(request, &artifact, &archive, &function, say);
    write(request, &artifact)?;
    Ok(Record {
        inputs: String::new(),
        extension: extension(&artifact.jar),
        is_window: function.interface == Interface::WindowFunction,
        class: function.name,
        input_type: function.input_type,
        output_type: function.output_type,
        java_release: archive.java_release(),
    })
}

fn fits(archive: &JavaArchive, runner: u16) -> Result<(), JavaError> {
    match (archive.java_release(), archive.newest_class()) {
        (Some(needed), Some((class, is_own))) if needed > runner => {
            Err(JavaError::ClassLevel { class: class.to_owned(), needed, runner, is_own })
        }
        _ => Ok(()),
    }
}

fn report(request: &BuildRequest, artifact: &Artifact, archive: &JavaArchive, function: &FunctionClass, say: &mut dyn FnMut(&str)) {
    say(&format!("function {function} in {}", file_name(&artifact.jar)));
    if !function.types_are_known {
        say(&format!("warning: the types of {} are not all known; give Pulsar those that stand as java.lang.Object", function.name));
    }
    if artifact.is_whole {
        say("the project puts its libraries into the jar: it stays one file, and one layer");
    } else {
        say(&format!("{} libraries beside it, in {LIBRARY_FOLDER}", artifact.libraries.len()));
    }
    if !artifact.provided.is_empty() {
        say(&format!("left out, as every runner has them: {}", artifact.provided.join(", ")));
    }
    let bundled: Vec<&str> = archive.bundled_packages().collect();
    if !bundled.is_empty() && request.settings.strip_provided {
        say(&format!("taken out, as every runner has them: {}", bundled.join(", ")));
    } else if !bundled.is_empty() {
        say(&format!(
            "warning: the jar has packages in it that every runner has, and that clash with them or are never loaded: {}; \
             BP_STRIP_PROVIDED=true takes them out",
            bundled.join(", ")
        ));
    }
}

fn extension(jar: &Path) -> String {
    if jar.extension().is_some_and(|extension| extension == "nar") { "nar".to_owned() } else { "jar".to_owned() }
}

/// A NAR is taken as it is: its loader knows its form.
fn write(request: &BuildRequest, artifact: &Artifact) -> Result<(), JavaError> {
    let layer = &request.layers.function;
    empty(layer).map_err(JavaError::Take)?;
    let extension = extension(&artifact.jar);
    let target = layer.join(format!("function.{extension}"));
    if extension == "nar" {
        return fs_err::copy(&artifact.jar, target).map(drop).map_err(JavaError::Take);
    }
    let made_here = jars_made_here(&request.application).map_err(JavaError::Take)?;
    let mut class_path = Vec::new();
    if !artifact.libraries.is_empty() {
        fs_err::create_dir_all(layer.join(LIBRARY_FOLDER)).map_err(JavaError::Take)?;
    }
    for library in &artifact.libraries {
        let name = file_name(library);
        let target = layer.join(LIBRARY_FOLDER).join(&name);
        // Those of repositories may be signed, and are the same everywhere; those of other modules are of this moment.
        if made_here.iter().any(|made| name.ends_with(&format!(".{made}"))) {
            thin_jar(library, &[], false, &target).map_err(JavaError::Assemble)?;
        } else {
            fs_err::copy(library, target).map_err(JavaError::Take)?;
        }
        class_path.push(format!("{LIBRARY_FOLDER}/{name}"));
    }
    thin_jar(&artifact.jar, &class_path, request.settings.strip_provided, &target).map_err(JavaError::Assemble)
}

/// File names of the jars of all modules.
fn jars_made_here(application: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![(application.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for tool in Tool::ALL {
            found.extend(jars_in(&folder.join(tool.output_folder()))?.iter().map(|path| file_name(path)));
        }
        if depth == 6 {
            continue;
        }
        for entry in fs_err::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() && !["src", "target", "build", ".git"].iter().any(|name| entry.file_name() == *name) {
                folders.push((entry.path(), depth + 1));
            }
        }
    }
    Ok(found)
}

/// Empties the application folder, dot files too, and puts the function there.
pub(crate) fn leave_only_the_function(request: &BuildRequest, record: &Record) -> Result<(), JavaError> {
    let (layer, application) = (&request.layers.function, &request.application);
    let copy = || -> io::Result<()> {
        empty(application)?;
        copy_file(&layer.join(record.file_name("function")), &application.join(record.file_name(&request.settings.function_name)))?;
        let libraries = jars_in(&layer.join(LIBRARY_FOLDER))?;
        if !libraries.is_empty() {
            fs_err::create_dir(application.join(LIBRARY_FOLDER))?;
        }
        libraries.iter().try_for_each(|library| copy_file(library, &application.join(LIBRARY_FOLDER).join(file_name(library))))
    };
    copy().map_err(JavaError::Take)
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::copy(from, to)?;
    fs_err::set_permissions(to, PermissionsExt::from_mode(0o644))
}

#[cfg(test)]
mod tests;
