//! What can be wrong with a Dockerfile's text.

use super::keyword::Keyword;
use crate::dockerfile::expand::ExpandError;

/// A mistake and its line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// The mistake.
    pub problem: Problem,
}

/// A mistake in a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// More bytes than a Dockerfile can sensibly have.
    #[error("the file is longer than {limit} bytes")]
    TooLong {
        /// What is read at most.
        limit: usize,
    },
    /// Not UTF-8.
    #[error("the line is not text in UTF-8")]
    NotUtf8,
    /// No command can hold it.
    #[error("the line holds a NUL byte")]
    Nul,
    /// Nothing but comments.
    #[error("the file has no instruction")]
    Empty,
    /// Only `ARG`.
    #[error("there is no `FROM`")]
    NoStage,
    /// Something other than `ARG` first.
    #[error("`{keyword}` stands before the first `FROM`")]
    BeforeFrom {
        /// The instruction.
        keyword: Keyword,
    },
    /// A word that is no instruction of the language.
    #[error("`{word}` is not an instruction{}", suggestion(*meant))]
    UnknownInstruction {
        /// The word.
        word: String,
        /// The instruction closest to it.
        meant: Option<Keyword>,
    },
    /// An instruction of the language that fnpack does not have yet.
    #[error("`{keyword}` is not supported yet (supported are {})", Keyword::supported_list())]
    UnsupportedInstruction {
        /// The instruction.
        keyword: Keyword,
    },
    /// A flag of the language that fnpack does not have yet.
    #[error("`{keyword} --{flag}` is not supported yet")]
    UnsupportedFlag {
        /// The instruction.
        keyword: Keyword,
        /// The flag.
        flag: String,
    },
    /// A form of the language that fnpack does not have yet.
    #[error("{what} is not supported yet")]
    UnsupportedForm {
        /// The form, as a noun phrase.
        what: &'static str,
    },
    /// A flag that the language does not have.
    #[error("`{keyword}` has no flag `--{flag}`")]
    UnknownFlag {
        /// The instruction.
        keyword: Keyword,
        /// The flag.
        flag: String,
    },
    /// The same flag again.
    #[error("`--{flag}` is given twice")]
    RepeatedFlag {
        /// The flag.
        flag: String,
    },
    /// A flag without its value.
    #[error("`--{flag}` needs a value: `--{flag}=…`")]
    FlagWithoutValue {
        /// The flag.
        flag: String,
    },
    /// A flag that is set or not, with something else.
    #[error("`--{flag}` is `true` or `false`")]
    NotASwitch {
        /// The flag.
        flag: &'static str,
    },
    /// A variable where Docker expands none.
    #[error("`--{flag}` cannot hold a variable")]
    VariableInFlag {
        /// The flag.
        flag: &'static str,
    },
    /// Too few or too many words.
    #[error("`{keyword}` needs {needed}")]
    Operands {
        /// The instruction.
        keyword: Keyword,
        /// What it needs, as a noun phrase.
        needed: &'static str,
    },
    /// One of several pairs has no `=`.
    #[error("`{word}` has no `=`: `{keyword}` takes `name=value` pairs")]
    NotAPair {
        /// The instruction.
        keyword: Keyword,
        /// The word.
        word: String,
    },
    /// `=value`.
    #[error("`{word}` has no name before the `=`")]
    NoName {
        /// The word.
        word: String,
    },
    /// A JSON array with something other than strings in it.
    #[error("the exec form of `{keyword}` takes strings only")]
    NotStrings {
        /// The instruction.
        keyword: Keyword,
    },
    /// A stage name against the rule.
    #[error("`{name}` cannot be a stage name: it starts with a letter, and letters, digits, `-`, `_` and `.` follow")]
    StageName {
        /// The name as written.
        name: String,
    },
    /// Two stages of one name.
    #[error("the stage `{name}` is defined on line {first} already")]
    RepeatedStage {
        /// The name.
        name: String,
        /// The line of the first.
        first: usize,
    },
    /// The end of the file before the end of a here-document.
    #[error("the here-document `{name}` has no end: a line with `{name}` alone is missing")]
    EndlessDocument {
        /// The word that should end it.
        name: String,
    },
    /// The same directive again.
    #[error("the directive `{key}` is given twice")]
    RepeatedDirective {
        /// The key.
        key: String,
    },
    /// `# escape=` with another character.
    #[error("`{value}` cannot be the escape character: only `\\` and ` can")]
    EscapeCharacter {
        /// The value.
        value: String,
    },
    /// A quote or a brace that is not closed, a modifier that is not known.
    #[error(transparent)]
    Expansion(#[from] ExpandError),
}

fn suggestion(meant: Option<Keyword>) -> String {
    meant.map(|keyword| format!(" (did you mean `{keyword}`?)")).unwrap_or_default()
}
