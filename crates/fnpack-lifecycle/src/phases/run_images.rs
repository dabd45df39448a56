//! Run images: which there are, and which one is taken.

use fnpack_core::lifecycle::export;
use fnpack_core::lifecycle::files::run::RunImage;
use fnpack_core::lifecycle::files::{run, stack};
use fnpack_core::lifecycle::label::RunImageNames;
use fnpack_core::reference::{Reference, ReferenceError};
use fnpack_core::registry::RegistryError;

use crate::arguments::{Arguments, Flag};
use crate::documents::{DocumentError, read_if_present};
use crate::images::{Found, Images};

/// Why there is no run image.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunImageError {
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error("`-run-image` is required when there is no {source_file} metadata available")]
    NotNamed { source_file: &'static str },
    #[error(transparent)]
    Name(#[from] ReferenceError),
    #[error("cannot read the run image `{name}`: ensure that it exists and that its registry gives read access to it")]
    Unreadable {
        name: String,
        #[source]
        source: Box<RegistryError>,
    },
    #[error("none of the run images {names} is accessible")]
    NoneAccessible {
        names: String,
        #[source]
        source: Option<Box<RegistryError>>,
    },
}

/// The run image of a build.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The name as asked for.
    pub(super) name: String,
    pub(super) found: Found,
}

/// The builder's run images, first choice first.
pub(super) fn listed(arguments: &Arguments) -> Result<Vec<RunImage>, DocumentError> {
    if arguments.api.has_run_toml() {
        return Ok(read_if_present(&arguments.path(Flag::Run), run::parse)?.unwrap_or_default().images);
    }
    let stack = read_if_present(&arguments.path(Flag::Stack), stack::parse)?.unwrap_or_default();
    Ok(stack.run_image.into_iter().collect())
}

/// The one that the platform names; else the first of the builder's, from the best place for an image that goes
/// to `registry`.
pub(super) fn choose(arguments: &Arguments, images: &Images, registry: &str) -> Result<Chosen, RunImageError> {
    if let Some(name) = arguments.given(Flag::RunImage) {
        let found =
            images.get(&name.parse()?).map_err(|source| RunImageError::Unreadable { name: name.to_owned(), source: Box::new(source) })?;
        return Ok(Chosen { name: name.to_owned(), found });
    }
    let source_file = if arguments.api.has_run_toml() { "run" } else { "stack" };
    let entry = listed(arguments)?.into_iter().next().ok_or(RunImageError::NotNamed { source_file })?;
    first_accessible(images, &names_of(&entry.image, &entry.mirrors), registry)
}

/// All names of a run image.
pub(super) fn names_of(image: &str, mirrors: &[String]) -> Vec<String> {
    std::iter::once(image.to_owned()).chain(mirrors.iter().cloned()).collect()
}

/// The first that can be read, those of the given registry before the others.
pub(super) fn first_accessible(images: &Images, names: &[String], registry: &str) -> Result<Chosen, RunImageError> {
    let mut candidates: Vec<(&String, Reference)> =
        names.iter().map(|name| Ok((name, name.parse()?))).collect::<Result<_, ReferenceError>>()?;
    candidates.sort_by_key(|(_, reference)| reference.registry() != registry);
    let mut first_failure = None;
    for (name, reference) in candidates {
        match images.get(&reference) {
            Ok(found) => return Ok(Chosen { name: name.clone(), found }),
            Err(error) => first_failure = first_failure.or(Some(error)),
        }
    }
    let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Err(RunImageError::NoneAccessible { names, source: first_failure.map(Box::new) })
}

/// What the image records as names of its base, for rebases to come.
pub(super) fn recorded(listed: &[RunImage], name: &str) -> RunImageNames {
    // Without a list of the builder the name is all that is known.
    export::run_image_names(listed, name, listed.is_empty())
}
