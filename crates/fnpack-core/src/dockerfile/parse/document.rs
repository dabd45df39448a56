//! Which here-documents a line names.
//!
//! As in a shell, `<<NAME` may stand anywhere in the line of `RUN`, several times, with a number
//! before it and with `-` after it. A quoted name means that variables inside are left alone.

use super::ast::HereDocument;
use super::keyword::Keyword;
use super::words::{Form, first_word, form, split, split_flags};

/// The here-documents that an instruction's line asks for, their contents still empty.
pub(super) fn named(text: &str) -> Vec<HereDocument> {
    if !text.contains("<<") {
        return Vec::new();
    }
    let (word, operands) = first_word(text);
    match Keyword::of(word) {
        // What comes after ONBUILD is an instruction of its own.
        Some(Keyword::Onbuild) => named_by(operands),
        _ => named_by(text),
    }
}

fn named_by(text: &str) -> Vec<HereDocument> {
    let (word, operands) = first_word(text);
    let Some(keyword) = Keyword::of(word).filter(|keyword| keyword.takes_documents()) else { return Vec::new() };
    let (_, operands) = split_flags(operands);
    if matches!(form(keyword, operands), Ok(Form::Exec(_))) {
        return Vec::new();
    }
    split(operands, '\\').into_iter().filter_map(document).collect()
}

fn document(word: &str) -> Option<HereDocument> {
    let (descriptor, rest) = word.split_once("<<")?;
    if !descriptor.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let descriptor = if descriptor.is_empty() { 0 } else { descriptor.parse().ok()? };
    let (strip_tabs, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (name, quoted) = name(rest)?;
    Some(HereDocument { name, descriptor, strip_tabs, expand: !quoted, content: String::new() })
}

/// The name without its quotes, up to what ends a word in a shell, and whether any of it was quoted.
/// `<<<` is a here-string and names nothing.
fn name(text: &str) -> Option<(String, bool)> {
    let mut name = String::new();
    let (mut quote, mut quoted) = (None, false);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match quote {
            None if matches!(character, '<' | '>' | '|' | '&' | ';' | '(' | ')') => break,
            None if matches!(character, '\'' | '"') => (quote, quoted) = (Some(character), true),
            None if character == '\\' => {
                quoted = true;
                name.extend(characters.next());
            }
            Some(open) if open == character => quote = None,
            _ => name.push(character),
        }
    }
    (!name.is_empty() && quote.is_none()).then_some((name, quoted))
}

/// Whether a line is one here-document and nothing else, so that the document is the script.
pub(in crate::dockerfile) fn is_whole(line: &str) -> bool {
    matches!(split(line, '\\').as_slice(), [word] if document(word).is_some_and(|_| !word.contains(['>', '|', '&', ';', '(', ')'])))
}
