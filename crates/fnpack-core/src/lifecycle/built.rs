//! What the build phase hands to export: values, not files.

use toml::Table;

use super::files::launch::{Label, Process, Slice};

/// The result of running every buildpack of a group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Built {
    /// The buildpacks that took part, in group order.
    pub buildpacks: Vec<BuiltBuildpack>,
    /// Process types after merging (a later buildpack wins), sorted by type.
    pub processes: Vec<Process>,
    /// The type that is started by default, if a buildpack named one.
    pub default_process: Option<String>,
    /// Image labels in the order given; later ones win.
    pub labels: Vec<Label>,
    /// Slices of the application folder, in the order given; a file belongs to the first that names it.
    pub slices: Vec<Slice>,
    /// What a buildpack did that had no effect, for the user to see.
    pub warnings: Vec<String>,
}

/// One buildpack of the group and what it left in its layers folder.
#[derive(Debug, Clone, PartialEq)]
pub struct BuiltBuildpack {
    /// Such as `fnpack/golang`.
    pub id: String,
    /// Such as `0.1.0`.
    pub version: String,
    /// The Buildpack API that its buildpack.toml names.
    pub api: String,
    /// From buildpack.toml.
    pub homepage: Option<String>,
    /// Sorted by name.
    pub layers: Vec<BuiltLayer>,
    /// `[metadata]` of store.toml.
    pub store: Option<Table>,
}

/// One layer: `<layers>/<escaped buildpack id>/<name>` and `<name>.toml`.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "the specification has three types, and any layer may be absent")]
pub struct BuiltLayer {
    /// The folder's name.
    pub name: String,
    /// Whether it goes into the image.
    pub launch: bool,
    /// Whether later buildpacks see it.
    pub build: bool,
    /// Whether it is kept for the next build.
    pub cache: bool,
    /// `[metadata]` of `<name>.toml`.
    pub metadata: Table,
    /// Whether the folder is there; a launch layer without one is reused from the previous image.
    pub present: bool,
}
