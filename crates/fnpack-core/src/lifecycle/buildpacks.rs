//! The buildpacks of a builder, as they lie in `/cnb/buildpacks` (CNB platform spec, "Buildpacks
//! Directory Layout").

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::api::{ApiError, BuildpackApi};
use super::context::Place;
use crate::builder::{BuildpackToml, BuildpackTomlError, ModuleId, Order, OrderEntry, OrderGroup};
use crate::root::RootError;

/// Ids that would meet the lifecycle's own names in the layers folder (CNB buildpack spec, "Data
/// Format").
const RESERVED_IDS: [&str; 4] = ["app", "config", "generated", "sbom"];

/// A buildpack that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buildpack {
    /// Its id and version.
    pub module: ModuleId,
    /// The Buildpack API that it is written for.
    pub api: BuildpackApi,
    /// What it says about itself.
    pub toml: BuildpackToml,
    /// Its folder, below the folder of the buildpacks.
    pub folder: PathBuf,
    /// Whether it has a `bin/build`.
    pub has_build: bool,
}

/// All buildpacks that an order leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The order, every version filled in, without what is for other execution environments.
    pub order: Order,
    /// The buildpacks that do the work.
    pub buildpacks: BTreeMap<ModuleId, Buildpack>,
    /// The orders of those that only name others, filled in likewise.
    pub composites: BTreeMap<ModuleId, Order>,
}

/// Why a buildpack of an order or group cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BuildpackError {
    /// The id or version cannot be the name of a folder.
    #[error(
        "`{module}` cannot be a buildpack: its id and version must be names of folders, and not one of `app`, `config`, `generated`, `sbom`"
    )]
    Name {
        /// As the order has it.
        module: ModuleId,
    },
    /// It is not there.
    #[error("buildpack `{module}` is not in `{}`", folder.display())]
    NotFound {
        /// As the order has it.
        module: ModuleId,
        /// Where it was looked for, as buildpacks see it.
        folder: PathBuf,
    },
    /// The order names no version and there are several.
    #[error("buildpack `{id}` is there in versions `{}`, and the order does not say which", versions.join("`, `"))]
    Ambiguous {
        /// Its id.
        id: String,
        /// The versions, sorted.
        versions: Vec<String>,
    },
    /// Its description cannot be used.
    #[error("cannot use buildpack `{module}`")]
    Description {
        /// Id and version.
        module: ModuleId,
        /// The reason.
        #[source]
        source: Box<BuildpackTomlError>,
    },
    /// It is written for a Buildpack API that fnpack does not have.
    #[error("cannot use buildpack `{module}`")]
    Api {
        /// Id and version.
        module: ModuleId,
        /// The reason.
        #[source]
        source: ApiError,
    },
    /// The folder of the buildpacks cannot be read.
    #[error("cannot read the folder of the buildpacks")]
    Folder(#[source] RootError),
}

type Result<T> = std::result::Result<T, BuildpackError>;

/// The id as name of a folder, in the buildpacks folder and in the layers folder.
pub fn escaped(id: &str) -> String {
    id.replace('/', "_")
}

impl Buildpack {
    /// Reads the buildpack of this id and version.
    pub fn load(place: &Place, module: &ModuleId) -> Result<Self> {
        let folder = folder(module)?;
        let missing = || BuildpackError::NotFound { module: module.clone(), folder: place.shown(&folder) };
        if !place.root.is_dir(&folder) {
            return Err(missing());
        }
        let root = place.root.sub(&folder).map_err(BuildpackError::Folder)?;
        let toml = BuildpackToml::read(&root, &place.shown(&folder).display().to_string())
            .map_err(|source| BuildpackError::Description { module: module.clone(), source: Box::new(source) })?;
        let api = toml.api.parse().map_err(|source| BuildpackError::Api { module: module.clone(), source })?;
        Ok(Self { module: module.clone(), api, toml, folder, has_build: root.is_file("bin/build") })
    }

