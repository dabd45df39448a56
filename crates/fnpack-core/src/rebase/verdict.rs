//! Whether an image will run on another base, judged from what both say of themselves.

use std::fmt;

use fnpack_artifact::Facts;

use crate::image::Image;
use crate::runner::{Misfit, RunnerFacts};

/// One fact that speaks against a rebase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// `io.buildpacks.rebasable` is `false`: an extension changed the base.
    NotRebasable,
    /// Another operating system or processor.
    Target {
        /// Of the image.
        image: String,
        /// Of the new base.
        base: String,
    },
    /// Another distribution, or another release of it.
    Distribution {
        /// Of the image.
        image: String,
        /// Of the new base.
        base: String,
    },
    /// The function in it needs what the new base has not.
    Misfit(Misfit),
}

/// Everything that speaks against a rebase; empty means go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// In the order of weight.
    pub objections: Vec<Objection>,
}

impl Verdict {
    /// Judges without rebasing.
    pub fn of(image: &Image, base: &Image) -> Self {
        Self { objections: objections(image, base, None) }
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRebasable => write!(formatter, "its label `io.buildpacks.rebasable` says `false`"),
            Self::Target { image, base } => write!(formatter, "it is made for {image}, the run image for {base}"),
            Self::Distribution { image, base } => write!(formatter, "it was built for {image}, the run image is {base}"),
            Self::Misfit(misfit) => misfit.fmt(formatter),
        }
    }
}

const DISTRIBUTION_NAME: &str = "io.buildpacks.base.distro.name";
const DISTRIBUTION_VERSION: &str = "io.buildpacks.base.distro.version";

pub(super) fn objections(image: &Image, base: &Image, facts: Option<&RunnerFacts>) -> Vec<Objection> {
    let mut objections = Vec::new();
    if image.label("io.buildpacks.rebasable") == Some("false") {
        objections.push(Objection::NotRebasable);
    }
    let (have, want) = (base.target(), image.target());
    if !have.satisfies(&want) {
        objections.push(Objection::Target { image: want.to_string(), base: have.to_string() });
    }
    let function = Facts::from_labels(|key| image.label(key));
    // An image that was built on a base without labels cannot be compared by them; what its function needs can.
    let needs_decide = function.is_some() && image.label(DISTRIBUTION_NAME).is_none();
    if !needs_decide && (differs(image, base, DISTRIBUTION_NAME) || differs(image, base, DISTRIBUTION_VERSION)) {
        objections.push(Objection::Distribution { image: distribution(image), base: distribution(base) });
    }
    if let Some(function) = function {
        let facts = facts.cloned().unwrap_or_else(|| RunnerFacts::of_labels(base));
        // Its processor is the image's, which is compared already.
        let misfits = facts.fits(&Facts { arch: None, ..function });
        objections.extend(misfits.into_iter().map(Objection::Misfit));
    }
    objections
}

/// Only what the new base declares is compared (CNB platform specification, "Rebaser").
fn differs(image: &Image, base: &Image, label: &str) -> bool {
    base.label(label).is_some_and(|declared| image.label(label) != Some(declared))
}

fn distribution(image: &Image) -> String {
    let name = image.label(DISTRIBUTION_NAME).unwrap_or("an unnamed distribution");
    match image.label(DISTRIBUTION_VERSION) {
        Some(version) => format!("{name} {version}"),
        None => name.to_owned(),
    }
}
