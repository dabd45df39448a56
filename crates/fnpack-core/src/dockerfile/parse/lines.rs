//! Lines of the file into lines of the language: directives, comments, continuations, here-documents.

use std::ops::Range;

use super::ast::{Directives, HereDocument, Position};
use super::document;
use super::error::{ParseError, Problem};
use super::words::is_blank;

/// One instruction's line, continuations joined.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) position: Position,
    pub(super) documents: Vec<HereDocument>,
    /// A blank line inside the instruction, which Docker skips and wants to forbid one day.
    pub(super) blank_inside: Option<usize>,
}

struct Physical<'a> {
    text: &'a str,
    span: Range<usize>,
}

/// Reads a text line by line.
pub(super) struct Lines<'a> {
    physical: Vec<Physical<'a>>,
    next: usize,
    escape: char,
}

const BYTE_ORDER_MARK: char = '\u{feff}';

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut start = 0;
        let physical = text.split_inclusive('\n').map(|line| {
            let span = start..start + line.len();
            start = span.end;
            let bare = line.strip_suffix('\n').unwrap_or(line);
            let bare = bare.strip_suffix('\r').unwrap_or(bare);
            let bare = if span.start == 0 { bare.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bare) } else { bare };
            Physical { text: bare, span }
        });
        Self { physical: physical.collect(), next: 0, escape: '\\' }
    }

    /// Reads the directives: the `# key=value` lines at the very top. The first line that is
    /// anything else ends them, an unknown key too: it is a comment.
    pub(super) fn directives(&mut self) -> Result<Directives, ParseError> {
        let mut directives = Directives { syntax: None, escape: '\\', check: None };
        let mut escape_seen = false;
        while let Some((key, value)) = self.physical.get(self.next).and_then(|line| directive(line.text)) {
            let fail = |problem| ParseError { line: self.next + 1, problem };
            let repeated = match key.as_str() {
                "syntax" => directives.syntax.replace(value.to_owned()).is_some(),
                "check" => directives.check.replace(value.to_owned()).is_some(),
                "escape" => {
                    directives.escape = escape_character(value).map_err(fail)?;
                    std::mem::replace(&mut escape_seen, true)
                }
                _ => break,
            };
            if repeated {
                return Err(fail(Problem::RepeatedDirective { key }));
            }
            self.next += 1;
        }
        self.escape = directives.escape;
        Ok(directives)
    }

    /// The next instruction's line, or nothing at the end.
    pub(super) fn next_line(&mut self) -> Option<Result<Line, ParseError>> {
        let first = loop {
            let line = self.physical.get(self.next)?;
            if !is_comment(line.text) && !is_empty(line.text) {
                break self.next;
            }
            self.next += 1;
        };
        let (text, blank_inside) = self.joined();
        let documents = match self.documents(&text, first) {
            Ok(documents) => documents,
            Err(error) => return Some(Err(error)),
        };
        let last = self.next.saturating_sub(1).max(first);
        let span = |index: usize| self.physical.get(index).map_or(0..0, |line| line.span.clone());
        let position = Position { line: first + 1, last_line: last + 1, span: span(first).start..span(last).end };
        Some(Ok(Line { text: text.trim_matches(is_blank).to_owned(), position, documents, blank_inside }))
    }

    fn joined(&mut self) -> (String, Option<usize>) {
        let mut text = String::new();
        let mut blank = None;
        let first = self.next;
        while let Some(line) = self.physical.get(self.next) {
            self.next += 1;
            let inside = self.next - 1 > first;
            if inside && is_comment(line.text) {
                continue;
            }
            if inside && is_empty(line.text) {
                blank = blank.or(Some(self.next));
                continue;
            }
            let (part, continues) = continuation(line.text, self.escape);
            text.push_str(part);
            if !continues {
                break;
            }
        }
        (text, blank)
    }

    fn documents(&mut self, text: &str, first: usize) -> Result<Vec<HereDocument>, ParseError> {
        let mut documents = document::named(text);
        for document in &mut documents {
            if !self.read_document(document) {
                let problem = Problem::EndlessDocument { name: document.name.clone() };
                return Err(ParseError { line: first + 1, problem });
            }
        }
        Ok(documents)
    }

    /// Reads up to the line that ends the document; `false` if there is none.
    fn read_document(&mut self, document: &mut HereDocument) -> bool {
        while let Some(line) = self.physical.get(self.next) {
            self.next += 1;
            let end = if document.strip_tabs { line.text.trim_start_matches('\t') } else { line.text };
            if end == document.name {
                return true;
            }
            document.content.push_str(line.text);
            document.content.push('\n');
        }
        false
    }
}

fn is_comment(text: &str) -> bool {
    text.trim_start_matches(is_blank).starts_with('#')
}

fn is_empty(text: &str) -> bool {
    text.trim_start_matches(is_blank).is_empty()
}

/// Takes off the escape character at the end, and says whether there was one. Two of them are an
/// escaped escape.
fn continuation(text: &str, escape: char) -> (&str, bool) {
    match text.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        Some(rest) if !rest.ends_with(escape) => (rest, true),
        _ => (text, false),
    }
}

fn directive(text: &str) -> Option<(String, &str)> {
    let (key, value) = text.trim_start_matches(is_blank).strip_prefix('#')?.split_once('=')?;
    let (key, value) = (key.trim_matches(is_blank), value.trim_matches(is_blank));
    let is_key = key.starts_with(|first: char| first.is_ascii_alphabetic()) && key.chars().all(|next| next.is_ascii_alphanumeric());
    (is_key && !value.is_empty()).then(|| (key.to_ascii_lowercase(), value))
}

fn escape_character(value: &str) -> Result<char, Problem> {
    match value {
        "\\" => Ok('\\'),
        "`" => Ok('`'),
        _ => Err(Problem::EscapeCharacter { value: value.to_owned() }),
    }
}
