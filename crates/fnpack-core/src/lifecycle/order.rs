//! From an order to the groups that are tried (CNB buildpack spec, "Order Resolution").
//!
//! A buildpack that only names others is replaced by each of its groups in turn, depth first, left to
//! right; an optional one is also tried without. Within a candidate the first of several modules with
//! one id stays, whatever their versions.

use std::collections::{BTreeMap, BTreeSet};

use super::files::order::OrderToml;
use crate::builder::{ModuleId, Order, OrderEntry, OrderGroup};

/// More steps than any order takes that a person has written; composites that name each other several
/// times make exponentially many.
const STEP_LIMIT: usize = 100_000;

/// A group to try: no composites, no id twice.
pub type Candidate = Vec<CandidateMember>;

/// A buildpack of a group to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandidateMember {
    /// The buildpack.
    pub module: ModuleId,
    /// Whether the group passes without it.
    pub optional: bool,
}

/// Why an order makes no groups.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says when it happens")]
pub enum OrderError {
    #[error("the order of buildpack `{}` leads back to itself: {}", cycle.first().map_or_else(String::new, ModuleId::to_string), path(cycle))]
    Cycle { cycle: Vec<ModuleId> },
    #[error("the order has image extensions, which are not supported yet")]
    Extensions,
    #[error("the order leads to too many groups, more than {STEP_LIMIT} steps were taken to find them")]
    TooLarge,
}

fn path(cycle: &[ModuleId]) -> String {
    cycle.iter().map(|module| format!("`{module}`")).collect::<Vec<_>>().join(" → ")
}

/// All groups that an order leads to, first choice first. `composites` has the orders of the
/// buildpacks that only name others; every other one is taken as it is.
pub fn candidates(order: &OrderToml, composites: &BTreeMap<ModuleId, Order>) -> Result<Vec<Candidate>, OrderError> {
    if !order.order_extensions.is_empty() {
        return Err(OrderError::Extensions);
    }
    refuse_cycles(composites)?;
    let mut found = Vec::new();
    let mut pending = alternatives(&order.order, &Partial::default());
    for _ in 0..STEP_LIMIT {
        let Some(mut partial) = pending.pop() else { return Ok(found) };
        let Some(entry) = partial.rest.pop() else {
            found.push(partial.chosen);
            continue;
        };
        let Some(order) = composites.get(&entry.module()) else {
            partial.choose(entry);
            pending.push(partial);
            continue;
        };
        let with = alternatives(order, &partial);
        if entry.optional {
            pending.push(partial);
        }
        pending.extend(with);
    }
    Err(OrderError::TooLarge)
}

/// A candidate in the making.
#[derive(Debug, Clone, Default)]
struct Partial<'a> {
    chosen: Candidate,
    /// What is still to be looked at, the next one last.
    rest: Vec<&'a OrderEntry>,
}

impl Partial<'_> {
    fn choose(&mut self, entry: &OrderEntry) {
        if !self.chosen.iter().any(|member| member.module.id == entry.id) {
            self.chosen.push(CandidateMember { module: entry.module(), optional: entry.optional });
        }
    }
}

/// Each group of the order in front of what is still to be looked at; the first choice last.
fn alternatives<'a>(order: &'a Order, partial: &Partial<'a>) -> Vec<Partial<'a>> {
    let spliced = |group: &'a OrderGroup| {
        let mut spliced = partial.clone();
        spliced.rest.extend(group.group.iter().rev());
        spliced
    };
    order.iter().rev().map(spliced).collect()
}

/// Takes away composites that lead to no other one until nothing changes; what is left leads in
/// circles.
fn refuse_cycles(composites: &BTreeMap<ModuleId, Order>) -> Result<(), OrderError> {
    let named = |order: &Order| order.iter().flat_map(|group| &group.group).map(OrderEntry::module).collect();
    let mut left: BTreeMap<&ModuleId, BTreeSet<ModuleId>> = composites.iter().map(|(module, order)| (module, named(order))).collect();
    loop {
        let leads_on = |names: &BTreeSet<ModuleId>| names.iter().any(|name| left.contains_key(name));
        let ends: Vec<&ModuleId> = left.iter().filter(|(_, names)| !leads_on(names)).map(|(module, _)| *module).collect();
        if ends.is_empty() {
            return walk_in_circles(&left).map_or(Ok(()), |cycle| Err(OrderError::Cycle { cycle }));
        }
        left.retain(|module, _| !ends.contains(module));
    }
}

