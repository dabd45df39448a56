//! What a build needs to know of a builder, read from its labels and config.

use serde::de::DeserializeOwned;

use super::labels::{self, BuilderMetadata, ModuleLayer, ModuleLayers, RunImage, System};
use super::module::{Distro, ModuleId, Order};
use super::references::only_match;
use crate::image::Image;
use crate::target::Target;

/// A builder, as its labels describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuilderDescription {
    /// What it says of itself.
    pub metadata: BuilderMetadata,
    /// The groups to try, in that order.
    pub order: Order,
    /// The buildpacks in it.
    pub buildpacks: ModuleLayers,
    /// Buildpacks that run with every group.
    pub system: System,
    /// Who buildpacks run as.
    pub user: User,
    /// The stack, in the old style.
    pub stack_id: Option<String>,
    /// What its programs are made for.
    pub target: Target,
    /// The distribution, if it says one.
    pub distro: Option<Distro>,
}

/// Who buildpacks run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// Why an image cannot be used as a builder or under one.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// It lacks what every builder has.
    #[error("`{image}` is not a builder: label `{label}` is missing")]
    NotABuilder {
        /// The image, as the user named it.
        image: String,
        /// The label.
        label: &'static str,
    },
    /// A label is not what the format asks for.
    #[error("cannot read label `{label}` of `{image}`")]
    Label {
        /// The image, as the user named it.
        image: String,
        /// The label.
        label: &'static str,
        /// The JSON fault, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// It does not say who buildpacks run as.
    #[error("`{image}` does not say who buildpacks run as: put `ENV {variable}=…` with a number into its Dockerfile")]
    UserMissing {
        /// The image, as the user named it.
        image: String,
        /// The variable.
        variable: &'static str,
    },
    /// What it says is not a number.
    #[error("`{variable}` of `{image}` is `{value}`, not a number")]
    UserNotANumber {
        /// The image, as the user named it.
        image: String,
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// Buildpacks never run as root.
    #[error("`{variable}` of `{image}` is 0: buildpacks never run as root")]
    UserIsRoot {
        /// The image, as the user named it.
        image: String,
        /// The variable.
        variable: &'static str,
    },
}

type Result<T> = std::result::Result<T, DescriptionError>;

impl BuilderDescription {
    /// Reads a builder's labels and config; `name` is the image's name in messages.
    pub fn of(image: &Image, name: &str) -> Result<Self> {
        let missing = |label| DescriptionError::NotABuilder { image: name.to_owned(), label };
        Ok(Self {
            metadata: read_label(image, name, labels::BUILDER_METADATA)?.ok_or_else(|| missing(labels::BUILDER_METADATA))?,
            order: read_label(image, name, labels::BUILDPACK_ORDER)?.ok_or_else(|| missing(labels::BUILDPACK_ORDER))?,
            buildpacks: read_label(image, name, labels::BUILDPACK_LAYERS)?.ok_or_else(|| missing(labels::BUILDPACK_LAYERS))?,
            system: read_label(image, name, labels::BUILDPACK_SYSTEM)?.unwrap_or_default(),
            user: User::of(image, name)?,
            stack_id: stack_id(image),
            target: image.target(),
            distro: distro(image),
        })
    }

    /// The run images; builders from before there were several have one.
    pub fn run_images(&self) -> Vec<RunImage> {
        match self.metadata.images.as_slice() {
            [] if self.metadata.stack.run_image.image.is_empty() => Vec::new(),
            [] => vec![self.metadata.stack.run_image.clone()],
            images => images.to_vec(),
        }
    }

    /// The buildpack that a reference means: of the version, or the only one if none is said.
    pub fn buildpack(&self, reference: &ModuleId) -> Option<&ModuleLayer> {
        only_match(&self.buildpacks, reference).ok().map(|(_, layer)| layer)
    }

    /// The same by its full name.
    pub fn resolve(&self, reference: &ModuleId) -> Option<ModuleId> {
        only_match(&self.buildpacks, reference).ok().map(|(version, _)| ModuleId::new(&reference.id, version))
    }

    /// All buildpacks in it, sorted.
    pub fn modules(&self) -> Vec<ModuleId> {
        self.buildpacks.iter().flat_map(|(id, versions)| versions.keys().map(move |version| ModuleId::new(id, version))).collect()
    }
}

impl User {
    /// What an image's `CNB_USER_ID` and `CNB_GROUP_ID` say; `name` is the image's name in messages.
    pub fn of(image: &Image, name: &str) -> Result<Self> {
        Self::of_variables(|variable| image.env(variable), name)
    }

    /// The same of an environment, `name` being whose it is.
    pub fn of_variables<'a>(value: impl Fn(&str) -> Option<&'a str>, name: &str) -> Result<Self> {
        let uid = Self::id(&value, name, labels::USER_ID)?;
        if uid == 0 {
            return Err(DescriptionError::UserIsRoot { image: name.to_owned(), variable: labels::USER_ID });
        }
        Ok(Self { uid, gid: Self::id(&value, name, labels::GROUP_ID)? })
    }

    fn id<'a>(value: &impl Fn(&str) -> Option<&'a str>, name: &str, variable: &'static str) -> Result<u32> {
        let missing = || DescriptionError::UserMissing { image: name.to_owned(), variable };
        let value = value(variable).filter(|value| !value.is_empty()).ok_or_else(missing)?;
        let not_a_number = |_| DescriptionError::UserNotANumber { image: name.to_owned(), variable, value: value.to_owned() };
        value.parse().map_err(not_a_number)
    }
}

/// A label's value; `None` if there is no such label.
pub(super) fn read_label<T: DeserializeOwned>(image: &Image, name: &str, label: &'static str) -> Result<Option<T>> {
    let Some(text) = image.label(label) else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|source| DescriptionError::Label { image: name.to_owned(), label, source })
}

pub(super) fn stack_id(image: &Image) -> Option<String> {
    image.label(labels::STACK_ID).filter(|id| !id.is_empty()).map(str::to_owned)
}

pub(super) fn distro(image: &Image) -> Option<Distro> {
    let text = |label| image.label(label).unwrap_or_default().to_owned();
    let distro = Distro { name: text(labels::DISTRO_NAME), version: text(labels::DISTRO_VERSION) };
    (distro != Distro::default()).then_some(distro)
}
