//! Names of a project, made from its folder's name so that each language takes them.

use std::path::Path;

/// What a project and its parts are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// Of the project and its image: `order-check`.
    pub(super) name: String,
    /// For people: `Order check`.
    pub(super) title: String,
    /// Of the class: `OrderCheckFunction`.
    pub(super) class: String,
    /// Of the Python module: `order_check_function`. It ends so that it never hides a module of Python's own.
    pub(super) module: String,
}

impl Names {
    /// `.` is called as the folder that it stands for.
    pub(super) fn of(folder: &Path) -> Self {
        let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Self::of_words(words(&whole.file_name().unwrap_or_default().to_string_lossy()))
    }

    fn of_words(mut words: Vec<String>) -> Self {
        if words.last().is_some_and(|last| last == "function") {
            words.pop();
        }
        if words.first().is_none_or(|first| first.starts_with(|letter: char| letter.is_ascii_digit())) {
            words.insert(0, "my".to_owned());
        }
        let class: String = words.iter().map(|word| capital(word)).collect();
        Self {
            name: if words == ["my"] { "my-function".to_owned() } else { words.join("-") },
            title: capital(&words.join(" ")),
            class: format!("{class}Function"),
            module: format!("{}_function", words.join("_")),
        }
    }
}

/// The words of a name in any of the usual ways to write several as one; letters that not every language takes in names
/// are left out.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && after_small || !letter.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        after_small = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        if letter.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(letter.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_every_language() {
        for (folder, name, class, module) in [
            ("orders", "orders", "OrdersFunction", "orders_function"),
            ("a/order-check", "order-check", "OrderCheckFunction", "order_check_function"),
            ("OrderCheck", "order-check", "OrderCheckFunction", "order_check_function"),
            ("orders_function", "orders", "OrdersFunction", "orders_function"),
            ("function", "my-function", "MyFunction", "my_function"),
            ("class", "class", "ClassFunction", "class_function"),
            ("2024 orders", "my-2024-orders", "My2024OrdersFunction", "my_2024_orders_function"),
            ("größe", "gr-e", "GrEFunction", "gr_e_function"),
            ("日本", "my-function", "MyFunction", "my_function"),
        ] {
            let names = Names::of(Path::new(folder));
            assert_eq!((names.name.as_str(), names.class.as_str(), names.module.as_str()), (name, class, module), "{folder}");
        }
    }
}
