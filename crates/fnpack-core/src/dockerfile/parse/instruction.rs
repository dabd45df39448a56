//! One line into one instruction.

use super::ast::{Argument, CommandLine, Copy, From, Instruction, Pair, Run};
use super::error::Problem;
use super::keyword::Keyword;
use super::lines::Line;
use super::words::{Flag, Form, first_word, form, is_blank, split, split_flags};

/// What a line says: the start of a stage or an instruction in one.
pub(super) enum Parsed {
    From(From),
    Instruction(Instruction),
}

/// An instruction's operands, with what is needed to read them.
struct Operands<'a> {
    keyword: Keyword,
    flags: Vec<Flag>,
    text: &'a str,
    escape: char,
    line: &'a Line,
}

/// Reads an instruction; remarks go to `warnings`.
pub(super) fn parse(line: &Line, escape: char, warnings: &mut Vec<String>) -> Result<Parsed, Problem> {
    let (word, rest) = first_word(&line.text);
    let keyword = Keyword::of(word).ok_or_else(|| Problem::UnknownInstruction { word: word.to_owned(), meant: Keyword::nearest(word) })?;
    if !keyword.is_supported() {
        return Err(Problem::UnsupportedInstruction { keyword });
    }
    let (flags, text) = split_flags(rest);
    let operands = Operands { keyword, flags, text, escape, line };
    operands.check_flags()?;
    let instruction = match keyword {
        Keyword::From => return operands.from().map(Parsed::From),
        Keyword::Arg => Instruction::Arg(operands.arguments()?),
        Keyword::Run => Instruction::Run(operands.run(warnings)?),
        Keyword::Copy => Instruction::Copy(operands.copy()?),
        Keyword::Env => Instruction::Env(operands.pairs(warnings)?),
        Keyword::Label => Instruction::Label(operands.pairs(warnings)?),
        Keyword::User => Instruction::User(operands.single("a user")?),
        Keyword::Workdir => Instruction::Workdir(operands.single("a folder")?),
        Keyword::Entrypoint => Instruction::Entrypoint(operands.command(warnings)?),
        Keyword::Cmd => Instruction::Cmd(operands.command(warnings)?),
        _ => return Err(Problem::UnsupportedInstruction { keyword }),
    };
    Ok(Parsed::Instruction(instruction))
}

/// The one flag that means something without a value.
const LINK: &str = "link";

/// The flags that fnpack carries out, and those of the language that it does not have yet.
fn flags_of(keyword: Keyword) -> (&'static [&'static str], &'static [&'static str]) {
    match keyword {
        Keyword::From => (&["platform"], &[]),
        Keyword::Run => (&[], &["mount", "network", "security", "device"]),
        Keyword::Copy => (&["from", "chown", "chmod", "link"], &["parents", "exclude"]),
        _ => (&[], &[]),
    }
}

