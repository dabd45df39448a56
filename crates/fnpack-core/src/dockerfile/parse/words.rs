//! A line into words, flags and JSON arrays.
//!
//! Quotes stay in the words: taking them off is part of expanding (`expand.rs`), which not every
//! instruction does.

use super::error::Problem;
use super::keyword::Keyword;

/// A `--name` or `--name=value` before the operands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flag {
    pub(super) name: String,
    pub(super) value: Option<String>,
}

/// What Docker takes for a blank between words.
pub(super) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}')
}

/// The first word and the rest, blanks around both taken off.
pub(super) fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_matches(is_blank);
    match text.split_once(is_blank) {
        Some((word, rest)) => (word, rest.trim_matches(is_blank)),
        None => (text, ""),
    }
}

/// Splits at blanks outside quotes. Escaped blanks do not split, except inside single quotes, where
/// nothing is escaped.
pub(super) fn split(text: &str, escape: char) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(is_blank);
    while !rest.is_empty() {
        let (word, after) = rest.split_at(word_length(rest, escape));
        words.push(word);
        rest = after.trim_start_matches(is_blank);
    }
    words
}

fn word_length(text: &str, escape: char) -> usize {
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match quote {
            None if is_blank(character) => return index,
            None if matches!(character, '\'' | '"') => quote = Some(character),
            Some(open) if open == character => quote = None,
            _ => {}
        }
        if character == escape && quote != Some('\'') {
            characters.next();
        }
    }
    text.len()
}

/// Takes the flags off the front of the operands. A lone `--` ends them.
pub(super) fn split_flags(text: &str) -> (Vec<Flag>, &str) {
    let mut flags = Vec::new();
    let mut rest = text.trim_start_matches(is_blank);
    while rest.starts_with("--") {
        let (word, after) = rest.split_at(word_length(rest, '\\'));
        rest = after.trim_start_matches(is_blank);
        if word == "--" {
            break;
        }
        let word = word.strip_prefix("--").unwrap_or(word);
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(unquoted(value))),
            None => (word, None),
        };
        flags.push(Flag { name: name.to_owned(), value });
    }
    (flags, rest)
}

fn unquoted(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match quote {
            None if matches!(character, '\'' | '"') => quote = Some(character),
            Some(open) if open == character => quote = None,
            _ if character == '\\' => result.extend(characters.next()),
            _ => result.push(character),
        }
    }
    result
}

/// What an instruction's operands look like.
pub(super) enum Form {
    /// A JSON array of strings.
    Exec(Vec<String>),
    /// Anything else. `true` if it starts like a JSON array and is none: Docker takes it as text,
    /// which is hardly ever meant.
    Text(bool),
}

/// Tells the two forms of operands apart, as Docker does: what is no JSON at all is text.
pub(super) fn form(keyword: Keyword, text: &str) -> Result<Form, Problem> {
    if !text.starts_with('[') {
        return Ok(Form::Text(false));
    }
    let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(text) else {
        return Ok(Form::Text(looks_like_array(text)));
    };
    let strings = values.into_iter().map(|value| match value {
        serde_json::Value::String(text) => Some(text),
        _ => None,
    });
    strings.collect::<Option<Vec<String>>>().map(Form::Exec).ok_or(Problem::NotStrings { keyword })
}

/// `[ -f x ] && y` is a common line for the shell: only what also ends like an array was meant as one.
fn looks_like_array(text: &str) -> bool {
    text.ends_with(']') && text.contains(['"', '\'', ','])
}
