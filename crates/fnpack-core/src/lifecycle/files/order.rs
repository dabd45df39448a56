//! `order.toml`: the groups of buildpacks to try (CNB platform spec, "order.toml").

use serde::Deserialize;

use super::TomlError;
use crate::builder::Order;

/// The content of order.toml.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OrderToml {
    /// The groups of buildpacks, first choice first.
    #[serde(default)]
    pub order: Order,
    /// Groups of image extensions.
    #[serde(default)]
    pub order_extensions: Order,
}

/// Reads order.toml.
pub fn parse(text: &str) -> Result<OrderToml, TomlError> {
    super::parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_in_order() {
        let text = "
            [[order]]
            group = [{ id = 'a', version = '1' }, { id = 'b', optional = true, exec-env = ['test'] }]
            [[order]]
            [[order.group]]
            id = 'c'
            [[order-extensions]]
            group = [{ id = 'e', version = '2' }]
        ";
        let order = parse(text).unwrap();
        let modules: Vec<Vec<String>> =
            order.order.iter().map(|group| group.group.iter().map(|entry| entry.module().to_string()).collect()).collect();
        assert_eq!(modules, [vec!["a@1", "b"], vec!["c"]]);
        assert!(order.order[0].group[1].optional);
        assert_eq!(order.order[0].group[1].exec_env, ["test"]);
        assert_eq!(order.order_extensions.len(), 1);
    }

    #[test]
    fn error_names_line_and_key() {
        let error = parse("[[order]]\n[[order.group]]\nid = 1\n").unwrap_err();
        assert_eq!(error.to_string(), "line 3: invalid type: integer `1`, expected a string, in `order.group.id`");
    }
}
