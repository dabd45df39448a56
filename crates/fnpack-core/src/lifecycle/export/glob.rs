//! Glob patterns as Go's `path/filepath` reads them: `*`, `?`, `[a-z]`, `[^a]` and `\` before a
//! character that stands for itself. Nothing of it crosses a slash, and `*` also matches a dot at the
//! start of a name.

/// A pattern for paths below a folder.
#[derive(Debug, Clone)]
pub(super) struct Glob {
    components: Vec<Vec<Token>>,
}

/// Part of a pattern for one name.
#[derive(Debug, Clone)]
enum Token {
    Star,
    Any,
    Class { negated: bool, ranges: Vec<(char, char)> },
    Byte(u8),
}

/// The pattern ends where more must follow, or a class is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadPattern;

impl Glob {
    /// Reads a pattern. `.` and `..` are resolved first, as far as they can be.
    pub(super) fn parse(pattern: &str) -> Result<Self, BadPattern> {
        let mut parts: Vec<&str> = Vec::new();
        for part in pattern.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        parts.into_iter().map(tokens).collect::<Result<_, _>>().map(|components| Self { components })
    }

    /// Whether a path (names without slashes at either end) matches as a whole.
    pub(super) fn matches(&self, path: &[u8]) -> bool {
        let names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
        self.components.len() == names.clone().count() && self.components.iter().zip(names).all(|(tokens, name)| matches(tokens, name))
    }
}

fn tokens(pattern: &str) -> Result<Vec<Token>, BadPattern> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let (_, after) = rest.split_at(first.len_utf8());
        rest = after;
        match first {
            '*' => tokens.push(Token::Star),
            '?' => tokens.push(Token::Any),
            '[' => tokens.push(class(&mut rest)?),
            '\\' => push_bytes(&mut tokens, take(&mut rest)?),
            other => push_bytes(&mut tokens, other),
        }
    }
    Ok(tokens)
}

fn push_bytes(tokens: &mut Vec<Token>, literal: char) {
    tokens.extend(literal.encode_utf8(&mut [0; 4]).bytes().map(Token::Byte));
}

/// What follows `[`.
fn class(rest: &mut &str) -> Result<Token, BadPattern> {
    let negated = rest.strip_prefix('^').inspect(|after| *rest = after).is_some();
    let mut ranges = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(']').filter(|_| !ranges.is_empty()) {
            *rest = after;
            return Ok(Token::Class { negated, ranges });
        }
        let low = member(rest)?;
        let high = match rest.strip_prefix('-') {
            None => low,
            Some(after) => {
                *rest = after;
                member(rest)?
            }
        };
        ranges.push((low, high));
    }
}

/// One character of a class; `-` and `]` only after a backslash.
fn member(rest: &mut &str) -> Result<char, BadPattern> {
    match take(rest)? {
        '-' | ']' => Err(BadPattern),
        '\\' => take(rest),
        other => Ok(other),
    }
}

fn take(rest: &mut &str) -> Result<char, BadPattern> {
    let mut letters = rest.chars();
    let first = letters.next().ok_or(BadPattern)?;
    *rest = letters.as_str();
    Ok(first)
}

/// Goes back to the last star only, so the time is bounded by the product of both lengths.
fn matches(tokens: &[Token], name: &[u8]) -> bool {
    let (mut token, mut rest) = (tokens, name);
    let mut retry: Option<(&[Token], &[u8])> = None;
    loop {
        match token.split_first() {
            None if rest.is_empty() => return true,
            Some((Token::Star, after)) => {
                retry = Some((after, rest));
                token = after;
                continue;
            }
            Some((one, after)) => {
                if let Some(left) = one.consume(rest) {
                    (token, rest) = (after, left);
                    continue;
                }
            }
            None => {}
        }
        let Some((after, [_, left @ ..])) = retry else { return false };
        retry = Some((after, left));
        (token, rest) = (after, left);
    }
}

