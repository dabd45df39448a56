//! Variables, quotes and escapes in words (Dockerfile reference, "Environment replacement").
//!
//! `$name`, `${name}`, `${name:-word}`, `${name:+word}`, `${name:?word}` and the three without `:`,
//! which tell an empty value from none. Quotes are taken off in the same pass: nothing is expanded
//! inside single quotes, and a value is never looked at again.

/// Deeper nesting of `${a:-${b:-…}}` is refused, so that a hostile file cannot exhaust the stack.
const MAXIMUM_DEPTH: usize = 32;
/// A longer result is refused: `ENV a=$a$a` doubles with every line.
const MAXIMUM_LENGTH: usize = 1 << 20;

/// Why a word cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A quote without its partner.
    #[error("the quote {quote} in `{word}` is not closed")]
    OpenQuote {
        /// The word.
        word: String,
        /// The quote.
        quote: char,
    },
    /// A `${` without its `}`.
    #[error("the `${{` in `{word}` is not closed")]
    OpenBrace {
        /// The word.
        word: String,
    },
    /// `${}` and the like.
    #[error("the `${{` in `{word}` is not followed by a name")]
    NoName {
        /// The word.
        word: String,
    },
    /// A modifier that the language does not have, or that fnpack does not have yet.
    #[error("the modifier `{modifier}` in `{word}` is not supported")]
    Modifier {
        /// The word.
        word: String,
        /// What follows the name.
        modifier: String,
    },
    /// `${name:?message}` of an unset variable.
    #[error("`{name}` {message}")]
    Required {
        /// The variable.
        name: String,
        /// What the file says about it.
        message: String,
    },
    /// Braces in braces in braces.
    #[error("`{word}` is nested deeper than {MAXIMUM_DEPTH} levels")]
    TooDeep {
        /// The word.
        word: String,
    },
    /// A result of absurd length.
    #[error("variables are expanded to more text than a build can use")]
    TooLong,
}

/// A word after expansion.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Expanded {
    /// The text.
    pub(super) text: String,
    /// Variables that were used without a default and are not set. They count as empty.
    pub(super) unset: Vec<String>,
}

/// Expands a word. `lookup` gives the value of a variable, `escape` is the file's escape character.
pub(super) fn expand(word: &str, escape: char, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Expanded, ExpandError> {
    let mut expander = Expander { word, rest: word, escape, lookup, unset: Vec::new() };
    let text = expander.until(None, 0)?;
    Ok(Expanded { text, unset: expander.unset })
}

struct Expander<'a> {
    word: &'a str,
    rest: &'a str,
    escape: char,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    unset: Vec<String>,
}

