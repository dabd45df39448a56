//! What orders name: every reference must mean one buildpack that is there.

use std::collections::{BTreeMap, BTreeSet};

use super::check::list;
use super::module::{ModuleId, Order, OrderEntry};

/// Why a reference in an order cannot stand.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// An order names a buildpack that is not there.
    #[error("{place} names buildpack `{reference}`, which is not in the builder{}", others(.versions))]
    NotThere {
        /// The order.
        place: String,
        /// What it names.
        reference: ModuleId,
        /// The versions of that id that are there.
        versions: Vec<String>,
    },
    /// An order names a buildpack without version, and there are several.
    #[error("{place} names buildpack `{reference}` without a version, and the builder has {}", list(.versions))]
    Ambiguous {
        /// The order.
        place: String,
        /// What it names.
        reference: ModuleId,
        /// The versions of that id that are there.
        versions: Vec<String>,
    },
    /// Composites that contain each other.
    #[error("composite buildpacks contain each other: {}", .chain.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → "))]
    Cycle {
        /// From the first to itself again.
        chain: Vec<ModuleId>,
    },
}

fn others(versions: &[String]) -> String {
    if versions.is_empty() { String::new() } else { format!("; of this id it has {}", list(versions)) }
}

type Result<T> = std::result::Result<T, ReferenceError>;

/// id → version → what is known of the buildpack.
pub(super) type ByVersion<T> = BTreeMap<String, BTreeMap<String, T>>;

/// Why a reference does not mean one buildpack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoOnlyMatch {
    /// There is none; these versions of the id are there.
    None(Vec<String>),
    /// The reference says no version and these are there.
    Several(Vec<String>),
}

/// The one buildpack that a reference means, with its version.
pub(super) fn only_match<'a, T>(modules: &'a ByVersion<T>, reference: &ModuleId) -> std::result::Result<(&'a String, &'a T), NoOnlyMatch> {
    let Some(versions) = modules.get(&reference.id) else { return Err(NoOnlyMatch::None(Vec::new())) };
    let all = || versions.keys().cloned().collect::<Vec<_>>();
    if !reference.version.is_empty() {
        return versions.get_key_value(&reference.version).ok_or_else(|| NoOnlyMatch::None(all()));
    }
    let mut found = versions.iter();
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(NoOnlyMatch::None(Vec::new())),
        (Some(_), Some(_)) => Err(NoOnlyMatch::Several(all())),
    }
}

/// The orders of all buildpacks that are in a builder; empty for those that are no composites.
#[derive(Debug, Default)]
pub(super) struct Orders<'a>(ByVersion<&'a Order>);

impl<'a> FromIterator<(ModuleId, &'a Order)> for Orders<'a> {
    fn from_iter<I: IntoIterator<Item = (ModuleId, &'a Order)>>(orders: I) -> Self {
        let mut by_version = ByVersion::new();
        for (module, order) in orders {
            by_version.entry(module.id).or_default().insert(module.version, order);
        }
        Self(by_version)
    }
}

impl Orders<'_> {
    /// The buildpack that an entry names; `place` is the order in messages.
    pub(super) fn resolve(&self, entry: &OrderEntry, place: &str) -> Result<ModuleId> {
        let reference = entry.module();
        match only_match(&self.0, &reference) {
            Ok((version, _)) => Ok(ModuleId::new(&entry.id, version)),
            Err(NoOnlyMatch::None(versions)) => Err(ReferenceError::NotThere { place: place.to_owned(), reference, versions }),
            Err(NoOnlyMatch::Several(versions)) => Err(ReferenceError::Ambiguous { place: place.to_owned(), reference, versions }),
        }
    }

    /// Every reference of every composite means a buildpack, and no composite contains itself.
    pub(super) fn check_composites(&self) -> Result<()> {
        let mut below: BTreeMap<ModuleId, Vec<ModuleId>> = BTreeMap::new();
        for (id, versions) in &self.0 {
            for (version, order) in versions {
                let module = ModuleId::new(id, version);
                let place = format!("the order of `{module}`");
                let entries = order.iter().flat_map(|group| &group.group);
                let named = entries.map(|entry| self.resolve(entry, &place)).collect::<Result<_>>()?;
                below.insert(module, named);
            }
        }
        let mut done = BTreeSet::new();
        below.keys().try_for_each(|module| descend(module, &below, &mut Vec::new(), &mut done))
    }
}

/// Depth first; `done` holds what is known to contain no cycle.
fn descend<'a>(
    module: &'a ModuleId,
    below: &'a BTreeMap<ModuleId, Vec<ModuleId>>,
    parents: &mut Vec<&'a ModuleId>,
    done: &mut BTreeSet<&'a ModuleId>,
) -> Result<()> {
    if let Some(start) = parents.iter().position(|parent| *parent == module) {
        let chain = parents.iter().skip(start).copied().chain([module]).cloned().collect();
        return Err(ReferenceError::Cycle { chain });
    }
    if done.contains(module) {
        return Ok(());
    }
    parents.push(module);
    for child in below.get(module).into_iter().flatten() {
        descend(child, below, parents, done)?;
    }
    parents.pop();
    done.insert(module);
    Ok(())
}