impl Token {
    /// What is left of a name whose start matches.
    fn consume<'a>(&self, name: &'a [u8]) -> Option<&'a [u8]> {
        if let Self::Byte(byte) = self {
            return name.split_first().filter(|(first, _)| *first == byte).map(|(_, left)| left);
        }
        let (letter, left) = first_letter(name)?;
        let taken = match self {
            Self::Class { negated, ranges } => ranges.iter().any(|(low, high)| (*low..=*high).contains(&letter)) != *negated,
            Self::Star | Self::Any | Self::Byte(_) => true,
        };
        taken.then_some(left)
    }
}

/// A byte that is not part of UTF-8 counts as one replacement character.
fn first_letter(name: &[u8]) -> Option<(char, &[u8])> {
    let length = name.utf8_chunks().next()?.valid().chars().next().map_or(1, char::len_utf8);
    let (letter, left) = name.split_at_checked(length)?;
    Some((std::str::from_utf8(letter).ok().and_then(|text| text.chars().next()).unwrap_or(char::REPLACEMENT_CHARACTER), left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_go() {
        for (pattern, yes, no) in [
            ("abc", &["abc"][..], &["ab", "abcd", "Abc", "x/abc"][..]),
            ("*", &["abc", ".hidden", "ü"], &["a/b", ""]),
            ("*c", &["c", "abc", "cc"], &["cd", "a/c"]),
            ("a*", &["a", "abc"], &["ba", "ab/c"]),
            ("a*/b", &["a/b", "abc/b"], &["a/c/b", "ab"]),
            ("a*b*c*d*e*", &["axbxcxdxe", "axbxcxdxexxx"], &["axbxcxdx"]),
            ("a*b?c*x", &["abxbbxdbxebxczzx"], &["abxbbxdbxebxczzy"]),
            ("ab[c]", &["abc"], &["abd", "ab"]),
            ("ab[b-d]", &["abc", "abd"], &["aba", "abe"]),
            ("ab[^b-d]", &["aba", "abü"], &["abc", "ab"]),
            ("a\\*b", &["a*b"], &["ab", "axb"]),
            ("a[\\-\\]]b", &["a-b", "a]b"], &["ab", "a\\b"]),
            ("a?b", &["aüb", "a☺b"], &["ab", "aüüb", "a/b"]),
            ("[a-ζ]*", &["α"], &["A"]),
            ("./a//b/", &["a/b"], &["a"]),
            ("x/../a", &["a"], &["x/a"]),
            ("**", &["abc"], &["a/b"]),
            ("", &[""], &["a"]),
        ] {
            let glob = Glob::parse(pattern).unwrap();
            for (paths, expected) in [(yes, true), (no, false)] {
                for path in paths {
                    assert_eq!(glob.matches(path.as_bytes()), expected, "{pattern} {path}");
                }
            }
        }
    }

    #[test]
    fn name_that_is_not_utf8_matches_one_letter_a_byte() {
        assert!(Glob::parse("a??").unwrap().matches(b"a\xff\xfe"));
        assert!(!Glob::parse("a?").unwrap().matches(b"a\xff\xfe"));
        assert!(Glob::parse("a[^x]").unwrap().matches(b"a\xff"));
    }

    #[test]
    fn bad_patterns_are_refused() {
        for pattern in ["[", "[^", "[]", "[]a]", "[-]", "[x-]", "[-x]", "[x", "a[", "\\", "a\\", "[a-", "[\\", "a[/]b", "[^]", "x/["] {
            assert_eq!(Glob::parse(pattern).map(|_| ()), Err(BadPattern), "{pattern}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = "*a".repeat(200);
        assert!(!Glob::parse(&pattern).unwrap().matches("a".repeat(199).as_bytes()));
        assert!(!Glob::parse(&format!("{pattern}b")).unwrap().matches("a".repeat(50_000).as_bytes()));
    }
}