    /// Whether it takes part in this execution environment (CNB platform spec, "Execution
    /// Environments"). `None` if the platform has no such thing.
    fn is_for(&self, execution_environment: Option<&str>) -> bool {
        let declared = if self.api.has_execution_environments() { self.toml.exec_env.as_slice() } else { &[] };
        covers(declared, execution_environment)
    }
}

fn covers(declared: &[String], execution_environment: Option<&str>) -> bool {
    match execution_environment {
        Some(wanted) => declared.is_empty() || declared.iter().any(|name| name == "*" || name == wanted),
        None => true,
    }
}

impl Catalog {
    /// Reads all that the order leads to, so that a fault in any of it shows before anything runs.
    pub fn load(place: &Place, order: &Order, execution_environment: Option<&str>) -> Result<Self> {
        let mut loader = Loader { place, execution_environment, catalog: Self::default(), excluded: BTreeSet::new(), pending: Vec::new() };
        let order = loader.filled_in(order)?;
        while let Some(module) = loader.pending.pop() {
            loader.read(module)?;
        }
        let Loader { mut catalog, excluded, .. } = loader;
        catalog.order = order;
        let orders = catalog.composites.values_mut().chain(std::iter::once(&mut catalog.order));
        for group in orders.flatten() {
            group.group.retain(|entry| !excluded.contains(&entry.module()));
        }
        Ok(catalog)
    }
}

struct Loader<'a> {
    place: &'a Place,
    execution_environment: Option<&'a str>,
    catalog: Catalog,
    excluded: BTreeSet<ModuleId>,
    pending: Vec<ModuleId>,
}

impl Loader<'_> {
    fn read(&mut self, module: ModuleId) -> Result<()> {
        let Catalog { buildpacks, composites, .. } = &self.catalog;
        if buildpacks.contains_key(&module) || composites.contains_key(&module) || self.excluded.contains(&module) {
            return Ok(());
        }
        let buildpack = Buildpack::load(self.place, &module)?;
        if !buildpack.is_for(self.execution_environment) {
            self.excluded.insert(module);
        } else if buildpack.toml.is_composite() {
            let order = self.filled_in(&buildpack.toml.order)?;
            self.catalog.composites.insert(module, order);
        } else {
            self.catalog.buildpacks.insert(module, buildpack);
        }
        Ok(())
    }

    /// The order with all versions; what it names will be read.
    fn filled_in(&mut self, order: &Order) -> Result<Order> {
        order
            .iter()
            .map(|group| {
                let entries = group.group.iter().filter(|entry| covers(&entry.exec_env, self.execution_environment));
                let entries: Vec<OrderEntry> = entries.map(|entry| with_version(self.place, entry)).collect::<Result<_>>()?;
                self.pending.extend(entries.iter().map(OrderEntry::module));
                Ok(OrderGroup { group: entries })
            })
            .collect()
    }
}

fn with_version(place: &Place, entry: &OrderEntry) -> Result<OrderEntry> {
    if !entry.version.is_empty() {
        return Ok(entry.clone());
    }
    let versions = versions(place, &entry.module())?;
    match versions.as_slice() {
        [version] => Ok(OrderEntry { version: version.clone(), ..entry.clone() }),
        [] => Err(BuildpackError::NotFound { module: entry.module(), folder: place.path.clone() }),
        _ => Err(BuildpackError::Ambiguous { id: entry.id.clone(), versions }),
    }
}

fn versions(place: &Place, module: &ModuleId) -> Result<Vec<String>> {
    let folder = id_folder(module)?;
    match place.root.read_dir(&folder) {
        Ok(entries) => Ok(entries
            .into_iter()
            .filter_map(|entry| entry.name.into_string().ok())
            .filter(|version| place.root.is_dir(Path::new(&folder).join(version)))
            .collect()),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(BuildpackError::Folder(error)),
    }
}

fn folder(module: &ModuleId) -> Result<PathBuf> {
    let id = id_folder(module)?;
    if !is_folder_name(&module.version) {
        return Err(BuildpackError::Name { module: module.clone() });
    }
    Ok(Path::new(&id).join(&module.version))
}

