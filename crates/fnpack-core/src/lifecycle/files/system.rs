//! `system.toml`: buildpacks that a builder adds to every group (CNB platform spec, "system.toml").

use serde::Deserialize;

use super::TomlError;
use crate::builder::labels::System;
use crate::builder::{Order, OrderEntry};

/// The content of system.toml.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct SystemToml {
    /// What is added.
    #[serde(default)]
    pub system: System,
}

/// Reads system.toml.
pub fn parse(text: &str) -> Result<SystemToml, TomlError> {
    super::parse(text)
}

impl SystemToml {
    /// Adds the buildpacks to every group, except to one that has a buildpack of the same id. What is added is
    /// required, whatever the file says: that is how upstream does it.
    pub fn add_to(&self, order: &mut Order) {
        for group in order {
            let missing = |buildpacks: &[OrderEntry]| {
                let named = |entry: &OrderEntry| group.group.iter().any(|member| member.id == entry.id);
                let missing = buildpacks.iter().filter(|entry| !named(entry));
                missing.map(|entry| OrderEntry { optional: false, ..entry.clone() }).collect::<Vec<_>>()
            };
            let (before, after) = (missing(&self.system.pre.buildpacks), missing(&self.system.post.buildpacks));
            group.group.splice(0..0, before);
            group.group.extend(after);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::files::order;

    #[test]
    fn every_group_gets_what_it_lacks() {
        let text = "[[system.pre.buildpacks]]\nid = 'first'\nversion = '1'\noptional = true\n[[system.pre.buildpacks]]\nid = 'b'\nversion = '9'\n\
                    [[system.post.buildpacks]]\nid = 'last'\nversion = '2'\n";
        let mut order =
            order::parse("[[order]]\ngroup = [{ id = 'a' }, { id = 'b' }]\n[[order]]\ngroup = [{ id = 'last' }]\n").unwrap().order;
        parse(text).unwrap().add_to(&mut order);
        let groups: Vec<String> = order
            .iter()
            .map(|group| group.group.iter().map(|entry| format!("{}@{}{}", entry.id, entry.version, if entry.optional { "?" } else { "" })))
            .map(|entries| entries.collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(groups, ["first@1 a@ b@ last@2", "first@1 b@9 last@"]);
        assert_eq!(parse("").unwrap(), SystemToml::default());
    }
}
