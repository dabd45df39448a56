//! Whether a function runs on a run image, judged from what both say of themselves. Only what both say counts.

use std::collections::BTreeSet;
use std::fmt;

use fnpack_artifact::{Facts, Language};

use super::version::{numbers, python_minor};
use super::{Libc, RunnerFacts};

/// One fact that keeps a function from running on a run image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// The run image cannot start functions of the language.
    Language {
        /// The function's.
        function: Language,
        /// The run image's.
        runner: BTreeSet<Language>,
    },
    /// Another processor.
    Architecture {
        /// The function's, in Go's words.
        function: String,
        /// The run image's.
        runner: String,
    },
    /// Another C library.
    Libc {
        /// `glibc` or `musl`.
        function: String,
        /// The run image's.
        runner: Libc,
    },
    /// The C library is too old.
    LibcVersion {
        /// The lowest that fits, and its name.
        function: Libc,
        /// The run image's.
        runner: Libc,
    },
    /// Java is too old for the class files.
    Java {
        /// The lowest feature release that reads them.
        function: u16,
        /// The run image's.
        runner: u16,
    },
    /// Another Python minor than the one that compiled files and wheels are bound to.
    Python {
        /// The function's.
        function: String,
        /// The run image's.
        runner: String,
    },
}

impl fmt::Display for Misfit {
    /// Follows a colon after the names of both.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Language { function, runner } if runner.is_empty() => {
                write!(formatter, "it is a {function} function, the run image can start no functions")
            }
            Self::Language { function, runner } => {
                let languages: Vec<String> = runner.iter().map(ToString::to_string).collect();
                write!(formatter, "it is a {function} function, the run image is for {}", languages.join(" and "))
            }
            Self::Architecture { function, runner } => write!(formatter, "it is made for {function}, the run image for {runner}"),
            Self::Libc { function, runner } => write!(formatter, "it is bound to {function}, the run image has {runner}"),
            Self::LibcVersion { function, runner } => write!(formatter, "it needs {function} or newer, the run image has {runner}"),
            Self::Java { function, runner } => {
                write!(formatter, "its class files need Java {function} or newer, the run image has Java {runner}")
            }
            Self::Python { function, runner } => {
                write!(formatter, "its packages are bound to Python {function}, the run image has Python {runner}")
            }
        }
    }
}

/// In the order of weight: without the language's instance, or on another processor, the rest says nothing more.
pub(super) fn misfits(runner: &RunnerFacts, function: &Facts) -> Vec<Misfit> {
    let checks = [language, architecture, libc, java, python];
    checks.iter().filter_map(|check| check(runner, function)).collect()
}

fn language(runner: &RunnerFacts, function: &Facts) -> Option<Misfit> {
    let languages = runner.languages.as_ref()?;
    let missing = !languages.contains(&function.language);
    missing.then(|| Misfit::Language { function: function.language, runner: languages.clone() })
}

fn architecture(runner: &RunnerFacts, function: &Facts) -> Option<Misfit> {
    let (function, runner) = (function.arch.as_ref()?, &runner.target.arch);
    (function != runner).then(|| Misfit::Architecture { function: function.clone(), runner: runner.clone() })
}

fn libc(runner: &RunnerFacts, function: &Facts) -> Option<Misfit> {
    let (name, runner) = (function.libc.as_ref()?, runner.libc.as_ref()?);
    if *name != runner.name {
        return Some(Misfit::Libc { function: name.clone(), runner: runner.clone() });
    }
    let lowest = function.libc_version.as_ref()?;
    let older = !runner.version.is_empty() && numbers(&runner.version) < numbers(lowest);
    older.then(|| Misfit::LibcVersion { function: Libc { name: name.clone(), version: lowest.clone() }, runner: runner.clone() })
}

fn java(runner: &RunnerFacts, function: &Facts) -> Option<Misfit> {
    let (function, runner) = (function.java_release?, runner.java?);
    (function > runner).then_some(Misfit::Java { function, runner })
}

fn python(runner: &RunnerFacts, function: &Facts) -> Option<Misfit> {
    let (function, runner) = (function.python_version.as_ref()?, runner.python.as_ref()?);
    let differ = python_minor(function) != python_minor(runner);
    differ.then(|| Misfit::Python { function: function.clone(), runner: runner.clone() })
}