fn id_folder(module: &ModuleId) -> Result<String> {
    let id = escaped(&module.id);
    if !is_folder_name(&id) || RESERVED_IDS.contains(&id.as_str()) {
        return Err(BuildpackError::Name { module: module.clone() });
    }
    Ok(id)
}

fn is_folder_name(text: &str) -> bool {
    !text.is_empty() && text != "." && text != ".." && !text.contains(|letter: char| letter == '/' || letter.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::tests::Fixture;

    fn order(fixture: &str) -> Order {
        crate::lifecycle::files::order::parse(fixture).unwrap().order
    }

    fn names(order: &Order) -> Vec<String> {
        order.iter().flat_map(|group| &group.group).map(|entry| entry.module().to_string()).collect()
    }

    #[test]
    fn order_is_followed_through_composites() {
        let fixture = Fixture::new();
        fixture.buildpack("a/b", "1", "");
        fixture.buildpack("c", "2", "");
        fixture.composite("all", "1", "[[order]]\ngroup = [{ id = 'a/b' }, { id = 'c', version = '2' }, { id = 'all', version = '1' }]");
        let catalog = Catalog::load(&fixture.context().places.buildpacks, &order("[[order]]\ngroup = [{ id = 'all' }]"), None).unwrap();
        assert_eq!(names(&catalog.order), ["all@1"]);
        assert_eq!(names(&catalog.composites[&ModuleId::new("all", "1")]), ["a/b@1", "c@2", "all@1"]);
        assert_eq!(catalog.buildpacks.len(), 2);
        assert_eq!(catalog.buildpacks[&ModuleId::new("a/b", "1")].folder, Path::new("a_b/1"));
    }

    #[test]
    fn execution_environments_leave_out_the_others() {
        let fixture = Fixture::new();
        fixture.buildpack_with_api("0.12", "a", "1", "exec-env = ['test']");
        fixture.buildpack_with_api("0.11", "b", "1", "exec-env = ['test']");
        fixture.buildpack_with_api("0.12", "c", "1", "exec-env = ['*']");
        fixture.buildpack_with_api("0.12", "d", "1", "");
        let order = order("[[order]]\ngroup = [{ id = 'a' }, { id = 'b' }, { id = 'c' }, { id = 'd', exec-env = ['test'] }, { id = 'd' }]");
        let load = |environment| names(&Catalog::load(&fixture.context().places.buildpacks, &order, environment).unwrap().order);
        assert_eq!(load(Some("production")), ["b@1", "c@1", "d@1"]);
        assert_eq!(load(Some("test")), ["a@1", "b@1", "c@1", "d@1", "d@1"]);
        assert_eq!(load(None).len(), 5);
    }

    #[test]
    fn faults_name_the_buildpack() {
        let fixture = Fixture::new();
        fixture.buildpack("two", "1", "");
        fixture.buildpack("two", "2", "");
        fixture.buildpack_with_api("0.3", "old", "1", "");
        for (entry, message) in [
            ("id = 'none'", "buildpack `none` is not in `/cnb/buildpacks`"),
            ("id = 'none', version = '1'", "buildpack `none@1` is not in `/cnb/buildpacks/none/1`"),
            ("id = 'two'", "buildpack `two` is there in versions `1`, `2`, and the order does not say which"),
            ("id = 'old'", "cannot use buildpack `old@1`"),
            (
                "id = '..', version = '1'",
                "`..@1` cannot be a buildpack: its id and version must be names of folders, and not one of `app`, `config`, `generated`, `sbom`",
            ),
        ] {
            let order = order(&format!("[[order]]\ngroup = [{{ {entry} }}]"));
            let error = Catalog::load(&fixture.context().places.buildpacks, &order, None).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        for (id, version) in [("config", "1"), ("a", "../.."), ("", "1"), ("a\n", "1")] {
            let error = Buildpack::load(&fixture.context().places.buildpacks, &ModuleId::new(id, version)).unwrap_err();
            assert!(matches!(error, BuildpackError::Name { .. }), "{id}@{version}");
        }
    }
}
