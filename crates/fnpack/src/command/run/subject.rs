//! What is run: an image, or a function package that is put on a runner for this run.

use std::path::Path;

use fnpack_core::image::Image;
use fnpack_core::package::{Artifact, ArtifactOptions};
use fnpack_core::pipeline::{self, Address, ArtifactImage, Destination, EmbeddedLauncher};
use fnpack_core::reference::Reference;
use fnpack_core::store::Store;

use super::function::RunName;
use crate::arguments::RunArguments;
use crate::command::{Session, default_builder};
use crate::embedded::{self, LAUNCHER};
use crate::error::{Class, CommandError};

/// Where functions are in their images.
const WORKSPACE: &str = "/pulsar/function";

/// An image, and what people call it.
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) image: Image,
    _kept: Option<Kept>,
}

/// A name that an image has only for as long as it is run.
struct Kept {
    store: Store,
    reference: Reference,
}

impl Subject {
    /// What IMAGE|PACKAGE means: a file that is there, else an image.
    pub(super) fn of(arguments: &RunArguments, run: &RunName, session: &Session<'_>) -> Result<Self, CommandError> {
        let file = Path::new(&arguments.image);
        if file.is_file() {
            return Self::of_package(file, arguments, run, session);
        }
        if arguments.function.run_image.is_some() {
            return Err(CommandError::message(Class::Usage, format!("there is no package `{}` to put on a runner", arguments.image))
                .hint("leave out `--run-image`: an image stands on its runner"));
        }
        Self::of_image(&arguments.image, session)
    }

    /// Of an image, wherever it is.
    pub(super) fn of_image(name: &str, session: &Session<'_>) -> Result<Self, CommandError> {
        let address: Address = name.parse()?;
        let image = session.bench.bring(&address, &session.bench.target)?;
        Ok(Self { name: address.to_string(), image, _kept: None })
    }

    fn of_package(file: &Path, arguments: &RunArguments, run: &RunName, session: &Session<'_>) -> Result<Self, CommandError> {
        let bench = &session.bench;
        let options = ArtifactOptions { class_name: arguments.function.class_name.as_deref(), strip_provided: false };
        let artifact = Artifact::read(file, options)?;
        artifact.notes.iter().for_each(|note| session.ui.warning(note));
        let run_image = match &arguments.function.run_image {
            Some(address) => bench.named(address, &bench.target)?,
            None => default_builder::run_image(artifact.facts.language, &bench.target, session)?,
        };
        session.ui.step(&format!("putting {} on {}", file.display(), run_image.familiar()));
        let kept = Kept { store: bench.store.clone(), reference: run.name().parse()? };
        let made = pipeline::build_artifact(
            bench,
            &ArtifactImage {
                name: kept.reference.clone(),
                tags: Vec::new(),
                artifact,
                run_image,
                previous_image: None,
                app_dir: WORKSPACE.into(),
                target: bench.target.clone(),
                created: None,
                destination: Destination::Store,
                launcher: EmbeddedLauncher { program: LAUNCHER, version: env!("CARGO_PKG_VERSION"), target: embedded::target() },
            },
        )?;
        Ok(Self { name: file.display().to_string(), image: made.image, _kept: Some(kept) })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Without the name, what is not needed any more goes with the next `fnpack store gc`.
        let _ = self.store.remove(&self.reference);
    }
}
