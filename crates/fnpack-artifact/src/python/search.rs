//! Which functions a set of Python files holds, under the names that Pulsar calls them by.

use std::io::{self, Read};
use std::path::Path;

use fs_err::File;

use super::own_code::{is_source, own_files};
use super::source::{Kind, Position, SourceFile, Verdict};

/// Larger files are not written by hand; only their start is looked at.
pub(super) const FILE_LIMIT: u64 = 4 << 20;

/// More files than a function has; the rest is not looked at.
const FILES_LIMIT: usize = 10_000;

/// How many entries a message lists.
const LISTED: usize = 5;

/// Words that name nothing.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except",
    "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try",
    "while", "with", "yield",
];

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    definitions: Vec<Located>,
    broken: Vec<(String, Position)>,
    files: usize,
}

/// A definition and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// What Pulsar calls it by: `package.module.Class`, or a bare module.
    pub class_name: String,
    /// The file, relative to the import root.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    verdict: Verdict,
    /// The module that it is in.
    module: String,
}

/// Why no one function is chosen; the text is for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoFunction {
    /// There is none.
    #[error(
        "looked for a Python function, a class with process(self, input, context) or a module with process(input): not found ({})",
        absence(*.files, .remarks)
    )]
    Absent {
        /// How many Python files there are.
        files: usize,
        /// What comes near.
        remarks: Vec<String>,
    },
    /// There are several.
    #[error("several Python functions: {}", listed(.0))]
    Several(Vec<String>),
    /// There is no such class.
    #[error("there is no `{wanted}`{}", introduced("found ", .found))]
    NotThere {
        /// The name given.
        wanted: String,
        /// Those that are there.
        found: Vec<String>,
    },
    /// Pulsar cannot run it.
    #[error("{file}:{line}: `{wanted}` {reason}")]
    Refused {
        /// The name given.
        wanted: String,
        /// The file, relative to the import root.
        file: String,
        /// Its line.
        line: usize,
        /// Why.
        reason: String,
    },
}

fn absence(files: usize, remarks: &[String]) -> String {
    match (files, remarks) {
        (0, []) => "no .py file".to_owned(),
        (1, []) => "in 1 Python file".to_owned(),
        (files, []) => format!("in {files} Python files"),
        (_, remarks) => listed(remarks),
    }
}

fn listed(entries: &[String]) -> String {
    let more = if entries.len() > LISTED { ", …" } else { "" };
    format!("{}{more}", entries.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", "))
}

fn introduced(introduction: &str, entries: &[String]) -> String {
    if entries.is_empty() { String::new() } else { format!(" ({introduction}{})", listed(entries)) }
}

impl Search {
    /// Looks through the own code of an import root; `is_top` as [`own_files`] has it.
    pub fn folder(root: &Path, is_top: bool) -> io::Result<Self> {
        let mut search = Self::default();
        for file in own_files(root, is_top)?.iter().filter(|file| is_source(file)) {
            let mut bytes = Vec::new();
            File::open(root.join(file))?.take(FILE_LIMIT).read_to_end(&mut bytes)?;
            search.add(&file.to_string_lossy(), &bytes);
        }
        Ok(search)
    }

    /// Adds a file by its path from the import root.
    pub fn add(&mut self, path: &str, bytes: &[u8]) {
        self.files += 1;
        let Some(module) = module_name(path).filter(|_| self.files <= FILES_LIMIT) else { return };
        let source = SourceFile::parse(&String::from_utf8_lossy(bytes));
        self.broken.extend(source.syntax_error.map(|place| (path.to_owned(), place)));
        self.definitions.extend(source.definitions.into_iter().map(|definition| {
            let is_module = definition.name == "process" && matches!(definition.verdict, Verdict::Function(_) | Verdict::Refused(_));
            let is_class = definition.verdict != Verdict::PlainFunction && !is_module;
            let class_name = if is_class || !is_module { format!("{module}.{}", definition.name) } else { module.clone() };
            Located { class_name, file: path.to_owned(), line: definition.line, verdict: definition.verdict, module: module.clone() }
        }));
    }