impl Expander<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    fn word(&self) -> String {
        self.word.to_owned()
    }

    /// Reads up to `end`, which is consumed, or to the end of the word.
    fn until(&mut self, end: Option<char>, depth: usize) -> Result<String, ExpandError> {
        if depth > MAXIMUM_DEPTH {
            return Err(ExpandError::TooDeep { word: self.word() });
        }
        let mut text = String::new();
        while let Some(character) = self.next() {
            match character {
                _ if Some(character) == end => return Ok(text),
                '\'' => self.single_quoted(&mut text)?,
                '"' => self.double_quoted(&mut text, depth)?,
                '$' => text.push_str(&self.variable(depth)?),
                _ if character == self.escape => text.extend(self.next()),
                _ => text.push(character),
            }
            if text.len() > MAXIMUM_LENGTH {
                return Err(ExpandError::TooLong);
            }
        }
        if end.is_some() { Err(ExpandError::OpenBrace { word: self.word() }) } else { Ok(text) }
    }

    fn single_quoted(&mut self, text: &mut String) -> Result<(), ExpandError> {
        let Some((quoted, rest)) = self.rest.split_once('\'') else {
            return Err(ExpandError::OpenQuote { word: self.word(), quote: '\'' });
        };
        text.push_str(quoted);
        self.rest = rest;
        Ok(())
    }

    fn double_quoted(&mut self, text: &mut String, depth: usize) -> Result<(), ExpandError> {
        while let Some(character) = self.next() {
            match character {
                '"' => return Ok(()),
                '$' => text.push_str(&self.variable(depth)?),
                _ if character == self.escape => match self.peek() {
                    Some(next) if next == '"' || next == '$' || next == self.escape => text.extend(self.next()),
                    // Before anything else, an escape character inside quotes is itself.
                    _ => text.push(character),
                },
                _ => text.push(character),
            }
            if text.len() > MAXIMUM_LENGTH {
                return Err(ExpandError::TooLong);
            }
        }
        Err(ExpandError::OpenQuote { word: self.word(), quote: '"' })
    }

    /// What follows a `$`.
    fn variable(&mut self, depth: usize) -> Result<String, ExpandError> {
        if self.peek() != Some('{') {
            let name = self.name();
            return Ok(if name.is_empty() { "$".to_owned() } else { self.value_or_note(name) });
        }
        self.next();
        let name = self.name();
        if name.is_empty() {
            let word = self.word();
            return Err(if self.rest.is_empty() { ExpandError::OpenBrace { word } } else { ExpandError::NoName { word } });
        }
        match self.next() {
            Some('}') => Ok(self.value_or_note(name)),
            Some(':') => match self.next() {
                Some(modifier @ ('-' | '+' | '?')) => self.modified(&name, modifier, true, depth),
                other => Err(self.bad_modifier(Some(':'), other)),
            },
            Some(modifier @ ('-' | '+' | '?')) => self.modified(&name, modifier, false, depth),
            other => Err(self.bad_modifier(None, other)),
        }
    }

    fn bad_modifier(&self, colon: Option<char>, modifier: Option<char>) -> ExpandError {
        match modifier {
            None => ExpandError::OpenBrace { word: self.word() },
            Some(_) => ExpandError::Modifier { word: self.word(), modifier: colon.into_iter().chain(modifier).collect() },
        }
    }

    fn modified(&mut self, name: &str, modifier: char, empty_is_unset: bool, depth: usize) -> Result<String, ExpandError> {
        let alternative = self.until(Some('}'), depth + 1)?;
        let value = (self.lookup)(name).filter(|value| !(empty_is_unset && value.is_empty()));
        match (modifier, value) {
            ('+', Some(_)) | ('-', None) => Ok(alternative),
            ('?', None) => {
                let message = if alternative.is_empty() { "is not set".to_owned() } else { format!("is not set: {alternative}") };
                Err(ExpandError::Required { name: name.to_owned(), message })
            }
            ('+', None) => Ok(String::new()),
            (_, value) => Ok(value.unwrap_or_default()),
        }
    }

    fn value_or_note(&mut self, name: String) -> String {
        (self.lookup)(&name).unwrap_or_else(|| {
            self.unset.push(name);
            String::new()
        })
    }

    /// Letters, digits and `_`; a number is a name too, as are the shell's special parameters.
    fn name(&mut self) -> String {
        let first = self.peek();
        let length = match first {
            Some(digit) if digit.is_ascii_digit() => self.rest.find(|next: char| !next.is_ascii_digit()),
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => Some(1),
            _ => self.rest.find(|next: char| !next.is_alphanumeric() && next != '_'),
        };
        let (name, rest) = self.rest.split_at(length.unwrap_or(self.rest.len()));
        self.rest = rest;
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lookup(name: &str) -> Option<String> {
        let value = match name {
            "a" => "A",
            "empty" => "",
            "quoted" => "'$a'",
            "é" => "accent",
            "12" => "twelve",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn shown(word: &str, escape: char) -> String {
        match expand(word, escape, &lookup) {
            Ok(expanded) => expanded.text,
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn expand_follows_docker() {
        for (word, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("$a", "A"),
            ("${a}", "A"),
            ("x${a}y$a.z", "xAyA.z"),
            ("$a$a", "AA"),
            ("$none", ""),
            ("${none}x", "x"),
            ("$", "$"),
            ("a$", "a$"),
            ("$.", "$."),
            ("$é", "accent"),
            ("$12x", "twelvex"),
            ("$?", ""),
            ("$quoted", "'$a'"),
            ("${a:-b}", "A"),
            ("${none:-b}", "b"),
            ("${empty:-b}", "b"),
            ("${none-b}", "b"),
            ("${empty-b}", ""),
            ("${a:+b}", "b"),
            ("${none:+b}", ""),
            ("${empty:+b}", ""),
            ("${empty+b}", "b"),
            ("${none+b}", ""),
            ("${a:?b}", "A"),
            ("${empty?b}", ""),
            ("${none:-$a}", "A"),
            ("${none:-${other:-${a}x}}", "Ax"),
            ("${none:-'}'}", "}"),
            ("${none:-}", ""),
            ("${none:-a b}", "a b"),
            ("'$a'", "$a"),
            ("\"$a\"", "A"),
            ("\"'$a'\"", "'A'"),
            ("'\"$a\"'", "\"$a\""),
            ("\\$a", "$a"),
            ("\\\\$a", "\\A"),
            ("'\\$a'", "\\$a"),
            ("\"\\$a\\\"\\\\\\x\"", "$a\"\\\\x"),
            ("\\x", "x"),
            ("x\\", "x"),
            ("\"x\\\"", "! the quote \" in `\"x\\\"` is not closed"),
            ("a\\ b", "a b"),
            ("'x", "! the quote ' in `'x` is not closed"),
            ("\"x", "! the quote \" in `\"x` is not closed"),
            ("${", "! the `${` in `${` is not closed"),
            ("${a", "! the `${` in `${a` is not closed"),
            ("${a:-b", "! the `${` in `${a:-b` is not closed"),
            ("${}", "! the `${` in `${}` is not followed by a name"),
            ("${:-a}", "! the `${` in `${:-a}` is not followed by a name"),
            ("${a:b}", "! the modifier `:b` in `${a:b}` is not supported"),
            ("${a%b}", "! the modifier `%` in `${a%b}` is not supported"),
            ("${none?}", "! `none` is not set"),
            ("${empty:?give one}", "! `empty` is not set: give one"),
        ] {
            assert_eq!(shown(word, '\\'), expected, "{word}");
        }
        assert_eq!(shown("`$a \\$a \"`\"\\x\"", '`'), "$a \\A \"\\x");
    }

    #[test]
    fn expand_names_what_is_unset() {
        let expanded = expand("$x${y}${z:-1}${empty}", '\\', &lookup).unwrap();
        assert_eq!((expanded.text.as_str(), expanded.unset), ("1", vec!["x".to_owned(), "y".to_owned()]));
    }

    #[test]
    fn expand_is_bounded() {
        let deep = "${x:-".repeat(5_000);
        assert!(matches!(expand(&deep, '\\', &lookup), Err(ExpandError::TooDeep { .. })));
        let long = "y".repeat(100_000);
        assert_eq!(expand(&"$x".repeat(20), '\\', &|_| Some(long.clone())), Err(ExpandError::TooLong));
        assert_eq!(expand(&format!("\"{}\"", "$x".repeat(20)), '\\', &|_| Some(long.clone())), Err(ExpandError::TooLong));
    }

    proptest! {
        #[test]
        fn expand_never_panics(word in r#"[a$\{\}:+?%'"\\` é1-]{0,60}"#, escape in prop::sample::select(vec!['\\', '`'])) {
            let _ = expand(&word, escape, &lookup);
        }

        #[test]
        fn expand_keeps_single_quoted_text(text in "[^']{0,40}") {
            prop_assert_eq!(expand(&format!("'{text}'"), '\\', &lookup).unwrap().text, text);
        }
    }
}
