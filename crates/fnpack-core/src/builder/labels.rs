//! The labels of a builder (CNB platform spec, "Builder Metadata Label", and those that `pack` adds).
//!
//! Field order and what is left out when empty are `pack`'s, so that a label of the same contents has the
//! same bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::buildpack_toml::BuildpackToml;
use super::module::{ModuleId, ModuleTarget, Order, OrderEntry, Stack, null_is_default};
use crate::digest::DiffId;

/// Holds a [`BuilderMetadata`].
pub const BUILDER_METADATA: &str = "io.buildpacks.builder.metadata";
/// Holds [`ModuleLayers`].
pub const BUILDPACK_LAYERS: &str = "io.buildpacks.buildpack.layers";
/// Holds the [`ModuleInfo`] of a buildpack package.
pub const BUILDPACKAGE_METADATA: &str = "io.buildpacks.buildpackage.metadata";
/// Holds an [`Order`].
pub const BUILDPACK_ORDER: &str = "io.buildpacks.buildpack.order";
/// Holds a [`System`].
pub const BUILDPACK_SYSTEM: &str = "io.buildpacks.buildpack.system";
/// Holds the stack's id, in the old style.
pub const STACK_ID: &str = "io.buildpacks.stack.id";
/// Holds the packages that an image of a stack has, in the old style.
pub const STACK_MIXINS: &str = "io.buildpacks.stack.mixins";
/// Holds the name of the distribution.
pub const DISTRO_NAME: &str = "io.buildpacks.base.distro.name";
/// Holds the version of the distribution.
pub const DISTRO_VERSION: &str = "io.buildpacks.base.distro.version";
/// The image variable with the user that buildpacks run as.
pub const USER_ID: &str = "CNB_USER_ID";
/// The image variable with the group that buildpacks run as.
pub const GROUP_ID: &str = "CNB_GROUP_ID";

/// id → version → what is known of the buildpack and its layer.
pub type ModuleLayers = BTreeMap<String, BTreeMap<String, ModuleLayer>>;

/// What a builder says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuilderMetadata {
    /// A sentence for people.
    #[serde(default)]
    pub description: String,
    /// The buildpacks in it.
    #[serde(default, deserialize_with = "null_is_default")]
    pub buildpacks: Vec<ModuleInfo>,
    /// The image extensions in it.
    #[serde(default, deserialize_with = "null_is_default")]
    pub extensions: Vec<ModuleInfo>,
    /// The run image, as told before there were several.
    #[serde(default)]
    pub stack: StackMetadata,
    /// The lifecycle in it.
    #[serde(default)]
    pub lifecycle: LifecycleMetadata,
    /// What made it.
    #[serde(default, rename = "createdBy")]
    pub created_by: CreatedBy,
    /// The run images.
    #[serde(default, deserialize_with = "null_is_default")]
    pub images: Vec<RunImage>,
    /// The files below `/cnb/build-config/env`; only builders made by fnpack tell them here.
    #[serde(default, rename = "buildEnv", skip_serializing_if = "Option::is_none")]
    pub build_env: Option<Vec<BuildEnvFile>>,
}

/// A file below `/cnb/build-config/env`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildEnvFile {
    /// Its name: the variable and the rule as suffix.
    pub name: String,
    /// Its contents.
    pub value: String,
}

/// A buildpack, named for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleInfo {
    /// Such as `fnpack/golang`.
    #[serde(default)]
    pub id: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Such as `0.1.0`.
    #[serde(default)]
    pub version: String,
    /// An address for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub homepage: String,
}

/// The run image, as told before there were several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackMetadata {
    /// The usual one.
    #[serde(default, rename = "runImage")]
    pub run_image: RunImage,
}

/// A run image and the other names it can be had under, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunImage {
    /// The name.
    #[serde(default)]
    pub image: String,
    /// The other names.
    #[serde(default, deserialize_with = "null_is_default")]
    pub mirrors: Vec<String>,
}

