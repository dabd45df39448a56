//! Between the values of TOML files and of JSON labels.

use serde_json::{Map, Value as Json};
use toml::{Table, Value as Toml};

/// A TOML table as JSON. Times become text; what JSON has no number for becomes null.
pub(super) fn json_of_table(table: &Table) -> Json {
    Json::Object(table.iter().map(|(key, value)| (key.clone(), json_of(value))).collect())
}

fn json_of(value: &Toml) -> Json {
    match value {
        Toml::String(text) => Json::String(text.clone()),
        Toml::Integer(number) => Json::from(*number),
        Toml::Float(number) => Json::from(*number),
        Toml::Boolean(flag) => Json::Bool(*flag),
        Toml::Datetime(time) => Json::String(time.to_string()),
        Toml::Array(values) => Json::Array(values.iter().map(json_of).collect()),
        Toml::Table(table) => json_of_table(table),
    }
}

/// A JSON object as a TOML table; anything else is an empty table. Null has no form in TOML and is
/// left out, as is a number that fits neither of its kinds.
pub(super) fn table_of_json(value: &Json) -> Table {
    value.as_object().map(table_of).unwrap_or_default()
}

fn table_of(fields: &Map<String, Json>) -> Table {
    fields.iter().filter_map(|(key, value)| toml_of(value).map(|value| (key.clone(), value))).collect()
}

fn toml_of(value: &Json) -> Option<Toml> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(flag) => Toml::Boolean(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Toml::Integer(integer),
            None => Toml::Float(number.as_f64()?),
        },
        Json::String(text) => Toml::String(text.clone()),
        Json::Array(values) => Toml::Array(values.iter().filter_map(toml_of).collect()),
        Json::Object(fields) => Toml::Table(table_of(fields)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_come_back() {
        let table: Table = "a = 1\nb = 1.5\nc = [true, \"x\"]\nd = { e = \"f\" }\n".parse().unwrap();
        let json = json!({"a": 1, "b": 1.5, "c": [true, "x"], "d": {"e": "f"}});
        assert_eq!(json_of_table(&table), json);
        assert_eq!(table_of_json(&json), table);
    }

    #[test]
    fn what_the_other_form_lacks_is_text_or_gone() {
        let table: Table = "time = 1979-05-27T07:32:00Z\nnan = nan\n".parse().unwrap();
        assert_eq!(json_of_table(&table), json!({"time": "1979-05-27T07:32:00Z", "nan": null}));
        assert_eq!(table_of_json(&json!({"a": null, "b": [null, 1]})), "b = [1]".parse().unwrap());
        assert_eq!(table_of_json(&json!("text")), Table::new());
    }
}
