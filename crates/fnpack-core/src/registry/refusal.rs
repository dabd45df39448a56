//! What the body of an error says: the codes of the specification, a title out of HTML, or a first line.

use serde::Deserialize;

use crate::digest::Digest;

/// So much of an error's body is read.
pub(super) const LONGEST_BODY: u64 = 64 * 1024;
/// How the digests begin that are known here.
const DIGEST: &str = "sha256:";
/// So much of it is shown.
const LONGEST_MESSAGE: usize = 300;

#[derive(Deserialize)]
struct Errors {
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    detail: serde_json::Value,
}

/// An error's body in one line, and what of it is for us.
pub(super) struct Summary {
    pub(super) message: String,
    /// What `BLOB_UNKNOWN` and its kin are about.
    pub(super) unknown_blobs: Vec<Digest>,
}

/// Sums up an error's body.
pub(super) fn summary(body: &[u8]) -> Summary {
    match serde_json::from_slice(body) {
        Ok(Errors { errors }) => {
            let message = shortened(&errors.iter().take(5).map(Fault::line).collect::<Vec<_>>().join("; "));
            Summary { message, unknown_blobs: errors.iter().flat_map(Fault::unknown_blobs).collect() }
        }
        Err(_) => Summary { message: line(body), unknown_blobs: Vec::new() },
    }
}

/// One line out of what is not of the specification.
fn line(body: &[u8]) -> String {
    html_page(body).unwrap_or_else(|| shortened(&String::from_utf8_lossy(body)))
}

/// What page it is, if it is one of HTML.
pub(super) fn html_page(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    is_html(&text).then(|| match title(&text) {
        Some(title) => format!("an HTML page, `{}`", shortened(&title)),
        None => "an HTML page".to_owned(),
    })
}

impl Fault {
    fn line(&self) -> String {
        // Only text and numbers deep inside a detail are of use: distribution puts the errno there.
        let detail = if self.detail.is_null() || self.code != "UNKNOWN" { String::new() } else { format!(" {}", self.detail) };
        format!("{}: {}{detail}", self.code, self.message)
    }

    /// Registries put the digest into the message, or somewhere into the detail.
    fn unknown_blobs(&self) -> Vec<Digest> {
        if !self.code.contains("BLOB_UNKNOWN") && self.code != "MANIFEST_UNKNOWN" {
            return Vec::new();
        }
        let text = format!("{} {}", self.message, self.detail);
        text.match_indices(DIGEST).filter_map(|(start, _)| text.get(start..start + DIGEST.len() + 64)?.parse().ok()).collect()
    }
}

fn is_html(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(15).collect::<String>().to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html")
}

fn title(text: &str) -> Option<String> {
    // Same length as `text`: only ASCII letters change.
    let lower = text.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let length = lower.get(start..)?.find("</title>")?;
    text.get(start..start + length).map(|title| title.trim().to_owned())
}

/// One line without control characters, which would otherwise reach the user's terminal.
fn shortened(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|character: char| character.is_whitespace() || character.is_control()).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_summed_up() {
        let long = "x".repeat(1000);
        for (body, expected) in [
            (r#"{"errors":[{"code":"DENIED","message":"no access"},{"code":"B"}]}"#, "DENIED: no access; B:"),
            (r#"{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"Err":28}}]}"#, r#"UNKNOWN: unknown error {"Err":28}"#),
            ("<!DOCTYPE html><html><head><Title> Blocked by\nproxy </TITLE>", "an HTML page, `Blocked by proxy`"),
            ("<html><title>", "an HTML page"),
            ("", ""),
            ("plain\r\n\u{1b}[31mtext", "plain [31mtext"),
            (&long, &format!("{}…", "x".repeat(300))),
        ] {
            assert_eq!(summary(body.as_bytes()).message, expected);
        }
        assert_eq!(summary(b"\xff\xfe").message, "\u{fffd}\u{fffd}");
    }

    #[test]
    fn unknown_blobs_are_found_wherever_they_are_named() {
        let (one, other) = (Digest::of("one"), Digest::of("other"));
        for (body, expected) in [
            (format!(r#"{{"errors":[{{"code":"MANIFEST_BLOB_UNKNOWN","message":"x","detail":{{"digest":"{one}"}}}}]}}"#), vec![one]),
            (
                format!(
                    r#"{{"errors":[{{"code":"BLOB_UNKNOWN","message":"no {one}, no {other}"}},{{"code":"DENIED","message":"{one}"}}]}}"#
                ),
                vec![one, other],
            ),
            (r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"sha256:abc sha256:"}]}"#.to_owned(), vec![]),
            (format!("BLOB_UNKNOWN {one}"), vec![]),
        ] {
            assert_eq!(summary(body.as_bytes()).unknown_blobs, expected, "{body}");
        }
    }
}