impl Operands<'_> {
    fn check_flags(&self) -> Result<(), Problem> {
        let keyword = self.keyword;
        let (supported, known) = flags_of(keyword);
        for (index, Flag { name, value }) in self.flags.iter().enumerate() {
            let flag = name.clone();
            if known.contains(&name.as_str()) {
                return Err(Problem::UnsupportedFlag { keyword, flag });
            }
            if !supported.contains(&name.as_str()) {
                return Err(Problem::UnknownFlag { keyword, flag });
            }
            if value.as_deref().is_none_or(str::is_empty) && !(name == LINK && value.is_none()) {
                return Err(Problem::FlagWithoutValue { flag });
            }
            if self.flags.iter().take(index).any(|earlier| earlier.name == *name) {
                return Err(Problem::RepeatedFlag { flag });
            }
        }
        Ok(())
    }

    fn flag(&self, name: &str) -> Option<String> {
        self.flags.iter().find(|flag| flag.name == name).and_then(|flag| flag.value.clone())
    }

    /// A flag that is set by being there, or by a word.
    fn switch(&self, name: &'static str) -> Result<bool, Problem> {
        let Some(flag) = self.flags.iter().find(|flag| flag.name == name) else { return Ok(false) };
        match flag.value.as_deref() {
            None => Ok(true),
            Some(word) if word.eq_ignore_ascii_case("true") => Ok(true),
            Some(word) if word.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(Problem::NotASwitch { flag: name }),
        }
    }

    fn wrong(&self, needed: &'static str) -> Problem {
        Problem::Operands { keyword: self.keyword, needed }
    }

    fn from(&self) -> Result<From, Problem> {
        let words: Vec<&str> = self.text.split(is_blank).filter(|word| !word.is_empty()).collect();
        let (image, name) = match words.as_slice() {
            [image] => (image, None),
            [image, keyword, name] if keyword.eq_ignore_ascii_case("AS") => (image, Some(stage_name(name)?)),
            _ => return Err(self.wrong("an image, or `image AS stage`")),
        };
        Ok(From { image: (*image).to_owned(), platform: self.flag("platform"), name })
    }

    fn arguments(&self) -> Result<Vec<Argument>, Problem> {
        let words = split(self.text, self.escape);
        if words.is_empty() {
            return Err(self.wrong("a name"));
        }
        words
            .into_iter()
            .map(|word| {
                let (name, default) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value.to_owned())));
                if name.is_empty() {
                    return Err(Problem::NoName { word: word.to_owned() });
                }
                Ok(Argument { name: name.to_owned(), default })
            })
            .collect()
    }

    fn pairs(&self, warnings: &mut Vec<String>) -> Result<Vec<Pair>, Problem> {
        let words = split(self.text, self.escape);
        let Some(first) = words.first() else { return Err(self.wrong("a name and a value")) };
        if !first.contains('=') {
            let (name, value) = first_word(self.text);
            if value.is_empty() {
                return Err(self.wrong("a name and a value"));
            }
            let keyword = self.keyword;
            warnings.push(format!("`{keyword} {name} value` is the old form: write `{keyword} {name}=value`"));
            return Ok(vec![Pair { name: name.to_owned(), value: value.to_owned() }]);
        }
        words.into_iter().map(|word| self.pair(word)).collect()
    }

    fn pair(&self, word: &str) -> Result<Pair, Problem> {
        match word.split_once('=') {
            None => Err(Problem::NotAPair { keyword: self.keyword, word: word.to_owned() }),
            Some(("", _)) => Err(Problem::NoName { word: word.to_owned() }),
            Some((name, value)) => Ok(Pair { name: name.to_owned(), value: value.to_owned() }),
        }
    }

    fn single(&self, needed: &'static str) -> Result<String, Problem> {
        if self.text.is_empty() { Err(self.wrong(needed)) } else { Ok(self.text.to_owned()) }
    }

    fn command(&self, warnings: &mut Vec<String>) -> Result<CommandLine, Problem> {
        match form(self.keyword, self.text)? {
            Form::Exec(words) => Ok(CommandLine::Exec(words)),
            Form::Text(array) => {
                if self.text.is_empty() {
                    return Err(self.wrong("a command"));
                }
                if array {
                    warnings.push(format!("`{}` is not a JSON array, so it goes to the shell as it is", self.text));
                }
                Ok(CommandLine::Shell(self.text.to_owned()))
            }
        }
    }

    fn run(&self, warnings: &mut Vec<String>) -> Result<Run, Problem> {
        let command = self.command(warnings)?;
        if matches!(&command, CommandLine::Exec(words) if words.is_empty()) {
            return Err(self.wrong("a command"));
        }
        Ok(Run { command, documents: self.line.documents.clone() })
    }

    fn copy(&self) -> Result<Copy, Problem> {
        if !self.line.documents.is_empty() {
            return Err(Problem::UnsupportedForm { what: "a here-document in `COPY`" });
        }
        let mut words = match form(self.keyword, self.text)? {
            Form::Exec(words) => words,
            Form::Text(_) => self.text.split(is_blank).filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        };
        let destination = words.pop();
        let (Some(destination), false) = (destination, words.is_empty()) else {
            return Err(self.wrong("at least one source and a destination"));
        };
        let from = self.flag("from");
        if from.as_ref().is_some_and(|from| from.contains('$')) {
            return Err(Problem::VariableInFlag { flag: "from" });
        }
        let (link, chown, chmod) = (self.switch(LINK)?, self.flag("chown"), self.flag("chmod"));
        Ok(Copy { from, chown, chmod, link, sources: words, destination })
    }
}

/// Checks a stage name and gives it in lower case: stage names do not tell case apart.
fn stage_name(name: &str) -> Result<String, Problem> {
    let lower = name.to_ascii_lowercase();
    let starts_well = lower.starts_with(|first: char| first.is_ascii_lowercase());
    let goes_on_well = lower.chars().all(|next| next.is_ascii_lowercase() || next.is_ascii_digit() || matches!(next, '-' | '_' | '.'));
    if starts_well && goes_on_well { Ok(lower) } else { Err(Problem::StageName { name: name.to_owned() }) }
}
