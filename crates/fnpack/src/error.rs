//! What a user sees when something fails, and with which exit code.

use std::error::Error;
use std::fmt::Write as _;

/// Whose the failure is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The function's code or its Dockerfile: a build failed.
    YourCode = 1,
    /// The command line.
    Usage = 2,
    /// A file with settings.
    Configuration = 3,
    /// A registry, a broker, or an image that is nowhere to be had.
    Registry = 4,
    /// The sandbox, the disk, the store.
    Machine = 5,
    /// Facts speak against it.
    Refused = 7,
    /// fnpack itself.
    Fault = 70,
    /// The user stopped it; what shells make of Ctrl-C.
    Interrupted = 130,
}

/// A failed command: the chain of causes, what was looked at, and one next step.
#[derive(Debug)]
pub(crate) struct CommandError {
    class: Class,
    source: Box<dyn Error + Send + Sync>,
    details: Vec<String>,
    hint: Option<String>,
}

/// A failure that has no library error of its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Message(String);

impl CommandError {
    /// Of a library's error.
    pub(crate) fn new(class: Class, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { class, source: source.into(), details: Vec::new(), hint: None }
    }

    /// Of a sentence.
    pub(crate) fn message(class: Class, text: impl Into<String>) -> Self {
        Self::new(class, Message(text.into()))
    }

    /// With one next step.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With a list of what was looked at or found.
    #[must_use]
    pub(crate) fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// The process's exit code.
    pub(crate) fn code(&self) -> u8 {
        self.class as u8
    }

    /// The whole text: the failure, what was looked at, each cause once, the hint.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("error: {}", self.source);
        for detail in &self.details {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {detail}");
        }
        let mut cause = self.source.source();
        let mut last = self.source.to_string();
        while let Some(error) = cause {
            let line = error.to_string();
            if line != last {
                let _ = write!(text, "\n  caused by: {line}");
            }
            last = line;
            cause = error.source();
        }
        let hint = match self.class {
            Class::Fault => Some(format!("this is a fault of fnpack {}; please report it", env!("CARGO_PKG_VERSION"))),
            _ => self.hint.clone(),
        };
        if let Some(hint) = hint {
            let _ = write!(text, "\nhint: {hint}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_shown_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open the store")]
        struct Outer(#[source] std::io::Error);
        let error =
            CommandError::new(Class::Machine, Outer(std::io::Error::other("disk is gone"))).details(["looked here".into()]).hint("try `x`");
        assert_eq!(error.render(), "error: cannot open the store\n  looked here\n  caused by: disk is gone\nhint: try `x`");
        assert_eq!(error.code(), 5);
    }
}
