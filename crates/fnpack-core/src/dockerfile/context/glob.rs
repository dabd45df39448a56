//! Patterns over paths: Go's `filepath.Match`, and with `**` the language of `.dockerignore`.
//!
//! A pattern is run as a set of states over the path, so that the time is the product of the two
//! lengths whatever the pattern; nothing backtracks.

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dockerfile) struct Glob {
    tokens: Vec<Token>,
    /// The whole pattern, if it is nothing but a name: most are.
    literal: Option<String>,
}

/// The pattern ends inside `[…]` or after `\`, or a range in `[…]` is empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is not a pattern")]
pub struct GlobError {
    /// The pattern.
    pub pattern: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// `?`: one character that is no slash.
    One,
    /// `*`: any number of characters that are no slashes.
    Any,
    /// `**` at the end: anything.
    Rest,
    /// `**` elsewhere: nothing, or anything that ends with a slash.
    Folders,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Whether `**` means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dockerfile) enum Flavour {
    /// `COPY`: two stars are one.
    Match,
    /// `.dockerignore`: any number of folders.
    Ignore,
}

impl Glob {
    /// Compiles a pattern.
    pub(in crate::dockerfile) fn new(pattern: &str, flavour: Flavour) -> Result<Self, GlobError> {
        let tokens = tokens(pattern, flavour).ok_or_else(|| GlobError { pattern: pattern.to_owned() })?;
        let literal = tokens.iter().map(|token| match token {
            Token::Literal(character) => Some(*character),
            _ => None,
        });
        let literal = literal.collect();
        Ok(Self { tokens, literal })
    }

    /// Whether the text has anything in it that is not taken literally.
    pub(in crate::dockerfile) fn is_pattern(text: &str) -> bool {
        text.contains(['*', '?', '[', '\\'])
    }

    /// Whether the whole path fits.
    pub(in crate::dockerfile) fn matches(&self, path: &str) -> bool {
        self.run(path, false)
    }

    /// Whether the path or a folder above it fits.
    pub(in crate::dockerfile) fn matches_or_above(&self, path: &str) -> bool {
        self.run(path, true)
    }

    fn run(&self, path: &str, above: bool) -> bool {
        if let Some(literal) = &self.literal {
            return path.strip_prefix(literal.as_str()).is_some_and(|rest| rest.is_empty() || (above && rest.starts_with('/')));
        }
        let mut states = vec![false; self.tokens.len() + 1];
        let mut after = states.clone();
        self.enter(&mut states, 0);
        for character in path.chars() {
            if above && character == '/' && states.last() == Some(&true) {
                return true;
            }
            after.fill(false);
            let live = self.tokens.iter().enumerate().filter(|(index, _)| states.get(*index) == Some(&true));
            for (index, token) in live {
                let (stays, moves) = token.step(character);
                if stays {
                    self.enter(&mut after, index);
                }
                if moves {
                    self.enter(&mut after, index + 1);
                }
            }
            std::mem::swap(&mut states, &mut after);
        }
        states.last() == Some(&true)
    }

    /// Marks a state, and those reached from it without a character.
    fn enter(&self, states: &mut [bool], mut index: usize) {
        loop {
            match states.get_mut(index) {
                Some(state) if !*state => *state = true,
                _ => return,
            }
            if !matches!(self.tokens.get(index), Some(Token::Any | Token::Rest | Token::Folders)) {
                return;
            }
            index += 1;
        }
    }
}

impl Token {
    /// Whether a character keeps the state, and whether it leads to the next.
    fn step(&self, character: char) -> (bool, bool) {
        match self {
            Self::Literal(literal) => (false, *literal == character),
            Self::One => (false, character != '/'),
            Self::Any => (character != '/', false),
            Self::Rest => (true, false),
            Self::Folders => (true, character == '/'),
            Self::Class { negated, ranges } => {
                let inside = ranges.iter().any(|(first, last)| (*first..=*last).contains(&character));
                (false, character != '/' && inside != *negated)
            }
        }
    }
}

fn tokens(pattern: &str, flavour: Flavour) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '*' if flavour == Flavour::Ignore && characters.next_if_eq(&'*').is_some() => {
                characters.next_if_eq(&'/');
                if characters.peek().is_some() { Token::Folders } else { Token::Rest }
            }
            '*' => Token::Any,
            '?' => Token::One,
            '[' => class(&mut characters)?,
            '\\' => Token::Literal(characters.next()?),
            literal => Token::Literal(literal),
        });
    }
    Some(tokens)
}

/// What follows a `[`, up to its `]`.
fn class(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let negated = characters.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let first = match characters.next()? {
            ']' if ranges.is_empty() => return None,
            ']' => return Some(Token::Class { negated, ranges }),
            '\\' => characters.next()?,
            '-' => return None,
            first => first,
        };
        let last = match characters.next_if_eq(&'-') {
            None => first,
            Some(_) => match characters.next()? {
                ']' | '-' => return None,
                '\\' => characters.next()?,
                last => last,
            },
        };
        if last < first {
            return None;
        }
        ranges.push((first, last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn match_follows_go() {
        for (pattern, path, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a?b", "a/b", false),
            ("a[^a]b", "a/b", false),
            ("[\\]a]", "]", true),
            ("[x\\-]", "-", true),
            ("**", "a/b", false),
            ("a**b", "axb", true),
        ] {
            assert_eq!(Glob::new(pattern, Flavour::Match).unwrap().matches(path), expected, "{pattern} {path}");
        }
        for bad in ["[", "[]a]", "[-]", "[x-]", "[a-b-c]", "a\\", "[^", "[b-a]"] {
            assert!(Glob::new(bad, Flavour::Match).is_err(), "{bad}");
        }
    }

    #[test]
    fn hostile_pattern_is_linear() {
        let pattern = Glob::new(&"**/*a".repeat(200), Flavour::Ignore).unwrap();
        assert!(!pattern.matches(&"a/".repeat(500)));
    }
}
