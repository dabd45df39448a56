//! A builder for people and scripts: what `builder inspect` shows.
//!
//! Names of keys are those of `pack builder inspect --output json`, for scripts that read it.

use serde::Serialize;

use super::description::BuilderDescription;
use super::labels::{ApiVersions, BuildEnvFile, CreatedBy, ModuleInfo, ModuleLayers};
use super::module::{ModuleId, OrderGroup};
use super::references::only_match;

/// Orders nest; a builder whose nested orders have more entries than this is shown cut.
const MOST_ENTRIES: usize = 5_000;

/// What there is to say of a builder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// A sentence for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What made it.
    pub created_by: CreatedBy,
    /// The stack, in the old style.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<InspectedStack>,
    /// What its programs are made for.
    pub target: String,
    /// Who buildpacks run as.
    pub user: InspectedUser,
    /// The lifecycle.
    pub lifecycle: InspectedLifecycle,
    /// The run images.
    pub run_images: Vec<InspectedRunImage>,
    /// The buildpacks.
    pub buildpacks: Vec<ModuleInfo>,
    /// The groups, nested ones resolved.
    pub detection_order: Vec<InspectedGroup>,
    /// Variables for every build; none if the builder does not tell them in its labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_env: Option<Vec<BuildEnvFile>>,
}

/// The stack, in the old style.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedStack {
    /// Its id.
    pub id: String,
}

/// Who buildpacks run as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedUser {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// The lifecycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedLifecycle {
    /// Its own version.
    pub version: String,
    /// Buildpack APIs.
    pub buildpack_apis: ApiVersions,
    /// Platform APIs.
    pub platform_apis: ApiVersions,
}

/// A run image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedRunImage {
    /// The name.
    pub name: String,
    /// The other names it can be had under.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<String>,
}

/// A group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InspectedGroup {
    /// In the order in which they run.
    pub buildpacks: Vec<InspectedEntry>,
}

/// A buildpack in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedEntry {
    /// The buildpack.
    pub id: String,
    /// Its version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Whether the group passes without it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Whether it is among its own parents.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cyclic: bool,
    /// Whether what is below is not shown, because the whole would be too much.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// The groups of a composite.
    #[serde(rename = "buildpacks", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<InspectedGroup>,
}

impl Inspection {
    /// Of a builder.
    pub fn of(builder: &BuilderDescription) -> Self {
        let metadata = &builder.metadata;
        let mut tree = Tree { layers: &builder.buildpacks, left: MOST_ENTRIES, parents: Vec::new() };
        Self {
            description: metadata.description.clone(),
            created_by: metadata.created_by.clone(),
            stack: builder.stack_id.clone().map(|id| InspectedStack { id }),
            target: builder.target.to_string(),
            user: InspectedUser { uid: builder.user.uid, gid: builder.user.gid },
            lifecycle: InspectedLifecycle {
                version: metadata.lifecycle.version.clone(),
                buildpack_apis: metadata.lifecycle.apis.buildpack.clone(),
                platform_apis: metadata.lifecycle.apis.platform.clone(),
            },
            run_images: builder
                .run_images()
                .into_iter()
                .map(|image| InspectedRunImage { name: image.image, mirrors: image.mirrors })
                .collect(),
            buildpacks: metadata.buildpacks.clone(),
            detection_order: tree.groups(&builder.order),
            build_env: metadata.build_env.clone(),
        }
    }
}

/// Resolves nested orders.
struct Tree<'a> {
    layers: &'a ModuleLayers,
    left: usize,
    parents: Vec<ModuleId>,
}

impl Tree<'_> {
    fn groups(&mut self, order: &[OrderGroup]) -> Vec<InspectedGroup> {
        order.iter().map(|group| InspectedGroup { buildpacks: self.entries(group) }).collect()
    }

    fn entries(&mut self, group: &OrderGroup) -> Vec<InspectedEntry> {
        let mut entries = Vec::new();
        for entry in &group.group {
            let mut shown = InspectedEntry {
                id: entry.id.clone(),
                version: entry.version.clone(),
                optional: entry.optional,
                cyclic: false,
                cut: false,
                groups: Vec::new(),
            };
            if let Ok((version, layer)) = only_match(self.layers, &entry.module()) {
                shown.version.clone_from(version);
                self.resolve(&mut shown, &layer.order);
            }
            entries.push(shown);
        }
        entries
    }

    fn resolve(&mut self, shown: &mut InspectedEntry, order: &[OrderGroup]) {
        let module = ModuleId::new(&shown.id, &shown.version);
        let below: usize = order.iter().map(|group| group.group.len()).sum();
        shown.cyclic = self.parents.contains(&module);
        shown.cut = !shown.cyclic && (below > self.left || self.parents.len() > 50);
        if shown.cyclic || shown.cut {
            return;
        }
        self.left -= below;
        self.parents.push(module);
        shown.groups = self.groups(order);
        self.parents.pop();
    }
}