/// A lifecycle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleMetadata {
    /// Its own version.
    #[serde(default)]
    pub version: String,
    /// The lowest versions, as told before there were lists.
    #[serde(default)]
    pub api: LowestApis,
    /// What it can do.
    #[serde(default)]
    pub apis: LifecycleApis,
}

/// The lowest API versions of a lifecycle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LowestApis {
    /// Buildpack API.
    #[serde(default)]
    pub buildpack: String,
    /// Platform API.
    #[serde(default)]
    pub platform: String,
}

/// The API versions of a lifecycle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleApis {
    /// Buildpack API.
    #[serde(default)]
    pub buildpack: ApiVersions,
    /// Platform API.
    #[serde(default)]
    pub platform: ApiVersions,
}

/// The versions of one API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiVersions {
    /// Work, and a warning is printed.
    #[serde(default, deserialize_with = "null_is_default")]
    pub deprecated: Vec<String>,
    /// Work.
    #[serde(default, deserialize_with = "null_is_default")]
    pub supported: Vec<String>,
}

/// What made a builder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedBy {
    /// The program.
    #[serde(default)]
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
}

/// A buildpack in a builder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleLayer {
    /// The Buildpack API it is written for.
    #[serde(default)]
    pub api: String,
    /// Stacks of the old style.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub stacks: Vec<Stack>,
    /// Targets of the new style.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub targets: Vec<ModuleTarget>,
    /// Groups, if it is a composite.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub order: Order,
    /// The layer that it is in.
    #[serde(rename = "layerDiffID")]
    pub layer_diff_id: DiffId,
    /// An address for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub homepage: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// Buildpacks that run with every group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// Before it.
    #[serde(default)]
    pub pre: SystemBuildpacks,
    /// After it.
    #[serde(default)]
    pub post: SystemBuildpacks,
}

/// One side of [`System`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemBuildpacks {
    /// In the order in which they run.
    #[serde(default, deserialize_with = "null_is_default")]
    pub buildpacks: Vec<OrderEntry>,
}

impl ModuleInfo {
    /// `id@version`.
    pub fn module(&self) -> ModuleId {
        ModuleId::new(&self.id, &self.version)
    }
}

impl From<&BuildpackToml> for ModuleInfo {
    fn from(buildpack: &BuildpackToml) -> Self {
        Self {
            id: buildpack.id.clone(),
            name: buildpack.name.clone().unwrap_or_default(),
            version: buildpack.version.clone(),
            homepage: buildpack.homepage.clone().unwrap_or_default(),
        }
    }
}

impl ModuleLayer {
    /// Of a buildpack that is in the layer `layer_diff_id`.
    pub fn new(buildpack: &BuildpackToml, layer_diff_id: DiffId) -> Self {
        Self {
            api: buildpack.api.clone(),
            stacks: buildpack.stacks.clone(),
            targets: buildpack.targets.clone(),
            order: buildpack.order.clone(),
            layer_diff_id,
            homepage: buildpack.homepage.clone().unwrap_or_default(),
            name: buildpack.name.clone().unwrap_or_default(),
        }
    }
}

impl ApiVersions {
    /// Whether a version works, deprecated or not.
    pub fn has(&self, version: &str) -> bool {
        self.supported.iter().chain(&self.deprecated).any(|known| known == version)
    }

    /// The lowest version that works.
    pub fn lowest(&self) -> Option<&str> {
        let number = |version: &str| -> Option<(u32, u32)> {
            let (major, minor) = version.split_once('.')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        };
        self.supported.iter().chain(&self.deprecated).map(String::as_str).min_by_key(|version| number(version))
    }
}

impl System {
    /// Whether it adds nothing.
    pub fn is_empty(&self) -> bool {
        self.pre.buildpacks.is_empty() && self.post.buildpacks.is_empty()
    }
}
