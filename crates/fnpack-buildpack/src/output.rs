//! What a buildpack says, and what the programs say that it runs.

use std::error::Error;
use std::fmt;
use std::io::{self, BufRead, Write};

/// How much of a program's words is kept to choose a hint by.
pub const OUTPUT_LIMIT: usize = 64 << 10;

/// For who reads the build's output; nobody is left to tell if it is closed.
pub fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Why the build ends.
pub fn say_error(text: &str) {
    let _ = writeln!(io::stderr(), "ERROR: {text}");
}

/// Why libcnb ends a phase; `hint` knows what helps against the buildpack's own errors.
pub fn say_failure<E: Error + fmt::Debug>(error: libcnb::Error<E>, hint: impl FnOnce(&E) -> Option<String>) {
    match error {
        libcnb::Error::BuildpackError(error) => say_error(&explained(&error, hint(&error).as_deref())),
        other => say_error(&other.to_string()),
    }
}

/// An error with its causes on one line, and a hint on the next where one is known.
pub fn explained(error: &dyn Error, hint: Option<&str>) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if let Some(hint) = hint {
        text.push_str("\nhint: ");
        text.push_str(hint);
    }
    text
}

/// Passes on each line as it comes, after `change`, and returns the last [`OUTPUT_LIMIT`] bytes of them.
pub fn pass_on(stream: impl BufRead, sink: &mut impl Write, change: impl Fn(&str) -> String) -> io::Result<String> {
    let mut kept = String::new();
    for line in stream.split(b'\n') {
        let line = change(&String::from_utf8_lossy(&line?));
        // Nobody is left to tell if it is closed.
        let _ = writeln!(sink, "{line}");
        kept.push_str(&line);
        kept.push('\n');
        if kept.len() > OUTPUT_LIMIT {
            let half = kept.ceil_char_boundary(kept.len() / 2);
            kept.drain(..half);
        }
    }
    Ok(kept)
}

/// One address without the user and password it may hold.
pub fn without_credentials(address: &str) -> String {
    let redacted = || {
        let (scheme, rest) = address.split_once("://")?;
        let host = rest.find('/').unwrap_or(rest.len());
        let end = rest.get(..host)?.rfind('@')?;
        Some(format!("{scheme}://***{}", rest.get(end..)?))
    };
    redacted().unwrap_or_else(|| address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pass_on_keeps_the_end() {
        let text = format!("{}\nlast\n", "é\n".repeat(OUTPUT_LIMIT));
        let mut passed = Vec::new();
        let kept = pass_on(text.as_bytes(), &mut passed, str::to_owned).unwrap();
        assert_eq!(passed, text.as_bytes());
        assert!(kept.ends_with("é\n\nlast\n") && kept.len() <= OUTPUT_LIMIT);
    }

    #[test]
    fn credentials_are_not_shown() {
        for (address, expected) in [
            ("https://proxy.golang.org", "https://proxy.golang.org"),
            ("https://me:p@ss@proxy/x@y", "https://***@proxy/x@y"),
            ("https://me@proxy", "https://***@proxy"),
            ("direct", "direct"),
            ("", ""),
        ] {
            assert_eq!(without_credentials(address), expected);
        }
    }

    #[test]
    fn explained_has_causes_and_a_hint() {
        #[derive(Debug, thiserror::Error)]
        #[error("take the binary")]
        struct Take(#[source] io::Error);
        let error = Take(io::Error::other("disk full"));
        assert_eq!(explained(&error, None), "take the binary: disk full");
        assert_eq!(explained(&error, Some("free space")), "take the binary: disk full\nhint: free space");
    }
}
