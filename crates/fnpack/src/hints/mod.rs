//! Whose fault each failure is, and what to do next: every error of the library, once.
//!
//! Each enum is matched without a wildcard, so that a new variant compiles only after somebody thought
//! of the user who meets it.

mod builder;
mod dockerfile;
mod engine;
mod function;
mod image;
mod layer;
mod lifecycle;
mod machine;
mod package;
mod pipeline;
mod project;
mod pulsar;
mod registry;
mod store;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::error::Error;

use crate::error::{Class, CommandError};

/// What is to be said of a failure beside its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Advice {
    class: Class,
    details: Vec<String>,
    hint: Option<Cow<'static, str>>,
}

impl Advice {
    fn new(class: Class) -> Self {
        Self { class, details: Vec::new(), hint: None }
    }

    /// With one next step.
    fn hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// With a next step where the cause has none of its own.
    fn or_hint(self, hint: &'static str) -> Self {
        Self { hint: self.hint.or(Some(hint.into())), ..self }
    }

    fn details(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }
}

/// An error that knows whose fault it is.
trait Explain: Error {
    fn advice(&self) -> Advice;
}

impl<E: Explain + Send + Sync + 'static> From<E> for CommandError {
    fn from(error: E) -> Self {
        let Advice { class, details, hint } = error.advice();
        let told = Self::new(class, error).details(details);
        match hint {
            Some(hint) => told.hint(hint),
            None => told,
        }
    }
}
