//! `fnpack build` of a ready artifact: a jar, a NAR, a Python zip, wheel or module, a Go program.

use fnpack_core::package::{Artifact, ArtifactOptions};
use fnpack_core::pipeline::{self, ArtifactImage, EmbeddedLauncher, Made};

use super::default_builder;
use super::{Session, destination};
use crate::arguments::BuildArguments;
use crate::embedded::{self, LAUNCHER};
use crate::error::{Class, CommandError};

/// Whether a file is to be built, not a folder.
pub(super) fn is_named(arguments: &BuildArguments) -> bool {
    fs_err::metadata(arguments.from.path()).is_ok_and(|found| !found.is_dir())
}

/// Makes the image of the file. Nothing is started.
pub(super) fn build(arguments: &BuildArguments, created: Option<i64>, session: &Session<'_>) -> Result<Made, CommandError> {
    refuse_source_arguments(arguments)?;
    let from = &arguments.from;
    let options = ArtifactOptions { class_name: from.class_name.as_deref(), strip_provided: from.strip_provided };
    let artifact = Artifact::read(&from.path(), options)?;
    let target = from.platform.clone().unwrap_or_else(|| session.bench.target.clone());
    let run_image = match &from.run_image {
        Some(address) => session.bench.named(address, &target)?,
        None => default_builder::run_image(artifact.facts.language, &target, session)?,
    };
    session.ui.step(&format!("putting {} on {}", describe(&artifact), run_image.familiar()));
    for note in &artifact.notes {
        session.ui.warning(note);
    }
    let image = ArtifactImage {
        name: arguments.name.clone(),
        tags: arguments.tags.clone(),
        artifact,
        run_image,
        previous_image: arguments.previous_image.clone(),
        app_dir: arguments.workspace.clone(),
        target,
        created,
        destination: destination(arguments.publish),
        launcher: EmbeddedLauncher { program: LAUNCHER, version: env!("CARGO_PKG_VERSION"), target: embedded::target() },
    };
    Ok(pipeline::build_artifact(&session.bench, &image)?)
}

fn describe(artifact: &Artifact) -> String {
    let class_name = artifact.facts.class_name.as_ref().map(|class_name| format!(", function {class_name}")).unwrap_or_default();
    format!("{} ({}{class_name})", artifact.path.display(), artifact.kind)
}

/// What is said to a build would be lost without a word.
fn refuse_source_arguments(arguments: &BuildArguments) -> Result<(), CommandError> {
    let from = &arguments.from;
    let given = [
        ("--builder", from.builder.is_some()),
        ("--buildpack", !from.buildpacks.only.is_empty()),
        ("--pre-buildpack", !from.buildpacks.before.is_empty()),
        ("--post-buildpack", !from.buildpacks.after.is_empty()),
        ("--descriptor", from.buildpacks.descriptor.is_some()),
        ("--env", !from.env.is_empty()),
        ("--env-file", !from.env_files.is_empty()),
        ("--volume", !from.volumes.is_empty()),
        ("--default-process", arguments.default_process.is_some()),
        ("--cache-image", arguments.cache_image.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((flag, _)) => Err(CommandError::message(
            Class::Usage,
            format!("`{flag}` is for builds, and `{}` is a file that is taken as it is", from.path().display()),
        )
        .hint(format!("leave out `{flag}`, or name the folder with the source"))),
    }
}
