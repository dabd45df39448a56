//! What may stand in a shell command as it is, and how the rest is quoted.

use super::InstanceError;

/// One word, without anything that a shell sees more in.
pub(super) fn word(what: &'static str, value: &str) -> Result<(), InstanceError> {
    of(what, value, |character| character.is_ascii_alphanumeric() || "._/-".contains(character))
}

/// The same for URLs and topics.
pub(super) fn address(what: &'static str, value: &str) -> Result<(), InstanceError> {
    of(what, value, |character| character.is_ascii_alphanumeric() || "._/-:,+%=@[]".contains(character))
}

fn of(what: &'static str, value: &str, fine: impl Fn(char) -> bool) -> Result<(), InstanceError> {
    if value.is_empty() {
        return Err(InstanceError::Missing { what });
    }
    match value.chars().find(|character| !fine(*character)) {
        Some(character) => Err(InstanceError::Unsafe { what, value: value.to_owned(), character }),
        None => Ok(()),
    }
}

/// One word of any characters.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r#"'"'"'"#))
}
