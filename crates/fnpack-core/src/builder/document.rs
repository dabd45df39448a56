//! TOML documents read key by key.
//!
//! Whoever reads a [`Section`] asks for the keys it knows; what nobody asked for is left and is either
//! an error (`builder.toml`) or a warning (`buildpack.toml`). So the code that reads a key is the only
//! list of the keys, and every fault has its file, line and full key.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// The longest document that is read.
pub(crate) const LONGEST_DOCUMENT: u64 = 1024 * 1024;

/// The text of a document of the user's own; symlinks are followed wherever they lead.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs_err::File::open(path)?.take(LONGEST_DOCUMENT + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST_DOCUMENT {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {LONGEST_DOCUMENT} bytes")));
    }
    Ok(text)
}

/// What is wrong at which place of which file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct DocumentError {
    /// The file, as the user named it.
    pub file: String,
    /// Counted from one; none where something is missing in the whole file.
    pub line: Option<usize>,
    /// What is wrong there.
    pub fault: Box<Fault>,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "`{}` line {line}: {}", self.file, self.fault),
            None => write!(formatter, "`{}`: {}", self.file, self.fault),
        }
    }
}

/// What is wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The text is not TOML.
    #[error("not valid TOML: {message}")]
    Syntax {
        /// In the parser's words, on one line.
        message: String,
    },
    /// A key that the format does not have.
    #[error("unknown key `{key}`{}", suggest(.suggestion.as_deref()))]
    UnknownKey {
        /// The full key.
        key: String,
        /// A known key of nearly this name.
        suggestion: Option<String>,
    },
    /// A value of another kind than the format has there.
    #[error("`{key}` must be {expected}, not {found}")]
    WrongType {
        /// The full key.
        key: String,
        /// With its article.
        expected: &'static str,
        /// With its article.
        found: &'static str,
    },
    /// A required key is not there or empty.
    #[error("`{key}` is missing")]
    Missing {
        /// The full key.
        key: String,
    },
    /// A value that cannot be.
    #[error("`{key}` is `{value}`: {reason}")]
    Refused {
        /// The full key.
        key: String,
        /// The value.
        value: String,
        /// Why, one clause.
        reason: &'static str,
    },
    /// Two keys that say the same thing differently.
    #[error("`{key}` is `{value}`, but `{other}` is `{other_value}`")]
    Disagrees {
        /// The full key at this line.
        key: String,
        /// Its value.
        value: String,
        /// The other full key.
        other: &'static str,
        /// Its value.
        other_value: String,
    },
    /// Two keys of which only one may be there.
    #[error("`{key}` and `{other}` exclude each other")]
    Exclusive {
        /// The full key at this line.
        key: String,
        /// The other full key.
        other: &'static str,
    },
    /// A part of the format that fnpack cannot use yet.
    #[error("`{key}` cannot be used yet: {instead}")]
    Unsupported {
        /// The full key.
        key: String,
        /// What to do instead, one clause.
        instead: &'static str,
    },
}

fn suggest(suggestion: Option<&str>) -> Cow<'static, str> {
    suggestion.map_or(Cow::Borrowed(""), |name| Cow::Owned(format!(", did you mean `{name}`?")))
}

type Result<T> = std::result::Result<T, DocumentError>;

/// The file that a section is part of.
#[derive(Debug, Clone, Copy)]
struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

/// One table of a document, with the keys that were not asked for yet.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    source: Source<'a>,
    /// The table's own key, empty at the top.
    path: String,
    line: Option<usize>,
    table: DeTable<'a>,
    /// The line of each key asked for; none if the table does not have it.
    asked: HashMap<&'static str, Option<usize>>,
}

impl<'a> Section<'a> {
    /// Parses a document; `file` is its name in messages.
    pub(crate) fn parse(file: &'a str, text: &'a str) -> Result<Self> {
        let source = Source { file, text };
        let table = DeTable::parse(text).map_err(|error| DocumentError {
            file: file.to_owned(),
            line: error.span().map(|span| source.line(&span)),
            fault: Box::new(Fault::Syntax { message: error.message().replace('\n', ", ") }),
        })?;
        Ok(Self { source, path: String::new(), line: None, table: table.into_inner(), asked: HashMap::new() })
    }

    /// The full key of `key` in this table.
    pub(crate) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A fault at the line of a key that was asked for, or of the table.
    pub(crate) fn fault(&self, key: &str, fault: Fault) -> DocumentError {
        let line = self.asked.get(key).copied().flatten().or(self.line);
        DocumentError { file: self.source.file.to_owned(), line, fault: Box::new(fault) }
    }

    /// A value that cannot be.
    pub(crate) fn refused(&self, key: &str, value: impl Into<String>, reason: &'static str) -> DocumentError {
        self.fault(key, Fault::Refused { key: self.key(key), value: value.into(), reason })
    }

    /// Two keys of which only one may be there; `other` is of the same table.
    pub(crate) fn exclusive(&self, key: &str, other: &'static str) -> DocumentError {
        self.fault(key, Fault::Exclusive { key: self.key(key), other })
    }

