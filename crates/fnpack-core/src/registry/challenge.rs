//! `WWW-Authenticate` (RFC 9110, section 11.6.1), as registries write it and as nobody should.

/// At most so many challenges and parameters are read from one answer.
const MOST: usize = 32;

/// One way in which a server lets itself be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// In lower case: `basic`, `bearer`.
    pub(super) scheme: String,
    /// Names in lower case.
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The value of a parameter; the first of its name.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Reads the challenges of a header. What cannot be understood ends the list.
    pub(super) fn parse_list(header: &str) -> Vec<Self> {
        let mut text = Text { rest: header };
        let mut challenges: Vec<Self> = Vec::new();
        while challenges.len() < MOST {
            text.skip(|character| character == ',' || character.is_ascii_whitespace());
            let Some(name) = text.token() else { break };
            match (text.parameter_value(), challenges.last_mut()) {
                (Some(value), Some(challenge)) if challenge.parameters.len() < MOST => {
                    challenge.parameters.push((name.to_ascii_lowercase(), value));
                }
                (Some(_), _) => break,
                (None, _) => {
                    challenges.push(Self { scheme: name.to_ascii_lowercase(), parameters: Vec::new() });
                    text.skip_token68();
                }
            }
        }
        challenges
    }
}

struct Text<'a> {
    rest: &'a str,
}

impl<'a> Text<'a> {
    fn skip(&mut self, unwanted: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(unwanted);
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|character| !wanted(character)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn token(&mut self) -> Option<&'a str> {
        let token = self.take(|character| character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character));
        (!token.is_empty()).then_some(token)
    }

    /// The value after a name: `= value` or `= "quoted"`; `None` and nothing consumed if there is no `=`.
    fn parameter_value(&mut self) -> Option<String> {
        let rest = self.rest.trim_start().strip_prefix('=')?;
        self.rest = rest.trim_start();
        match self.rest.strip_prefix('"') {
            // Registries put URLs and scopes without quotes too; a comma or blank ends them.
            None => Some(self.take(|character| character != ',' && !character.is_ascii_whitespace()).to_owned()),
            Some(quoted) => {
                self.rest = quoted;
                Some(self.quoted())
            }
        }
    }

    /// The rest of a quoted string; a missing end quote ends it at the end of the header.
    fn quoted(&mut self) -> String {
        let mut value = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((position, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[position + 1..];
                    return value;
                }
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                _ => value.push(character),
            }
        }
        self.rest = "";
        value
    }

    /// Skips the single word that some schemes have in place of parameters (`Negotiate YII==`).
    fn skip_token68(&mut self) {
        let mut ahead = Text { rest: self.rest };
        ahead.skip(|character| character.is_ascii_whitespace());
        let word = ahead.take(|character| character.is_ascii_alphanumeric() || "-._~+/".contains(character));
        ahead.skip(|character| character == '=');
        ahead.skip(|character| character.is_ascii_whitespace());
        if !word.is_empty() && (ahead.rest.is_empty() || ahead.rest.starts_with(',')) {
            self.rest = ahead.rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(header: &str) -> String {
        let challenge = |challenge: &Challenge| {
            let parameters: Vec<String> = challenge.parameters.iter().map(|(name, value)| format!("{name}=<{value}>")).collect();
            format!("{} {}", challenge.scheme, parameters.join(" ")).trim().to_owned()
        };
        Challenge::parse_list(header).iter().map(challenge).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn challenges_of_real_registries_are_read() {
        for (header, expected) in [
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/debian:pull,push""#,
                "bearer realm=<https://auth.docker.io/token> service=<registry.docker.io> scope=<repository:library/debian:pull,push>",
            ),
            (r#"Basic realm="Registry Realm""#, "basic realm=<Registry Realm>"),
            ("Basic", "basic"),
            ("basic realm=x, BEARER Realm = \"y\" , service=z", "basic realm=<x>; bearer realm=<y> service=<z>"),
            ("Negotiate, Bearer realm=\"y\"", "negotiate; bearer realm=<y>"),
            ("Negotiate YII==, Basic realm=\"a, b=\\\"c\\\"\"", "negotiate; basic realm=<a, b=\"c\">"),
            ("Bearer realm=https://x/token?a=b,scope=\"\"", "bearer realm=<https://x/token?a=b> scope=<>"),
        ] {
            assert_eq!(shown(header), expected, "{header}");
        }
    }

    #[test]
    fn hostile_headers_end_quietly() {
        for (header, expected) in [
            ("", ""),
            (",,, ,", ""),
            ("=x", ""),
            ("realm=\"x\"", ""),
            ("Bearer realm=\"unclosed", "bearer realm=<unclosed>"),
            ("Bearer realm=\"a\\", "bearer realm=<a>"),
            ("Bearer realm=\"\u{e9}\", \u{e9}", "bearer realm=<\u{e9}>"),
            ("Bearer realm=", "bearer"),
        ] {
            assert_eq!(shown(header), expected, "{header}");
        }
        assert_eq!(Challenge::parse_list(&"a,".repeat(100_000)).len(), MOST);
        assert_eq!(Challenge::parse_list(&format!("Bearer {}", "a=b,".repeat(100_000)))[0].parameters.len(), MOST);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(header in "[ -~\u{e9}]{0,80}") {
            Challenge::parse_list(&header);
        }
    }
}
