//! What a run image offers to functions: which languages' instances, which Java, Python and C library.
//!
//! Facts stand in labels of the run image (`docs/labels.md`), below `io.buildpacks.base.`, so that a rebase by any
//! tool replaces them with those of the new base (CNB platform specification, "Rebaser"). Run images that say
//! nothing of themselves are read: [`RunnerFacts::read`]. Whether a function runs there is [`RunnerFacts::fits`].

mod files;
mod misfit;
mod places;
mod version;

use std::collections::BTreeSet;
use std::fmt;

use fnpack_artifact::{Facts, Language};

pub use misfit::Misfit;

use crate::builder::Distro;
use crate::image::Image;
use crate::root::Root;
use crate::target::Target;

const DISTRO_NAME: &str = "io.buildpacks.base.distro.name";
const DISTRO_VERSION: &str = "io.buildpacks.base.distro.version";
const LANGUAGE: &str = "io.buildpacks.base.runner.language";
const JAVA: &str = "io.buildpacks.base.runner.java";
const PYTHON: &str = "io.buildpacks.base.runner.python";
const LIBC: &str = "io.buildpacks.base.runner.libc";
const PULSAR: &str = "io.buildpacks.base.runner.pulsar";
const PACKAGES: &str = "io.buildpacks.base.runner.packages";

/// What is known of a run image. `None` means "not known", never "no".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerFacts {
    /// What it is for.
    pub target: Target,
    /// Whose functions it can start.
    pub languages: Option<BTreeSet<Language>>,
    /// Feature release of its Java, such as `21`.
    pub java: Option<u16>,
    /// Minor release of its Python, such as `3.13`.
    pub python: Option<String>,
    /// Its C library.
    pub libc: Option<Libc>,
    /// The release of Pulsar that its instance is of.
    pub pulsar: Option<String>,
    /// Its distribution.
    pub distro: Option<Distro>,
    /// Its Debian packages, `name=version`, sorted.
    pub packages: Option<Vec<String>>,
}

/// A C library and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Libc {
    /// `glibc` or `musl`.
    pub name: String,
    /// Such as `2.41`; empty if it cannot be told.
    pub version: String,
}

impl RunnerFacts {
    /// Nothing known yet but the target.
    pub(crate) fn unknown(target: Target) -> Self {
        Self { target, languages: None, java: None, python: None, libc: None, pulsar: None, distro: None, packages: None }
    }

    /// What an image's labels say. A value that cannot be read counts as not known.
    pub fn of_labels(image: &Image) -> Self {
        Self::parse(image.target(), |key| image.label(key))
    }

    /// The same from labels in another place.
    pub(crate) fn parse<'a>(target: Target, label: impl Fn(&str) -> Option<&'a str>) -> Self {
        let text = |key: &str| label(key).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned);
        // No word at all is an answer too: there are none.
        let words = |key: &str| label(key).map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let distro = |name| Distro { name, version: text(DISTRO_VERSION).unwrap_or_default() };
        Self {
            languages: words(LANGUAGE).map(|words| words.iter().filter_map(|word| word.parse().ok()).collect()),
            java: text(JAVA).and_then(|release| release.parse().ok()),
            python: text(PYTHON),
            libc: text(LIBC).map(|text| Libc::parse(&text)),
            pulsar: text(PULSAR),
            distro: text(DISTRO_NAME).map(distro),
            packages: words(PACKAGES),
            ..Self::unknown(target)
        }
    }

    /// What the files of an image say. No program of the image is started, and files that are damaged or too long
    /// count as not there.
    pub fn read(root: &Root, image: &Image) -> Self {
        files::read(root, image)
    }

    /// Whether an entry of a layer may change what is known of the image below, whose search path this is.
    pub fn are_told_by(name: &str, is_folder: bool, search_path: Option<&str>) -> bool {
        places::is_told_by(name, is_folder, search_path.unwrap_or(files::DEFAULT_PATH))
    }

    /// What is known here, and where it is not, what `other` knows.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            target: self.target,
            languages: self.languages.or(other.languages),
            java: self.java.or(other.java),
            python: self.python.or(other.python),
            libc: self.libc.or(other.libc),
            pulsar: self.pulsar.or(other.pulsar),
            distro: self.distro.or(other.distro),
            packages: self.packages.or(other.packages),
        }
    }

    /// Whether all that [`RunnerFacts::fits`] asks for is known, so that no file need be read.
    pub fn is_complete(&self) -> bool {
        let Some(languages) = &self.languages else { return false };
        let known = |language: &Language| match language {
            Language::Go => true,
            Language::Java => self.java.is_some(),
            Language::Python => self.python.is_some(),
        };
        self.libc.is_some() && self.distro.is_some() && languages.iter().all(known)
    }

    /// Label names and values of what is known.
    pub fn labels(&self) -> Vec<(&'static str, String)> {
        let languages = |languages: &BTreeSet<Language>| join(languages.iter().map(|language| language.as_str()));
        let distro = self.distro.as_ref();
        let known = [
            (DISTRO_NAME, distro.map(|distro| distro.name.clone())),
            (DISTRO_VERSION, distro.map(|distro| distro.version.clone()).filter(|version| !version.is_empty())),
            (LANGUAGE, self.languages.as_ref().map(languages)),
            (JAVA, self.java.map(|release| release.to_string())),
            (PYTHON, self.python.clone()),
            (LIBC, self.libc.as_ref().map(ToString::to_string)),
            (PULSAR, self.pulsar.clone()),
            (PACKAGES, self.packages.as_ref().map(|packages| join(packages.iter().map(String::as_str)))),
        ];
        known.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    /// The image with labels that say what is known.
    #[must_use]
    pub fn written_to(&self, image: &Image) -> Image {
        let labels = self.labels().into_iter().map(|(key, value)| (key.to_owned(), value));
        image.with_config(|config| config.config.labels.extend(labels))
    }

    /// Variables by which buildpacks learn what to build for.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let known = [
            ("BP_RUNNER_JAVA", self.java.map(|release| release.to_string())),
            ("BP_RUNNER_PYTHON", self.python.clone()),
            ("BP_RUNNER_LIBC", self.libc.as_ref().map(ToString::to_string)),
        ];
        known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Why a function would not run here; empty if nothing speaks against it.
    pub fn fits(&self, function: &Facts) -> Vec<Misfit> {
        misfit::misfits(self, function)
    }
}

fn join<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

impl Libc {
    fn parse(text: &str) -> Self {
        let (name, version) = text.split_once(' ').unwrap_or((text, ""));
        Self { name: name.to_owned(), version: version.trim().to_owned() }
    }
}

impl fmt::Display for Libc {
    /// As labels have it: `glibc 2.41`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        if self.version.is_empty() { Ok(()) } else { write!(formatter, " {}", self.version) }
    }
}

#[cfg(test)]
mod tests;