    /// A part of the format that fnpack cannot use yet.
    pub(crate) fn unsupported(&self, key: &str, instead: &'static str) -> DocumentError {
        self.fault(key, Fault::Unsupported { key: self.key(key), instead })
    }

    /// A required key that is not there, or the mistyped one in its place.
    pub(crate) fn missing(&self, key: &str) -> DocumentError {
        let mistyped = self.table.keys().find(|found| is_near(found.get_ref(), key));
        match mistyped {
            Some(found) => self.unknown_key(found, Some(key.to_owned())),
            None => self.fault(key, Fault::Missing { key: self.key(key) }),
        }
    }

    /// Whether the table has the key; does not count as asking for it.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A text; `None` if the key is not there.
    pub(crate) fn string(&mut self, key: &'static str) -> Result<Option<String>> {
        self.take(key).map(|value| self.as_string(key, value)).transpose()
    }

    /// A text that must be there and not be empty.
    pub(crate) fn required_string(&mut self, key: &'static str) -> Result<String> {
        self.string(key)?.filter(|text| !text.is_empty()).ok_or_else(|| self.missing(key))
    }

    /// `true` or `false`; `false` if the key is not there.
    pub(crate) fn boolean(&mut self, key: &'static str) -> Result<bool> {
        match self.take(key) {
            None => Ok(false),
            Some(DeValue::Boolean(value)) => Ok(value),
            Some(other) => Err(self.wrong_type(key, "`true` or `false`", &other)),
        }
    }

    /// A list of texts; empty if the key is not there.
    pub(crate) fn strings(&mut self, key: &'static str) -> Result<Vec<String>> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(DeValue::Array(items)) => items.into_iter().map(|item| self.as_string(key, item.into_inner())).collect(),
            Some(other) => Err(self.wrong_type(key, "a list of strings", &other)),
        }
    }

    /// A table; `None` if the key is not there.
    pub(crate) fn section(&mut self, key: &'static str) -> Result<Option<Section<'a>>> {
        match self.take(key) {
            None => Ok(None),
            Some(DeValue::Table(table)) => Ok(Some(self.child(key, self.asked.get(key).copied().flatten(), table))),
            Some(other) => Err(self.wrong_type(key, "a table", &other)),
        }
    }

    /// A list of tables; empty if the key is not there.
    pub(crate) fn sections(&mut self, key: &'static str) -> Result<Vec<Section<'a>>> {
        let items = match self.take(key) {
            None => return Ok(Vec::new()),
            Some(DeValue::Array(items)) => items,
            Some(other) => return Err(self.wrong_type(key, "a list of tables", &other)),
        };
        let mut sections = Vec::new();
        for item in items {
            let line = self.source.line(&item.span());
            match item.into_inner() {
                DeValue::Table(table) => sections.push(self.child(key, Some(line), table)),
                other => return Err(self.wrong_type(key, "a list of tables", &other)),
            }
        }
        Ok(sections)
    }

    /// Accepts a key whatever it holds.
    pub(crate) fn accept(&mut self, key: &'static str) {
        self.take(key);
    }

    /// The first key that nobody asked for is an error.
    pub(crate) fn end(&self) -> Result<()> {
        self.unknown().into_iter().next().map_or(Ok(()), Err)
    }

    /// The keys that nobody asked for.
    pub(crate) fn unknown(&self) -> Vec<DocumentError> {
        self.table.keys().map(|key| self.unknown_key(key, self.nearest(key.get_ref()))).collect()
    }

    fn unknown_key(&self, key: &Spanned<DeString<'_>>, suggestion: Option<String>) -> DocumentError {
        let fault = Fault::UnknownKey { key: self.key(key.get_ref()), suggestion };
        DocumentError { file: self.source.file.to_owned(), line: Some(self.source.line(&key.span())), fault: Box::new(fault) }
    }

    fn nearest(&self, key: &str) -> Option<String> {
        let near = self.asked.keys().filter(|known| is_near(key, known));
        near.min_by_key(|known| (strsim::damerau_levenshtein(key, known), **known)).map(|known| (*known).to_owned())
    }

    fn take(&mut self, key: &'static str) -> Option<DeValue<'a>> {
        let found = self.table.remove_entry(key);
        self.asked.insert(key, found.as_ref().map(|(name, _)| self.source.line(&name.span())));
        found.map(|(_, value)| value.into_inner())
    }

    fn as_string(&self, key: &'static str, value: DeValue<'a>) -> Result<String> {
        match value {
            DeValue::String(text) => Ok(text.into_owned()),
            other => Err(self.wrong_type(key, "a string", &other)),
        }
    }

    fn child(&self, key: &str, line: Option<usize>, table: DeTable<'a>) -> Section<'a> {
        Section { source: self.source, path: self.key(key), line, table, asked: HashMap::new() }
    }

    fn wrong_type(&self, key: &str, expected: &'static str, found: &DeValue<'_>) -> DocumentError {
        self.fault(key, Fault::WrongType { key: self.key(key), expected, found: kind(found) })
    }
}

impl Source<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        self.text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
    }
}

/// Whether one is probably the other, mistyped.
fn is_near(key: &str, known: &str) -> bool {
    strsim::damerau_levenshtein(key, known) <= known.len().max(3) / 3
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
