//! The text of a Dockerfile to typed values.
//!
//! Answers the Dockerfile reference as BuildKit reads it: directives, comments, continuations,
//! here-documents, flags, JSON and shell forms. Every instruction of the language is known by name;
//! one that fnpack does not carry out is an error and never skipped.

pub mod ast;
mod document;
mod error;
mod instruction;
mod keyword;
mod lines;
mod words;

pub(super) use document::is_whole as is_whole_document;
pub use error::{ParseError, Problem};
pub use keyword::Keyword;

use ast::{ArgumentStep, Dockerfile, Instruction, Stage, Step, Warning};
use instruction::Parsed;
use lines::{Line, Lines};

/// What is read of a file at most. Real ones have a few thousand bytes.
pub const MAXIMUM_BYTES: usize = 1 << 20;

/// Parses the bytes of a file; the first mistake ends it.
pub fn parse_bytes(bytes: &[u8]) -> Result<Dockerfile, ParseError> {
    parse(text_of(bytes)?)
}

/// Parses a text; the first mistake ends it.
pub fn parse(text: &str) -> Result<Dockerfile, ParseError> {
    let (dockerfile, mistakes) = parse_all(text);
    match mistakes.into_iter().next() {
        Some(mistake) => Err(mistake),
        None => Ok(dockerfile),
    }
}

/// Parses a text to its end and gives what could be read and all mistakes.
pub(super) fn parse_all(text: &str) -> (Dockerfile, Vec<ParseError>) {
    let mut parser = Parser::default();
    let mut lines = Lines::new(text);
    let directives = lines.directives().unwrap_or_else(|mistake| {
        parser.mistakes.push(mistake);
        ast::Directives { syntax: None, escape: '\\', check: None }
    });
    if text.len() > MAXIMUM_BYTES {
        parser.mistakes.push(ParseError { line: 1, problem: Problem::TooLong { limit: MAXIMUM_BYTES } });
    } else {
        while let Some(line) = lines.next_line() {
            match line {
                Ok(line) => parser.line(&line, directives.escape),
                Err(mistake) => parser.mistakes.push(mistake),
            }
        }
        parser.end();
    }
    let Parser { arguments, stages, warnings, mistakes, .. } = parser;
    (Dockerfile { directives, arguments, stages, warnings }, mistakes)
}

/// The bytes as text, or where they are none.
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, ParseError> {
    if bytes.len() > MAXIMUM_BYTES {
        return Err(ParseError { line: 1, problem: Problem::TooLong { limit: MAXIMUM_BYTES } });
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        ParseError { line: valid.split(|byte| *byte == b'\n').count(), problem: Problem::NotUtf8 }
    })
}

#[derive(Default)]
struct Parser {
    arguments: Vec<ArgumentStep>,
    stages: Vec<Stage>,
    warnings: Vec<Warning>,
    mistakes: Vec<ParseError>,
    instructions: usize,
}

impl Parser {
    fn line(&mut self, line: &Line, escape: char) {
        self.instructions += 1;
        let at = line.position.line;
        if let Some(blank) = line.blank_inside {
            self.warn(blank, "an empty line inside an instruction: end the line before without a continuation, or write `#`".to_owned());
        }
        if line.text.contains('\0') || line.documents.iter().any(|document| document.content.contains('\0')) {
            return self.mistakes.push(ParseError { line: at, problem: Problem::Nul });
        }
        let mut remarks = Vec::new();
        let result = instruction::parse(line, escape, &mut remarks).and_then(|parsed| self.place(parsed, line));
        for remark in remarks {
            self.warn(at, remark);
        }
        if let Err(problem) = result {
            self.mistakes.push(ParseError { line: at, problem });
        }
    }

    fn place(&mut self, parsed: Parsed, line: &Line) -> Result<(), Problem> {
        let (position, text) = (line.position.clone(), line.text.clone());
        match (parsed, self.stages.last_mut()) {
            (Parsed::From(from), _) => {
                let same = |stage: &&Stage| from.name.is_some() && stage.from.name == from.name;
                if let (Some(first), Some(name)) = (self.stages.iter().find(same), &from.name) {
                    return Err(Problem::RepeatedStage { name: name.clone(), first: first.position.line });
                }
                self.stages.push(Stage { from, position, text, steps: Vec::new() });
            }
            (Parsed::Instruction(instruction), Some(stage)) => stage.steps.push(Step { position, text, instruction }),
            (Parsed::Instruction(Instruction::Arg(arguments)), None) => self.arguments.push(ArgumentStep { position, arguments }),
            (Parsed::Instruction(_), None) => {
                // A mistake in a FROM is one mistake: what follows it is not blamed for the missing stage.
                let keyword = Keyword::of(words::first_word(&line.text).0);
                if let (Some(keyword), true) = (keyword, self.mistakes.is_empty()) {
                    return Err(Problem::BeforeFrom { keyword });
                }
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        if self.mistakes.is_empty() && self.stages.is_empty() {
            let problem = if self.instructions == 0 { Problem::Empty } else { Problem::NoStage };
            self.mistakes.push(ParseError { line: 1, problem });
        }
    }

    fn warn(&mut self, line: usize, message: String) {
        self.warnings.push(Warning { line, message });
    }
}

#[cfg(test)]
mod tests;
