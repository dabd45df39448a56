//! Puts a function image on another run image without building it again.
//!
//! Pure: image in, image out. The layers above the old base stay as they are, byte for byte; the new
//! base's layers go below them. Answers the CNB platform specification, "Rebaser".
//!
//! Where upstream refuses a run image because its name is not the recorded one (`pack rebase
//! --run-image next` asks for `--force`), the [`Verdict`] here looks at facts instead: target and
//! distribution of the new base, and whether the image says that it may be rebased.

mod labels;
mod verdict;

pub use verdict::{Objection, Verdict};

use crate::digest::DiffId;
use crate::image::{CONSTANT_TIME, History, Image, ImageConfig, Layer};
use crate::reference::Reference;
use crate::runner::RunnerFacts;
use labels::LifecycleMetadata;

/// A new base and the name by which it was asked for.
#[derive(Debug, Clone, Copy)]
pub struct NewBase<'a> {
    /// The run image.
    pub image: &'a Image,
    /// Its name.
    pub reference: &'a Reference,
    /// What is known of it, if that is more than its labels say.
    pub facts: Option<&'a RunnerFacts>,
}

/// Why an image cannot be put on another base.
#[derive(Debug, thiserror::Error)]
pub enum RebaseError {
    /// The image was not made by buildpacks, or its label is damaged.
    #[error("`{name}` has no readable label `{}`, so its base is not known", labels::LIFECYCLE_METADATA)]
    NotABuildpackImage {
        /// The image.
        name: String,
        /// The JSON fault, if there is a label.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// The recorded top layer of the base is not among the image's layers.
    #[error("cannot find the base of `{name}`: no layer is {top_layer}, which its metadata records as the top of the run image")]
    BaseNotFound {
        /// The image.
        name: String,
        /// The recorded diff ID.
        top_layer: String,
    },
    /// The new base has no layer to put below.
    #[error("the run image `{run_image}` has no layers")]
    EmptyBase {
        /// The new base.
        run_image: String,
    },
    /// Facts speak against it.
    #[error("`{name}` would not run on `{run_image}`")]
    Refused {
        /// The image.
        name: String,
        /// The new base.
        run_image: String,
        /// All that speaks against it.
        objections: Vec<Objection>,
    },
}

/// A rebased image and what it took.
#[derive(Debug)]
pub struct Rebased {
    /// The new image.
    pub image: Image,
    /// How many layers of the old base were taken away.
    pub removed: usize,
    /// How many layers of the new base were put in.
    pub added: usize,
    /// What spoke against it and was overridden by `force`.
    pub overridden: Vec<Objection>,
}

/// Puts `image` on a new base.
///
/// With `force`, objections are reported in [`Rebased::overridden`] instead of refusing. `name` is
/// what messages call the image.
pub fn rebase(name: &str, image: &Image, base: NewBase<'_>, force: bool) -> Result<Rebased, RebaseError> {
    let metadata = LifecycleMetadata::of(name, image)?;
    let cut = find_cut(image, &metadata).ok_or_else(|| RebaseError::BaseNotFound {
        name: name.to_owned(),
        top_layer: metadata.top_layer().unwrap_or_default().to_owned(),
    })?;
    let top = base.image.layers().last().ok_or_else(|| RebaseError::EmptyBase { run_image: base.reference.familiar() })?;
    let objections = verdict::objections(image, base.image, base.facts);
    if !objections.is_empty() && !force {
        return Err(RebaseError::Refused { name: name.to_owned(), run_image: base.reference.familiar(), objections });
    }
    let layers: Vec<Layer> = base.image.layers().iter().chain(&image.layers()[cut..]).cloned().collect();
    let mut config = image.config().clone();
    adopt_system(&mut config, base.image.config());
    config.history = merged_history(image, base.image, cut);
    config.created = Some(CONSTANT_TIME.to_owned());
    labels::replace_base_labels(&mut config.config.labels, &base.image.config().config.labels);
    let metadata = metadata.with_base(base, top.diff_id).encode();
    config.config.labels.insert(labels::LIFECYCLE_METADATA.to_owned(), metadata);
    let image = Image::from_parts(config, layers);
    Ok(Rebased { image, removed: cut, added: base.image.layers().len(), overridden: objections })
}

/// The number of layers that belong to the old base.
///
/// A base may hold the recorded top layer more than once (empty layers repeat). The right place is
/// the first one above which there are only layers that the metadata records as the application's.
fn find_cut(image: &Image, metadata: &LifecycleMetadata) -> Option<usize> {
    let top_layer: DiffId = metadata.top_layer()?.parse().ok()?;
    let diff_ids = image.diff_ids();
    let own = metadata.own_layers();
    let matches = || diff_ids.iter().enumerate().filter(|(_, diff_id)| **diff_id == top_layer).map(|(place, _)| place + 1);
    let exact = matches().find(|cut| diff_ids[*cut..].iter().all(|diff_id| own.contains(diff_id)));
    exact.or_else(|| matches().next())
}

/// Operating system, its version and processor come from the new base; what is started does not.
fn adopt_system(config: &mut ImageConfig, base: &ImageConfig) {
    config.os.clone_from(&base.os);
    config.architecture.clone_from(&base.architecture);
    config.variant.clone_from(&base.variant);
    for key in ["os.version", "os.features"] {
        config.rest.remove(key);
        if let Some(value) = base.rest.get(key) {
            config.rest.insert(key.to_owned(), value.clone());
        }
    }
}

/// The new base's history, then the image's own from the first layer above the cut. Entries without a
/// layer between the two are the old base's: the exporter makes none.
fn merged_history(image: &Image, base: &Image, cut: usize) -> Vec<History> {
    let mut config = base.config().clone();
    config.pad_history(base.layers().len());
    let mut own = image.config().clone();
    own.pad_history(image.layers().len());
    let mut below = 0;
    let above = own.history.into_iter().skip_while(|entry| {
        below += usize::from(!entry.empty_layer);
        below <= cut
    });
    config.history.extend(above);
    config.history
}

#[cfg(test)]
mod tests;