    /// The function that is meant: the one with this name, or else the only one of those that leave the least doubt.
    pub fn choose(&self, wanted: Option<&str>) -> Result<&Located, NoFunction> {
        match wanted {
            Some(wanted) => self.named(wanted),
            None => self.only(),
        }
    }

    /// Files that are not Python all through, with the first place that is not.
    pub fn broken(&self) -> &[(String, Position)] {
        &self.broken
    }

    fn only(&self) -> Result<&Located, NoFunction> {
        let kinds = self.definitions.iter().filter_map(Located::kind);
        let Some(clearest) = kinds.min() else {
            return Err(NoFunction::Absent { files: self.files, remarks: self.remarks() });
        };
        let mut found = self.definitions.iter().filter(|located| located.kind() == Some(clearest));
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(NoFunction::Several(self.names_of(clearest))),
        }
    }

    fn named(&self, wanted: &str) -> Result<&Located, NoFunction> {
        let Some(located) = self.definitions.iter().find(|located| located.class_name == wanted) else {
            let found = [Kind::Derived, Kind::Shaped, Kind::Module].into_iter().flat_map(|kind| self.names_of(kind)).collect();
            return Err(NoFunction::NotThere { wanted: wanted.to_owned(), found });
        };
        match located.refusal() {
            // A class whose base is elsewhere is believed to be what the user says.
            None => Ok(located),
            Some(reason) => Err(NoFunction::Refused { wanted: wanted.to_owned(), file: located.file.clone(), line: located.line, reason }),
        }
    }

    fn names_of(&self, kind: Kind) -> Vec<String> {
        self.definitions.iter().filter(|located| located.kind() == Some(kind)).map(|located| located.class_name.clone()).collect()
    }

    /// What comes near to a function, and what could not be read.
    fn remarks(&self) -> Vec<String> {
        let refused = self.definitions.iter().filter(|located| {
            let is_module = matches!(located.verdict, Verdict::Function(Kind::Module));
            matches!(located.verdict, Verdict::Refused(_)) || is_module
        });
        let refused = refused
            .filter_map(|located| Some(format!("{}:{}: `{}` {}", located.file, located.line, located.class_name, located.refusal()?)));
        let broken = self.broken.iter().map(|(file, place)| format!("{file}:{place}: not Python"));
        refused.chain(broken).collect()
    }
}

impl Located {
    /// None if Pulsar cannot run it.
    pub fn kind(&self) -> Option<Kind> {
        match self.verdict {
            Verdict::Function(kind) if self.refusal().is_none() => Some(kind),
            _ => None,
        }
    }

    /// Why Pulsar cannot run it under its name.
    fn refusal(&self) -> Option<String> {
        match self.verdict {
            Verdict::Refused(refusal) => Some(refusal.to_string()),
            Verdict::Function(Kind::Module) if self.module.contains('.') => Some(
                "has process(input), but Pulsar takes only modules outside of packages so: move the file to the top, or write a class"
                    .to_owned(),
            ),
            Verdict::PlainClass => Some("has no process(self, input, context)".to_owned()),
            Verdict::PlainFunction => Some("is a function, and Pulsar calls a class, or a bare module with process(input)".to_owned()),
            Verdict::Function(_) | Verdict::Unknown => None,
        }
    }
}

/// `orders/exclaim.py` is `orders.exclaim`. None for what cannot be imported, such as `my-function.py`.
fn module_name(path: &str) -> Option<String> {
    let path = path.strip_suffix(".py")?;
    let path = path.strip_suffix("/__init__").unwrap_or(path);
    let valid = path.split('/').all(is_identifier) && !path.ends_with("__main__") && path != "__init__";
    valid.then(|| path.replace('/', "."))
}

fn is_identifier(name: &str) -> bool {
    let letter = |letter: char| letter == '_' || letter.is_alphanumeric();
    name.chars().all(letter) && !name.starts_with(|first: char| first.is_numeric()) && !name.is_empty() && !KEYWORDS.contains(&name)
}

#[cfg(test)]
mod tests;
