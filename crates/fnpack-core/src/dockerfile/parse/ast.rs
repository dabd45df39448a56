//! A Dockerfile as typed values.
//!
//! Words are kept as written: variables in them are expanded when a stage is built, because what
//! they mean depends on the steps before.

use std::ops::Range;

/// A whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    /// The parser directives at the top.
    pub directives: Directives,
    /// The `ARG` instructions before the first `FROM`.
    pub arguments: Vec<ArgumentStep>,
    /// The stages, in order; never empty.
    pub stages: Vec<Stage>,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Warning>,
}

/// `# key=value` lines at the top of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directives {
    /// `# syntax=`: the BuildKit frontend asked for. Known and without effect: fnpack has one parser.
    pub syntax: Option<String>,
    /// `# escape=`: the character that escapes and continues lines.
    pub escape: char,
    /// `# check=`: options of BuildKit's own linter. Known and without effect.
    pub check: Option<String>,
}

/// Where something stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The first line, counted from 1.
    pub line: usize,
    /// The last line, here-documents included.
    pub last_line: usize,
    /// The bytes from the first to the last line, as an index into the text.
    pub span: Range<usize>,
}

/// A remark on something that is allowed and probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The line it is about.
    pub line: usize,
    /// The remark.
    pub message: String,
}

/// One `FROM` and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The base.
    pub from: From,
    /// Where the `FROM` stands.
    pub position: Position,
    /// The `FROM` line with continuations joined.
    pub text: String,
    /// The instructions after it.
    pub steps: Vec<Step>,
}

/// The operands of `FROM`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct From {
    /// An image name, an earlier stage or `scratch`; may hold variables.
    pub image: String,
    /// `--platform`; may hold variables.
    pub platform: Option<String>,
    /// The stage's own name, in lower case.
    pub name: Option<String>,
}

/// An `ARG` before the first `FROM`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentStep {
    /// Where it stands.
    pub position: Position,
    /// What it declares.
    pub arguments: Vec<Argument>,
}

/// An instruction inside a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where it stands.
    pub position: Position,
    /// The line with continuations joined, for people.
    pub text: String,
    /// What it says.
    pub instruction: Instruction,
}

/// The supported instructions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instruction {
    /// `ARG`.
    Arg(Vec<Argument>),
    /// `RUN`.
    Run(Run),
    /// `COPY`.
    Copy(Copy),
    /// `ENV`.
    Env(Vec<Pair>),
    /// `LABEL`.
    Label(Vec<Pair>),
    /// `USER`.
    User(String),
    /// `WORKDIR`.
    Workdir(String),
    /// `ENTRYPOINT`.
    Entrypoint(CommandLine),
    /// `CMD`.
    Cmd(CommandLine),
}

/// A declared build argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its default; may hold variables.
    pub default: Option<String>,
}

/// A name and a value, both of which may hold variables and quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A command in one of its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandLine {
    /// A line for the shell.
    Shell(String),
    /// A program and its arguments, written as a JSON array.
    Exec(Vec<String>),
}

/// The operands of `RUN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The command. With here-documents it is always a line for the shell.
    pub command: CommandLine,
    /// The here-documents, in the order in which the line names them.
    pub documents: Vec<HereDocument>,
}

/// The operands of `COPY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// `--from`: a stage by name or number, or an image. Never expanded, as in Docker.
    pub from: Option<String>,
    /// `--chown`; may hold variables.
    pub chown: Option<String>,
    /// `--chmod`; may hold variables.
    pub chmod: Option<String>,
    /// `--link`: the layer depends on nothing below it.
    pub link: bool,
    /// At least one; may hold variables and wildcards.
    pub sources: Vec<String>,
    /// May hold variables.
    pub destination: String,
}

/// `<<NAME` and the lines up to `NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HereDocument {
    /// The word that ends it.
    pub name: String,
    /// The number before `<<`; 0 if there is none.
    pub descriptor: u32,
    /// Whether it was written `<<-`: tabs at the start of lines do not count.
    pub strip_tabs: bool,
    /// Whether variables are expanded: no part of the name was quoted.
    pub expand: bool,
    /// The lines, each ended by a newline, tabs not yet stripped.
    pub content: String,
}

impl HereDocument {
    /// The content as meant: with `<<-`, without tabs at the start of lines.
    pub fn text(&self) -> String {
        if !self.strip_tabs {
            return self.content.clone();
        }
        self.content.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
    }
}

impl Copy {
    /// The instruction as the history of an image shows it.
    pub(in crate::dockerfile) fn history(&self, sources: &[String], destination: &str) -> String {
        let mut text = String::from("COPY");
        for (flag, value) in [("from", &self.from), ("chown", &self.chown), ("chmod", &self.chmod)] {
            if let Some(value) = value {
                text = format!("{text} --{flag}={value}");
            }
        }
        if self.link {
            text.push_str(" --link");
        }
        format!("{text} {} {destination}", sources.join(" "))
    }
}