/// Goes from one to the next until it meets its own way. Each module has a next one.
fn walk_in_circles(modules: &BTreeMap<&ModuleId, BTreeSet<ModuleId>>) -> Option<Vec<ModuleId>> {
    let mut way = vec![*modules.keys().next()?];
    loop {
        let next = modules.get(way.last()?)?.iter().find(|name| modules.contains_key(name))?;
        let first = way.iter().position(|seen| *seen == next);
        way.push(next);
        if let Some(first) = first {
            return Some(way.into_iter().skip(first).cloned().collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups separated by `|`, members by blanks, `?` for optional, versions as `id@version`.
    fn order(text: &str) -> Order {
        text.split('|')
            .map(|group| OrderGroup {
                group: group
                    .split_whitespace()
                    .map(|member| {
                        let optional = member.ends_with('?');
                        let (id, version) = member.trim_end_matches('?').split_once('@').unwrap_or((member.trim_end_matches('?'), "1"));
                        OrderEntry { id: id.into(), version: version.into(), optional, ..OrderEntry::default() }
                    })
                    .collect(),
            })
            .collect()
    }

    fn resolve(text: &str, composites: &[(&str, &str)]) -> Result<Vec<String>, OrderError> {
        let composites = composites.iter().map(|(id, text)| (ModuleId::new(*id, "1"), order(text))).collect();
        let order = OrderToml { order: order(text), ..OrderToml::default() };
        let shown = |member: &CandidateMember| {
            let version = if member.module.version == "1" { String::new() } else { format!("@{}", member.module.version) };
            format!("{}{version}{}", member.module.id, if member.optional { "?" } else { "" })
        };
        let candidates = candidates(&order, &composites)?;
        Ok(candidates.iter().map(|candidate| candidate.iter().map(shown).collect::<Vec<_>>().join(" ")).collect())
    }

    #[test]
    fn groups_are_resolved_depth_first() {
        type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);
        let cases: &[Case] = &[
            ("a b? | c", &[], &["a b?", "c"]),
            ("X c", &[("X", "a | b")], &["a c", "b c"]),
            ("a X? c", &[("X", "x | y?")], &["a x c", "a y? c", "a c"]),
            ("X Y", &[("X", "a | b"), ("Y", "c | d")], &["a c", "a d", "b c", "b d"]),
            ("X? Y?", &[("X", "a"), ("Y", "b")], &["a b", "a", "b", ""]),
            ("X z", &[("X", "a Y b | c"), ("Y", "y1 | y2")], &["a y1 b z", "a y2 b z", "c z"]),
            ("X X", &[("X", "a | b")], &["a", "a b", "b a", "b"]),
            ("a@1 b a@2 b?", &[], &["a b"]),
            ("a@2 X", &[("X", "a@1 c")], &["a@2 c"]),
            ("", &[], &[""]),
        ];
        for (text, composites, expected) in cases {
            assert_eq!(resolve(text, composites).unwrap(), *expected, "{text}");
        }
    }

    #[test]
    fn cycles_are_an_error() {
        let error = resolve("a X", &[("X", "b | Y"), ("Y", "c Z"), ("Z", "Y")]).unwrap_err();
        assert_eq!(error.to_string(), "the order of buildpack `Y@1` leads back to itself: `Y@1` → `Z@1` → `Y@1`");
        let error = resolve("X", &[("X", "X")]).unwrap_err();
        assert_eq!(error.to_string(), "the order of buildpack `X@1` leads back to itself: `X@1` → `X@1`");
    }

    #[test]
    fn explosion_is_an_error() {
        let composites: Vec<(String, String)> = (0..40).map(|n| (format!("X{n}"), format!("X{0} X{0}", n + 1))).collect();
        let composites: Vec<(&str, &str)> = composites.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
        assert_eq!(resolve("X0", &composites), Err(OrderError::TooLarge));
        let wide: Vec<(String, String)> = (0..20).map(|n| (format!("X{n}"), format!("a{n} | b{n}"))).collect();
        let wide: Vec<(&str, &str)> = wide.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
        let all = wide.iter().map(|(id, _)| *id).collect::<Vec<_>>().join(" ");
        assert_eq!(resolve(&all, &wide), Err(OrderError::TooLarge));
    }

    #[test]
    fn extensions_are_refused() {
        let toml = OrderToml { order_extensions: order("e"), ..OrderToml::default() };
        assert_eq!(candidates(&toml, &BTreeMap::new()), Err(OrderError::Extensions));
    }
}
