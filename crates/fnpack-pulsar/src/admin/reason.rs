//! What the body of a refusal says: `{"reason": …}` of Pulsar, a page of its web server, or some text.

use serde::Deserialize;

/// So much of it is shown.
const LONGEST: usize = 500;

#[derive(Deserialize)]
struct Reason {
    reason: Option<String>,
}

/// The reason in one line.
pub(super) fn of(body: &[u8]) -> String {
    if let Ok(Reason { reason }) = serde_json::from_slice(body) {
        return reason.filter(|text| !text.is_empty()).map_or_else(|| "no reason given".to_owned(), |text| line(&text));
    }
    let text = String::from_utf8_lossy(body);
    let text = line(title(&text).unwrap_or(&text));
    if text.is_empty() { "no reason given".to_owned() } else { text }
}

fn title(text: &str) -> Option<&str> {
    let (_, behind) = text.split_once("<title>")?;
    behind.split_once("</title>").map(|(title, _)| title)
}

fn line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let clean: String = words.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_found_in_any_body() {
        for (body, expected) in [
            (&br#"{"reason":"Function f already exists"}"#[..], "Function f already exists"),
            (br#"{"reason":"two\nlines \u001b[31m"}"#, "two lines [31m"),
            (b"{}", "no reason given"),
            (br#"{"reason":null}"#, "no reason given"),
            (b"", "no reason given"),
            (b"<html><head><title>Error 401 Authentication required</title></head></html>", "Error 401 Authentication required"),
            (b"plain \xff text\n", "plain \u{fffd} text"),
        ] {
            assert_eq!(of(body), expected);
        }
        assert_eq!(of(&[b'x'; 9000]).len(), LONGEST);
    }
}
