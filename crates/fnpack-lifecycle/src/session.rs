//! What every phase has at hand, and the names of the images that it is about.

use fnpack_core::lifecycle::exit::ExitCode;
use fnpack_core::reference::Reference;

use crate::arguments::{Arguments, Environment, Flag, reference};
use crate::failure::{Failure, OrFail, Step};
use crate::images::Images;
use crate::log::Log;
use crate::ownership::Identity;

/// A phase's surroundings.
pub(crate) struct Session<'a> {
    pub(crate) arguments: Arguments,
    pub(crate) environment: Environment<'a>,
    pub(crate) log: Log,
    pub(crate) identity: Identity,
}

/// What the image is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    /// The first is the one to be told.
    pub(crate) all: Vec<Reference>,
    /// Whose layers are reused.
    pub(crate) previous: Reference,
    /// Where cached layers are kept, if in a registry.
    pub(crate) cache: Option<Reference>,
}

impl Session<'_> {
    /// A client for registries.
    pub(crate) fn images(&self) -> Result<Images, Failure> {
        Images::connect(&self.arguments, self.environment).or_fail(Step { code: ExitCode::Failed, action: "resolve keychain" })
    }
}

impl Names {
    /// From the positional argument and `-tag`.
    pub(crate) fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let [image] = arguments.positional.as_slice() else {
            return Err(Failure::arguments(format!("received {} arguments, but expected 1", arguments.positional.len())));
        };
        let texts = std::iter::once(image).chain(arguments.list(Flag::Tag));
        Self::in_one_registry(texts.map(|text| reference(text)).collect::<Result<_, _>>()?, arguments)
    }

    /// From positional arguments alone.
    pub(crate) fn listed(arguments: &Arguments) -> Result<Self, Failure> {
        if arguments.given(Flag::Image).is_some() {
            return Err(Failure::arguments("`-image` is no longer supported, the image's names are arguments"));
        }
        if arguments.positional.is_empty() {
            return Err(Failure::arguments("at least one image argument is required"));
        }
        Self::in_one_registry(arguments.positional.iter().map(|text| reference(text)).collect::<Result<_, _>>()?, arguments)
    }

    fn in_one_registry(all: Vec<Reference>, arguments: &Arguments) -> Result<Self, Failure> {
        let Some(first) = all.first().cloned() else { return Err(Failure::arguments("an image is required")) };
        if let Some(pinned) = all.iter().find(|name| name.digest().is_some()) {
            return Err(Failure::arguments(format!(
                "`{}` has a digest, which nobody can know before the image is made",
                pinned.familiar()
            )));
        }
        if let Some(other) = all.iter().find(|name| name.registry() != first.registry()) {
            let (one, two) = (first.familiar(), other.familiar());
            return Err(Failure::arguments(format!("writing to several registries is not supported: `{one}`, `{two}`")));
        }
        let previous = arguments.reference(Flag::PreviousImage)?.unwrap_or(first);
        Ok(Self { all, previous, cache: arguments.reference(Flag::CacheImage)? })
    }

    /// The name that is told.
    pub(crate) fn first(&self) -> &Reference {
        self.all.first().unwrap_or(&self.previous)
    }
}
